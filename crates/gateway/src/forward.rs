//! Forwards a call to its upstream and starts the response.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accounting::StreamUsage;
use super::body::CallBody;
use super::error::{GatewayError, MAX_RETRY_AFTER_SECONDS};
use super::in_flight::InFlightCall;
use super::response_body::{BodyError, ResponseBody, cause};
use super::response_context::ResponseContext;
use super::response_proxy::{self, ResponseProxy};
use super::sse_proxy::SseProxy;
use super::state::Gateway;
use super::upstream_client::{CallError, UpstreamResponse};
use super::upstream_endpoint::UpstreamModel;
use super::upstream_error::{self, UpstreamError};

/// Sends the call and forwards the response. If the client disconnects, or the key is revoked,
/// before the response starts, the reservation is charged, as most upstreams go on generating; with
/// `cancels` only the prompt is. A time-out is charged the prompt. A failed upstream call is free.
pub(super) async fn forward(
    state: &Gateway,
    target: UpstreamModel,
    body: CallBody,
    reserved: Option<u64>,
    mut call: InFlightCall,
) -> Result<Response, GatewayError> {
    let wants_stream = body.stream;
    let context = ResponseContext {
        idle_timeout: state.upstreams.idle_timeout,
        usage: StreamUsage::new(body.endpoint, body.prompt.estimate),
        wants_usage: body.wants_usage,
        wants_base64: body.wants_base64(),
        choices: body.choices(),
        limit: reserved.map(|reserved| body.total_output_tokens(reserved)),
        target,
    };
    let result = tokio::select! {
        biased;
        refused = call.key_invalidated() => return Err(refused),
        result = send_for_success(state, &context.target, body, reserved) => result,
    };
    let response = match result {
        Ok(response) => response,
        Err(UpstreamFailure::GatewayError(refused)) => {
            call.release().await;
            return Err(refused);
        }
        Err(UpstreamFailure::TimedOut) => {
            call.charge_prompt();
            return Err(GatewayError::upstream_timeout());
        }
    };
    let content_type = response.headers.get(CONTENT_TYPE).cloned();
    // The content type decides, not the `stream` field of the request.
    let is_stream = match &content_type {
        Some(content_type) => {
            content_type.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream")
        }
        None => wants_stream,
    };
    let response = ResponseBody::decode(response);
    if is_stream {
        return Ok(stream_response(SseProxy::new(response, call, context), content_type));
    }
    response_proxy::respond(ResponseProxy::new(response, call, context), content_type).await
}

/// Why there is no response.
enum UpstreamFailure {
    /// The upstream rejected the call or could not be reached.
    GatewayError(GatewayError),
    TimedOut,
}

impl From<GatewayError> for UpstreamFailure {
    fn from(refused: GatewayError) -> Self {
        Self::GatewayError(refused)
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
    let error =
        read_error(ResponseBody::decode(response), state.upstreams.idle_timeout, target).await;
    tracing::warn!(
        upstream = target.upstream.name,
        status = status.as_u16(),
        message = error.message,
        "Upstream rejected a call"
    );
    Err(client_error(status, error, wait).into())
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

/// Sends the call and waits for the head of the response.
async fn send(
    state: &Gateway,
    target: &UpstreamModel,
    body: CallBody,
    reserved: Option<u64>,
) -> Result<UpstreamResponse, UpstreamFailure> {
    let endpoint = body.endpoint;
    let body = body.for_upstream(target, reserved);
    let upstream = &target.upstream;
    let sending =
        state.upstreams.client.send(&upstream.origin, || upstream.request(endpoint, body.clone()));
    let Ok(sent) = tokio::time::timeout(state.upstreams.timeout, sending).await else {
        return Err(UpstreamFailure::TimedOut);
    };
    let error = match sent {
        Ok(response) => return Ok(response),
        Err(error) => error,
    };
    let refused = match &error {
        CallError::ConnectTimeout => GatewayError::upstream_timeout(),
        CallError::Connect(_) if error.is_timeout() => GatewayError::upstream_timeout(),
        CallError::Connect(_) => GatewayError::upstream_unreachable(),
        CallError::Failed(_) if error.is_timeout() => return Err(UpstreamFailure::TimedOut),
        CallError::Failed(_) => GatewayError::upstream_error(),
    };
    let cause = cause(&error);
    tracing::warn!(upstream = upstream.name, cause, "Upstream call failed");
    Err(refused.into())
}

fn stream_response(proxy: SseProxy, content_type: Option<HeaderValue>) -> Response {
    let mut response = Body::from_stream(proxy.into_stream()).into_response();
    let content_type = content_type.unwrap_or(HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Reads the body of an error response. If it is incomplete or too long, its beginning is used.
async fn read_error(
    mut response: ResponseBody,
    idle_timeout: Duration,
    target: &UpstreamModel,
) -> UpstreamError {
    let mut bytes = Vec::new();
    while bytes.len() < upstream_error::MAX_ERROR_BYTES {
        match response.next(idle_timeout).await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(BodyError::IdleTimeout | BodyError::Failed(_)) => break,
        }
    }
    upstream_error::read(&bytes, &target.upstream.secrets())
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
