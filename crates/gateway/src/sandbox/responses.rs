//! The sandbox's answers in the form of OpenAI's Responses API. They depend on neither time nor
//! randomness, so a stored one is kept as JSON, and its events are generated again.

use std::io::Write as _;

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use latchkey_checker::{BackgroundResponse, CallSlot, Reservation};
use latchkey_domain::token_usage::TokenUsage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body_writer::{self, BodyWriter};
use super::digest::digest;
use super::reply::{Generated, Reply, echo, hex};
use super::response_events::{ResponseEvents, part, unfinished};
use crate::body::CallBody;
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

/// A validated call.
pub(crate) struct ResponseCall {
    reply: Reply,
    /// Digits of the ids.
    digits: String,
}

impl ResponseCall {
    /// Reads a call.
    ///
    /// # Errors
    /// 400: no value can be generated for the requested schema.
    pub(super) async fn of(body: &CallBody) -> Result<Self, GatewayError> {
        let reply = Reply::of(body)?;
        // All of the body decides, so that a stored response is replaced only by the same one.
        let mut digests = Vec::new();
        for name in body.names().filter(|name| *name != "stream") {
            let value = body.field(name).unwrap_or_default();
            digests.extend_from_slice(name.as_bytes());
            digests.extend_from_slice(&digest(value.as_bytes()).await);
        }
        Ok(Self { reply, digits: hex(&digest(&digests).await) })
    }

    /// Generates the response, with at most `cap` tokens.
    pub(super) fn generate(self, body: &CallBody, cap: u64) -> GeneratedResponse {
        let Self { reply: Reply { text, tool }, digits } = self;
        let generated = Generated::new(&text, cap);
        let (prompt, tokens) = (body.prompt.estimate, generated.count());
        let usage = json!({
            "input_tokens": prompt, "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": tokens, "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": prompt.saturating_add(tokens),
        });
        let text = generated.tokens.concat();
        let response = if body.endpoint == Endpoint::CompactResponse {
            json!({
                "id": format!("resp_{digits}"), "object": "response.compaction", "created_at": 0,
                "output": [{
                    "id": format!("cmp_{digits}"), "type": "compaction", "encrypted_content": text,
                }],
                "usage": usage,
            })
        } else {
            let status = if generated.cut { "incomplete" } else { "completed" };
            let item = item(&digits, tool.as_deref(), &text, status);
            let reason = generated.cut.then(|| json!({ "reason": "max_output_tokens" }));
            let mut response = envelope(&digits, body);
            response["status"] = json!(status);
            response["incomplete_details"] = json!(reason);
            response["output"] = json!([item]);
            response["usage"] = usage;
            response
        };
        let stored = StoredAnswer { response, input: echo(body) };
        GeneratedResponse { stored, tokens, stream: body.stream }
    }
}

/// The members of a response that do not depend on the reply.
fn envelope(digits: &str, body: &CallBody) -> Value {
    let previous: Option<Value> =
        body.field("previous_response_id").and_then(|id| serde_json::from_str(id).ok());
    json!({
        "id": format!("resp_{digits}"), "object": "response", "created_at": 0,
        "background": body.background, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "metadata": {}, "model": body.model, "output": [],
        "parallel_tool_calls": true, "previous_response_id": previous,
        "reasoning": { "effort": null, "summary": null }, "store": body.stores_response(),
        "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto",
        "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": null,
    })
}

/// The output item: a message, or the call of a tool.
fn item(digits: &str, tool: Option<&str>, text: &str, status: &str) -> Value {
    match tool {
        Some(tool) => json!({
            "id": format!("fc_{digits}"), "type": "function_call", "status": status,
            "call_id": format!("call_{digits}"), "name": tool, "arguments": text,
        }),
        None => json!({
            "id": format!("msg_{digits}"), "type": "message", "status": status,
            "role": "assistant", "content": [part(text)],
        }),
    }
}

/// A response with what it costs, before it is sent.
pub(super) struct GeneratedResponse {
    stored: StoredAnswer,
    tokens: u64,
    stream: bool,
}

impl GeneratedResponse {
    /// Output tokens.
    pub(super) const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The ID, and what is stored under it.
    pub(super) fn to_stored(&self) -> (String, String) {
        let id = self.stored.response["id"].as_str().unwrap_or_default().to_owned();
        (id, self.stored.to_json())
    }

    /// The IDs of the output items.
    pub(super) fn item_ids(&self) -> impl Iterator<Item = &str> {
        let items = self.stored.response["output"].as_array();
        items.into_iter().flatten().filter_map(|item| item["id"].as_str())
    }

    pub(super) fn respond(self, slot: Option<CallSlot>) -> Response {
        self.stored.respond(self.stream, None, slot)
    }

    /// Answers that the response is made in the background. It ends when it is read.
    pub(super) async fn respond_in_background(
        self,
        reservation: Reservation,
        used: TokenUsage,
    ) -> Response {
        let (id, _) = self.to_stored();
        let response = BackgroundResponse { id, upstream: None, unread: used };
        match reservation.into_background(response).await {
            Ok(slot) => self.stored.respond_unfinished("queued", slot),
            // It is in the log.
            Err(_) => GatewayError::background_unavailable().into_response(),
        }
    }
}

/// A response as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredAnswer {
    response: Value,
    /// What the last message said, as far as the sandbox repeats it.
    input: String,
}

impl StoredAnswer {
    /// Parses what was stored. None if it is damaged.
    pub(crate) fn parse(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }

