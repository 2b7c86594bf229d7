//! The built-in upstream: it answers deterministically and without a network, and counts its tokens by the
//! gateway's own estimate. It serves test keys, and newcomers who have configured no upstream.

use std::fmt::Write as _;

use axum::Json;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use latchkey_services::check::{Reservation, UsedTokens};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::body::{CallBody, Endpoint};
use super::error::Refused;

/// The bytes of a token, in the sandbox's own words too.
const BYTES_PER_TOKEN: usize = 4;
/// OpenAI's smaller embeddings have as many.
const DIMENSIONS: u64 = 1_536;
const MOST_DIMENSIONS: u64 = 4_096;

/// Answers a call.
pub(super) async fn answer(body: CallBody, reservation: Reservation) -> Response {
    let fields = body.values();
    match body.endpoint {
        Endpoint::Embeddings => embed(&body, &fields, reservation).await,
        Endpoint::Chat | Endpoint::Completions => generate(&body, &fields, reservation).await,
    }
}

/// A text in tokens, as many as the cap lets through.
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

    const fn finish_reason(&self) -> &'static str {
        if self.cut { "length" } else { "stop" }
    }
}

async fn generate(
    body: &CallBody,
    fields: &Map<String, Value>,
    reservation: Reservation,
) -> Response {
    let prompt = fields.get(if body.endpoint == Endpoint::Chat { "messages" } else { "prompt" });
    let generated =
        Generated::new(&reply(body.endpoint, prompt), body.granted_cap(reservation.granted()));
    let frame = Frame::of(body, prompt);
    let prompt = body.prompt_tokens;
    let completion = generated.count() * body.choices();
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
    });
    reservation.settle(UsedTokens { prompt, completion, estimated: 0 }).await;
    if !body.stream {
        let choices: Vec<Value> =
            (0..body.choices()).map(|index| frame.choice(index, &generated)).collect();
        return Json(frame.whole(&json!(choices), &usage)).into_response();
    }
    let mut text = String::new();
    let mut event = |value: &Value| {
        // Writing to a String can't fail.
        let _ = write!(text, "data: {value}\n\n");
    };
    for index in 0..body.choices() {
        for (place, token) in generated.tokens.iter().enumerate() {
            event(&frame.part(index, place == 0, token));
        }
        event(&frame.last(index, generated.finish_reason()));
    }
    if body.wants_usage {
        event(&frame.usage(&usage));
    }
    text.push_str("data: [DONE]\n\n");
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::from(text)).into_response()
}

/// What the sandbox says: that it is one, and what it was told last.
fn reply(endpoint: Endpoint, prompt: Option<&Value>) -> String {
    let last = match endpoint {
        Endpoint::Chat => prompt
            .and_then(Value::as_array)
            .and_then(|messages| messages.last())
            .map(|message| &message["content"]),
        _ => prompt,
    };
    let said = match last {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str().or(part.as_str()));
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    };
    let said: String = said.chars().take(500).collect();
    format!("This is the Latchkey sandbox: no model was called. You said: {said}")
}

/// What stands around every answer of a call. Nothing in it depends on time or chance.
struct Frame<'a> {
    body: &'a CallBody,
    id: String,
    chat: bool,
}

impl<'a> Frame<'a> {
    fn of(body: &'a CallBody, prompt: Option<&Value>) -> Self {
        let chat = body.endpoint == Endpoint::Chat;
        let digest = Sha256::digest(prompt.map(ToString::to_string).unwrap_or_default());
        let digits = digest.iter().take(12).fold(String::new(), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let prefix = if chat { "chatcmpl" } else { "cmpl" };
        Self { body, id: format!("{prefix}-{digits}"), chat }
    }

    fn object(&self, chunk: bool) -> &'static str {
        match (self.chat, chunk) {
            (true, false) => "chat.completion",
            (true, true) => "chat.completion.chunk",
            (false, _) => "text_completion",
        }
    }

    fn around(&self, chunk: bool, choices: &Value) -> Value {
        json!({
            "id": self.id, "object": self.object(chunk), "created": 0, "model": self.body.model,
            "choices": choices,
        })
    }

    fn whole(&self, choices: &Value, usage: &Value) -> Value {
        let mut whole = self.around(false, choices);
        whole["usage"] = usage.clone();
        whole
    }

    fn choice(&self, index: u64, generated: &Generated) -> Value {
        let text = generated.tokens.concat();
        let reason = generated.finish_reason();
        if self.chat {
            json!({
                "index": index, "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null, "finish_reason": reason,
            })
        } else {
            json!({ "index": index, "text": text, "logprobs": null, "finish_reason": reason })
        }
    }

    fn part(&self, index: u64, first: bool, token: &str) -> Value {
        let choice = if self.chat {
            let delta = if first {
                json!({ "role": "assistant", "content": token })
            } else {
                json!({ "content": token })
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

/// How many numbers a vector shall have; none: what the client says is no such number.
fn dimensions(fields: &Map<String, Value>) -> Option<u64> {
    match fields.get("dimensions") {
        None | Some(Value::Null) => Some(DIMENSIONS),
        Some(value) => value.as_u64().filter(|count| (1..=MOST_DIMENSIONS).contains(count)),
    }
}

async fn embed(body: &CallBody, fields: &Map<String, Value>, reservation: Reservation) -> Response {
    let Some(dimensions) = dimensions(fields) else {
        let message = format!("Use a whole number from 1 to {MOST_DIMENSIONS}.");
        return Refused::invalid("dimensions", message).into_response();
    };
    let encoded = fields.get("encoding_format").is_some_and(|format| format == "base64");
    let nothing = Value::Null;
    let input = fields.get("input").unwrap_or(&nothing);
    let inputs: Vec<&Value> = match input {
        // A list of tokens is one input.
        Value::Array(parts) if parts.iter().any(|part| !part.is_number()) => parts.iter().collect(),
        one => vec![one],
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(&input.to_string(), dimensions);
            let embedding = if encoded {
                let bytes: Vec<u8> =
                    vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(BASE64.encode(&bytes))
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let prompt = body.prompt_tokens;
    reservation.settle(UsedTokens { prompt, completion: 0, estimated: 0 }).await;
    let usage = json!({ "prompt_tokens": prompt, "total_tokens": prompt });
    Json(json!({ "object": "list", "data": data, "model": body.model, "usage": usage }))
        .into_response()
}

/// A vector of length 1 that is the same for the same text: SHA-256 in counter mode.
fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    let mut numbers: Vec<f32> = Vec::new();
    let wanted = usize::try_from(dimensions).unwrap_or_default();
    for block in 0_u32.. {
        let mut hash = Sha256::new();
        hash.update(text);
        hash.update(block.to_be_bytes());
        for pair in hash.finalize().chunks_exact(2) {
            numbers.push(f32::from(i16::from_be_bytes([pair[0], pair[1]])));
        }
        if numbers.len() >= wanted {
            break;
        }
    }
    numbers.truncate(wanted);
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt().max(1.0);
    numbers.iter().map(|number| number / length).collect()
}
