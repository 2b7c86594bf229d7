//! Sentry's organization tokens: the table `sentry_orgauthtoken`, SHA-256 in hexadecimal.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::{SHA256_HEX, revoked};
use super::row::{ForeignRow, hint, scopes, shape};

/// What every token starts with. Base64 of a JSON object follows, and after a `_` the secret.
const PREFIX: &str = "sntrys_";

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["token_hashed"])?;
    let mut key = KeyRequest::new(row.name(&["name"], "Sentry token")?, KeyKind::Api);
    key.external_id = row.external_id(&["organization_id"])?;
    key.scopes = scopes("scope_list", &row.list(&["scope_list"])?)?;
    let last = row.text(&["token_last_characters"]);
    Ok(ImportRow {
        scheme: Some(SHA256_HEX),
        hint: last.and_then(|last| hint(&format!("{PREFIX}...{last}"))),
        status: revoked(row.time(&["date_deactivated"])?.is_some()),
        created_at: row.time(&["date_added"])?,
        last_used_at: row.time(&["date_last_used"])?,
        shape: shape("token_hashed", PREFIX, 64..=1_024, Alphabet::Visible)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::found;

    #[test]
    fn sentry_token_is_a_digest_of_the_whole() {
        let token = "sntrys_eyJpYXQiOjE3OTYwNTAwNTMuMTIsInVybCI6Imh0dHBzOi8vc2VudHJ5LmlvIiwib3JnIjoi\
                     YWNtZSJ9_k1Yb3kQz7WmXoPl5sTgVhRdUcNfEjAi2B9Kd2/kQz7W";
        let row = r#"{"id": 1, "organization_id": 8, "name": "CI", "token_hashed": "413f570e6a6a8fa97fa9d114a18aa676642fdd65a3beb476a7824463acc7c246",
            "token_last_characters": "z7W", "scope_list": "{org:ci}",
            "date_added": "2026-11-30 14:47:33.12+00", "date_last_used": null,
            "date_deactivated": "2026-11-30 15:00:00+00"}"#;
        let row = found(Preset::Sentry, row, token);
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex");
        assert_eq!(row.hint.unwrap().as_str(), "sntrys_...z7W");
        assert_eq!(row.status, Some(KeyStatus::Revoked));
        assert_eq!(serde_json::to_string(&row.key.scopes.unwrap()).unwrap(), r#"["org:ci"]"#);
    }
}
