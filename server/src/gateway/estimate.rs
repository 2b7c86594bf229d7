//! How many tokens the prompt of a body has, where no upstream says so: an estimate and a bound.
//!
//! The estimate is four bytes of text a token, rounded up, as OpenAI's rule of thumb for English
//! has it ([What are tokens](https://help.openai.com/en/articles/4936856)). The sandbox counts its
//! own tokens by the same rule, so there the estimate is exact. The bound is a token for each byte
//! of text: byte-level tokenizers never make more.
//!
//! Media are no text: a picture counts the same inline and by link, and audio and files count by
//! their size. Prompts are counted while their JSON is read; no copy of them is made. With a
//! model's own tokenizer the estimate is what that counts.

use std::borrow::Cow;
use std::fmt;
use std::ops::AddAssign;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::config::Tokenizer;

const BYTES_PER_TOKEN: usize = 4;
/// What a message costs beside its text: its role and its ends.
const TOKENS_PER_MESSAGE: u64 = 4;
/// A picture, and one that is to be looked at roughly.
const TOKENS_PER_PICTURE: u64 = 1_000;
const TOKENS_PER_ROUGH_PICTURE: u64 = 85;
/// The most that audio or a file counts.
const MOST_TOKENS_PER_FILE: u64 = 20_000;

/// The tokens of a prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PromptTokens {
    /// What it likely has.
    pub(super) estimate: u64,
    /// What it has at most.
    pub(super) bound: u64,
}

impl PromptTokens {
    const fn exactly(tokens: u64) -> Self {
        Self { estimate: tokens, bound: tokens }
    }

    fn at_least_one(self) -> Self {
        Self { estimate: self.estimate.max(1), bound: self.bound.max(1) }
    }
}

impl AddAssign for PromptTokens {
    fn add_assign(&mut self, more: Self) {
        self.estimate = self.estimate.saturating_add(more.estimate);
        self.bound = self.bound.saturating_add(more.bound);
    }
}

/// The estimate of a text.
pub(super) fn of_text(text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// The tokens of a prompt, as JSON: a text, tokens, a list of either, or messages.
///
/// # Errors
/// It is nested too deeply, or holds a number that is too large.
pub(super) fn of_prompt(
    json: &str,
    tokenizer: Option<Tokenizer>,
) -> serde_json::Result<PromptTokens> {
    Counter { place: Place::Prompt, tokenizer }.count(json)
}

/// The tokens of a field beside the prompt that the model reads too, names and all: tools, schemas,
/// documents.
///
/// # Errors
/// It is nested too deeply, or holds a number that is too large.
pub(super) fn of_field(
    json: &str,
    tokenizer: Option<Tokenizer>,
) -> serde_json::Result<PromptTokens> {
    Counter { place: Place::Field, tokenizer }.count(json)
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
    /// In a field beside the prompt: texts and names.
    Field,
    /// A picture, by its link or itself.
    Picture,
    /// Audio or a file, by its link or itself.
    File,
}

impl Place {
    /// Where the value of a member stands.
    fn of_member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Field, _) => Self::Field,
            (_, "image_url" | "image") => Self::Picture,
            (_, "input_audio" | "file" | "video_url") => Self::File,
            _ => Self::Content,
        }
    }

    /// What anything counts that is no text and no list: a token of a prompt or a schema, and
    /// nothing in a message.
    fn other(self) -> PromptTokens {
        match self {
            Self::Content => PromptTokens::default(),
            Self::Picture => PromptTokens::exactly(TOKENS_PER_PICTURE),
            Self::Prompt | Self::Part | Self::Field | Self::File => PromptTokens::exactly(1),
        }
    }
}

/// Counts a value.
#[derive(Clone, Copy)]
struct Counter {
    place: Place,
    /// What counts its texts; none: their bytes are.
    tokenizer: Option<Tokenizer>,
}

impl Counter {
    fn count(self, json: &str) -> serde_json::Result<PromptTokens> {
        self.deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    const fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn text(self, text: &str) -> PromptTokens {
        let estimate = match self.tokenizer {
            Some(tokenizer) => tokenizer.count(text),
            None => of_text(text),
        };
        PromptTokens { estimate, bound: u64::try_from(text.len()).unwrap_or(u64::MAX) }
    }
}

impl<'de> DeserializeSeed<'de> for Counter {
    type Value = PromptTokens;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PromptTokens, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counter {
    type Value = PromptTokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompt")
    }

    fn visit_str<E>(self, text: &str) -> Result<PromptTokens, E> {
        Ok(match self.place {
            Place::Picture => self.place.other(),
            // A link, or the bytes themselves in base64.
            Place::File => PromptTokens::exactly(of_text(text).min(MOST_TOKENS_PER_FILE)),
            Place::Content | Place::Field => self.text(text),
            Place::Prompt | Place::Part => self.text(text).at_least_one(),
        })
    }

    fn visit_u64<E>(self, _: u64) -> Result<PromptTokens, E> {
        Ok(self.place.other())
    }

    fn visit_i64<E>(self, _: i64) -> Result<PromptTokens, E> {
        Ok(self.place.other())
    }

    fn visit_f64<E>(self, _: f64) -> Result<PromptTokens, E> {
        Ok(self.place.other())
    }

    fn visit_bool<E>(self, _: bool) -> Result<PromptTokens, E> {
        Ok(self.place.other())
    }

