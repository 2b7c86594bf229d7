//! Laravel Sanctum: the table `personal_access_tokens`, SHA-256 of what follows the `|`.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, DigestEncoding, FastAlgorithm, ImportRow, Part};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::fast;
use super::row::{ForeignRow, hint_of_start, scopes, shape};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["token"])?;
    let id = row.text(&["id"]).unwrap_or_default();
    let mut key = KeyRequest::new(row.name(&["name"], &format!("Token {id}"))?, KeyKind::Api);
    key.expires_at = row.time(&["expires_at"])?;
    key.external_id = row.external_id(&["tokenable_id"])?;
    key.scopes = scopes("abilities", &row.list(&["abilities"])?)?;
    let start = if id.is_empty() { id } else { format!("{id}|") };
    Ok(ImportRow {
        scheme: Some(fast(FastAlgorithm::Sha256, DigestEncoding::Hex, Part::AfterPipe)),
        hint: hint_of_start(&start),
        created_at: row.time(&["created_at"])?,
        last_used_at: row.time(&["last_used_at"])?,
        // The row's id, a pipe, a prefix from the settings, 40 characters and, since 3.3, 8 more.
        shape: shape("token", "", 42..=100, Alphabet::Visible)?,
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};

    const KEY: &str = "17|bAm3P9sQf6dWz1xKcV8yRt2hJ0nLgE5uTiOoZkXyc0f1a2b3";
    const ROW: &str = r#"{"id": 17, "tokenable_type": "App\\Models\\User", "tokenable_id": 4,
        "name": "mobile", "token": "019fd89724cfa2ad342889a1896594e0f2a648bf4908ce5cdfbf71a725cc3d1a", "abilities": "[\"orders:read\",\"*\"]",
        "last_used_at": "2026-11-29 08:00:00", "expires_at": null,
        "created_at": "2026-11-01 00:00:00"}"#;

    #[test]
    fn sanctum_token_is_digested_after_the_pipe() {
        let row = found(Preset::Sanctum, ROW, KEY);
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex:after-pipe");
        assert_eq!(
            row.stored.expose(),
            "019fd89724cfa2ad342889a1896594e0f2a648bf4908ce5cdfbf71a725cc3d1a"
        );
        assert_eq!(row.hint.unwrap().as_str(), "17|...");
        assert_eq!(row.last_used_at.unwrap().to_string(), "2026-11-29T08:00:00.000Z");
        let scopes = serde_json::to_string(&row.key.scopes.unwrap()).unwrap();
        assert_eq!(scopes, r#"["orders:read","*"]"#);
    }

    #[test]
    fn sanctum_ability_that_is_no_scope_is_refused() {
        let refusal =
            read(Preset::Sanctum, &ROW.replace("orders:read", "read orders")).unwrap_err();
        assert_eq!(refusal.field, "abilities");
    }
}
