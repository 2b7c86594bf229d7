//! PostHog: the table `posthog_personalapikey`, `sha256$` and a digest in hexadecimal.

use latchkey_domain::api::KeyRequest;
use latchkey_domain::import::{Alphabet, ImportRow};
use latchkey_domain::key::KeyKind;
use latchkey_domain::problem::FieldError;

use super::forms::SHA256_HEX;
use super::row::{ForeignRow, refused, scopes, shape, stored};

pub(super) fn key(row: &ForeignRow) -> Result<ImportRow, FieldError> {
    let value = row.required(&["secure_value"])?;
    let Some(digest) = value.strip_prefix("sha256$") else {
        return Err(refused(
            "secure_value",
            "Only sha256$ can be imported. PostHog rewrites older keys at their first use: export \
             only keys WHERE secure_value LIKE 'sha256$%'.",
        ));
    };
    let mut key = KeyRequest::new(row.name(&["label"], "PostHog key")?, KeyKind::Api);
    key.external_id = row.external_id(&["user_id"])?;
    key.scopes = scopes("scopes", &row.list(&["scopes"])?)?;
    Ok(ImportRow {
        scheme: Some(SHA256_HEX),
        hint: row.hint(&["mask_value"]),
        created_at: row.time(&["created_at"])?,
        last_used_at: row.time(&["last_used_at"])?,
        shape: shape("secure_value", "phx_", 24..=64, Alphabet::Base62)?,
        ..ImportRow::new(key, stored(&["secure_value"], digest)?)
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::import::Preset;

    use super::super::tests::{found, read};

    const ROW: &str = r#"{"id": "x", "label": "CI", "secure_value": "sha256$cb399cbae665c079be8e0fcdc788d34b7fb4648ceacd313f54f51aa1db209b87",
        "mask_value": "phx_...9Kd2", "user_id": 3, "created_at": "2026-11-30 14:47:33.12+00",
        "last_used_at": null, "scopes": ["insight:read", "*"], "scoped_teams": null}"#;

    #[test]
    fn posthog_key_is_a_digest_of_the_whole() {
        let row = found(Preset::Posthog, ROW, "phx_1Yb3kQz7WmXoPl5sTgVhRdUcNfEjAi2B9Kd2");
        assert_eq!(row.scheme.unwrap().to_string(), "sha256-hex");
        assert_eq!(
            row.stored.expose(),
            "cb399cbae665c079be8e0fcdc788d34b7fb4648ceacd313f54f51aa1db209b87"
        );
        assert_eq!(row.hint.unwrap().as_str(), "phx_...9Kd2");
    }

    #[test]
    fn posthog_key_of_the_old_form_is_refused() {
        let old = ROW.replace("sha256$", "pbkdf2_sha256$260000$posthog_personal_api_key$");
        let refusal = read(Preset::Posthog, &old).unwrap_err();
        assert!(refusal.message.contains("sha256$%"));
    }
}
