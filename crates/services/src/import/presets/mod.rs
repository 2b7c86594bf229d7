//! Rows of other systems' own tables and exports.
//!
//! One file for each system. What it digests of a key, and how that is written, was read in its
//! source and is tested with rows of its own package where a registry has one.

mod better_auth;
mod directus;
mod drf_api_key;
mod forms;
mod gitea;
mod grafana;
mod helicone;
mod knox;
mod langfuse;
mod litellm;
mod metabase;
mod n8n;
mod payload;
mod posthog;
mod requests;
mod row;
mod sanctum;
mod sentry;
mod strapi;
mod times;
mod unkey;
mod upblit;
mod uploadkit;

use std::borrow::Cow;

use latchkey_domain::import::{ImportRow, Preset};
use latchkey_domain::problem::FieldError;

pub(crate) use self::row::ForeignRecord;
use self::row::ForeignRow;

/// The keys in a row of another system: usually one. `secret` is what the import was given for the
/// other system's digests.
///
/// # Errors
/// The field of the row that can't be read, and what is wrong with it.
pub(crate) fn rows(
    preset: Preset,
    record: ForeignRecord,
    secret: Option<&[u8]>,
) -> Result<Vec<ImportRow>, FieldError> {
    let row = ForeignRow::new(record);
    let key = match preset {
        Preset::Unkey => unkey::key(&row),
        Preset::Litellm => litellm::key(&row),
        Preset::LitellmDeprecated => litellm::deprecated(&row),
        Preset::BetterAuth => better_auth::key(&row),
        Preset::DrfApiKey => drf_api_key::key(&row),
        Preset::Knox => knox::key(&row),
        Preset::Sanctum => sanctum::key(&row),
        Preset::Uploadkit => uploadkit::key(&row),
        Preset::Upblit => upblit::key(&row),
        Preset::Strapi => strapi::key(&row),
        Preset::Payload => payload::key(&row),
        Preset::Langfuse => langfuse::key(&row, secret),
        Preset::Posthog => posthog::key(&row),
        Preset::Sentry => sentry::key(&row),
        Preset::Helicone => helicone::key(&row),
        Preset::Directus => directus::key(&row),
        Preset::N8n => n8n::key(&row),
        Preset::Gitea => gitea::key(&row),
        Preset::Metabase => metabase::key(&row),
        Preset::Grafana => grafana::key(&row),
    };
    key.map(|key| vec![key])
}

/// The secret under which a system digests keys by HMAC, from the one that its operator knows.
pub(crate) fn digest_secret(preset: Preset, secret: &[u8]) -> Cow<'_, [u8]> {
    if preset == Preset::Payload {
        payload::digest_secret(secret).into_bytes().into()
    } else {
        secret.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of a row, as a test writes it.
    pub(super) fn read(preset: Preset, json: &str) -> Result<ImportRow, FieldError> {
        let rows = rows(preset, serde_json::from_str(json).unwrap(), Some(b"secret".as_slice()))?;
        assert_eq!(rows.len(), 1);
        Ok(rows.into_iter().next().unwrap())
    }

    /// Reads a row and tells how a presented key would be found: its scheme and what is stored, and
    /// that it has the row's shape.
    pub(super) fn found(preset: Preset, json: &str, presented: &str) -> ImportRow {
        let row = read(preset, json).unwrap();
        let shape = row.shape.as_ref().unwrap();
        assert!(shape.matches(presented), "{shape:?}");
        row
    }

    #[test]
    fn every_preset_names_the_column_that_a_row_lacks() {
        for preset in Preset::ALL {
            let refusal = read(preset, r#"{"id": 1}"#).unwrap_err();
            assert!(!refusal.field.is_empty() && !refusal.message.is_empty(), "{preset:?}");
        }
    }
}
