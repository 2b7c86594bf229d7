//! Imports in words: the systems that keys come from, and what their keys look like.

use latchkey_domain::import::{Alphabet, KeyShape, Preset};
use latchkey_ui::thousands;

/// The name of a system, as it writes it itself.
pub const fn preset_label(preset: Preset) -> &'static str {
    match preset {
        Preset::Unkey => "Unkey",
        Preset::Litellm => "LiteLLM",
        Preset::LitellmDeprecated => "LiteLLM, deprecated tokens",
        Preset::BetterAuth => "Better Auth",
        Preset::DrfApiKey => "djangorestframework-api-key",
        Preset::Knox => "django-rest-knox",
        Preset::Sanctum => "Laravel Sanctum",
        Preset::Uploadkit => "UploadKit",
        Preset::Upblit => "Upblit",
        Preset::Strapi => "Strapi",
        Preset::Payload => "Payload",
        Preset::Langfuse => "Langfuse",
        Preset::Posthog => "PostHog",
        Preset::Sentry => "Sentry",
        Preset::Helicone => "Helicone",
        Preset::Directus => "Directus",
        Preset::N8n => "n8n",
        Preset::Gitea => "Gitea",
        Preset::Metabase => "Metabase",
        Preset::Grafana => "Grafana",
    }
}

/// What the characters of a key are, after its prefix.
pub const fn alphabet_label(alphabet: Alphabet) -> &'static str {
    match alphabet {
        Alphabet::Base62 => "Letters and digits",
        Alphabet::Base64 => "Base64",
        Alphabet::Base64url => "Base64url",
        Alphabet::Hex => "Hexadecimal",
        Alphabet::Visible => "Any visible",
    }
}

/// “20 to 60 characters”, “46 characters”.
pub fn length_in_words(shape: &KeyShape) -> String {
    let (min, max) = (u64::from(shape.min_length()), u64::from(shape.max_length()));
    if min == max {
        format!("{} characters", thousands(max))
    } else {
        format!("{} to {} characters", thousands(min), thousands(max))
    }
}

/// “sk-…, 20 to 60 characters, base64url”.
pub fn shape_in_words(shape: &KeyShape) -> String {
    let prefix = shape.prefix();
    let prefix = if prefix.is_empty() { "no prefix".to_owned() } else { format!("{prefix}…") };
    let alphabet = alphabet_label(shape.alphabet()).to_lowercase();
    format!("{prefix}, {}, {alphabet}", length_in_words(shape))
}

/// “1 key”, “1,204 keys”.
pub fn keys_in_words(count: u64) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{} keys", thousands(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_is_said_in_a_line() {
        let shape = |prefix, min, max, alphabet| KeyShape::new(prefix, min, max, alphabet).unwrap();
        assert_eq!(
            shape_in_words(&shape("sk-", 20, 1_024, Alphabet::Base64url)),
            "sk-…, 20 to 1,024 characters, base64url"
        );
        assert_eq!(
            shape_in_words(&shape("", 40, 40, Alphabet::Base62)),
            "no prefix, 40 characters, letters and digits"
        );
    }
}
