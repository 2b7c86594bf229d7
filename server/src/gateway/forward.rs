//! Forwarding a call to its upstream, with the upstream's own credentials.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_services::check::{Reservation, UsedTokens};
use serde::Deserialize;

use super::body::CallBody;
use super::error::Refused;
use super::stream::Relay;
use super::upstream::Served;
use crate::state::AppState;

/// The largest answer that is not a stream.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// What an upstream says that a call has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl From<Usage> for UsedTokens {
    fn from(usage: Usage) -> Self {
        Self { prompt: usage.prompt_tokens, completion: usage.completion_tokens, estimated: 0 }
    }
}

/// Makes the call and passes the answer on. Whoever goes away before the answer pays for the prompt, which the upstream
/// has; a call that the upstream fails costs nothing.
pub(super) async fn forward(
    state: &AppState,
    served: &Served,
    body: CallBody,
    reservation: Reservation,
) -> Result<Response, Refused> {
    let (prompt_tokens, wants_usage) = (body.prompt_tokens, body.wants_usage);
    let cap = cap(&body, &reservation);
    let sent = Sent { reservation: Some(reservation), prompt_tokens };
    match answer(state, served, body, cap).await {
        Ok(Answer::Stream(upstream, kind)) => {
            let patience = state.upstreams.patience;
            let held = sent.answered();
            let relay = Relay::new(upstream, patience, held, prompt_tokens, wants_usage);
            Ok(stream(relay, kind))
        }
        Ok(Answer::Whole(status, kind, bytes)) => {
            if let (true, Some(held)) = (status.is_success(), sent.answered()) {
                held.settle(used(&bytes, prompt_tokens)).await;
            }
            Ok(pass_on(status, kind, bytes))
        }
        Err(refused) => {
            drop(sent.answered());
            Err(refused)
        }
    }
}

/// What the upstream must stop at: where the reservation ends, if tokens are limited.
fn cap(body: &CallBody, reservation: &Reservation) -> Option<u64> {
    let whole = body.prompt_tokens + body.completion_tokens();
    let limited = reservation.key().rare().budget.is_some() || reservation.granted() < whole;
    limited.then(|| body.granted_cap(reservation.granted()))
}

/// A call that an upstream has and has not answered.
struct Sent {
    reservation: Option<Reservation>,
    prompt_tokens: u64,
}

impl Sent {
    /// Its reservation, to settle by the answer.
    fn answered(mut self) -> Option<Reservation> {
        self.reservation.take()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            let prompt = self.prompt_tokens;
            reservation.settle_later(UsedTokens { prompt, completion: 0, estimated: prompt });
        }
    }
}

/// What an upstream has answered.
enum Answer {
    /// Events, of this type.
    Stream(reqwest::Response, Option<HeaderValue>),
    /// Of a status that the client is told, and this type.
    Whole(StatusCode, Option<HeaderValue>, Bytes),
}

async fn answer(
    state: &AppState,
    served: &Served,
    body: CallBody,
    cap: Option<u64>,
) -> Result<Answer, Refused> {
    let (is_stream, patience) = (body.stream, state.upstreams.patience);
    let answer = send(state, served, body, cap).await?;
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE).cloned();
    if status.is_success() && is_stream {
        return Ok(Answer::Stream(answer, kind));
    }
    let retry_after = answer.headers().get(RETRY_AFTER).cloned();
    let bytes = read(answer, patience).await?;
    if status.is_success() {
        return Ok(Answer::Whole(status, kind, bytes));
    }
    tracing::warn!(
        upstream = served.line.name,
        status = status.as_u16(),
        "an upstream refused a call"
    );
    match status.as_u16() {
        429 => Err(Refused::upstream_busy(retry_after)),
        // What the client sent was wrong in the upstream's eyes: its own words help.
        400 | 404 | 409 | 413 | 415 | 422 if is_openai_error(&bytes) => {
            Ok(Answer::Whole(status, kind, bytes))
        }
        _ => Err(Refused::upstream_error()),
    }
}

/// Sends the call, and waits for the head of the answer.
async fn send(
    state: &AppState,
    served: &Served,
    body: CallBody,
    cap: Option<u64>,
) -> Result<reqwest::Response, Refused> {
    let url = served.line.url(body.endpoint).clone();
    let request = served.line.authorized(state.upstreams.client.post(url));
    let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = request.body(body.for_upstream(&served.name, cap)).send();
    match tokio::time::timeout(state.upstreams.patience, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            // Its own words may hold the upstream's address, but never a credential.
            tracing::warn!(upstream = served.line.name, %error, "an upstream could not be called");
            Err(if error.is_timeout() {
                Refused::upstream_timeout()
            } else if error.is_connect() {
                Refused::upstream_unreachable()
            } else {
                Refused::upstream_error()
            })
        }
        Err(_) => Err(Refused::upstream_timeout()),
    }
}

fn stream(relay: Relay, kind: Option<HeaderValue>) -> Response {
    let mut response = Body::from_stream(relay.into_stream()).into_response();
    let kind = kind.unwrap_or(HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn pass_on(status: StatusCode, kind: Option<HeaderValue>, bytes: Bytes) -> Response {
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    (status, [(CONTENT_TYPE, kind)], bytes).into_response()
}

/// The whole answer. An upstream that falls silent, or says too much, is given up.
async fn read(mut answer: reqwest::Response, patience: Duration) -> Result<Bytes, Refused> {
    let Some(first) = part(&mut answer, patience).await? else { return Ok(Bytes::new()) };
    let Some(second) = part(&mut answer, patience).await? else { return Ok(first) };
    let mut whole = [first, second].concat();
    while let Some(part) = part(&mut answer, patience).await? {
        if whole.len() + part.len() > LARGEST_ANSWER {
            return Err(Refused::upstream_error());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

async fn part(
    answer: &mut reqwest::Response,
    patience: Duration,
) -> Result<Option<Bytes>, Refused> {
    match tokio::time::timeout(patience, answer.chunk()).await {
        Ok(part) => part.map_err(|_| Refused::upstream_error()),
        Err(_) => Err(Refused::upstream_timeout()),
    }
}

/// What an answer says that it has used, or an estimate.
fn used(bytes: &[u8], prompt_tokens: u64) -> UsedTokens {
    #[derive(Deserialize)]
    struct Answer {
        usage: Option<Usage>,
    }
    if let Ok(Answer { usage: Some(usage) }) = serde_json::from_slice(bytes) {
        return usage.into();
    }
    let completion = u64::try_from(bytes.len() / 4).unwrap_or_default();
    UsedTokens {
        prompt: prompt_tokens,
        completion,
        estimated: prompt_tokens.saturating_add(completion),
    }
}

fn is_openai_error(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        #[expect(dead_code, reason = "that it is there is what matters")]
        error: serde_json::Map<String, serde_json::Value>,
    }
    serde_json::from_slice::<Answer>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_the_upstreams_or_an_estimate() {
        let told = used(br#"{"usage": {"prompt_tokens": 3, "completion_tokens": 5}}"#, 9);
        assert_eq!(told, UsedTokens { prompt: 3, completion: 5, estimated: 0 });
        let embeddings = used(br#"{"usage": {"prompt_tokens": 3, "total_tokens": 3}}"#, 9);
        assert_eq!(embeddings, UsedTokens { prompt: 3, completion: 0, estimated: 0 });
        let silent = used(&[b'x'; 40], 9);
        assert_eq!(silent, UsedTokens { prompt: 9, completion: 10, estimated: 19 });
    }
}
