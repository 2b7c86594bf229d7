//! Counts the tokens of a prompt: an estimate and an upper bound.
//!
//! The estimate is one token for four bytes of text, rounded up, which is OpenAI's rule of thumb
//! for English ([What are tokens](https://help.openai.com/en/articles/4936856)). The sandbox counts
//! its tokens by the same rule, so its estimates are exact. The upper bound is one token for each
//! byte, as byte-level tokenizers never produce more.
//!
//! Media do not count as text: an image counts the same inline and by link; audio and files count
//! by their size. Prompts are counted while their JSON is parsed, without copying them. If the
//! model's tokenizer is known, it makes the estimate.

use std::ops::AddAssign;

use super::config::Tokenizer;
use super::json_reader::{BadJson, JsonReader, JsonText, JsonValue};

const BYTES_PER_TOKEN: usize = 4;
/// Overhead of a message: its role and delimiters.
const TOKENS_PER_MESSAGE: u64 = 4;
/// An image, and one with `detail: "low"`.
const TOKENS_PER_IMAGE: u64 = 1_000;
const TOKENS_PER_LOW_DETAIL_IMAGE: u64 = 85;
/// The most that audio or a file counts.
const MAX_TOKENS_PER_FILE: u64 = 20_000;

/// No type of a source is longer, even fully escaped.
const MAX_KIND_BYTES: usize = 600;

/// Token counts of a prompt or a part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PromptTokens {
    /// The likely number.
    pub(super) estimate: u64,
    /// The upper bound.
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

/// Counts a text of this many bytes.
fn of_text(bytes: usize) -> PromptTokens {
    PromptTokens { estimate: of_bytes(bytes), bound: u64::try_from(bytes).unwrap_or(u64::MAX) }
}

/// The estimate for a text of this many bytes.
fn of_bytes(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// Where a value is in the body, which decides how it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PromptContext {
    /// The whole prompt: a text, tokens, a list of either, or messages.
    Prompt,
    /// An item of the prompt: a text, a token, a message, or a prompt of its own.
    Part,
    /// Inside a message, including tool calls. Only texts count.
    Content,
    /// A field beside the prompt that the model reads as well, with member names: tools, schemas,
    /// documents.
    Field,
    /// An image, inline or as a link.
    Image,
    /// Audio or a file, inline or as a link.
    File,
    /// The source of an image or a document, in Anthropic's form.
    Source,
}

impl PromptContext {
    /// The context of a member's value.
    fn of_member(self, name: &str) -> Self {
        match (self, name) {
            // `input`: the arguments of a tool, whose names the model reads as well.
            (Self::Field, _) | (Self::Part | Self::Content, "input") => Self::Field,
            (_, "image_url" | "image") => Self::Image,
            (_, "input_audio" | "file" | "video_url" | "file_data" | "file_url") => Self::File,
            (Self::Content, "source") => Self::Source,
            _ => Self::Content,
        }
    }

