//! What the sandbox says: that it is the sandbox, and the last message again; or the structured
//! output that the call asks for.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::digest::digest;
use super::structured_output::{self, StructuredOutput};
use crate::body::CallBody;
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

/// Bytes of a token, as in the gateway's estimates.
const BYTES_PER_TOKEN: usize = 4;
/// How many characters of the last message are repeated, over all choices, so that a short call
/// with many choices stays cheap.
const MAX_ECHO_CHARS: u64 = 500;

/// A reply, whatever the format in which it is sent.
pub(super) struct Reply {
    pub(super) text: String,
    /// The tool that is called, with the text as its arguments.
    pub(super) tool: Option<String>,
}

impl Reply {
    /// The reply to a call.
    ///
    /// # Errors
    /// 400: no value can be generated for the requested schema.
    pub(super) fn of(body: &CallBody) -> Result<Self, GatewayError> {
        let echo = echo(body);
        let plain = format!("This is the Latchkey sandbox: no model was called. You said: {echo}");
        Ok(match structured_output::of(body)? {
            Some(StructuredOutput::Content(text)) => Self { text, tool: None },
            Some(StructuredOutput::Call { tool, arguments }) => {
                Self { text: arguments, tool: Some(tool) }
            }
            None => Self { text: plain, tool: None },
        })
    }
}

/// What is repeated of the last message.
pub(super) fn echo(body: &CallBody) -> String {
    let prompt = body.prompt_json();
    let max_chars = usize::try_from(MAX_ECHO_CHARS / body.choices().max(1)).unwrap_or_default();
    let has_messages = match body.endpoint {
        Endpoint::Chat | Endpoint::Messages => true,
        endpoint => endpoint.is_responses() && prompt.starts_with('['),
    };
    if has_messages {
        let content = last_message(prompt);
        content.map(|content| echo_text(content, max_chars)).unwrap_or_default()
    } else {
        echo_text(prompt, max_chars)
    }
}

/// Digits that are the same for the same prompt.
pub(super) async fn id_digits(body: &CallBody) -> String {
    hex(&digest(body.prompt_json().as_bytes()).await)
}

/// The digits of an ID.
pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().take(12).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The content of the last message, as JSON.
fn last_message(messages: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    let mut last = None;
    each(messages, |message: &RawValue| last = Some(message));
    let message: Message<'_> = serde_json::from_str(last?.get()).ok()?;
    message.content.map(RawValue::get)
}

/// The first characters of a text, or of the texts in a list of parts.
fn echo_text(content: &str, max_chars: usize) -> String {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        text: Option<Cow<'a, str>>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Part(#[serde(borrow)] Part<'a>),
    }
    let text = |json| match serde_json::from_str(json) {
        Ok(Said::Text(text)) => Some(text),
        Ok(Said::Part(Part { text })) => text,
        Err(_) => None,
    };
    if !content.starts_with('[') {
        return text(content)
            .map_or_else(String::new, |text| text.chars().take(max_chars).collect());
    }
    let (mut echo, mut left) = (String::new(), max_chars);
    each(content, |part: &RawValue| {
        if let Some(text) = (left > 0).then(|| text(part.get())).flatten() {
            let gap = (!echo.is_empty()).then_some(' ');
            for character in gap.into_iter().chain(text.chars()).take(left) {
                echo.push(character);
                left -= 1;
            }
        }
    });
    echo
}

/// Calls a function for each element of a JSON array, without collecting them.
fn each<'a>(list: &'a str, with: impl FnMut(&'a RawValue)) {
    struct Elements<'a, F>(F, PhantomData<&'a ()>);
    impl<'de: 'a, 'a, F: FnMut(&'a RawValue)> Visitor<'de> for Elements<'a, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut parts: A) -> Result<(), A::Error> {
            while let Some(part) = parts.next_element()? {
                (self.0)(part);
            }
            Ok(())
        }
    }
    // A value that is not an array has no elements.
    let _ = serde_json::Deserializer::from_str(list).deserialize_seq(Elements(with, PhantomData));
}

/// A text split into tokens, cut at the cap.
pub(super) struct Generated {
    pub(super) tokens: Vec<String>,
    pub(super) cut: bool,
}

impl Generated {
    pub(super) fn new(text: &str, cap: u64) -> Self {
        let mut tokens: Vec<String> = Vec::new();
        for character in text.chars() {
            match tokens.last_mut() {
                Some(last) if last.len() + character.len_utf8() <= BYTES_PER_TOKEN => {
                    last.push(character);
                }
                _ => tokens.push(character.into()),
            }
        }
        let cap = usize::try_from(cap).unwrap_or(usize::MAX);
        let cut = tokens.len() > cap;
        tokens.truncate(cap);
        Self { tokens, cut }
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.tokens.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_message_is_repeated_in_part() {
        let echo = |messages: &str| last_message(messages).map(|content| echo_text(content, 6));
        assert_eq!(echo(r#"[{"content": "a"}, {"content": "b\u0063 def"}]"#).unwrap(), "bc def");
        let parts = r#"[{"content": [{"type": "text", "text": "one"}, 7, {"x": 1}, "two"]}]"#;
        assert_eq!(echo(parts).unwrap(), "one tw");
        for nothing in ["[]", "7", "[7]", r#"[{"role": "user"}]"#, r#"[{"content": null}]"#] {
            assert_eq!(echo(nothing).unwrap_or_default(), "", "{nothing}");
        }
    }
}
