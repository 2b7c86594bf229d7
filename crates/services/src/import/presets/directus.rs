//! Directus: static tokens in the table `directus_users`, which holds them themselves.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow, Scheme};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::disabled;
use super::row::{ForeignRow, hint_of_start, refused, shape};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let stored = row.stored(&["token"])?;
    let token = stored.expose();
    if token.bytes().all(|byte| byte == b'*') {
        return Err(refused("token", "Export from the database: Directus’ API hides tokens."));
    }
    if token.len() < 20 || !token.is_ascii() {
        let message = "Give this user a generated token: one that is shorter than 20 characters is \
                       too easy to guess.";
        return Err(refused("token", message));
    }
    let length = token.len();
    let hint = hint_of_start(token.get(..4).unwrap_or_default());
    let id = row.text(&["id"]).unwrap_or_default();
    let name = row.name(&["email", "last_name", "first_name"], &format!("Directus user {id}"))?;
    let mut key = KeyRequest::new(name, KeyKind::Api);
    key.external_id = row.external_id(&["id"])?;
    let is_off = row.text(&["status"]).is_some_and(|status| status != "active");
    Ok(ImportRow {
        scheme: Some(Scheme::Plaintext),
        hint,
        status: disabled(is_off),
        last_used_at: row.time(&["last_access"])?,
        // Generated tokens have 32 characters; people may write their own.
        shape: if length == 32
            && stored.expose().bytes().all(|byte| Alphabet::Base64url.contains(byte))
        {
            shape("token", "", 32..=32, Alphabet::Base64url)?
        } else {
            shape("token", "", length..=length, Alphabet::Visible)?
        },
        ..ImportRow::new(key, stored)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;
    use latchkey_domain::key::KeyStatus;

    use super::super::tests::{found, read};
    use super::*;

    const TOKEN: &str = "V1StGXR8_Z5jdHi6B-myT0123456789a";

    fn row(token: &str) -> String {
        format!(
            r#"{{"id": "2f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2", "email": "bot@example.com",
                "token": "{token}", "status": "active", "last_access": "2026-11-30T14:47:33"}}"#
        )
    }

    #[test]
    fn directus_token_is_the_key_itself() {
        let read_row = found(Preset::Directus, &row(TOKEN), TOKEN);
        assert_eq!(read_row.scheme, Some(Scheme::Plaintext));
        assert_eq!(read_row.hint.unwrap().as_str(), "V1St...");
        let own = "a token of our own, rather long".replace(' ', ".");
        found(Preset::Directus, &row(&own), &own);
        let ended = row(TOKEN).replace("active", "suspended");
        assert_eq!(read(Preset::Directus, &ended).unwrap().status, Some(KeyStatus::Disabled));
    }

    #[test]
    fn directus_token_that_is_hidden_or_short_is_refused() {
        for token in ["**********", "admin", "0123456789012345678"] {
            assert_eq!(read(Preset::Directus, &row(token)).unwrap_err().field, "token");
        }
    }
}
