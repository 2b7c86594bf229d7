//! `POST /v1/messages/count_tokens` and `POST /v1/responses/input_tokens`: how many tokens a prompt
//! has.
//!
//! The key, its models and its networks are checked as for every call. Nothing is generated, so
//! nothing is reserved or charged, and the calls have a limit of their own.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_domain::outcome::Outcome;
use serde_json::{Value, json};

use super::accounting::ResponseScanner;
use super::body::CallBody;
use super::call::{Caller, TOO_MANY_CALLS, attach_limits, denied, not_served, read};
use super::candidates::Candidates;
use super::endpoint::Endpoint;
use super::error::{AnthropicErrorBody, ErrorBody, GatewayError};
use super::forward;
use super::previous_response;
use super::registry::ModelBackend;
use super::request_headers::PassedHeaders;
use super::response_body::{BodyError, ResponseBody};
use super::restricted_fields;
use super::state::Gateway;
use super::upstream_error;

/// Maximum size of an upstream's answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Get the number of tokens of a message
///
/// Compatible with Anthropic’s API. Costs no tokens and no request: each key has 600 of these and
/// of `POST /v1/responses/input_tokens` together per minute, on each node.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    operation_id = "count_tokens",
    tag = "Gateway",
    request_body(content = Value),
    responses(
        (status = 200, description = "Response of the upstream", body = Value),
        (status = 400, description = "`malformed`, `invalid`", body = AnthropicErrorBody),
        (status = 401, description = "Reason why the key was denied", body = AnthropicErrorBody),
        (
            status = 403,
            description = "`wrong_scope`, `ip_not_allowed`, `model_not_allowed`",
            body = AnthropicErrorBody
        ),
        (status = 404, description = "`model_not_found`", body = AnthropicErrorBody),
        (
            status = 405,
            description = "`endpoint_not_supported`: the upstream does not count tokens",
            body = AnthropicErrorBody
        ),
        (
            status = 408,
            description = "`timeout`: the body took too long to arrive",
            body = AnthropicErrorBody
        ),
        (
            status = 413,
            description = "`too_large`: the body exceeds 32 MiB",
            body = AnthropicErrorBody
        ),
        (
            status = 429,
            description = "`rate_limited`, `upstream_rate_limited`, `too_many_failures`",
            body = AnthropicErrorBody
        ),
        (
            status = 502,
            description = "`upstream_unreachable`, `upstream_error`, `upstream_unauthorized`",
            body = AnthropicErrorBody
        ),
        (status = 503, description = "The key cannot be checked", body = AnthropicErrorBody),
        (status = 504, description = "`upstream_timeout`", body = AnthropicErrorBody),
    ),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn count_tokens(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::CountTokens, request).await
}

/// Get the number of tokens of a response’s input
///
/// Compatible with OpenAI’s API. Costs no tokens and no request: each key has 600 of these and of
/// `POST /v1/messages/count_tokens` together per minute, on each node.
#[utoipa::path(
    post,
    path = "/v1/responses/input_tokens",
    operation_id = "input_tokens",
    tag = "Gateway",
    request_body(content = Value),
    responses(
        (status = 200, description = "Response of the upstream", body = Value),
        (status = 400, description = "`malformed`, `invalid`", body = ErrorBody),
        (status = 401, description = "Reason why the key was denied", body = ErrorBody),
        (
            status = 403,
            description = "`wrong_scope`, `ip_not_allowed`, `model_not_allowed`",
            body = ErrorBody
        ),
        (
            status = 404,
            description = "`model_not_found`, `previous_response_not_found`, `not_found`",
            body = ErrorBody
        ),
        (
            status = 405,
            description = "`endpoint_not_supported`: the upstream does not count tokens",
            body = ErrorBody
        ),
        (
            status = 408,
            description = "`timeout`: the body took too long to arrive",
            body = ErrorBody
        ),
        (status = 413, description = "`too_large`: the body exceeds 32 MiB", body = ErrorBody),
        (
            status = 429,
            description = "`rate_limited`, `upstream_rate_limited`, `too_many_failures`",
            body = ErrorBody
        ),
        (
            status = 502,
            description = "`upstream_unreachable`, `upstream_error`, `upstream_unauthorized`",
            body = ErrorBody
        ),
        (status = 503, description = "The key cannot be checked", body = ErrorBody),
        (status = 504, description = "`upstream_timeout`", body = ErrorBody),
    ),
    security(("bearer_key" = [])),
)]
pub(crate) async fn input_tokens(state: State<Gateway>, request: Request) -> Response {
    handle(state, Endpoint::InputTokens, request).await
}

