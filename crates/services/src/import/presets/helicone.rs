//! Helicone: the table `helicone_api_keys`, SHA-256 of `Bearer ` and the key, in hexadecimal.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::{fast, revoked};
use super::row::{ForeignRow, shape, tag};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["api_key_hash"])?;
    let mut key = KeyRequest::new(row.name(&["api_key_name"], "Helicone key")?, KeyKind::Api);
    key.external_id = row.external_id(&["user_id"])?;
    let permissions = row.text(&["key_permissions"]).unwrap_or_default();
    key.tags =
        if permissions.is_empty() { None } else { tag(&format!("permissions:{permissions}")) };
    // Keys that may only write are called public. `-eu` and `-cp` may follow.
    let prefix = if permissions == "w" { "pk-helicone-" } else { "sk-helicone-" };
    let part = Part::Prefixed("Bearer ".to_owned());
    Ok(ImportRow {
        scheme: Some(fast(FastAlgorithm::Sha256, DigestEncoding::Hex, part)),
        status: revoked(row.flag(&["soft_delete"])? == Some(true)),
        created_at: row.time(&["created_at"])?,
        shape: shape("api_key_hash", prefix, 36..=96, Alphabet::Base64url)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::{found, read};

    const ROW: &str = r#"{"id": 4, "api_key_hash": "7442ef110a3adddc3412256c11b220b935492b92e7e9c009a571588cdcaad720", "api_key_name": "prod",
        "user_id": "2f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2", "key_permissions": "rw",
        "soft_delete": false, "created_at": "2026-11-30 14:47:33.12+00"}"#;

    #[test]
    fn helicone_key_is_digested_behind_bearer() {
        let row = found(Preset::Helicone, ROW, "sk-helicone-eu-3kq7zxa-m5vb2ni-wr6tgyi-x4cpd2a");
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex:prefixed=Bearer%20");
        assert_eq!(
            row.stored.expose(),
            "7442ef110a3adddc3412256c11b220b935492b92e7e9c009a571588cdcaad720"
        );
        let writes = ROW.replace("\"rw\"", "\"w\"").replace("false", "\"t\"");
        let row = read(Preset::Helicone, &writes).unwrap();
        assert_eq!(row.shape.unwrap().prefix(), "pk-helicone-");
        assert_eq!(row.status, Some(KeyStatus::Revoked));
    }
}
