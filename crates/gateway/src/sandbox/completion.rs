//! The sandbox's completions. They say that this is the sandbox and repeat the last message, or
//! contain the structured output that the call asks for.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::marker::PhantomData;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use latchkey_checker::CallSlot;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::body_writer::{self, BodyWriter};
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

/// A validated call: the reply, and the metadata around it.
pub(crate) struct CompletionCall {
    reply: String,
    id: String,
    /// The tool that is called, with the reply as its arguments.
    tool: Option<String>,
}

impl CompletionCall {
    /// Reads a call.
    ///
    /// # Errors
    /// 400: no value can be generated for the requested schema.
    pub(super) async fn of(body: &CallBody) -> Result<Self, GatewayError> {
        let prompt = body.prompt_json();
        let max_chars = usize::try_from(MAX_ECHO_CHARS / body.choices().max(1)).unwrap_or_default();
        let echo = match body.endpoint {
            Endpoint::Chat => last_message(prompt).map(|content| echo_text(content, max_chars)),
            _ => Some(echo_text(prompt, max_chars)),
        };
        let echo = echo.unwrap_or_default();
        let plain = format!("This is the Latchkey sandbox: no model was called. You said: {echo}");
        let (reply, tool) = match structured_output::of(body)? {
            Some(StructuredOutput::Content(content)) => (content, None),
            Some(StructuredOutput::Call { tool, arguments }) => (arguments, Some(tool)),
            None => (plain, None),
        };
        let digest = digest(prompt.as_bytes()).await;
        let digits = digest.iter().take(12).fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let prefix = if body.endpoint == Endpoint::Chat { "chatcmpl" } else { "cmpl" };
        Ok(Self { reply, id: format!("{prefix}-{digits}"), tool })
    }

    /// Generates the completion, each choice with at most `cap` tokens.
    pub(super) fn generate(self, body: &CallBody, cap: u64) -> Completion {
        let Self { reply, id, tool } = self;
        let chat = body.endpoint == Endpoint::Chat;
        Completion {
            envelope: CompletionEnvelope { id, chat, model: body.model.clone(), tool },
            generated: Generated::new(&reply, cap),
            choices: body.choices(),
            prompt_tokens: body.prompt.estimate,
            stream: body.stream,
            wants_usage: body.wants_usage,
        }
    }
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
struct Generated {
    tokens: Vec<String>,
    cut: bool,
}

impl Generated {
    fn new(text: &str, cap: u64) -> Self {
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

    fn count(&self) -> u64 {
        u64::try_from(self.tokens.len()).unwrap_or_default()
    }
}

pub(super) struct Completion {
    envelope: CompletionEnvelope,
    generated: Generated,
    choices: u64,
    prompt_tokens: u64,
    stream: bool,
    wants_usage: bool,
}

impl Completion {
    /// Total completion tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.generated.count() * self.choices
    }

    fn usage(&self) -> Value {
        let (prompt, completion) = (self.prompt_tokens, self.tokens());
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        })
    }

    pub(super) fn respond(self, slot: Option<CallSlot>) -> Response {
        if !self.stream {
            return body_writer::respond("application/json", WholeCompletion(Some(self)), slot);
        }
        let events = CompletionEvents { completion: self, at: StreamPosition::Token(0, 0) };
        let mut response = body_writer::respond("text/event-stream", events, slot);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// The response as one JSON object. [`MAX_ECHO_CHARS`] limits its size.
struct WholeCompletion(Option<Completion>);

impl BodyWriter for WholeCompletion {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let Some(completion) = self.0.take() else { return false };
        let choice = |index| completion.envelope.choice(index, &completion.generated);
        let choices: Vec<Value> = (0..completion.choices).map(choice).collect();
        // Writing to memory cannot fail.
        let _ =
            write!(to, "{}", completion.envelope.response(&json!(choices), &completion.usage()));
        true
    }
}

/// The response as events, with one token each.
struct CompletionEvents {
    completion: Completion,
    at: StreamPosition,
}

#[derive(Clone, Copy)]
enum StreamPosition {
    /// This token of this choice.
    Token(u64, usize),
    Usage,
    Done,
    Over,
}

