//! Payload: a collection whose `auth` has `useAPIKey`, HMAC-SHA-256 in `apiKeyIndex`.
//!
//! The secret of that HMAC is not `PAYLOAD_SECRET` itself: it is the first half of its SHA-256, as
//! the text of its hexadecimal form.

use data_encoding::HEXLOWER;
use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, HmacAlgorithm, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;
use sha2::{Digest, Sha256};

use super::forms::disabled;
use super::row::{ForeignRow, refused, shape};

/// Characters of SHA-1 in hexadecimal, which versions before 3.46 used.
const SHA1_CHARACTERS: usize = 40;

/// The secret of Payload's HMAC, from `PAYLOAD_SECRET`.
pub(super) fn digest_secret(payload_secret: &[u8]) -> String {
    let mut hex = HEXLOWER.encode(&Sha256::digest(payload_secret));
    hex.truncate(32);
    hex
}

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    // PostgreSQL's columns are called so by Payload's own adapter.
    let stored = row.stored(&["apiKeyIndex", "api_key_index"])?;
    if stored.expose().len() == SHA1_CHARACTERS {
        let message =
            "HMAC-SHA-1 can’t be imported. Save the document once with Payload 3.46 or later.";
        return Err(refused("apiKeyIndex", message));
    }
    let id = row.text(&["id", "_id"]).unwrap_or_default();
    let name = row.name(&["name", "email"], &format!("Payload {id}"))?;
    let mut key = KeyRequest::new(name, KeyKind::Api);
    key.external_id = row.external_id(&["id", "_id"])?;
    let is_off = row.flag(&["enableAPIKey", "enable_a_p_i_key"])? == Some(false);
    Ok(ImportRow {
        scheme: Some(Scheme::Hmac(HmacAlgorithm::Sha256)),
        status: disabled(is_off),
        created_at: row.time(&["createdAt", "created_at"])?,
        // The admin's pages make UUIDs.
        shape: shape("apiKeyIndex", "", 36..=36, Alphabet::Base64url)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};
    use super::*;

    #[test]
    fn payload_secret_is_half_of_its_digest() {
        assert_eq!(digest_secret(b"a-secret-of-payload"), "2070516f52ba4572f2448529025b7cce");
        assert_eq!(
            *super::super::digest_secret(Preset::Payload, b"a-secret-of-payload"),
            *b"2070516f52ba4572f2448529025b7cce"
        );
        assert_eq!(*super::super::digest_secret(Preset::Strapi, b"salt"), *b"salt");
    }

    #[test]
    fn payload_key_is_an_hmac_of_its_index() {
        let row = format!(
            r#"{{"id": 5, "email": "bot@example.com", "enable_a_p_i_key": true, "api_key": "00",
                "api_key_index": "{}", "created_at": "2026-11-30 14:47:33.12+00"}}"#,
            "ab".repeat(32)
        );
        let read_row = found(Preset::Payload, &row, "7f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2");
        assert_eq!(read_row.scheme.unwrap().to_string(), "hmac-sha256-hex");
        assert_eq!(read_row.key.name.as_str(), "bot@example.com");
        let old = row.replace(&"ab".repeat(32), &"ab".repeat(20));
        assert_eq!(read(Preset::Payload, &old).unwrap_err().field, "apiKeyIndex");
    }
}
