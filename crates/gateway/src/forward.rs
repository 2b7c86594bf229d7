//! Forwards a call to its upstream and starts the response.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_domain::api;
use latchkey_domain::price::Price;

use super::accounting::StreamUsage;
use super::body::CallBody;
use super::candidates::{Attempt, Candidates};
use super::conversation::TURN_STATE;
use super::error::{GatewayError, MAX_RETRY_AFTER_SECONDS};
use super::in_flight::InFlightCall;
use super::request_headers;
use super::response_body::{BodyError, ResponseBody, cause};
use super::response_context::ResponseContext;
use super::response_kind::ResponseKind;
use super::response_proxy::{self, ResponseProxy};
use super::sse_proxy::SseProxy;
use super::state::Gateway;
use super::upstream_client::{CallError, UpstreamResponse};
use super::upstream_endpoint::{UpstreamEndpoint, UpstreamModel};
use super::upstream_error::{self, UpstreamError};

/// Maximum time between two chunks of an error. Another upstream may be waiting for the call.
pub(super) const ERROR_IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the call to the upstreams of its model, one after the other, until one answers, and
/// forwards the response. If the client disconnects, or the key is revoked, before the response
/// starts, the reservation is charged, as most upstreams go on generating; with `cancels` only the
/// prompt is. A time-out is charged the prompt. A failed upstream call is free.
pub(super) async fn forward(
    state: &Gateway,
    candidates: Candidates,
    body: CallBody,
    reserved: Option<u64>,
    mut call: InFlightCall,
) -> Result<Response, GatewayError> {
    let (endpoint, wants_stream) = (body.endpoint, body.stream);
    let usage = StreamUsage::new(body.endpoint, body.prompt.estimate);
    let (wants_usage, wants_base64) = (body.wants_usage, body.wants_base64());
    let choices = body.choices();
    // What has no cap is never ended by one.
    let reserved_answer = reserved.filter(|_| endpoint.is_capped());
    let limit = reserved_answer.map(|reserved| body.total_output_tokens(reserved));
    let (target, response) = send_to_one(state, candidates, body, reserved, &mut call).await?;
    let context = ResponseContext {
        target,
        idle_timeout: state.upstreams.idle_timeout,
        usage,
        wants_usage,
        wants_base64,
        choices,
        limit,
    };
    let content_type = response.headers.get(CONTENT_TYPE).cloned();
    // The content type decides, not the `stream` field of the request.
    let is_stream = match &content_type {
        Some(content_type) => {
            content_type.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream")
        }
        None => wants_stream,
    };
    let returned = request_headers::returned(&response.headers);
    let response = ResponseBody::decode(response);
    let mut answer = if is_stream {
        stream_response(SseProxy::new(response, call, context), content_type)
    } else {
        let kind = ResponseKind::of(endpoint, content_type.as_ref());
        let proxy = ResponseProxy::new(response, call, context, kind);
        response_proxy::respond(proxy, content_type).await?
    };
    answer.headers_mut().extend(returned);
    Ok(answer)
}

/// Sends the call until an upstream answers with a success. A call that fails is settled.
///
/// # Errors
/// What the last upstream said. One that could not be reached says less than one before it that
/// could.
async fn send_to_one(
    state: &Gateway,
    mut candidates: Candidates,
    body: CallBody,
    reserved: Option<u64>,
    call: &mut InFlightCall,
) -> Result<(Arc<UpstreamModel>, UpstreamResponse), GatewayError> {
    let mut body = Some(body);
    let mut told: Option<(Option<Price>, UpstreamFailure)> = None;
    while let Some(attempt) = candidates.next_attempt(state.upstreams.monotonic()) {
        let target = Arc::clone(attempt.target());
        call.begin_attempt(target.price, target.upstream.cancels);
        // Only a body that may be sent again is copied.
        let sent = if candidates.is_empty() { body.take() } else { body.clone() };
        let Some(sent) = sent else { break };
        let result = tokio::select! {
            biased;
            refused = call.key_invalidated() => return Err(refused),
            result = send_for_success(state, &target, sent, reserved) => result,
        };
        let now = state.upstreams.monotonic();
        let failure = match result {
            Ok(response) => {
                attempt.answered(now);
                if let Some(conversation) = candidates.conversation() {
                    let made = response.headers.get(TURN_STATE).map(HeaderValue::as_bytes);
                    let name = &target.upstream.name;
                    state.upstreams.conversations.remember(conversation, name, made);
                }
                return Ok((target, response));
            }
            Err(failure) => failure,
        };
        report(attempt, &failure, state);
        let is_final = !failure.allows_another();
        let is_less = failure.kind == FailureKind::Unreachable && told.is_some();
        if !is_less {
            told = Some((target.price, failure));
        }
        if is_final {
            break;
        }
    }
    let Some((price, failure)) = told else {
        call.release().await;
        return Err(GatewayError::upstream_unreachable());
    };
    if failure.kind == FailureKind::TimedOut {
        call.begin_attempt(price, true);
        call.charge_prompt();
    } else {
        call.release().await;
    }
    Err(failure.told)
}