    /// Sends the response: whole, or as the events after `starting_after`.
    pub(crate) fn respond(
        self,
        stream: bool,
        starting_after: Option<u64>,
        slot: Option<CallSlot>,
    ) -> Response {
        let Self { response, .. } = self;
        if !stream {
            return body_writer::respond("application/json", WholeResponse(Some(response)), slot);
        }
        let next = starting_after.map_or(0, |number| number.saturating_add(1));
        let events = ResponseEvents::new(response, next);
        let mut response = body_writer::respond("text/event-stream", events, slot);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    /// Sends the response as it is before it has ended.
    pub(crate) fn respond_unfinished(self, status: &str, slot: Option<CallSlot>) -> Response {
        let response = unfinished(self.response, status);
        body_writer::respond("application/json", WholeResponse(Some(response)), slot)
    }

    /// Whether it was asked for in the background.
    pub(crate) fn is_in_background(&self) -> bool {
        self.response["background"] == true
    }

    /// What it costs if it is cancelled.
    pub(crate) fn prompt_usage(&self) -> TokenUsage {
        let prompt = self.response["usage"]["input_tokens"].as_u64().unwrap_or_default();
        TokenUsage { prompt, ..TokenUsage::default() }
    }

    /// The response as it is if it is cancelled before it has ended.
    #[must_use]
    pub(crate) fn cancelled(self) -> Self {
        let mut usage = self.response["usage"].clone();
        usage["output_tokens"] = json!(0);
        usage["total_tokens"] = usage["input_tokens"].clone();
        let mut response = unfinished(self.response, "cancelled");
        response["usage"] = usage;
        Self { response, ..self }
    }

    /// The response as it is stored.
    pub(crate) fn to_json(&self) -> String {
        // Serializing JSON cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The list of input items: the last message, as far as it is kept.
    pub(crate) fn input_items(&self) -> Value {
        let id = self.response["id"].as_str().unwrap_or_default();
        let id = format!("msg_in_{}", id.trim_start_matches("resp_"));
        let content = json!([{ "type": "input_text", "text": self.input }]);
        let item = json!({
            "id": id, "type": "message", "status": "completed", "role": "user", "content": content,
        });
        json!({
            "object": "list", "data": [item], "first_id": id, "last_id": id, "has_more": false,
        })
    }
}

/// The response as one JSON object.
struct WholeResponse(Option<Value>);

impl BodyWriter for WholeResponse {
    fn write(&mut self, to: &mut Vec<u8>) -> bool {
        let Some(response) = self.0.take() else { return false };
        // Writing to memory cannot fail.
        let _ = write!(to, "{response}");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(endpoint: Endpoint, more: &Value) -> CallBody {
        let mut body = json!({ "model": "sandbox", "input": "Hi" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        CallBody::parse(endpoint, body.to_string().into()).unwrap()
    }

    async fn generated(more: &Value, cap: u64) -> GeneratedResponse {
        let body = body(Endpoint::Responses, more);
        ResponseCall::of(&body).await.unwrap().generate(&body, cap)
    }

    /// The events after a place.
    fn events(generated: &GeneratedResponse, next: u64) -> Vec<Value> {
        let (_, stored) = generated.to_stored();
        let stored = StoredAnswer::parse(&stored).unwrap();
        let mut events = ResponseEvents::new(stored.response, next);
        let mut out = Vec::new();
        while events.write(&mut out) {}
        let out = String::from_utf8(out).unwrap();
        let data = out.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    fn kinds(events: &[Value]) -> Vec<&str> {
        let mut kinds: Vec<&str> =
            events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        kinds.dedup();
        kinds
    }

    #[tokio::test]
    async fn stream_has_the_events_of_the_real_one() {
        let text = generated(&json!({}), 1_024).await;
        let all = events(&text, 0);
        let expected = [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ];
        assert_eq!(kinds(&all), expected);
        for (place, event) in all.iter().enumerate() {
            assert_eq!(event["sequence_number"], place);
        }
        let deltas: String = all.iter().filter_map(|event| event["delta"].as_str()).collect();
        let last = &all.last().unwrap()["response"];
        assert_eq!(deltas, last["output"][0]["content"][0]["text"]);
        assert!(deltas.ends_with("You said: Hi"), "{deltas}");
        assert_eq!(last["usage"]["output_tokens"], text.tokens());
        assert_eq!(events(&text, 6), all[6..], "the rest of a stream is the same");
        assert!(events(&text, u64::MAX).is_empty());
    }

    #[tokio::test]
    async fn required_tool_is_called_in_events_too() {
        let tools = json!([{ "type": "web_search" }, { "type": "function", "name": "f" }]);
        let call = generated(&json!({ "tools": tools, "tool_choice": "required" }), 1_024).await;
        let all = events(&call, 0);
        let expected = [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ];
        assert_eq!(kinds(&all), expected);
        let item = &all.last().unwrap()["response"]["output"][0];
        assert_eq!((&item["name"], &item["arguments"]), (&json!("f"), &json!("{}")));
    }

    #[tokio::test]
    async fn response_that_is_cut_is_incomplete() {
        let cut = generated(&json!({}), 2).await;
        let all = events(&cut, 0);
        let last = all.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
        assert_eq!(cut.tokens(), 2);
    }

    #[tokio::test]
    async fn ids_are_the_same_for_the_same_call_only() {
        let id = async |more: Value| generated(&more, 9).await.to_stored().0;
        let first = id(json!({})).await;
        assert_eq!(id(json!({ "stream": true })).await, first);
        assert_ne!(id(json!({ "instructions": "x" })).await, first);
        assert_ne!(id(json!({ "previous_response_id": first })).await, first);
    }
}
