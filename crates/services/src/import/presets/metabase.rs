//! Metabase: the table `api_key`, bcrypt of the whole key, found by its first seven characters.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::row::{ForeignRow, hint_of_start, lookup, refused, shape};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["key"])?;
    if !stored.expose().starts_with("$2") {
        return Err(refused(
            "key",
            "Expected bcrypt. With MB_ENCRYPTION_SECRET_KEY Metabase encrypts this column: decrypt \
             the database first, as Metabase’s documentation on that setting says.",
        ));
    }
    let prefix = row.required(&["key_prefix"])?;
    let mut key = KeyRequest::new(row.name(&["name"], &prefix)?, KeyKind::Api);
    key.external_id = row.external_id(&["user_id"])?;
    Ok(ImportRow {
        scheme: Some(Scheme::Bcrypt),
        lookup: Some(lookup("key_prefix", &prefix)?),
        hint: hint_of_start(&prefix),
        created_at: row.time(&["created_at"])?,
        // `mb_` and 32 bytes in base64, or what an administrator wrote in a file.
        shape: shape("key_prefix", "mb_", 12..=254, Alphabet::Visible)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};
    use super::*;

    const ROW: &str = r#"{"id": 1, "user_id": 5, "name": "BI",
        "key": "$2a$10$abcdefghijklmnopqrstuuO2iYsuoXsMrgr8i/ztWGf3TjFVSjZ2K",
        "key_prefix": "mb_7kQ2", "created_at": "2026-11-30 14:47:33.12+00"}"#;

    #[test]
    fn metabase_key_is_found_by_its_prefix() {
        let key = format!("mb_7kQ2{}=", "x".repeat(39));
        let row = found(Preset::Metabase, ROW, &key);
        assert_eq!((row.scheme, row.lookup.unwrap().as_str()), (Some(Scheme::Bcrypt), "mb_7kQ2"));
        assert_eq!(row.hint.unwrap().as_str(), "mb_7kQ2...");
    }

    #[test]
    fn metabase_key_that_is_encrypted_is_refused() {
        let encrypted = ROW.replace("$2a$10$", "b64b64");
        assert_eq!(read(Preset::Metabase, &encrypted).unwrap_err().field, "key");
    }
}
