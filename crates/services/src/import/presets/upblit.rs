//! Upblit: the table `api_client`, which holds keys themselves, but without the `upblit_` that
//! everybody sends before them.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow, Scheme};
use latchkey_domain::key::{Environment, KeyKind};
use latchkey_domain::problem::FieldError;

use super::row::{ForeignRow, Names, hint_of_start, shape, stored, tag};

/// What every key starts with.
const PREFIX: &str = "upblit_";
const COLUMN: Names = &["api_key", "apiKey"];

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let kept = row.required(COLUMN)?;
    let text = if kept.starts_with(PREFIX) { kept } else { format!("{PREFIX}{kept}") };
    let id = row.text(&["id"]).unwrap_or_default();
    let mut key = KeyRequest::new(row.name(&["name"], &format!("Upblit key {id}"))?, KeyKind::Api);
    if text.starts_with("upblit_test_") {
        key.environment = Environment::Test;
    }
    let application = row.text(&["application_id", "applicationId"]);
    key.tags = application.and_then(|id| tag(&format!("application:{id}")));
    Ok(ImportRow {
        scheme: Some(Scheme::Plaintext),
        hint: hint_of_start(text.get(..PREFIX.len() + 4).unwrap_or_default()),
        created_at: row.time(&["created_at", "createdAt"])?,
        shape: shape("api_key", PREFIX, PREFIX.len() + 12..=128, Alphabet::Base64url)?,
        ..ImportRow::new(key, stored(COLUMN, &text)?)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::found;
    use super::*;

    #[test]
    fn upblit_key_gets_the_prefix_that_the_table_lacks() {
        let token = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k";
        let shown = format!("upblit_{token}");
        let row =
            format!(r#"{{"id": 3, "api_key": "{token}", "application_id": 9, "project_id": 2}}"#);
        let row = found(Preset::Upblit, &row, &shown);
        assert_eq!((row.scheme, row.stored.expose()), (Some(Scheme::Plaintext), shown.as_str()));
        assert_eq!(row.hint.unwrap().as_str(), "upblit_q83v...");
        assert_eq!(row.key.tags.unwrap().as_slice()[0].as_str(), "application:9");
        let whole = found(Preset::Upblit, &format!(r#"{{"apiKey": "{shown}"}}"#), &shown);
        assert_eq!(whole.stored.expose(), shown);
    }
}
