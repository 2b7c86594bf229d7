//! Streams in the form of OpenAI's Responses API: what their events mean, the events that end one
//! early, and the usage of a final event that lacks it.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use latchkey_domain::token_usage::TokenUsage;
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{ItemId, data};
use crate::error::GatewayError;

/// The last events of a stream. There is no other mark of its end.
const FINAL_KINDS: [&str; 3] = ["response.completed", "response.incomplete", "response.failed"];
/// How many bytes of an event are searched for its type if the event is too long to be parsed.
const BEGINNING_BYTES: usize = 256;
/// The ID in an event that ends a stream whose first event never came.
const UNKNOWN_ID: &str = "resp_unknown";
/// Maximum length of an ID, in characters.
pub(crate) const MAX_ID_CHARS: usize = 1_024;

/// What an event is, as far as the accounting asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponsesKind {
    /// One of the last events.
    Final,
    /// `response.completed` without the counts that clients insist on.
    LacksUsage,
    Error,
    Other,
}

/// What was read of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ResponsesEvent {
    pub(super) kind: ResponsesKind,
    /// Bytes of generated text.
    pub(super) text: u64,
    /// Whether the event has a part of the answer.
    pub(super) is_output: bool,
}

impl ResponsesEvent {
    const OTHER: Self = Self { kind: ResponsesKind::Other, text: 0, is_output: false };
}

/// The place in a stream.
#[derive(Debug, Default)]
pub(super) struct ResponsesStream {
    response: Option<SeenResponse>,
    /// Whether [`Self::take_id`] has returned the ID.
    is_id_taken: bool,
    /// IDs of the output item that the last event has, and of its container.
    items: Vec<ItemId>,
    /// Sequence number of the last event, and of the one before it.
    number: Option<u64>,
    number_before: Option<u64>,
    /// Whether the last event is an error, which another event replaces.
    has_error: bool,
    is_cancelled: bool,
}

/// What is kept of the response that the first event shows.
#[derive(Debug)]
struct SeenResponse {
    id: String,
    model: String,
    created_at: Value,
}

/// The members of an event that tell its meaning.
#[derive(Deserialize)]
struct ResponsesEventHead<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    sequence_number: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
}

/// Members of an output item by which later calls refer to it and to its container.
#[derive(Deserialize)]
struct ItemHead {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    container_id: Value,
}

/// Members of a response.
#[derive(Deserialize)]
struct ResponseHead<'a> {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    model: Value,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    status: Value,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// The counts without which some clients reject the event.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether they are there matters")]
struct NamedCounts {
    #[serde(rename = "input_tokens")]
    prompt: u64,
    #[serde(rename = "output_tokens")]
    completion: u64,
    #[serde(rename = "total_tokens")]
    total: u64,
}

impl ResponsesStream {
    /// A stream of the response with this ID.
    pub(super) fn of(id: &str) -> Self {
        let (id, model) = (id.to_owned(), String::new());
        let response = Some(SeenResponse { id, model, created_at: json!(0) });
        Self { response, ..Self::default() }
    }

    /// Reads the data of an event. `has_error` says whether it has a member `error`.
    pub(super) fn read(&mut self, data: &[u8], has_error: bool) -> ResponsesEvent {
        let head = serde_json::from_slice::<ResponsesEventHead<'_>>(data).ok();
        self.has_error = has_error || head.as_ref().is_some_and(|head| head.kind == "error");
        self.items.clear();
        self.number_before = self.number;
        if let Some(number) = head.as_ref().and_then(|head| head.sequence_number) {
            self.number = number.get().parse().ok().or(self.number);
        }
        if self.has_error {
            return ResponsesEvent { kind: ResponsesKind::Error, ..ResponsesEvent::OTHER };
        }
        let Some(head) = head else { return ResponsesEvent::OTHER };
        let is_final = FINAL_KINDS.contains(&&*head.kind);
        let response = head.response.filter(|_| is_final || self.response.is_none());
        let response = response.and_then(|json| serde_json::from_str(json.get()).ok());
        let lacks_usage =
            is_final && head.kind == FINAL_KINDS[0] && response.as_ref().is_some_and(lacks_usage);
        if let Some(response) = response {
            self.is_cancelled |= is_final && response.status == "cancelled";
            self.see(response);
        }
        let is_item = head.kind.starts_with("response.output_item.");
        self.items.extend(head.item.filter(|_| is_item).into_iter().flat_map(item_ids));
        let text = if is_text(&head.kind) { head.delta.map_or(0, text_bytes) } else { 0 };
        ResponsesEvent {
            kind: match (is_final, lacks_usage) {
                (_, true) => ResponsesKind::LacksUsage,
                (true, false) => ResponsesKind::Final,
                (false, false) => ResponsesKind::Other,
            },
            text,
            is_output: is_final || is_item || text > 0,
        }
    }

    fn see(&mut self, response: ResponseHead<'_>) {
        let Value::String(id) = response.id else { return };
        if self.response.is_none() && !id.is_empty() && id.chars().count() <= MAX_ID_CHARS {
            let model = response.model.as_str().unwrap_or_default().to_owned();
            let created_at = Some(response.created_at).filter(Value::is_number);
            let created_at = created_at.unwrap_or_else(|| json!(0));
            self.response = Some(SeenResponse { id, model, created_at });
        }
    }

