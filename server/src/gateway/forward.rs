//! Forwarding a call to its upstream, with the upstream's own credentials.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use latchkey_services::check::{Reservation, UsedTokens};
use serde::Deserialize;

use super::body::CallBody;
use super::error::Refused;
use super::in_flight::InFlightCall;
use super::stream::Relay;
use super::upstream::Served;
use super::{passage, upstream_error};
use crate::state::AppState;

/// What an upstream says that a call has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    pub(super) prompt_tokens: u64,
    #[serde(default)]
    pub(super) completion_tokens: u64,
}

impl From<Usage> for UsedTokens {
    fn from(usage: Usage) -> Self {
        Self { prompt: usage.prompt_tokens, completion: usage.completion_tokens, estimated: 0 }
    }
}

/// Makes the call and passes the answer on. Whoever goes away before the answer pays for the
/// prompt, which the upstream has, and so does a call whose key ends before; a call that the
/// upstream fails costs nothing.
pub(super) async fn forward(
    state: &AppState,
    served: &Served,
    body: CallBody,
    cap: Option<u64>,
    mut call: InFlightCall,
) -> Result<Response, Refused> {
    let (prompt_tokens, wants_usage, is_stream) =
        (body.prompt_tokens, body.wants_usage, body.stream);
    let patience = state.upstreams.patience;
    let answered = tokio::select! {
        biased;
        refused = call.key_ended() => return Err(refused),
        answered = answer(state, served, body, cap) => answered,
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(refused) => {
            call.release();
            return Err(refused);
        }
    };
    let kind = answer.headers().get(CONTENT_TYPE).cloned();
    if is_stream {
        return Ok(stream(Relay::new(answer, patience, call, prompt_tokens, wants_usage), kind));
    }
    passage::pass_on(answer, kind, call, patience, prompt_tokens).await
}

/// What the upstream must stop at: where the reservation ends, if tokens are limited.
pub(super) fn cap(body: &CallBody, reservation: &Reservation) -> Option<u64> {
    let whole = body.prompt_tokens + body.completion_tokens();
    let limited = reservation.key().rare().budget.is_some() || reservation.granted() < whole;
    limited.then(|| body.granted_cap(reservation.granted()))
}

/// The head of a good answer.
async fn answer(
    state: &AppState,
    served: &Served,
    body: CallBody,
    cap: Option<u64>,
) -> Result<reqwest::Response, Refused> {
    let answer = send(state, served, body, cap).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    tracing::warn!(
        upstream = served.line.name,
        status = status.as_u16(),
        "an upstream refused a call"
    );
    match status.as_u16() {
        429 => Err(Refused::upstream_busy(answer.headers().get(RETRY_AFTER).cloned())),
        // What the client sent was wrong in the upstream's eyes: its own words help.
        400 | 404 | 409 | 413 | 415 | 422 => {
            let bytes = read(answer, state.upstreams.patience).await?;
            let told = upstream_error::read(&bytes, &served.line.secrets());
            Err(told
                .map_or_else(Refused::upstream_error, |told| Refused::of_upstream(status, told)))
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

/// An error's whole body. An upstream that falls silent, or says too much, is given up.
async fn read(mut answer: reqwest::Response, patience: Duration) -> Result<Bytes, Refused> {
    let mut whole = Vec::new();
    loop {
        match tokio::time::timeout(patience, answer.chunk()).await {
            Ok(Ok(Some(part))) if whole.len() + part.len() <= upstream_error::LONGEST => {
                whole.extend_from_slice(&part);
            }
            Ok(Ok(None)) => return Ok(whole.into()),
            Ok(_) => return Err(Refused::upstream_error()),
            Err(_) => return Err(Refused::upstream_timeout()),
        }
    }
}
