//! n8n: the table `user_api_keys`, which holds keys themselves: JSON Web Tokens, or `n8n_api_…`
//! before them.

use data_encoding::BASE64URL_NOPAD;
use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;
use latchkey_domain::time::Timestamp;
use serde::Deserialize;

use super::row::{ForeignRow, hint, refused, scopes, shape};

/// What keys start with that are no JSON Web Tokens.
const LEGACY: &str = "n8n_api_";
/// What the JSON of a JSON Web Token's header starts with.
const TOKEN: &str = "eyJ";

/// The claim of a token that an import keeps.
#[derive(Deserialize)]
struct ExpiryClaim {
    /// Seconds since 1970.
    exp: Option<i64>,
}

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["apiKey", "api_key"])?;
    let text = stored.expose();
    if text.contains('*') {
        return Err(refused("apiKey", "Export from the database: n8n’s pages hide keys."));
    }
    let is_legacy = text.starts_with(LEGACY);
    if !is_legacy && !text.starts_with(TOKEN) {
        return Err(refused("apiKey", "Expected n8n_api_… or a JSON Web Token."));
    }
    let mut key = KeyRequest::new(row.name(&["label"], "n8n key")?, KeyKind::Api);
    key.external_id = row.external_id(&["userId", "user_id"])?;
    key.scopes = scopes("scopes", &row.list(&["scopes"])?)?;
    key.expires_at = expiry(text);
    let last = text.get(text.len().saturating_sub(4)..).unwrap_or_default();
    Ok(ImportRow {
        scheme: Some(Scheme::Plaintext),
        hint: hint(&format!("{}...{last}", if is_legacy { LEGACY } else { TOKEN })),
        created_at: row.time(&["createdAt", "created_at"])?,
        shape: if is_legacy {
            shape("apiKey", LEGACY, 88..=88, Alphabet::Hex)?
        } else {
            shape("apiKey", TOKEN, 100..=1_024, Alphabet::Visible)?
        },
        ..ImportRow::new(key, stored)
    })
}

/// When a JSON Web Token expires, if it does. Its signature is not checked: n8n kept it.
fn expiry(token: &str) -> Option<Timestamp> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?;
    let claims: ExpiryClaim = serde_json::from_slice(&claims).ok()?;
    Some(Timestamp::from_millis(claims.exp?.checked_mul(1_000)?))
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};
    use super::*;

    fn row(key: &str) -> String {
        format!(
            r#"{{"id": "k1", "userId": "u1", "label": "My API Key", "apiKey": "{key}",
                "scopes": "[\"workflow:read\"]", "createdAt": "2026-11-30 14:47:33.120"}}"#
        )
    }

    #[test]
    fn n8n_token_keeps_its_own_expiry() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1MSIsImlzcyI6Im44biIsImF1ZCI6InB1YmxpYy1hcGkiLCJleHAiOjE3OTg3NjE2MDB9.LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE";
        let read_row = found(Preset::N8n, &row(token), token);
        assert_eq!(read_row.scheme, Some(Scheme::Plaintext));
        assert_eq!(read_row.key.expires_at.unwrap().to_string(), "2027-01-01T00:00:00.000Z");
        let legacy = format!("n8n_api_{}", "0f".repeat(40));
        let read_row = found(Preset::N8n, &row(&legacy), &legacy);
        assert_eq!(read_row.key.expires_at, None);
        assert_eq!(read_row.hint.unwrap().as_str(), "n8n_api_...0f0f");
    }

    #[test]
    fn n8n_key_that_is_hidden_is_refused() {
        for key in ["n8n_api_1234567****", "something else"] {
            assert_eq!(read(Preset::N8n, &row(key)).unwrap_err().field, "apiKey");
        }
    }
}
