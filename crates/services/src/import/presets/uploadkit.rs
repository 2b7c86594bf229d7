//! UploadKit: its collection of API keys, SHA-256 in hexadecimal.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::problem::FieldError;

use super::forms::{SHA256_HEX, revoked};
use super::row::{ForeignRow, hint_of_start, shape};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["keyHash"])?;
    let start = row.text(&["keyPrefix"]).unwrap_or_default();
    let mut key = KeyRequest::new(row.name(&["name"], "Default")?, KeyKind::Api);
    let is_test = row.flag(&["isTest"])? == Some(true) || start.starts_with("uk_test_");
    if is_test {
        key.environment = Environment::Test;
    }
    let prefix = if is_test { "uk_test_" } else { "uk_live_" };
    Ok(ImportRow {
        scheme: Some(SHA256_HEX),
        hint: hint_of_start(&start),
        status: revoked(row.time(&["revokedAt"])?.is_some()),
        created_at: row.time(&["createdAt"])?,
        last_used_at: row.time(&["lastUsedAt"])?,
        shape: shape("keyPrefix", prefix, 40..=40, Alphabet::Base64url)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::{found, read};
    use super::*;

    const KEY: &str = "uk_live_V1StGXR8_Z5jdHi6B-myT0123456789a";
    const ROW: &str = r#"{"_id": "674b", "keyPrefix": "uk_live_V1St", "keyHash": "eabf140c5d8fe082100643f469d983f9d7a05e341379abf1bbba79e2711de2e1",
        "name": "Production Server", "isTest": false, "createdAt": "2026-11-30T14:47:33.120Z"}"#;

    #[test]
    fn uploadkit_row_is_read_with_its_environment() {
        let row = found(Preset::Uploadkit, ROW, KEY);
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex");
        assert_eq!(
            row.stored.expose(),
            "eabf140c5d8fe082100643f469d983f9d7a05e341379abf1bbba79e2711de2e1"
        );
        assert_eq!(row.key.environment, Environment::Live);
        let test = ROW.replace("false", "true").replace("uk_live_", "uk_test_");
        let row = found(Preset::Uploadkit, &test, &KEY.replace("uk_live_", "uk_test_"));
        assert_eq!(row.key.environment, Environment::Test);
    }

    #[test]
    fn uploadkit_key_that_was_revoked_stays_revoked() {
        let ended =
            ROW.replace("\"isTest\"", "\"revokedAt\": \"2026-11-30T15:00:00Z\", \"isTest\"");
        assert_eq!(read(Preset::Uploadkit, &ended).unwrap().status, Some(KeyStatus::Revoked));
    }
}
