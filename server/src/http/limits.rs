//! `x-ratelimit-…`: the state of a key's limits, on the response to every call with a key.
//!
//! An extractor checks the key before there is a response. It stores the state in a [`Slot`] that
//! [`announce`] has added to the request and reads when the response comes.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use latchkey_checker::LimitStates;
use latchkey_domain::api::RateLimitState;
use latchkey_services::Error;

const LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const RESET_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");
const LIMIT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-limit-tokens");
const REMAINING_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-tokens");
const RESET_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-reset-tokens");

/// Where a check stores the state of the key's limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<LimitStates>>);

/// Writes the state of the limits to the response, if a key was checked.
pub(crate) async fn announce(mut request: Request, next: Next) -> Response {
    let slot = Slot::of(&mut request);
    let mut response = next.run(request).await;
    slot.write(&mut response);
    write_attached(&mut response);
    response
}

/// Writes the state that the gateway has attached to its response.
pub(crate) fn write_attached(response: &mut Response) {
    if let Some(limits) = response.extensions_mut().remove::<LimitStates>() {
        write(response.headers_mut(), limits);
    }
}

impl Slot {
    /// The slot of the request, where its check stores the state.
    pub(crate) fn of(request: &mut Request) -> Self {
        let slot = Self::default();
        request.extensions_mut().insert(slot.clone());
        slot
    }

    /// Writes the stored state.
    pub(crate) fn write(&self, response: &mut Response) {
        let limits = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write(response.headers_mut(), limits);
    }
}

/// Stores the state of an admitted key's limits.
pub(crate) fn admitted(parts: &Parts, limits: LimitStates) {
    note(parts, limits);
}

/// Stores the state of a denied key's limits, if they are why the call was denied.
pub(crate) fn refused(parts: &Parts, error: &Error) {
    if let Error::Denied(denial) = error {
        note(parts, denial.limits);
    }
}

/// Writes the state of a denied key's limits, if they are why the call was denied.
pub(crate) fn write_refused(headers: &mut HeaderMap, error: &Error) {
    if let Error::Denied(denial) = error {
        write(headers, denial.limits);
    }
}

fn note(parts: &Parts, limits: LimitStates) {
    if let Some(slot) = parts.extensions.get::<Slot>() {
        *slot.0.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}

/// Writes the state of a key's limits.
pub(crate) fn write(headers: &mut HeaderMap, limits: LimitStates) {
    if let Some(requests) = limits.requests {
        write_rate(headers, &requests, [LIMIT_REQUESTS, REMAINING_REQUESTS, RESET_REQUESTS]);
    }
    if let Some(tokens) = limits.tokens {
        write_rate(headers, &tokens, [LIMIT_TOKENS, REMAINING_TOKENS, RESET_TOKENS]);
    }
}

fn write_rate(headers: &mut HeaderMap, rate: &RateLimitState, names: [HeaderName; 3]) {
    let [limit, remaining, reset] = names;
    headers.insert(limit, rate.limit.into());
    headers.insert(remaining, rate.remaining.into());
    let seconds = Bytes::from(format!("{:.3}s", rate.reset_seconds));
    if let Ok(seconds) = HeaderValue::from_maybe_shared(seconds) {
        headers.insert(reset, seconds);
    }
}
