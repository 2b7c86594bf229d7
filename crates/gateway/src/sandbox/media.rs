//! The sandbox's rankings, moderations, images, speech and transcripts. They depend only on the
//! request, and their files are as small as files can be.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use data_encoding::BASE64;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::digest::digest;
use super::media_files;
use super::reply::id_digits;
use crate::accounting::tokens_of;
use crate::body::CallBody;
use crate::endpoint::Endpoint;
use crate::error::GatewayError;

/// Maximum number of documents or inputs.
const MAX_ITEMS: usize = 2_048;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// What a moderation looks for.
const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// A call and its answer.
pub(crate) struct MediaCall {
    answer: Vec<u8>,
    content_type: &'static str,
    /// Completion tokens.
    completion: u64,
}

impl MediaCall {
    /// Answers a call.
    ///
    /// # Errors
    /// 400: a field is invalid, or there are too many documents or inputs.
    pub(super) async fn of(body: &CallBody) -> Result<Self, GatewayError> {
        match body.endpoint {
            Endpoint::Rerank => Ok(Self::json(&ranking(body).await?)),
            Endpoint::Moderations => Ok(Self::json(&moderation(body).await?)),
            Endpoint::Images => images(body).await,
            Endpoint::Speech => speech(body),
            _ => transcript(body),
        }
    }

    fn json(answer: &Value) -> Self {
        Self::file(answer.to_string().into_bytes(), JSON)
    }

    const fn file(answer: Vec<u8>, content_type: &'static str) -> Self {
        Self { answer, content_type, completion: 0 }
    }

    fn events(events: &[Value]) -> Self {
        let events: Vec<String> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        Self::file(events.concat().into_bytes(), EVENTS)
    }

    /// Completion tokens of the answer.
    pub(super) const fn tokens(&self) -> u64 {
        self.completion
    }

    pub(super) fn respond(self) -> Response {
        let mut response = Response::new(Body::from(self.answer));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.content_type == EVENTS {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        response
    }
}

/// A field that is a string.
fn text_field(body: &CallBody, name: &str) -> Option<String> {
    serde_json::from_str(body.field(name)?).ok()
}

fn too_many(name: &str) -> GatewayError {
    let message = format!("The sandbox accepts at most {MAX_ITEMS} items.");
    GatewayError::invalid(name, message)
}

/// Ranks documents by scores that only say that they are different.
async fn ranking(body: &CallBody) -> Result<Value, GatewayError> {
    let Ok(documents) = serde_json::from_str::<Vec<&RawValue>>(body.prompt_json()) else {
        let message = "The sandbox ranks a list of documents.";
        return Err(GatewayError::invalid("documents", message));
    };
    if documents.len() > MAX_ITEMS {
        return Err(too_many("documents"));
    }
    let most = match body.field("top_n").map(str::parse::<usize>) {
        None => documents.len(),
        Some(Ok(most @ 1..)) => most,
        Some(_) => return Err(GatewayError::invalid("top_n", "Use a whole number of at least 1.")),
    };
    let query = digest(body.field("query").unwrap_or_default().as_bytes()).await;
    let mut scored = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let of_document = digest(document.get().as_bytes()).await;
        scored.push((score(&query, &of_document), index));
    }
    scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let returns_documents = body.field("return_documents") == Some("true");
    let result = |(score, index): &(f64, usize)| {
        let mut result = json!({ "index": index, "relevance_score": score });
        if returns_documents {
            let document: Value = serde_json::from_str(documents[*index].get()).unwrap_or_default();
            result["document"] =
                if document.is_string() { json!({ "text": document }) } else { document };
        }
        result
    };
    let results: Vec<Value> = scored.iter().take(most).map(result).collect();
    let prompt = body.prompt.estimate;
    Ok(json!({
        "id": format!("rerank-{}", id_digits(body).await),
        "model": body.model,
        "usage": { "prompt_tokens": prompt, "total_tokens": prompt },
        "results": results,
    }))
}

/// A score from 0 to 1 that depends only on the query and the document.
fn score(query: &[u8; 32], document: &[u8; 32]) -> f64 {
    let hash = Sha256::new().chain_update(query).chain_update(document).finalize();
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
}