    /// Whether the last event says that somebody has cancelled the response.
    pub(super) const fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }

    /// The ID of the response, once it is known; None from the second time on.
    pub(super) fn take_id(&mut self) -> Option<&str> {
        let response = self.response.as_ref().filter(|_| !self.is_id_taken)?;
        self.is_id_taken = true;
        Some(&response.id)
    }

    /// The IDs of the output item that the last event has, and of its container.
    pub(super) fn take_item_ids(&mut self) -> Vec<ItemId> {
        std::mem::take(&mut self.items)
    }

    /// The events that end a stream with an error: `error`, which most clients raise, and
    /// `response.failed`, which the others wait for.
    pub(super) fn error_events(&self, error: &GatewayError) -> String {
        let error = error.detail();
        let number = if self.has_error { self.number_before } else { self.number };
        let number = next(number);
        let (code, message) = (&error["code"], &error["message"]);
        let first = json!({
            "type": "error", "code": code, "message": message, "param": error["param"],
            "sequence_number": number, "error": error,
        });
        let mut response = self.ended("failed");
        response["error"] = json!({ "code": code, "message": message });
        let failed = json!({
            "type": "response.failed", "sequence_number": next(Some(number)), "response": response,
        });
        format!("event: error\ndata: {first}\n\nevent: response.failed\ndata: {failed}\n\n")
    }

    /// The event that ends a stream in place of the last one that was read, as if the model had
    /// reached `max_output_tokens`.
    pub(super) fn cap_events(&self, usage: TokenUsage) -> String {
        let mut response = self.ended("incomplete");
        response["incomplete_details"] = json!({ "reason": "max_output_tokens" });
        response["usage"] = usage_json(usage, 0);
        let event = json!({
            "type": "response.incomplete", "sequence_number": next(self.number_before),
            "response": response,
        });
        format!("event: response.incomplete\ndata: {event}\n\n")
    }

    /// The response as a last event shows it. Its output is what the client has received before.
    fn ended(&self, status: &str) -> Value {
        let mut response = json!({
            "id": UNKNOWN_ID, "object": "response", "created_at": 0, "status": status,
            "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
            "model": "", "output": [], "parallel_tool_calls": true, "temperature": null,
            "tool_choice": "auto", "tools": [], "top_p": null, "usage": null,
        });
        if let Some(SeenResponse { id, model, created_at }) = &self.response {
            response["id"] = json!(id);
            response["model"] = json!(model);
            response["created_at"] = created_at.clone();
        }
        response
    }
}

/// The IDs of an output item and of its container.
fn item_ids(item: &RawValue) -> Vec<ItemId> {
    let Ok(ItemHead { id, container_id }) = serde_json::from_str(item.get()) else {
        return Vec::new();
    };
    let bounded = |(id, is_container)| match id {
        Value::String(id) if !id.is_empty() && id.chars().count() <= MAX_ID_CHARS => {
            Some(ItemId { id, is_container })
        }
        _ => None,
    };
    [(id, false), (container_id, true)].into_iter().filter_map(bounded).collect()
}

/// The next sequence number.
fn next(number: Option<u64>) -> u64 {
    number.map_or(0, |number| number.saturating_add(1))
}

/// Whether the deltas of this type are text that the model generated. Sound is not.
fn is_text(kind: &str) -> bool {
    kind.starts_with("response.")
        && kind.rsplit('.').next() == Some("delta")
        && (!kind.contains("audio") || kind.contains("transcript"))
}

/// Length of a text in bytes. 0 for any other value.
fn text_bytes(json: &RawValue) -> u64 {
    let written = json.get();
    let Some(plain) = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return 0;
    };
    let length = if plain.contains('\\') {
        serde_json::from_str(written).map_or(plain.len(), |text: String| text.len())
    } else {
        plain.len()
    };
    length as u64
}

fn lacks_usage(response: &ResponseHead<'_>) -> bool {
    response.usage.is_none_or(|usage| serde_json::from_str::<NamedCounts>(usage.get()).is_err())
}

/// The counts as the Responses API names them.
fn usage_json(usage: TokenUsage, reasoning: u64) -> Value {
    let TokenUsage { prompt, completion, cached, .. } = usage;
    json!({
        "input_tokens": prompt,
        "input_tokens_details": { "cached_tokens": cached },
        "output_tokens": completion,
        "output_tokens_details": { "reasoning_tokens": reasoning },
        "total_tokens": prompt.saturating_add(completion),
    })
}

/// An event with the counts under their own names. None if it is no event with a response.
pub(super) fn with_usage(event: &[u8], usage: TokenUsage) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_slice(&data(event)?).ok()?;
    let response = json.get_mut("response")?.as_object_mut()?;
    let told = response.get("usage");
    let reasoning = ["output_tokens_details", "completion_tokens_details"]
        .into_iter()
        .find_map(|details| told?.get(details)?.get("reasoning_tokens")?.as_u64());
    response.insert("usage".to_owned(), usage_json(usage, reasoning.unwrap_or_default()));
    let mut out = Vec::with_capacity(event.len() + 256);
    for line in event.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if !line.is_empty() && !line.starts_with(b"data") {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out.extend_from_slice(format!("data: {json}\n\n").as_bytes());
    Some(out)
}

/// Whether an event that is too long to be parsed begins as one of the last ones.
pub(super) fn begins_final(event: &[u8]) -> bool {
    let beginning = &event[..event.len().min(BEGINNING_BYTES)];
    FINAL_KINDS.iter().any(|kind| {
        ["event: ", "event:", "\"type\":\"", "\"type\": \""]
            .iter()
            .any(|before| memmem::find(beginning, format!("{before}{kind}").as_bytes()).is_some())
    })
}
