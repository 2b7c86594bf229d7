//! One request to one upstream: sends it, and says why the upstream did not serve it. The status of
//! the upstream counts the result.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use latchkey_domain::api::UpstreamFailure;

use super::attempt::Attempt;
use super::error::{GatewayError, MAX_RETRY_AFTER_SECONDS};
use super::response_body::{BodyError, ResponseBody, cause};
use super::state::Gateway;
use super::upstream_client::{CallError, UpstreamResponse};
use super::upstream_endpoint::UpstreamEndpoint;
use super::upstream_error::{self, UpstreamError};

/// Maximum time for the body of an error. Another upstream may be waiting for the call.
const ERROR_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an upstream did not serve a request.
pub(super) struct CallFailure {
    pub(super) kind: FailureKind,
    /// Status of its answer, if it answered.
    status: Option<u16>,
    /// For administrators, without hosts and credentials.
    message: Cow<'static, str>,
    /// What the client is told.
    pub(super) told: GatewayError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// There was no connection.
    Unreachable,
    /// It did not answer in time. It may have processed the prompt.
    TimedOut,
    /// It answered with a server error or 429, or broke off before the first byte.
    Failed,
    /// It rejected our credentials, or wants to be called elsewhere.
    Misconfigured,
    /// It refused the request itself.
    Refused,
}

impl CallFailure {
    fn without_answer(kind: FailureKind, message: &'static str, told: GatewayError) -> Self {
        Self { kind, status: None, message: message.into(), told }
    }

    /// Whether another upstream might serve the request.
    pub(super) const fn allows_another(&self) -> bool {
        match self.kind {
            FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Failed => true,
            FailureKind::Misconfigured | FailureKind::Refused => false,
        }
    }

    /// A word for the kind, and the status of the upstream's answer, if it answered.
    pub(super) const fn error_type(&self) -> (&'static str, Option<u16>) {
        let error = match self.kind {
            FailureKind::Unreachable => "upstream_unreachable",
            FailureKind::TimedOut => "upstream_timeout",
            FailureKind::Failed => "upstream_error",
            FailureKind::Misconfigured => "upstream_unauthorized",
            FailureKind::Refused => "upstream_refused",
        };
        (error, self.status)
    }

    /// Whether the upstream knows nothing of this ID.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.status, Some(404 | 410))
    }

    fn count(&self, attempt: Attempt, state: &Gateway) {
        let now = state.upstreams.monotonic();
        let failure = || UpstreamFailure {
            at: state.upstreams.now(),
            status: self.status,
            message: self.message.to_string(),
        };
        match self.kind {
            FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Failed => {
                attempt.failed(now, failure());
            }
            FailureKind::Misconfigured => attempt.misconfigured(failure()),
            FailureKind::Refused => attempt.answered(now),
        }
    }
}