/// Finds nothing in any input.
async fn moderation(body: &CallBody) -> Result<Value, GatewayError> {
    let inputs = serde_json::from_str::<Vec<&RawValue>>(body.prompt_json()).unwrap_or_default();
    if inputs.len() > MAX_ITEMS {
        return Err(too_many("input"));
    }
    // A list of objects is one input of several parts.
    let is_list = inputs.iter().all(|input| input.get().starts_with('"'));
    let count = if is_list { inputs.len().max(1) } else { 1 };
    let all = |value: Value| -> Value {
        CATEGORIES.iter().map(|category| ((*category).to_owned(), value.clone())).collect()
    };
    let result = json!({
        "flagged": false, "categories": all(json!(false)), "category_scores": all(json!(0.0)),
    });
    let id = format!("modr-{}", id_digits(body).await);
    Ok(json!({ "id": id, "model": body.model, "results": vec![result; count] }))
}

/// Images of one pixel, whose color depends on the prompt.
async fn images(body: &CallBody) -> Result<MediaCall, GatewayError> {
    let digest = digest(body.prompt_json().as_bytes()).await;
    let encoded = |index: u64| {
        let hash = Sha256::new().chain_update(digest).chain_update(index.to_be_bytes()).finalize();
        BASE64.encode(&media_files::png([hash[0], hash[1], hash[2]]))
    };
    let prompt = body.prompt.estimate;
    let usage = json!({
        "input_tokens": prompt, "output_tokens": 0, "total_tokens": prompt,
        "input_tokens_details": { "text_tokens": prompt, "image_tokens": 0 },
    });
    if body.stream {
        let event = |index| {
            json!({
                "type": "image_generation.completed", "b64_json": encoded(index), "created_at": 0,
                "output_format": "png", "usage": usage,
            })
        };
        return Ok(MediaCall::events(&(0..body.choices()).map(event).collect::<Vec<Value>>()));
    }
    let image = |index| match text_field(body, "response_format").as_deref() {
        Some("url") => json!({ "url": format!("data:image/png;base64,{}", encoded(index)) }),
        _ => json!({ "b64_json": encoded(index) }),
    };
    let data: Vec<Value> = (0..body.choices()).map(image).collect();
    Ok(MediaCall::json(&json!({ "created": 0, "data": data, "usage": usage })))
}

/// A tone, or silence, in place of the words.
fn speech(body: &CallBody) -> Result<MediaCall, GatewayError> {
    let format = match body.field("response_format") {
        Some(_) => text_field(body, "response_format"),
        None => Some("mp3".to_owned()),
    };
    let (audio, content_type) = match format.as_deref() {
        Some("mp3") => (media_files::mp3(), "audio/mpeg"),
        Some("wav") => (media_files::wav(), "audio/wav"),
        Some("pcm") => (media_files::pcm(), "audio/pcm"),
        _ => {
            let message = "The sandbox speaks `mp3`, `wav` and `pcm`.";
            return Err(GatewayError::invalid("response_format", message));
        }
    };
    if !body.stream {
        return Ok(MediaCall::file(audio, content_type));
    }
    let prompt = body.prompt.estimate;
    let usage = json!({ "input_tokens": prompt, "output_tokens": 0, "total_tokens": prompt });
    Ok(MediaCall::events(&[
        json!({ "type": "speech.audio.delta", "audio": BASE64.encode(&audio) }),
        json!({ "type": "speech.audio.done", "usage": usage }),
    ]))
}