    /// What a value counts that is not a text and not a list.
    fn other(self) -> PromptTokens {
        match self {
            Self::Content | Self::Source => PromptTokens::default(),
            Self::Image => PromptTokens::exactly(TOKENS_PER_IMAGE),
            Self::Prompt | Self::Part | Self::Field | Self::File => PromptTokens::exactly(1),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Counter {
    pub(super) place: PromptContext,
    /// Tokenizer for the texts. None: texts count by their bytes.
    pub(super) tokenizer: Option<Tokenizer>,
}

impl Counter {
    /// Parses the next value and counts it.
    ///
    /// # Errors
    /// Not valid JSON, nested too deeply, or a number is too large.
    pub(super) fn count(self, json: &mut JsonReader<'_>) -> Result<PromptTokens, BadJson> {
        match json.value()? {
            JsonValue::Text(text) => Ok(self.text(text)),
            JsonValue::List => self.list(json),
            JsonValue::Object if self.place == PromptContext::Image => image(json),
            JsonValue::Object if self.place == PromptContext::Source => self.source(json),
            JsonValue::Object => self.object(json),
            JsonValue::Null if self.place == PromptContext::Image => Ok(PromptTokens::default()),
            JsonValue::Scalar(bytes) if self.place == PromptContext::Field => {
                Ok(self.scalar(bytes))
            }
            JsonValue::Null | JsonValue::Scalar(_) => Ok(self.place.other()),
        }
    }

    const fn at(self, place: PromptContext) -> Self {
        Self { place, ..self }
    }

    fn text(self, text: JsonText<'_>) -> PromptTokens {
        match self.place {
            PromptContext::Image => self.place.other(),
            // A link, or the base64 of the file.
            PromptContext::File => {
                PromptTokens::exactly(of_bytes(text.length()).min(MAX_TOKENS_PER_FILE))
            }
            PromptContext::Content | PromptContext::Field | PromptContext::Source => {
                self.tokens(text)
            }
            PromptContext::Prompt | PromptContext::Part => self.tokens(text).at_least_one(),
        }
    }

    fn tokens(self, text: JsonText<'_>) -> PromptTokens {
        let tokens = of_text(text.length());
        match self.tokenizer {
            Some(tokenizer) => PromptTokens { estimate: tokenizer.count(&text.read()), ..tokens },
            None => tokens,
        }
    }

    /// Numbers of a schema are part of its text.
    fn scalar(self, bytes: usize) -> PromptTokens {
        let tokens = of_text(bytes);
        // Too rare to be tokenized; the upper bound is safe.
        let estimate = if self.tokenizer.is_some() { tokens.bound } else { tokens.estimate };
        PromptTokens { estimate, ..tokens }
    }

    fn list(self, json: &mut JsonReader<'_>) -> Result<PromptTokens, BadJson> {
        let place = match self.place {
            PromptContext::Prompt | PromptContext::Part => PromptContext::Part,
            other => other,
        };
        let (mut tokens, mut is_first) = (PromptTokens::default(), true);
        while json.next_item(&mut is_first)? {
            tokens += self.at(place).count(json)?;
        }
        Ok(if place == PromptContext::Part { tokens.at_least_one() } else { tokens })
    }

    /// The source of an image or a document. Its members come in any order, so that only the end
    /// tells what its data is.
    fn source(self, json: &mut JsonReader<'_>) -> Result<PromptTokens, BadJson> {
        let counter = Counter { place: PromptContext::Content, tokenizer: None };
        let (mut text, mut data) = (PromptTokens::default(), PromptTokens::default());
        let (mut is_text, mut is_document, mut is_first) = (false, false, true);
        while let Some(name) = json.next_name(&mut is_first)? {
            let begin = json.position();
            let tokens = counter.count(json)?;
            let value = json.since(begin);
            match &*name.read() {
                "type" => is_text = matches!(&*short_text(value), "text" | "content"),
                "media_type" => is_document = !short_text(value).starts_with("image/"),
                "data" => data = tokens,
                "content" => text += tokens,
                // A link or the ID of a file.
                _ => {}
            }
        }
        if is_text {
            text += data;
            // Too rare to be tokenized; the upper bound is safe.
            let estimate = if self.tokenizer.is_some() { text.bound } else { text.estimate };
            return Ok(PromptTokens { estimate, ..text });
        }
        Ok(PromptTokens::exactly(if is_document {
            data.estimate.min(MAX_TOKENS_PER_FILE)
        } else {
            TOKENS_PER_IMAGE
        }))
    }

    fn object(self, json: &mut JsonReader<'_>) -> Result<PromptTokens, BadJson> {
        let mut tokens = match self.place {
            PromptContext::Part => PromptTokens::exactly(TOKENS_PER_MESSAGE),
            _ => PromptTokens::default(),
        };
        let mut is_first = true;
        while let Some(name) = json.next_name(&mut is_first)? {
            if self.place == PromptContext::Field {
                tokens += self.tokens(name);
            }
            let place = match self.place {
                PromptContext::File => PromptContext::File,
                place => place.of_member(&name.read()),
            };
            tokens += self.at(place).count(json)?;
        }
        Ok(match self.place {
            PromptContext::File => PromptTokens::exactly(tokens.estimate.min(MAX_TOKENS_PER_FILE)),
            // No API has a prompt that is an object, but its text counts all the same.
            PromptContext::Prompt => tokens.at_least_one(),
            _ => tokens,
        })
    }
}

/// The text of a short string. Empty for anything else.
fn short_text(json: &[u8]) -> String {
    let is_short = json.len() <= MAX_KIND_BYTES;
    is_short.then(|| serde_json::from_slice(json).ok()).flatten().unwrap_or_default()
}

/// An image with its options.
fn image(json: &mut JsonReader<'_>) -> Result<PromptTokens, BadJson> {
    let unread = Counter { place: PromptContext::Content, tokenizer: None };
    let (mut tokens, mut is_first) = (TOKENS_PER_IMAGE, true);
    while let Some(name) = json.next_name(&mut is_first)? {
        let begin = json.position();
        unread.count(json)?;
        if name.read() == "detail" {
            let is_low = json.since(begin) == b"\"low\"";
            tokens = if is_low { TOKENS_PER_LOW_DETAIL_IMAGE } else { tokens };
        }
    }
    Ok(PromptTokens::exactly(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn count(
        json: &str,
        place: PromptContext,
        tokenizer: Option<Tokenizer>,
    ) -> Result<PromptTokens, BadJson> {
        Counter { place, tokenizer }.count(&mut JsonReader::new(json.as_bytes()))
    }

    fn of_prompt(json: &str, tokenizer: Option<Tokenizer>) -> Result<PromptTokens, BadJson> {
        count(json, PromptContext::Prompt, tokenizer)
    }

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
            // "user" and "Hi", beside the overhead of the message.
            (json!([{"role": "user", "content": "Hi"}]), 6),
            (json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]), 7),
        ] {
            assert_eq!(estimate(&prompt), tokens, "{prompt}");
        }
    }

    #[test]
    fn bound_is_one_token_per_byte() {
        let bound = |prompt: serde_json::Value| of_prompt(&prompt.to_string(), None).unwrap().bound;
        assert_eq!(bound(json!("12345678")), 8);
        assert_eq!(bound(json!([1, 2, 3])), 3);
        assert_eq!(bound(json!([{"role": "user", "content": "Hi é"}])), 4 + 4 + 5);
    }

    #[test]
    fn images_count_alike_inline_and_by_link() {
        let part = |part: serde_json::Value| {
            let tokens = of_prompt(&json!([{ "content": [part] }]).to_string(), None).unwrap();
            tokens.estimate - TOKENS_PER_MESSAGE
        };
        let image = |url: &str, detail: &str| {
            part(json!({ "image_url": { "url": url, "detail": detail } }))
        };
        let inline = format!("data:image/png;base64,{}", "A".repeat(90_000));
        for url in [inline.as_str(), "https://example.com/a.png"] {
            assert_eq!(image(url, "high"), 1_000);
            assert_eq!(image(url, "low"), 85);
            assert_eq!(part(json!({ "image_url": url })), 1_000);
        }
        let audio = |length: usize| {
            part(json!({ "input_audio": { "data": "A".repeat(length), "format": "wav" } }))
        };
        let file = |length: usize| part(json!({ "file_data": "A".repeat(length) }));
        assert_eq!((file(4_000), file(4_000_000)), (1_000, 20_000));
        assert_eq!(audio(4_000), 1_001);
        assert_eq!(audio(4_000_000), 20_000);
    }

    #[test]
    fn sources_in_anthropics_form_count_as_media() {
        let part = |kind: &str, source: serde_json::Value| {
            let part = json!({ "type": kind, "source": source });
            let tokens = of_prompt(&json!([{ "content": [part] }]).to_string(), None).unwrap();
            tokens.estimate - TOKENS_PER_MESSAGE - of_bytes(kind.len())
        };
        let base64 = |kind: &str, length: usize| json!({ "type": "base64", "media_type": kind, "data": "A".repeat(length) });
        assert_eq!(part("image", base64("image/png", 90_000)), 1_000);
        assert_eq!(part("image", json!({ "type": "url", "url": "https://example.com" })), 1_000);
        assert_eq!(part("document", base64("application/pdf", 4_000)), 1_000);
        assert_eq!(part("document", base64("application/pdf", 4_000_000)), 20_000);
        let text = json!({ "type": "text", "media_type": "text/plain", "data": "x".repeat(80) });
        assert_eq!(part("document", text), 20);
        let content = json!({ "type": "content", "content": [{ "text": "x".repeat(80) }] });
        assert_eq!(part("document", content), 20);
        assert_eq!(part("search_result", json!("https://example.com")), 5, "a text");
        let data = "x".repeat(400_000);
        let escaped = format!(
            r#"[{{"content":[{{"source":{{"type":"\u0074ext","media_type":"text/plain","data":"{data}"}}}}]}}]"#
        );
        assert_eq!(of_prompt(&escaped, None).unwrap().bound, 4 + 400_000);
    }

    #[test]
    fn input_of_a_tool_counts_with_its_names() {
        let input = json!({ "city": "Bern", "days": 3 });
        let call = json!([{ "content": [{ "type": "tool_use", "input": input }] }]);
        // The message, the type, and each name and value.
        assert_eq!(estimate(&call), 4 + 2 + 4);
    }

    #[test]
    fn fields_beside_the_prompt_count_member_names() {
        let field = json!([{ "function": { "name": "f", "parameters": { "properties": {} } } }]);
        let tokens = count(&field.to_string(), PromptContext::Field, None).unwrap();
        assert_eq!(
            tokens,
            PromptTokens { estimate: 2 + 1 + 1 + 3 + 3, bound: 8 + 4 + 1 + 10 + 10 }
        );
    }

    #[test]
    fn numbers_of_a_schema_count_as_written() {
        let of = |field| count(field, PromptContext::Field, None).unwrap();
        assert_eq!(of(r#"["", 7, true]"#), PromptTokens { estimate: 2, bound: 5 });
        let digits = format!("[{}]", "7".repeat(200));
        assert_eq!(of(&digits), PromptTokens { estimate: 50, bound: 200 });
        assert_eq!(count(&digits, PromptContext::Prompt, None).unwrap(), PromptTokens::exactly(1));
    }

    #[test]
    fn tokenizer_counts_texts_of_a_prompt() {
        let digits = json!([{ "role": "user", "content": "0123456789".repeat(30) }]).to_string();
        let count = |tokenizer| of_prompt(&digits, tokenizer).unwrap();
        let counted = count(Some(Tokenizer::O200kBase));
        // Three digits per token, beside the overhead and the role.
        assert_eq!(counted, PromptTokens { estimate: 100 + 4 + 1, bound: 300 + 4 + 4 });
        assert_eq!(count(None), PromptTokens { estimate: 75 + 4 + 1, bound: 300 + 4 + 4 });
    }

    #[test]
    fn escaped_text_counts_its_unescaped_length() {
        assert_eq!(of_prompt("\"\\u0061\\u0061\\u0061\\u0061\"", None).unwrap().estimate, 1);
    }

    #[test]
    fn deep_nesting_is_rejected() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(of_prompt(&deep, None).is_err());
        assert!(count(&deep, PromptContext::Field, None).is_err());
    }
}
