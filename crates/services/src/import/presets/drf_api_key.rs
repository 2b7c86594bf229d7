//! djangorestframework-api-key: the table `rest_framework_api_key_apikey`.
//!
//! Version 3 stores `sha512$$` and the digest of the whole key, prefix and dot included; version 2
//! what Django stores of passwords. A key of 2 becomes one of 3 at its first use there, so that a
//! table has both.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{
    Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part, Scheme, StoredForm,
};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::{fast, revoked};
use super::row::{ForeignRow, hint_of_start, lookup, refused, shape, stored};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let hashed = row.required(&["hashed_key"])?;
    let prefix = row.required(&["prefix"])?;
    let mut key = KeyRequest::new(row.name(&["name"], &prefix)?, KeyKind::Api);
    key.expires_at = row.time(&["expiry_date"])?;
    let (scheme, stored) = form(&hashed)?;
    let is_slow = scheme.as_ref().is_some_and(Scheme::is_slow);
    let start = format!("{prefix}.");
    Ok(ImportRow {
        lookup: if is_slow { Some(lookup("prefix", &start)?) } else { None },
        scheme,
        hint: hint_of_start(&start),
        status: revoked(row.flag(&["revoked"])? == Some(true)),
        created_at: row.time(&["created"])?,
        // 8 characters, a dot and 32 more, as far as the generator was not replaced.
        shape: shape("prefix", "", 41..=41, Alphabet::Visible)?,
        ..ImportRow::new(key, stored)
    })
}

/// What the text in the column is a digest by.
fn form(hashed: &str) -> Result<(Option<Scheme>, StoredForm), FieldError> {
    const NAMES: &[&str] = &["hashed_key"];
    if let Some(digest) = hashed.strip_prefix("sha512$$") {
        let scheme = Some(fast(FastAlgorithm::Sha512, DigestEncoding::Hex, Part::Whole));
        return Ok((scheme, stored(NAMES, digest)?));
    }
    if hashed.starts_with("pbkdf2_sha256$") {
        return Ok((Some(Scheme::Pbkdf2Sha256), stored(NAMES, hashed)?));
    }
    Err(refused(
        "hashed_key",
        "Only sha512$$ and Django’s pbkdf2_sha256 can be imported. Use the key once with version 3 \
         of djangorestframework-api-key, which stores it as sha512$$.",
    ))
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::{found, read};
    use super::*;

    const KEY: &str = "Ab3dEf9h.0123456789abcdefghijABCDEFGHIJ01";

    fn row(hashed: &str) -> String {
        format!(
            r#"{{"id": "Ab3dEf9h.x", "prefix": "Ab3dEf9h", "hashed_key": "{hashed}",
                "created": "2026-11-30 14:47:33.120000+00", "name": "billing", "revoked": false,
                "expiry_date": null}}"#
        )
    }

    #[test]
    fn drf_key_of_version_3_is_a_digest_of_the_whole() {
        let digest = "ad1758fea165fe9e80ecf1920ff670f3b6bf1daf6a9235b83d470141556a9b6172c4bd33da53811f3e5a38c48f2ba71b7f22988116a08163ff1b2244e82a69e8";
        let row = found(Preset::DrfApiKey, &row(&format!("sha512$${digest}")), KEY);
        assert_eq!(row.scheme.unwrap().to_string(), "sha512-hex");
        assert_eq!(row.stored.expose(), digest);
        assert_eq!((row.lookup, row.hint.unwrap().as_str()), (None, "Ab3dEf9h...."));
    }

    #[test]
    fn drf_key_of_version_2_is_found_by_its_prefix() {
        let hashed = "pbkdf2_sha256$1000$c2FsdHNhbHQ$sKMn1wlO01XXXmYdvNom5O1UsLTmyGQzclK6xvKYfP0=";
        let row = found(Preset::DrfApiKey, &row(hashed), KEY);
        assert_eq!(row.scheme, Some(Scheme::Pbkdf2Sha256));
        assert_eq!(row.lookup.unwrap().as_str(), "Ab3dEf9h.");
        assert_eq!(row.stored.expose(), hashed);
    }

    #[test]
    fn drf_key_of_another_hasher_is_refused() {
        let refusal = read(Preset::DrfApiKey, &row("argon2$argon2id$v=19$x")).unwrap_err();
        assert!(refusal.field == "hashed_key" && !refusal.message.contains("v=19"));
        let revoked = row("sha512$$ab").replace("\"revoked\": false", "\"revoked\": 1");
        let row = read(Preset::DrfApiKey, &revoked).unwrap();
        assert_eq!(row.status, Some(KeyStatus::Revoked));
    }
}