/// Says that nothing was heard.
fn transcript(body: &CallBody) -> Result<MediaCall, GatewayError> {
    let heard = "This is the Latchkey sandbox: no model was called.";
    let sent = format!(" You sent {} bytes of audio.", body.recording_bytes());
    let text = format!("{heard}{sent}");
    let completion = tokens_of(text.len() as u64);
    let prompt = body.prompt.estimate;
    let usage = json!({
        "type": "tokens", "input_tokens": prompt, "output_tokens": completion,
        "total_tokens": prompt + completion,
    });
    if body.stream {
        let delta = |text: &str| json!({ "type": "transcript.text.delta", "delta": text });
        let done = json!({ "type": "transcript.text.done", "text": text, "usage": usage });
        let call = MediaCall::events(&[delta(heard), delta(&sent), done]);
        return Ok(MediaCall { completion, ..call });
    }
    let is_translation = body.endpoint == Endpoint::Translations;
    let format = text_field(body, "response_format");
    let call = match format.as_deref().unwrap_or("json") {
        "json" => MediaCall::json(&json!({ "text": text, "usage": usage })),
        "verbose_json" => MediaCall::json(&json!({
            "task": if is_translation { "translate" } else { "transcribe" },
            "language": "english", "duration": 0.0, "text": text, "segments": [], "usage": usage,
        })),
        "text" => MediaCall::file(format!("{text}\n").into_bytes(), "text/plain"),
        "srt" => {
            let subtitle = format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n");
            MediaCall::file(subtitle.into_bytes(), "text/plain")
        }
        "vtt" => {
            let subtitle = format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n");
            MediaCall::file(subtitle.into_bytes(), "text/vtt")
        }
        _ => {
            let message = "The sandbox writes `json`, `verbose_json`, `text`, `srt` and `vtt`.";
            return Err(GatewayError::invalid("response_format", message));
        }
    };
    Ok(MediaCall { completion, ..call })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(endpoint: Endpoint, body: &Value) -> Value {
        let body = CallBody::parse(endpoint, body.to_string().into()).unwrap();
        let call = MediaCall::of(&body).await.unwrap_or_else(|refused| panic!("{refused:?}"));
        serde_json::from_slice(&call.answer).unwrap()
    }

    #[tokio::test]
    async fn ranking_is_the_same_every_time() {
        let mut body =
            json!({ "model": "m", "query": "a", "documents": ["b", "c", { "text": "d" }] });
        let first = answer(Endpoint::Rerank, &body).await;
        assert_eq!(first, answer(Endpoint::Rerank, &body).await);
        let results = first["results"].as_array().unwrap();
        let scores: Vec<f64> =
            results.iter().map(|one| one["relevance_score"].as_f64().unwrap()).collect();
        assert_eq!(scores.len(), 3);
        assert!(scores.is_sorted_by(|one, next| one >= next), "{scores:?}");
        body["top_n"] = json!(1);
        body["return_documents"] = json!(true);
        let best = answer(Endpoint::Rerank, &body).await;
        assert_eq!(best["results"].as_array().unwrap().len(), 1);
        assert_eq!(best["results"][0]["index"], results[0]["index"]);
        assert!(best["results"][0]["document"]["text"].is_string(), "{best}");
    }

    #[tokio::test]
    async fn moderation_has_a_result_for_each_text() {
        for (input, results) in [
            (json!("a"), 1),
            (json!(["a", "b"]), 2),
            (json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]), 1),
        ] {
            let body = json!({ "model": "m", "input": input });
            let moderation = answer(Endpoint::Moderations, &body).await;
            let of_each = moderation["results"].as_array().unwrap();
            assert_eq!(of_each.len(), results, "{moderation}");
            assert!(of_each.iter().all(|one| one["flagged"] == false));
            assert_eq!(of_each[0]["categories"]["self-harm"], false);
        }
    }

    #[tokio::test]
    async fn fields_that_the_sandbox_cannot_serve_are_named() {
        for (endpoint, mut body, param) in [
            (Endpoint::Rerank, json!({ "query": "a", "documents": ["b"], "top_n": 0 }), "top_n"),
            (Endpoint::Rerank, json!({ "query": "a", "documents": { "a": 1 } }), "documents"),
            (Endpoint::Rerank, json!({ "query": "a", "documents": vec!["b"; 2_049] }), "documents"),
            (Endpoint::Moderations, json!({ "input": vec!["b"; 2_049] }), "input"),
            (
                Endpoint::Speech,
                json!({ "input": "a", "response_format": "opus" }),
                "response_format",
            ),
            (Endpoint::Speech, json!({ "input": "a", "response_format": 7 }), "response_format"),
        ] {
            body["model"] = json!("m");
            let body = CallBody::parse(endpoint, body.to_string().into()).unwrap();
            let refused = MediaCall::of(&body).await.err().unwrap();
            assert_eq!(refused.param(), Some(param));
        }
    }
}
