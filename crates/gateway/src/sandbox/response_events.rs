//! The events of the sandbox's responses. They are generated from the whole response each time that
//! they are read.

use std::io::Write as _;

use serde_json::{Value, json};

use super::body_writer::BodyWriter;
use super::reply::Generated;

/// A part of a message.
pub(super) fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// The response as events, with one token each. Their sequence numbers are their places.
pub(super) struct ResponseEvents {
    response: Value,
    tokens: Vec<String>,
    next: u64,
}

impl ResponseEvents {
    /// The events from the place `next` on.
    pub(super) fn new(response: Value, next: u64) -> Self {
        let tokens = Generated::new(text(&response), u64::MAX).tokens;
        Self { response, tokens, next }
    }

    fn is_call(&self) -> bool {
        self.response["output"][0]["type"] == "function_call"
    }

    /// The event at a place. None after the last one.
    fn event(&self, place: u64) -> Option<(&'static str, Value)> {
        if self.response["status"] == "cancelled" {
            return self.cancelled_event(place);
        }
        let item = &self.response["output"][0];
        let id = &item["id"];
        let tokens = u64::try_from(self.tokens.len()).unwrap_or_default();
        let first_token = if self.is_call() { 3 } else { 4 };
        if place >= first_token && place - first_token < tokens {
            let token = &self.tokens[usize::try_from(place - first_token).ok()?];
            return Some(self.delta(id, token));
        }
        // Places after the tokens go on from the first one.
        let step = if place < first_token { place } else { place - tokens };
        Some(match (step, self.is_call()) {
            (0, _) => ("response.created", json!({ "response": self.begun() })),
            (1, _) => ("response.in_progress", json!({ "response": self.begun() })),
            (2, _) => {
                let item = begun_item(item);
                ("response.output_item.added", json!({ "output_index": 0, "item": item }))
            }
            (3, false) => {
                let event = json!({
                    "item_id": id, "output_index": 0, "content_index": 0, "part": part(""),
                });
                ("response.content_part.added", event)
            }
            (4, false) => {
                let event = json!({
                    "item_id": id, "output_index": 0, "content_index": 0,
                    "text": text(&self.response), "logprobs": [],
                });
                ("response.output_text.done", event)
            }
            (5, false) => {
                let event = json!({
                    "item_id": id, "output_index": 0, "content_index": 0,
                    "part": item["content"][0],
                });
                ("response.content_part.done", event)
            }
            (3, true) => {
                let event = json!({
                    "item_id": id, "output_index": 0, "name": item["name"],
                    "arguments": item["arguments"],
                });
                ("response.function_call_arguments.done", event)
            }
            (4, true) | (6, false) => {
                ("response.output_item.done", json!({ "output_index": 0, "item": item }))
            }
            (5, true) | (7, false) => {
                let kind = match self.response["status"].as_str() {
                    Some("incomplete") => "response.incomplete",
                    _ => "response.completed",
                };
                (kind, json!({ "response": self.response }))
            }
            _ => return None,
        })
    }

    /// The event at a place of a response that has no output.
    fn cancelled_event(&self, place: u64) -> Option<(&'static str, Value)> {
        Some(match place {
            0 => ("response.created", json!({ "response": self.begun() })),
            1 => ("response.in_progress", json!({ "response": self.begun() })),
            2 => ("response.incomplete", json!({ "response": self.response })),
            _ => return None,
        })
    }

    fn delta(&self, id: &Value, token: &str) -> (&'static str, Value) {
        if self.is_call() {
            let event = json!({ "item_id": id, "output_index": 0, "delta": token });
            return ("response.function_call_arguments.delta", event);
        }
        let event = json!({
            "item_id": id, "output_index": 0, "content_index": 0, "delta": token, "logprobs": [],
        });
        ("response.output_text.delta", event)
    }

    /// The response before its output.
    fn begun(&self) -> Value {
        unfinished(self.response.clone(), "in_progress")
    }
}

/// A response before its output.
pub(super) fn unfinished(mut response: Value, status: &str) -> Value {
    response["status"] = json!(status);
    response["output"] = json!([]);
    for member in ["incomplete_details", "usage"] {
        response[member] = Value::Null;
    }
    response
}

/// The output item before its text.
fn begun_item(item: &Value) -> Value {
    let mut begun = item.clone();
    begun["status"] = json!("in_progress");
    if item["type"] == "function_call" {
        begun["arguments"] = json!("");
    } else {
        begun["content"] = json!([]);
    }
    begun
}

/// The text of a response, or the arguments of its call.
fn text(response: &Value) -> &str {
    let item = &response["output"][0];
    let text = item["arguments"].as_str().or_else(|| item["content"][0]["text"].as_str());
    text.unwrap_or_default()
}

impl BodyWriter for ResponseEvents {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let Some((kind, mut event)) = self.event(self.next) else { return false };
        event["type"] = json!(kind);
        event["sequence_number"] = json!(self.next);
        self.next = self.next.saturating_add(1);
        // Writing to memory cannot fail.
        let _ = write!(to, "event: {kind}\ndata: {event}\n\n");
        true
    }
}
