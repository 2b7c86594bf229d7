//! How many tokens a text has, where no upstream says so: four bytes each, rounded up, as OpenAI's
//! rule of thumb for English has it ([What are
//! tokens](https://help.openai.com/en/articles/4936856)). The sandbox counts its own tokens by the
//! same rule, so there the estimate is exact.
//!
//! Prompts are counted while their JSON is read; no copy of them is made.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

const BYTES_PER_TOKEN: usize = 4;
/// What a message costs beside its text: its role and its ends.
const TOKENS_PER_MESSAGE: u64 = 4;

/// The tokens of a text.
pub(super) fn of_text(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// The tokens of a prompt, as JSON: a text, tokens, a list of either, or messages.
///
/// # Errors
/// It is nested too deeply, or holds a number that is too large.
pub(super) fn of_prompt(json: &str) -> serde_json::Result<u64> {
    count(Place::Prompt, json)
}

/// The tokens of all the texts in some JSON.
///
/// # Errors
/// It is nested too deeply, or holds a number that is too large.
pub(super) fn of_content(json: &str) -> serde_json::Result<u64> {
    count(Place::Content, json)
}

fn count(place: Place, json: &str) -> serde_json::Result<u64> {
    place.deserialize(&mut serde_json::Deserializer::from_str(json))
}

/// Where a value stands, which decides what it counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The whole prompt, or a list in it.
    Prompt,
    /// In the prompt's list: a text, a token, a message, or a prompt of its own.
    Part,
    /// In a message, tool calls included: its texts.
    Content,
}

impl Place {
    /// What anything counts that is no text and no list: a token of a prompt, and nothing in a
    /// message.
    fn other(self) -> u64 {
        u64::from(self != Self::Content)
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompt")
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        let tokens = of_text(text);
        Ok(if self == Self::Content { tokens } else { tokens.max(1) })
    }

    fn visit_u64<E>(self, _: u64) -> Result<u64, E> {
        Ok(self.other())
    }

    fn visit_i64<E>(self, _: i64) -> Result<u64, E> {
        Ok(self.other())
    }

    fn visit_f64<E>(self, _: f64) -> Result<u64, E> {
        Ok(self.other())
    }

    fn visit_bool<E>(self, _: bool) -> Result<u64, E> {
        Ok(self.other())
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(self.other())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<u64, A::Error> {
        let place = if self == Self::Content { Self::Content } else { Self::Part };
        let mut tokens: u64 = 0;
        while let Some(more) = parts.next_element_seed(place)? {
            tokens = tokens.saturating_add(more);
        }
        Ok(if self == Self::Content { tokens } else { tokens.max(1) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<u64, A::Error> {
        let mut tokens = if self == Self::Part { TOKENS_PER_MESSAGE } else { 0 };
        while fields.next_key::<serde::de::IgnoredAny>()?.is_some() {
            tokens = tokens.saturating_add(fields.next_value_seed(Self::Content)?);
        }
        // A prompt that is an object is none that anybody knows.
        Ok(if self == Self::Prompt { 1 } else { tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prompts_of_every_form_are_counted() {
        for (prompt, tokens) in [
            (json!("Hi"), 1),
            (json!("12345678"), 2),
            (json!("123456789"), 3),
            (json!([1, 2, 3]), 3),
            (json!(["Hi", "Ho"]), 2),
            (json!([[1, 2], [3]]), 3),
            (json!([]), 1),
            // "user" and "Hi" beside the message's own.
            (json!([{"role": "user", "content": "Hi"}]), 6),
            (json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]), 7),
        ] {
            assert_eq!(of_prompt(&prompt.to_string()).unwrap(), tokens, "{prompt}");
        }
    }

    #[test]
    fn a_text_counts_as_it_reads_not_as_it_is_escaped() {
        assert_eq!(of_prompt("\"\\u0061\\u0061\\u0061\\u0061\"").unwrap(), 1);
        assert_eq!(of_content("{\"a\": [null, 1.5, true, \"12345\"]}").unwrap(), 2);
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(of_prompt(&deep).is_err());
        assert!(of_content(&deep).is_err());
    }
}