/// Sends a call that costs nothing to one upstream after the other, until one answers with a
/// success.
///
/// # Errors
/// As for other calls.
pub(super) async fn send_uncharged(
    state: &Gateway,
    mut candidates: Candidates,
    body: CallBody,
) -> Result<(Arc<UpstreamModel>, UpstreamResponse), GatewayError> {
    let mut told = GatewayError::upstream_unreachable();
    while let Some(attempt) = candidates.next_attempt(state.upstreams.monotonic()) {
        let target = Arc::clone(attempt.target());
        let failure = match send_for_success(state, &target, body.clone(), None).await {
            Ok(response) => {
                attempt.answered(state.upstreams.monotonic());
                return Ok((target, response));
            }
            Err(failure) => failure,
        };
        report(attempt, &failure, state);
        let is_final = !failure.allows_another();
        if failure.kind != FailureKind::Unreachable {
            told = failure.told;
        }
        if is_final {
            break;
        }
    }
    Err(told)
}

/// Counts the result of an attempt that failed.
fn report(attempt: Attempt, failure: &UpstreamFailure, state: &Gateway) {
    let now = state.upstreams.monotonic();
    let seen = || api::UpstreamFailure {
        at: state.upstreams.now(),
        status: failure.status,
        message: failure.message.to_string(),
    };
    match failure.kind {
        FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Failed => {
            attempt.failed(now, seen());
        }
        FailureKind::Unauthorized => attempt.rejected(seen()),
        FailureKind::Refused => attempt.answered(now),
    }
}

/// Why an upstream did not serve a call.
struct UpstreamFailure {
    kind: FailureKind,
    /// Status of its answer, if it answered.
    status: Option<u16>,
    /// For administrators, without hosts and credentials.
    message: Cow<'static, str>,
    /// What the client is told.
    told: GatewayError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureKind {
    /// There was no connection.
    Unreachable,
    /// It did not answer in time. It may have processed the prompt.
    TimedOut,
    /// It answered with a server error or 429, or broke off before the first byte.
    Failed,
    /// It rejected our credentials.
    Unauthorized,
    /// It refused the call itself.
    Refused,
}

impl UpstreamFailure {
    fn without_answer(kind: FailureKind, message: &'static str, told: GatewayError) -> Self {
        Self { kind, status: None, message: message.into(), told }
    }

    /// Whether another upstream might serve the call.
    const fn allows_another(&self) -> bool {
        match self.kind {
            FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Failed => true,
            FailureKind::Unauthorized | FailureKind::Refused => false,
        }
    }
}

/// Sends the call; returns the response if its status is a success.
async fn send_for_success(
    state: &Gateway,
    target: &UpstreamModel,
    body: CallBody,
    reserved: Option<u64>,
) -> Result<UpstreamResponse, UpstreamFailure> {
    let response = send(state, target, body, reserved).await?;
    let status = response.status;
    if status.is_success() {
        return Ok(response);
    }
    let wait = retry_after(response.headers.get(RETRY_AFTER));
    let idle_timeout = state.upstreams.idle_timeout.min(ERROR_IDLE_TIMEOUT);
    let error = read_error(ResponseBody::decode(response), idle_timeout, &target.upstream).await;
    tracing::warn!(
        upstream = target.upstream.name,
        status = status.as_u16(),
        message = error.message,
        "Upstream rejected a call"
    );
    let kind = match status.as_u16() {
        401 => FailureKind::Unauthorized,
        400 | 403 if error.is_unauthorized() => FailureKind::Unauthorized,
        429 | 500.. => FailureKind::Failed,
        _ => FailureKind::Refused,
    };
    let message = error.message.clone().into();
    let told = client_error(status, error, wait);
    Err(UpstreamFailure { kind, status: Some(status.as_u16()), message, told })
}

/// Maps an upstream's error status to the client's error.
pub(super) fn client_error(
    status: StatusCode,
    error: UpstreamError,
    wait: Option<u64>,
) -> GatewayError {
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
pub(super) fn retry_after(value: Option<&HeaderValue>) -> Option<u64> {
    let seconds: f64 = value?.to_str().ok()?.trim().parse().ok()?;
    // Rounded up. A date is ignored, as most clients do not understand one.
    let waits = (1..=MAX_RETRY_AFTER_SECONDS)
        .find(|wait| Duration::from_secs(*wait).as_secs_f64() >= seconds);
    (seconds >= 0.0).then(|| waits.unwrap_or(MAX_RETRY_AFTER_SECONDS))
}

/// Sends the call and waits for the head of the response.
async fn send(
    state: &Gateway,
    target: &UpstreamModel,
    mut body: CallBody,
    reserved: Option<u64>,
) -> Result<UpstreamResponse, UpstreamFailure> {
    let (endpoint, content_type) = (body.endpoint, body.content_type());
    let headers = std::mem::take(&mut body.headers);
    let body = body.for_upstream(target, reserved);
    let upstream = &target.upstream;
    let request = || upstream.request(endpoint, &headers, content_type.clone(), body.clone());
    let sending = state.upstreams.client.send(&upstream.origin, request);
    let timed_out = || {
        let told = GatewayError::upstream_timeout();
        UpstreamFailure::without_answer(FailureKind::TimedOut, "No answer in time.", told)
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
    Err(UpstreamFailure::without_answer(kind, message, told))
}

fn stream_response(proxy: SseProxy, content_type: Option<HeaderValue>) -> Response {
    let mut response = Body::from_stream(proxy.into_stream()).into_response();
    let content_type = content_type.unwrap_or(HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Reads the body of an error response. If it is incomplete or too long, its beginning is used.
pub(super) async fn read_error(
    mut response: ResponseBody,
    idle_timeout: Duration,
    upstream: &UpstreamEndpoint,
) -> UpstreamError {
    let mut bytes = Vec::new();
    while bytes.len() < upstream_error::MAX_ERROR_BYTES {
        match response.next(idle_timeout).await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(BodyError::IdleTimeout | BodyError::Failed(_)) => break,
        }
    }
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
