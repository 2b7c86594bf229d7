//! The sandbox's answers in the form of Anthropic's Messages API.

use std::io::Write as _;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use latchkey_checker::CallSlot;
use serde_json::{Map, Value, json};

use super::body_writer::{self, BodyWriter};
use super::reply::{Generated, Reply, id_digits};
use crate::body::CallBody;
use crate::error::GatewayError;

/// A validated call.
pub(crate) struct MessageCall {
    reply: Reply,
    /// Digits of the ids.
    digits: String,
}

impl MessageCall {
    /// Reads a call.
    ///
    /// # Errors
    /// 400: no value can be generated for the requested schema.
    pub(super) async fn of(body: &CallBody) -> Result<Self, GatewayError> {
        Ok(Self { reply: Reply::of(body)?, digits: id_digits(body).await })
    }

    /// Generates the message, with at most `cap` tokens.
    pub(super) fn generate(self, body: &CallBody, cap: u64) -> GeneratedMessage {
        let Self { reply: Reply { text, tool }, digits } = self;
        GeneratedMessage {
            digits,
            model: body.model.clone(),
            tool,
            generated: Generated::new(&text, cap),
            prompt_tokens: body.prompt.estimate,
            stream: body.stream,
        }
    }
}

/// A generated message. It depends on neither time nor randomness.
pub(super) struct GeneratedMessage {
    digits: String,
    model: String,
    tool: Option<String>,
    generated: Generated,
    prompt_tokens: u64,
    stream: bool,
}

impl GeneratedMessage {
    /// Output tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.generated.count()
    }

    pub(super) fn respond(self, slot: Option<CallSlot>) -> Response {
        if !self.stream {
            return body_writer::respond("application/json", WholeMessage(Some(self)), slot);
        }
        let events = MessageEvents { message: self, at: MessagePosition::Start };
        let mut response = body_writer::respond("text/event-stream", events, slot);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    const fn stop_reason(&self) -> &'static str {
        match (&self.tool, self.generated.cut) {
            (_, true) => "max_tokens",
            (Some(_), false) => "tool_use",
            (None, false) => "end_turn",
        }
    }

    fn envelope(&self, content: &Value, stop_reason: Option<&str>, output_tokens: u64) -> Value {
        json!({
            "id": format!("msg_{}", self.digits), "type": "message", "role": "assistant",
            "model": self.model, "content": content, "stop_reason": stop_reason,
            "stop_sequence": null, "usage": self.usage(output_tokens),
        })
    }

    /// What has been used so far. Some clients read it at the end of a stream only.
    fn usage(&self, output_tokens: u64) -> Value {
        json!({
            "input_tokens": self.prompt_tokens, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": output_tokens,
        })
    }

    /// The content block that holds a text, or a tool's input.
    fn block(&self, text: &str) -> Value {
        let Some(tool) = &self.tool else { return json!({ "type": "text", "text": text }) };
        // A cut input is not valid JSON.
        let input: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let id = format!("toolu_{}", self.digits);
        json!({ "type": "tool_use", "id": id, "name": tool, "input": input })
    }

    fn whole(&self) -> Value {
        let block = self.block(&self.generated.tokens.concat());
        self.envelope(&json!([block]), Some(self.stop_reason()), self.tokens())
    }

    fn delta(&self, token: &str) -> Value {
        let delta = match &self.tool {
            Some(_) => json!({ "type": "input_json_delta", "partial_json": token }),
            None => json!({ "type": "text_delta", "text": token }),
        };
        json!({ "type": "content_block_delta", "index": 0, "delta": delta })
    }
}

/// The response as one JSON object.
struct WholeMessage(Option<GeneratedMessage>);

impl BodyWriter for WholeMessage {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let Some(message) = self.0.take() else { return false };
        // Writing to memory cannot fail.
        let _ = write!(to, "{}", message.whole());
        true
    }
}

/// The response as events, with one token each.
struct MessageEvents {
    message: GeneratedMessage,
    at: MessagePosition,
}

#[derive(Clone, Copy)]
enum MessagePosition {
    Start,
    BlockStart,
    Token(usize),
    MessageDelta,
    Stop,
    Over,
}

impl BodyWriter for MessageEvents {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let message = &self.message;
        let (kind, event, next) = match self.at {
            MessagePosition::Start => {
                let message = message.envelope(&json!([]), None, 1);
                let event = json!({ "type": "message_start", "message": message });
                ("message_start", event, MessagePosition::BlockStart)
            }
            MessagePosition::BlockStart => {
                let block = message.block("");
                let event =
                    json!({ "type": "content_block_start", "index": 0, "content_block": block });
                ("content_block_start", event, MessagePosition::Token(0))
            }
            MessagePosition::Token(place) => {
                if let Some(token) = message.generated.tokens.get(place) {
                    let event = message.delta(token);
                    ("content_block_delta", event, MessagePosition::Token(place + 1))
                } else {
                    let event = json!({ "type": "content_block_stop", "index": 0 });
                    ("content_block_stop", event, MessagePosition::MessageDelta)
                }
            }
            MessagePosition::MessageDelta => {
                let delta = json!({ "stop_reason": message.stop_reason(), "stop_sequence": null });
                let usage = message.usage(message.tokens());
                let event = json!({ "type": "message_delta", "delta": delta, "usage": usage });
                ("message_delta", event, MessagePosition::Stop)
            }
            MessagePosition::Stop => {
                ("message_stop", json!({ "type": "message_stop" }), MessagePosition::Over)
            }
            MessagePosition::Over => return false,
        };
        self.at = next;
        // Writing to memory cannot fail.
        let _ = write!(to, "event: {kind}\ndata: {event}\n\n");
        true
    }
}