async fn handle(State(state): State<Gateway>, endpoint: Endpoint, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match count(&state, endpoint, &mut parts, body).await {
        Ok(response) => response,
        Err(refused) => refused.into_response_in(endpoint.format()),
    };
    attach_limits(&parts, &mut response);
    response
}

async fn count(
    state: &Gateway,
    endpoint: Endpoint,
    parts: &mut Parts,
    body: Body,
) -> Result<Response, GatewayError> {
    let caller = Caller::authenticate(state, parts).await?;
    let begun = state.checker.begin_prompt_count(caller.identity(), caller.call(None));
    let limits = begun.map_err(|denial| denied(parts, *denial))?;
    parts.extensions.insert(limits);
    let body = read(endpoint, body).await.and_then(|bytes| CallBody::parse(endpoint, bytes));
    // The key may have been revoked or changed while the body arrived.
    let caller = Caller::authenticate(state, parts).await?;
    let model = body.as_ref().ok().map(|body| body.model.as_str());
    // A denial of the key takes precedence over errors of the body.
    if let Err(denial) = state.checker.confirm_prompt_count(caller.identity(), caller.call(model)) {
        return Err(denied(parts, *denial));
    }
    let mut body = body?;
    match backend(state, &caller, &body).await? {
        ModelBackend::Sandbox(_) => Ok(Json(estimate(&body)).into_response()),
        ModelBackend::Upstreams(candidates) => {
            body.headers = PassedHeaders::of(&parts.headers);
            let Some(_permit) = state.upstreams.acquire_call() else {
                let (call, outcome) = (caller.call(Some(&body.model)), Outcome::Unavailable);
                let identity = caller.identity();
                let denial = state.checker.refuse(identity, call, outcome, TOO_MANY_CALLS);
                return Err(denied(parts, denial));
            };
            ask_upstream(state, candidates, body).await
        }
    }
}

/// Finds what serves the model, and validates what depends on the key.
async fn backend(
    state: &Gateway,
    caller: &Caller,
    body: &CallBody,
) -> Result<ModelBackend, GatewayError> {
    let key = caller.identity().key();
    let backend = state.upstreams.find(&body.model, body.endpoint.group(), key);
    let backend = backend.map_err(|unserved| not_served(unserved, &body.model))?;
    let passes = |field: &str| state.upstreams.passes(&body.model, field);
    restricted_fields::check(body, key.extended().models.as_ref(), key.has_budget(), passes)?;
    previous_response::confine(state, key, body, backend).await
}

/// The gateway's own estimate, by which the sandbox counts.
fn estimate(body: &CallBody) -> Value {
    let tokens = body.prompt.estimate;
    match body.endpoint {
        Endpoint::InputTokens => {
            json!({ "object": "response.input_tokens", "input_tokens": tokens })
        }
        _ => json!({ "input_tokens": tokens }),
    }
}

async fn ask_upstream(
    state: &Gateway,
    candidates: Candidates,
    body: CallBody,
) -> Result<Response, GatewayError> {
    let (target, response) = forward::send_uncharged(state, candidates, body).await?;
    let upstream = &target.upstream;
    let kind = response.headers.get(CONTENT_TYPE).cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    let mut body = ResponseBody::decode(response);
    let mut bytes = Vec::new();
    loop {
        match body.next(state.upstreams.idle_timeout).await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => {
                upstream.count_broken_answer(error.message());
                let BodyError::Failed(cause) = error else {
                    return Err(GatewayError::upstream_timeout());
                };
                tracing::warn!(upstream = upstream.name, cause, "Upstream count was interrupted");
                return Err(GatewayError::upstream_error());
            }
        }
        if bytes.len() > MAX_ANSWER_BYTES {
            upstream.count_broken_answer("The answer is too long.");
            tracing::warn!(upstream = upstream.name, "Upstream count is too long");
            return Err(GatewayError::upstream_error());
        }
    }
    let mut scanner = ResponseScanner::default();
    scanner.read(&bytes);
    if scanner.has_error() {
        let error = upstream_error::read(&bytes, &upstream.secrets());
        upstream.count_broken_answer(&error.message);
        return Err(GatewayError::upstream_answered(error));
    }
    Ok((StatusCode::OK, [(CONTENT_TYPE, kind)], bytes).into_response())
}
