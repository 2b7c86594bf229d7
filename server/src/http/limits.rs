//! `x-ratelimit-…` and `Retry-After`: how a key's limits stand, on every answer to a call that a key was
//! checked for.
//!
//! An extractor checks the key before there is an answer to write on. It leaves what it learned in a [`Slot`]
//! that [`announce`] has put into the request, and that writes the headers when the answer comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use latchkey_domain::api::RateLimitState;
use latchkey_services::check::{Denial, LimitStates};

#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    limits: LimitStates,
    retry_after: Option<Duration>,
}

/// Where a check leaves how the key's limits stand.
#[derive(Debug, Clone, Default)]
struct Slot(Arc<Mutex<Standing>>);

/// Writes how the limits stand on the answer, if a key was checked.
pub(crate) async fn announce(mut request: Request, next: Next) -> Response {
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    let standing = *slot.0.lock().unwrap_or_else(PoisonError::into_inner);
    write(response.headers_mut(), standing);
    response
}

/// Notes how the limits of an admitted key stand.
pub(crate) fn admitted(parts: &Parts, limits: LimitStates) {
    note(parts, Standing { limits, retry_after: None });
}

/// Notes how the limits of a refused key stand.
pub(crate) fn denied(parts: &Parts, denial: &Denial) {
    note(parts, Standing { limits: denial.limits, retry_after: denial.retry_after });
}

fn note(parts: &Parts, standing: Standing) {
    if let Some(slot) = parts.extensions.get::<Slot>() {
        *slot.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

fn write(headers: &mut HeaderMap, Standing { limits, retry_after }: Standing) {
    if let Some(requests) = limits.requests {
        write_rate(
            headers,
            &requests,
            [
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
            ],
        );
    }
    if let Some(tokens) = limits.tokens {
        write_rate(
            headers,
            &tokens,
            [
                "x-ratelimit-limit-tokens",
                "x-ratelimit-remaining-tokens",
                "x-ratelimit-reset-tokens",
            ],
        );
    }
    if let Some(wait) = retry_after {
        // Whole seconds, rounded up: who waits that long is admitted.
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        insert(headers, RETRY_AFTER, &seconds.to_string());
    }
}

fn write_rate(headers: &mut HeaderMap, rate: &RateLimitState, names: [&'static str; 3]) {
    let [limit, remaining, reset] = names.map(HeaderName::from_static);
    insert(headers, limit, &rate.limit.to_string());
    insert(headers, remaining, &rate.remaining.to_string());
    insert(headers, reset, &format!("{:.3}s", rate.reset_seconds));
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
