//! Other systems whose own rows an import can read.

use serde::Serialize;

use crate::word::{from_name, from_words, words};

/// A system whose own table or export an import reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Preset {
    /// Unkey's exported keys.
    Unkey,
    /// LiteLLM's `LiteLLM_VerificationToken`.
    Litellm,
    /// LiteLLM's deprecated tokens in their grace period.
    LitellmDeprecated,
    /// Better Auth's API keys.
    BetterAuth,
    /// djangorestframework-api-key 2 and 3.
    DrfApiKey,
    /// django-rest-knox 4 and 5.
    Knox,
    /// Laravel Sanctum.
    Sanctum,
    /// UploadKit.
    Uploadkit,
    /// Upblit's table of API keys.
    Upblit,
    /// Strapi's API tokens.
    Strapi,
    /// API keys of a Payload collection.
    Payload,
    /// Langfuse's key pairs, of which the secret counts.
    Langfuse,
    /// PostHog.
    Posthog,
    /// Sentry's organization tokens.
    Sentry,
    /// Helicone's API keys.
    Helicone,
    /// Static tokens of users of Directus.
    Directus,
    /// n8n's API keys.
    N8n,
    /// Gitea's access tokens.
    Gitea,
    /// Metabase's API keys.
    Metabase,
    /// Grafana's service account tokens.
    Grafana,
}

words!(Preset);
from_words!(Preset);
from_name!(Preset);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preset_has_one_name_everywhere() {
        for preset in Preset::ALL {
            assert_eq!(serde_json::to_value(preset).unwrap(), preset.as_str());
            assert_eq!(Preset::from_name(preset.as_str()), Some(preset));
        }
        for name in ["litellm-deprecated", "drf-api-key", "n8n", "posthog", "uploadkit"] {
            assert!(Preset::from_name(name).is_some(), "{name}");
        }
    }
}