    fn visit_unit<E>(self) -> Result<PromptTokens, E> {
        Ok(match self.place {
            Place::Picture => PromptTokens::default(),
            place => place.other(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<PromptTokens, A::Error> {
        let place = match self.place {
            Place::Prompt | Place::Part => Place::Part,
            other => other,
        };
        let mut tokens = PromptTokens::default();
        while let Some(more) = parts.next_element_seed(self.at(place))? {
            tokens += more;
        }
        Ok(if place == Place::Part { tokens.at_least_one() } else { tokens })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<PromptTokens, A::Error> {
        let mut tokens = match self.place {
            Place::Picture => return picture(fields, self),
            Place::Part => PromptTokens::exactly(TOKENS_PER_MESSAGE),
            _ => PromptTokens::default(),
        };
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            if self.place == Place::Field {
                tokens += self.text(&name);
            }
            let place = match self.place {
                Place::File => Place::File,
                place => place.of_member(&name),
            };
            tokens += fields.next_value_seed(self.at(place))?;
        }
        Ok(match self.place {
            Place::File => PromptTokens::exactly(tokens.estimate.min(MOST_TOKENS_PER_FILE)),
            // A prompt that is an object is none that anybody knows: its text counts all the same.
            Place::Prompt => tokens.at_least_one(),
            _ => tokens,
        })
    }
}

/// A picture with what is said of it.
fn picture<'de, A: MapAccess<'de>>(
    mut members: A,
    counter: Counter,
) -> Result<PromptTokens, A::Error> {
    let mut tokens = TOKENS_PER_PICTURE;
    while let Some(name) = members.next_key::<Cow<'_, str>>()? {
        if name == "detail" {
            let detail = members.next_value_seed(Detail)?;
            tokens = if detail { TOKENS_PER_ROUGH_PICTURE } else { tokens };
        } else {
            members.next_value_seed(counter.at(Place::Content))?;
        }
    }
    Ok(PromptTokens::exactly(tokens))
}

/// Whether a value is `"low"`.
struct Detail;

impl<'de> DeserializeSeed<'de> for Detail {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let value: &serde_json::value::RawValue = serde::Deserialize::deserialize(deserializer)?;
        Ok(value.get() == "\"low\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn estimate(prompt: &serde_json::Value) -> u64 {
        of_prompt(&prompt.to_string(), None).unwrap().estimate
    }

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
            assert_eq!(estimate(&prompt), tokens, "{prompt}");
        }
    }

    #[test]
    fn the_bound_is_a_token_a_byte() {
        let bound = |prompt: serde_json::Value| of_prompt(&prompt.to_string(), None).unwrap().bound;
        assert_eq!(bound(json!("12345678")), 8);
        assert_eq!(bound(json!([1, 2, 3])), 3);
        assert_eq!(bound(json!([{"role": "user", "content": "Hi é"}])), 4 + 4 + 5);
    }

    #[test]
    fn pictures_count_alike_inline_and_by_link() {
        let part = |part: serde_json::Value| {
            let tokens = of_prompt(&json!([{ "content": [part] }]).to_string(), None).unwrap();
            tokens.estimate - TOKENS_PER_MESSAGE
        };
        let picture = |url: &str, detail: &str| {
            part(json!({ "image_url": { "url": url, "detail": detail } }))
        };
        let inline = format!("data:image/png;base64,{}", "A".repeat(90_000));
        for url in [inline.as_str(), "https://example.com/a.png"] {
            assert_eq!(picture(url, "high"), 1_000);
            assert_eq!(picture(url, "low"), 85);
            assert_eq!(part(json!({ "image_url": url })), 1_000);
        }
        let audio = |length: usize| {
            part(json!({ "input_audio": { "data": "A".repeat(length), "format": "wav" } }))
        };
        assert_eq!(audio(4_000), 1_001);
        assert_eq!(audio(4_000_000), 20_000);
    }

    #[test]
    fn fields_beside_the_prompt_count_with_their_names() {
        let field = json!([{ "function": { "name": "f", "parameters": { "properties": {} } } }]);
        let tokens = of_field(&field.to_string(), None).unwrap();
        assert_eq!(
            tokens,
            PromptTokens { estimate: 2 + 1 + 1 + 3 + 3, bound: 8 + 4 + 1 + 10 + 10 }
        );
    }

    #[test]
    fn a_models_own_tokenizer_counts_its_text() {
        let digits = json!([{ "role": "user", "content": "0123456789".repeat(30) }]).to_string();
        let count = |tokenizer| of_prompt(&digits, tokenizer).unwrap();
        let counted = count(Some(Tokenizer::O200kBase));
        // Three digits a token, beside the message's own and its role.
        assert_eq!(counted, PromptTokens { estimate: 100 + 4 + 1, bound: 300 + 4 + 4 });
        assert_eq!(count(None), PromptTokens { estimate: 75 + 4 + 1, bound: 300 + 4 + 4 });
    }

    #[test]
    fn a_text_counts_as_it_reads_not_as_it_is_escaped() {
        assert_eq!(of_prompt("\"\\u0061\\u0061\\u0061\\u0061\"", None).unwrap().estimate, 1);
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(of_prompt(&deep, None).is_err());
        assert!(of_field(&deep, None).is_err());
    }
}