impl BodyWriter for CompletionEvents {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let Completion { envelope, generated, choices, wants_usage, .. } = &self.completion;
        let event = match self.at {
            StreamPosition::Token(choice, _) if choice == *choices => {
                self.at = StreamPosition::Usage;
                return true;
            }
            StreamPosition::Token(choice, place) => {
                if let Some(token) = generated.tokens.get(place) {
                    self.at = StreamPosition::Token(choice, place + 1);
                    envelope.part(choice, place == 0, token)
                } else {
                    self.at = StreamPosition::Token(choice + 1, 0);
                    envelope.last(choice, envelope.finish_reason(generated))
                }
            }
            StreamPosition::Usage => {
                self.at = StreamPosition::Done;
                if !*wants_usage {
                    return true;
                }
                envelope.usage(&self.completion.usage())
            }
            StreamPosition::Done => {
                self.at = StreamPosition::Over;
                to.extend_from_slice(b"data: [DONE]\n\n");
                return true;
            }
            StreamPosition::Over => return false,
        };
        // Writing to memory cannot fail.
        let _ = write!(to, "data: {event}\n\n");
        true
    }
}

/// Metadata around the choices. It depends on neither time nor randomness.
struct CompletionEnvelope {
    id: String,
    chat: bool,
    model: String,
    tool: Option<String>,
}

impl CompletionEnvelope {
    const fn object(&self, chunk: bool) -> &'static str {
        match (self.chat, chunk) {
            (true, false) => "chat.completion",
            (true, true) => "chat.completion.chunk",
            (false, _) => "text_completion",
        }
    }

    fn around(&self, chunk: bool, choices: &Value) -> Value {
        json!({
            "id": self.id, "object": self.object(chunk), "created": 0, "model": self.model,
            "choices": choices,
        })
    }

    fn response(&self, choices: &Value, usage: &Value) -> Value {
        let mut response = self.around(false, choices);
        response["usage"] = usage.clone();
        response
    }

    fn choice(&self, index: u64, generated: &Generated) -> Value {
        let text = generated.tokens.concat();
        let reason = self.finish_reason(generated);
        if let Some(tool) = &self.tool {
            let call = self.call(index, tool, &text);
            json!({
                "index": index,
                "message": { "role": "assistant", "content": null, "refusal": null, "tool_calls": [call] },
                "logprobs": null, "finish_reason": reason,
            })
        } else if self.chat {
            json!({
                "index": index, "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null, "finish_reason": reason,
            })
        } else {
            json!({ "index": index, "text": text, "logprobs": null, "finish_reason": reason })
        }
    }

    /// A call of the tool.
    fn call(&self, index: u64, tool: &str, arguments: &str) -> Value {
        let id = format!("call_{}_{index}", self.id.trim_start_matches("chatcmpl-"));
        json!({ "id": id, "type": "function", "function": { "name": tool, "arguments": arguments } })
    }

    const fn finish_reason(&self, generated: &Generated) -> &'static str {
        match (&self.tool, generated.cut) {
            (_, true) => "length",
            (Some(_), false) => "tool_calls",
            (None, false) => "stop",
        }
    }

    fn part(&self, index: u64, first: bool, token: &str) -> Value {
        let choice = if self.chat {
            let delta = match (&self.tool, first) {
                (Some(tool), true) => {
                    let mut call = self.call(index, tool, token);
                    call["index"] = json!(0);
                    json!({ "role": "assistant", "content": null, "tool_calls": [call] })
                }
                (Some(_), false) => {
                    json!({ "tool_calls": [{ "index": 0, "function": { "arguments": token } }] })
                }
                (None, true) => json!({ "role": "assistant", "content": token }),
                (None, false) => json!({ "content": token }),
            };
            json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": null })
        } else {
            json!({ "index": index, "text": token, "logprobs": null, "finish_reason": null })
        };
        self.around(true, &json!([choice]))
    }

    fn last(&self, index: u64, reason: &str) -> Value {
        let choice = if self.chat {
            json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": reason })
        } else {
            json!({ "index": index, "text": "", "logprobs": null, "finish_reason": reason })
        };
        self.around(true, &json!([choice]))
    }

    fn usage(&self, usage: &Value) -> Value {
        let mut event = self.around(true, &json!([]));
        event["usage"] = usage.clone();
        event
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
