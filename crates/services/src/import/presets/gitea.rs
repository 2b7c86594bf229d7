//! Gitea: the table `access_token`, PBKDF2 with a salt of each row, found by the last eight
//! characters of the token.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::row::{ForeignRow, Names, hint, lookup, refused, scopes, shape, stored};

/// Rounds that Gitea computes.
const ROUNDS: u32 = 10_000;
/// Bytes that Gitea derives. PBKDF2 derives the first 32 by themselves, as Django does.
const DERIVED: usize = 50;
const COLUMN: Names = &["token_hash"];

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let hash = row.required(COLUMN)?;
    let salt = row.required(&["token_salt"])?;
    let end = row.required(&["token_last_eight"])?;
    let derived = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).unwrap_or_default();
    let first = derived.get(..32).filter(|_| derived.len() == DERIVED);
    let Some(first) = first else {
        return Err(refused("token_hash", "Expected 50 bytes of PBKDF2 in hexadecimal."));
    };
    let form = format!("pbkdf2_sha256${ROUNDS}${salt}${}", BASE64.encode(first));
    let mut key = KeyRequest::new(row.name(&["name"], &format!("Gitea {end}"))?, KeyKind::Api);
    key.external_id = row.external_id(&["uid"])?;
    let scope = row.text(&["scope"]).unwrap_or_default();
    let list: Vec<String> = scope
        .split(',')
        .map(str::trim)
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    key.scopes = scopes("scope", &list)?;
    Ok(ImportRow {
        scheme: Some(Scheme::Pbkdf2Sha256),
        lookup: Some(lookup("token_last_eight", &format!("*{end}"))?),
        hint: hint(&format!("...{end}")),
        created_at: row.time(&["created_unix"])?,
        last_used_at: row.time(&["updated_unix"])?,
        // 20 bytes in hexadecimal.
        shape: shape("token_hash", "", 40..=40, Alphabet::Hex)?,
        ..ImportRow::new(key, stored(COLUMN, &form)?)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::{Preset, SlowHash};

    use super::super::tests::{found, read};
    use super::*;

    const ROW: &str = r#"{"id": 1, "uid": 2, "name": "ci", "token_salt": "aB3dEf9hIj",
        "token_hash": "ae0730070f5d8e0b3c7c99dee69baac9ce39cdb8d7f92b9a9d59f855047361541c2c5355cee70c3e4d3c3b1508a7c0d6969f", "token_last_eight": "3c4d5e6f", "created_unix": 1796050053,
        "scope": "read:user,write:repository", "updated_unix": 1796050060}"#;

    #[test]
    fn gitea_token_is_found_by_its_end() {
        let row = found(Preset::Gitea, ROW, "2233445566778899aabbccddee001a2b3c4d5e6f");
        assert_eq!(row.lookup.unwrap().as_str(), "*3c4d5e6f");
        assert_eq!(row.hint.unwrap().as_str(), "...3c4d5e6f");
        let form = "pbkdf2_sha256$10000$aB3dEf9hIj$rgcwBw9djgs8fJne5puqyc45zbjX+SuanVn4VQRzYVQ=";
        assert_eq!(row.stored.expose(), form);
        assert!(SlowHash::parse(&Scheme::Pbkdf2Sha256, form).is_ok());
        assert_eq!(row.created_at.unwrap().to_string(), "2026-11-30T14:47:33.000Z");
        assert_eq!(row.key.scopes.unwrap().as_slice().len(), 2);
    }

    #[test]
    fn gitea_hash_of_another_length_is_refused() {
        let short = ROW.replace("\"token_hash\": \"", "\"token_hash\": \"00");
        assert_eq!(read(Preset::Gitea, &short).unwrap_err().field, "token_hash");
    }
}