/// Sends a request; returns the response if its status is a success.
///
/// # Errors
/// The upstream did not answer, or with another status.
pub(super) async fn exchange(
    state: &Gateway,
    attempt: Attempt,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Result<UpstreamResponse, CallFailure> {
    let result = send_for_success(state, attempt.upstream(), request).await;
    match &result {
        Ok(_) => attempt.answered(state.upstreams.monotonic()),
        Err(failure) => failure.count(attempt, state),
    }
    result
}

async fn send_for_success(
    state: &Gateway,
    upstream: &UpstreamEndpoint,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Result<UpstreamResponse, CallFailure> {
    let response = send(state, upstream, request).await?;
    if response.status.is_success() {
        return Ok(response);
    }
    // Boxed: few calls are rejected.
    Err(Box::pin(rejection(state, upstream, response)).await)
}

/// Reads why an upstream rejected a request.
async fn rejection(
    state: &Gateway,
    upstream: &UpstreamEndpoint,
    response: UpstreamResponse,
) -> CallFailure {
    let status = response.status;
    let wait = retry_after(response.headers.get(RETRY_AFTER));
    let limit = state.upstreams.idle_timeout.min(ERROR_TIMEOUT);
    let error = read_error(ResponseBody::decode(response), limit, upstream).await;
    tracing::warn!(
        upstream = upstream.name,
        status = status.as_u16(),
        message = error.message,
        "Upstream rejected a call"
    );
    let kind = match status.as_u16() {
        300..400 | 401 => FailureKind::Misconfigured,
        400 | 403 if error.is_unauthorized() => FailureKind::Misconfigured,
        429 | 500.. => FailureKind::Failed,
        _ => FailureKind::Refused,
    };
    let message = error.message.clone().into();
    let told = client_error(status, error, wait);
    CallFailure { kind, status: Some(status.as_u16()), message, told }
}

/// Maps an upstream's error status to the client's error.
fn client_error(status: StatusCode, error: UpstreamError, wait: Option<u64>) -> GatewayError {
    match status.as_u16() {
        401 => GatewayError::upstream_unauthorized(),
        400 | 403 if error.is_unauthorized() => GatewayError::upstream_unauthorized(),
        429 if error.is_quota() => GatewayError::upstream_quota(error).with_retry_after(wait),
        429 => GatewayError::upstream_busy().with_retry_after(wait),
        // The upstream's message helps the client to correct its request.
        400..500 => GatewayError::of_upstream(status, error),
        503 | 529 => GatewayError::upstream_overloaded(status).with_retry_after(wait),
        _ => GatewayError::upstream_error(),
    }
}

/// The upstream's `Retry-After` in whole seconds, from 1 to [`MAX_RETRY_AFTER_SECONDS`].
fn retry_after(value: Option<&HeaderValue>) -> Option<u64> {
    let seconds: f64 = value?.to_str().ok()?.trim().parse().ok()?;
    // Rounded up. A date is ignored, as most clients do not understand one.
    let waits = (1..=MAX_RETRY_AFTER_SECONDS)
        .find(|wait| Duration::from_secs(*wait).as_secs_f64() >= seconds);
    (seconds >= 0.0).then(|| waits.unwrap_or(MAX_RETRY_AFTER_SECONDS))
}

/// Sends the request and waits for the head of the response.
async fn send(
    state: &Gateway,
    upstream: &UpstreamEndpoint,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Result<UpstreamResponse, CallFailure> {
    let sending = state.upstreams.client.send(&upstream.origin, request);
    let timed_out = || {
        let told = GatewayError::upstream_timeout();
        CallFailure::without_answer(FailureKind::TimedOut, "No answer in time.", told)
    };
    let Ok(sent) = tokio::time::timeout(state.upstreams.timeout, sending).await else {
        tracing::warn!(upstream = upstream.name, "Upstream call timed out");
        return Err(timed_out());
    };
    let error = match sent {
        Ok(response) => return Ok(response),
        Err(error) => error,
    };
    let cause = cause(&error);
    tracing::warn!(upstream = upstream.name, cause, "Upstream call failed");
    let is_timeout = error.is_timeout();
    let (kind, message, told) = match error {
        CallError::Failed(_) if is_timeout => return Err(timed_out()),
        CallError::Failed(_) => {
            let message = "The connection broke before an answer.";
            (FailureKind::Failed, message, GatewayError::upstream_error())
        }
        CallError::Connect(_) if !is_timeout => {
            (FailureKind::Unreachable, "No connection.", GatewayError::upstream_unreachable())
        }
        CallError::Connect(_) | CallError::ConnectTimeout => {
            (FailureKind::Unreachable, "No connection in time.", GatewayError::upstream_timeout())
        }
    };
    Err(CallFailure::without_answer(kind, message, told))
}

/// Reads the body of an error response. If it is too late, incomplete or too long, its beginning is
/// used.
async fn read_error(
    mut response: ResponseBody,
    limit: Duration,
    upstream: &UpstreamEndpoint,
) -> UpstreamError {
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() < upstream_error::MAX_ERROR_BYTES {
            match response.next(limit).await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) | Err(BodyError::IdleTimeout | BodyError::Failed(_)) => break,
            }
        }
    };
    // One that goes on for ever in small pieces must not hold up the call.
    let _ = tokio::time::timeout(limit, reading).await;
    upstream_error::read(&bytes, &upstream.secrets())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_whole_seconds_within_a_minute() {
        let wait = |text: &str| retry_after(Some(&HeaderValue::from_str(text).unwrap()));
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(1)),
            ("0.2", Some(1)),
            ("39000", Some(60)),
            ("1.5", Some(2)),
        ] {
            assert_eq!(wait(text), seconds, "{text}");
        }
        for text in ["-1", "x", "Wed, 21 Oct 2037 07:28:00 GMT", "NaN"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }
}
