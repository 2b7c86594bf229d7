//! `POST /v1/messages`: Anthropic's Messages API.

use axum::extract::{Request, State};
use axum::response::Response;
use utoipa::IntoResponses;

use super::call;
use super::endpoint::Endpoint;
use super::error::AnthropicErrorBody;
use super::state::Gateway;

/// Create a message
///
/// Compatible with Anthropic’s API, including streaming. The key may be in `x-api-key` or a
/// bearer token. `max_tokens` and `thinking.budget_tokens` are lowered to what the key’s limits
/// leave.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "messages",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(MessagesResponses),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn messages(state: State<Gateway>, request: Request) -> Response {
    call::handle(state, Endpoint::Messages, request).await
}

/// Responses of the Messages API.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum MessagesResponses {
    /// Response of the upstream
    #[response(status = 200)]
    Ok(serde_json::Value),
    /// `malformed` (not valid JSON, more than 256 top-level fields, or nested too deeply; or two
    /// different keys) or `invalid`
    #[response(status = 400)]
    BadRequest(AnthropicErrorBody),
    /// `missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`, `disabled_key`
    #[response(status = 401)]
    Unauthorized(AnthropicErrorBody),
    /// A limit that frees in more than a minute, or never for this call: `token_rate_limited`,
    /// `request_budget_exhausted`, `token_budget_exhausted`, `spend_limit_reached`,
    /// `quota_exceeded`
    #[response(status = 402)]
    PaymentRequired(AnthropicErrorBody),
    /// `wrong_scope`, `ip_not_allowed`, `model_not_allowed`, `model_not_priced`
    #[response(status = 403)]
    Forbidden(AnthropicErrorBody),
    /// `model_not_found`
    #[response(status = 404)]
    NotFound(AnthropicErrorBody),
    /// `endpoint_not_supported`: the upstreams of the model do not serve this endpoint
    #[response(status = 405)]
    MethodNotAllowed(AnthropicErrorBody),
    /// `timeout`: the body took too long to arrive
    #[response(status = 408)]
    RequestTimeout(AnthropicErrorBody),
    /// `too_large`: the body exceeds 32 MiB
    #[response(status = 413)]
    PayloadTooLarge(AnthropicErrorBody),
    /// A limit that frees within a minute: `rate_limited`, `token_rate_limited`,
    /// `too_many_parallel_requests`, `request_budget_exhausted`, `token_budget_exhausted`,
    /// `spend_limit_reached`, `quota_exceeded`; or `upstream_rate_limited`, `too_many_failures`
    #[response(status = 429)]
    TooManyRequests(AnthropicErrorBody),
    /// `upstream_unreachable`, `upstream_error`, `upstream_unauthorized`
    #[response(status = 502)]
    BadGateway(AnthropicErrorBody),
    /// `unavailable`: the key cannot be checked, or too many calls are in progress
    #[response(status = 503)]
    ServiceUnavailable(AnthropicErrorBody),
    /// `upstream_timeout`
    #[response(status = 504)]
    GatewayTimeout(AnthropicErrorBody),
}
