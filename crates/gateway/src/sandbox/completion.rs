//! The sandbox's completions. They say that this is the sandbox and repeat the last message, or
//! contain the structured output that the call asks for.

use std::io::Write as _;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use latchkey_checker::CallSlot;
use serde_json::{Value, json};

use super::body_writer::{self, BodyWriter};
use super::reply::{Generated, Reply, id_digits};
use crate::body::CallBody;
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

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
        let Reply { text: reply, tool } = Reply::of(body)?;
        let digits = id_digits(body).await;
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

/// The response as one JSON object. Its size is limited, as that of what is echoed is.
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
