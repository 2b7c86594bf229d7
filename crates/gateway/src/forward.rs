//! Forwards a call to its upstream and starts the response.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use latchkey_domain::price::Price;

use super::accounting::StreamUsage;
use super::attempt::Attempt;
use super::body::CallBody;
use super::candidates::Candidates;
use super::conversation::TURN_STATE;
use super::error::GatewayError;
use super::exchange::{CallFailure, FailureKind, exchange};
use super::in_flight::InFlightCall;
use super::model_span::ModelSpan;
use super::request_headers;
use super::response_body::ResponseBody;
use super::response_context::ResponseContext;
use super::response_kind::ResponseKind;
use super::response_proxy::{self, ResponseProxy};
use super::sse_proxy::SseProxy;
use super::state::Gateway;
use super::upstream_client::UpstreamResponse;
use super::upstream_endpoint::UpstreamModel;

/// Content type of a stream, whatever parameters follow it.
const EVENT_STREAM: &[u8] = b"text/event-stream";

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
            let begin = content_type.as_bytes().get(..EVENT_STREAM.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(EVENT_STREAM))
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
    let mut told: Option<(Option<Price>, CallFailure)> = None;
    while let Some((target, attempt)) = candidates.next_attempt(state.upstreams.monotonic()) {
        call.begin_attempt(target.price, target.upstream.cancels);
        // Only a body that may be sent again is copied.
        let sent = if candidates.is_empty() { body.take() } else { body.clone() };
        let Some(mut sent) = sent else { break };
        let upstream = (target.upstream.name.as_str(), target.upstream.kind());
        call.span = ModelSpan::of_upstream(sent.endpoint, &sent.model, upstream, &target.name);
        sent.headers.add_trace(call.span.headers());
        let result = tokio::select! {
            biased;
            refused = call.key_invalidated() => return Err(refused),
            result = send(state, attempt, &target, sent, reserved) => result,
        };
        let failure = match result {
            Ok(response) => {
                if let Some(conversation) = candidates.conversation() {
                    let made = response.headers.get(TURN_STATE).map(HeaderValue::as_bytes);
                    let name = &target.upstream.name;
                    state.upstreams.conversations.remember(conversation, name, made);
                }
                return Ok((target, response));
            }
            Err(failure) => failure,
        };
        let (error, status) = failure.error_type();
        call.span.fail(error, status);
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
        call.settle().await;
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
    while let Some((target, attempt)) = candidates.next_attempt(state.upstreams.monotonic()) {
        let failure = match send(state, attempt, &target, body.clone(), None).await {
            Ok(response) => return Ok((target, response)),
            Err(failure) => failure,
        };
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

/// Sends the call to one upstream; returns the response if its status is a success.
async fn send(
    state: &Gateway,
    attempt: Attempt,
    target: &UpstreamModel,
    mut body: CallBody,
    reserved: Option<u64>,
) -> Result<UpstreamResponse, CallFailure> {
    let (endpoint, content_type) = (body.endpoint, body.content_type());
    let headers = std::mem::take(&mut body.headers);
    let body = body.for_upstream(target, reserved);
    let request =
        || target.upstream.request(endpoint, &headers, content_type.clone(), body.clone());
    exchange(state, attempt, request).await
}

fn stream_response(proxy: SseProxy, content_type: Option<HeaderValue>) -> Response {
    let mut response = Body::from_stream(proxy.into_stream()).into_response();
    let content_type = content_type.unwrap_or(HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
