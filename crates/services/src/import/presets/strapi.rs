//! Strapi: the table `strapi_api_tokens`, HMAC-SHA-512 under `apiToken.salt` of its settings.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, HmacAlgorithm, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::row::{ForeignRow, shape, tag};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["access_key", "accessKey"])?;
    let id = row.text(&["id"]).unwrap_or_default();
    let mut key =
        KeyRequest::new(row.name(&["name"], &format!("Strapi token {id}"))?, KeyKind::Api);
    key.expires_at = row.time(&["expires_at", "expiresAt"])?;
    key.tags = row.text(&["type"]).and_then(|kind| tag(&format!("type:{kind}")));
    Ok(ImportRow {
        scheme: Some(Scheme::Hmac(HmacAlgorithm::Sha512)),
        created_at: row.time(&["created_at", "createdAt"])?,
        last_used_at: row.time(&["last_used_at", "lastUsedAt"])?,
        // 128 bytes in hexadecimal.
        shape: shape("access_key", "", 256..=256, Alphabet::Hex)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::found;

    #[test]
    fn strapi_token_is_an_hmac_under_the_salt() {
        let row = format!(
            r#"{{"id": 1, "name": "Site", "type": "read-only", "access_key": "{}",
                "last_used_at": 1796050053120, "expires_at": null,
                "created_at": "2026-11-30 14:47:33.120"}}"#,
            "ab".repeat(64)
        );
        let row = found(Preset::Strapi, &row, &"0f".repeat(128));
        assert_eq!(row.scheme.unwrap().to_string(), "hmac-sha512-hex");
        assert_eq!(row.last_used_at, row.created_at);
        assert_eq!(row.key.tags.unwrap().as_slice()[0].as_str(), "type:read-only");
    }
}
