//! Langfuse: the table `api_keys`, SHA-256 of the secret key and, behind it, the SHA-256 of `SALT`
//! in hexadecimal.

use data_encoding::HEXLOWER;
use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;
use sha2::{Digest, Sha256};

use super::forms::fast;
use super::row::{ForeignRow, refused, shape, tag};

pub(super) fn key(row: &ForeignRow, salt: Option<&[u8]>) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["fast_hashed_secret_key", "fastHashedSecretKey"])?;
    let Some(salt) = salt else {
        return Err(refused("secret", "Send Langfuse’s SALT as the secret of the import."));
    };
    let mut key = KeyRequest::new(
        row.name(&["note", "public_key", "publicKey"], "Langfuse key")?,
        KeyKind::Api,
    );
    key.expires_at = row.time(&["expires_at", "expiresAt"])?;
    key.external_id = row.external_id(&["public_key", "publicKey"])?;
    key.tags = row.text(&["project_id", "projectId"]).and_then(|id| tag(&format!("project:{id}")));
    let suffix = HEXLOWER.encode(&Sha256::digest(salt));
    Ok(ImportRow {
        scheme: Some(fast(FastAlgorithm::Sha256, DigestEncoding::Hex, Part::Suffixed(suffix))),
        hint: row.hint(&["display_secret_key", "displaySecretKey"]),
        created_at: row.time(&["created_at", "createdAt"])?,
        last_used_at: row.time(&["last_used_at", "lastUsedAt"])?,
        // `sk-lf-` and a UUID.
        shape: shape("fast_hashed_secret_key", "sk-lf-", 42..=42, Alphabet::Base64url)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};

    const ROW: &str = r#"{"id": "c1", "created_at": "2026-11-30 14:47:33.12", "note": null,
        "public_key": "pk-lf-1f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2", "hashed_secret_key": "$2a$11$x",
        "fast_hashed_secret_key": "1ec09f93ec8169e00f3f015960ff85f912858cb33a858e2a7e05f41a88a069c8", "display_secret_key": "sk-lf-...c1b2",
        "project_id": "p1", "last_used_at": null, "expires_at": null}"#;

    #[test]
    fn langfuse_key_is_digested_before_its_salt() {
        // The tests' secret stands for SALT.
        let row = found(Preset::Langfuse, ROW, "sk-lf-7f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2");
        assert_eq!(
            row.scheme.unwrap().to_string(),
            "sha256-hex:suffixed=2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        );
        assert_eq!(
            row.stored.expose(),
            "1ec09f93ec8169e00f3f015960ff85f912858cb33a858e2a7e05f41a88a069c8"
        );
        assert_eq!(row.hint.unwrap().as_str(), "sk-lf-...c1b2");
        assert_eq!(row.key.tags.unwrap().as_slice()[0].as_str(), "project:p1");
    }

    #[test]
    fn langfuse_key_that_was_never_used_fast_is_refused() {
        let slow = ROW.replace(
            "\"1ec09f93ec8169e00f3f015960ff85f912858cb33a858e2a7e05f41a88a069c8\"",
            "null",
        );
        assert_eq!(read(Preset::Langfuse, &slow).unwrap_err().field, "fast_hashed_secret_key");
    }
}
