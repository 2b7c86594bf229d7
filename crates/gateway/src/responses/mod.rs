//! `/v1/responses`: OpenAI's Responses API.
//!
//! A response is stored by the upstream that made it. `previous_response` and [`stored`] let only
//! the project of the key that asked for it refer to it, and go to that upstream.

mod background;
mod background_reader;
mod id_path;
mod stored;
mod stored_body;
mod told_response;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use utoipa::IntoResponses;

use self::stored::StoredAction;
use super::call;
use super::endpoint::Endpoint;
use super::error::ErrorBody;
use super::openapi::CallResponses;
use super::state::Gateway;

/// Create a response
///
/// Compatible with OpenAI’s Responses API, including streaming. The response can be read, deleted
/// and continued with `previous_response_id` by keys of the same project for 30 days (that of the
/// sandbox for 24 hours), unless `store` is false. With `background`, which needs a stored
/// response, the answer comes at once and the response goes on: what it may cost stays reserved
/// until somebody has read its end. Other references (`conversation`, `prompt`, `file_id`,
/// `vector_store_ids`) are unknown unless the upstream is configured to let them pass. An
/// `item_reference` names an output item of a stored response of the project, and `container` one
/// that a response of the project has used.
#[utoipa::path(
    post,
    path = "/v1/responses",
    operation_id = "responses",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn create(state: State<Gateway>, request: Request) -> Response {
    call::handle(state, Endpoint::Responses, request).await
}

/// Create a compaction of a conversation
///
/// Compatible with OpenAI’s Responses API. The answer is never streamed and not stored.
#[utoipa::path(
    post,
    path = "/v1/responses/compact",
    operation_id = "compact_response",
    tag = "Gateway",
    request_body(content = serde_json::Value),
    responses(CallResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn compact(state: State<Gateway>, request: Request) -> Response {
    call::handle(state, Endpoint::CompactResponse, request).await
}

/// Get a response
///
/// Returns a stored response of the key’s project; with `stream`, the events of one that was
/// streamed. Counts as one request.
#[utoipa::path(
    get,
    path = "/v1/responses/{id}",
    operation_id = "get_response",
    tag = "Gateway",
    params(
        ("id" = String, Path, max_length = 1024, description = "ID of the response"),
        ("stream" = Option<bool>, Query, description = "Whether to return server-sent events"),
        (
            "starting_after" = Option<u64>, Query, minimum = 0, maximum = 9_007_199_254_740_991_i64,
            description = "Sequence number of the last event that is not returned again"
        ),
    ),
    responses(StoredResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn get(
    State(state): State<Gateway>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    stored::handle(&state, StoredAction::Get, &id, request).await
}

/// Delete a response
///
/// Deletes a stored response of the key’s project. Counts as one request.
#[utoipa::path(
    delete,
    path = "/v1/responses/{id}",
    operation_id = "delete_response",
    tag = "Gateway",
    params(("id" = String, Path, max_length = 1024, description = "ID of the response")),
    responses(StoredResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn delete(
    State(state): State<Gateway>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    stored::handle(&state, StoredAction::Delete, &id, request).await
}

/// Cancel a response
///
/// Passed on to the upstream. Only background responses can be cancelled. One that does not tell
/// afterwards what it has used costs what it had reserved. Counts as one request.
#[utoipa::path(
    post,
    path = "/v1/responses/{id}/cancel",
    operation_id = "cancel_response",
    tag = "Gateway",
    params(("id" = String, Path, max_length = 1024, description = "ID of the response")),
    responses(StoredResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn cancel(
    State(state): State<Gateway>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    stored::handle(&state, StoredAction::Cancel, &id, request).await
}

/// List the input items of a response
///
/// Passed on to the upstream; its paging parameters (`limit`, `order`, `after`, `include`) too. The
/// sandbox keeps the first 500 characters of the last message. Counts as one request.
#[utoipa::path(
    get,
    path = "/v1/responses/{id}/input_items",
    operation_id = "list_input_items",
    tag = "Gateway",
    params(
        ("id" = String, Path, max_length = 1024, description = "ID of the response"),
        (
            "limit" = Option<u64>, Query, minimum = 1, maximum = 100,
            description = "Maximum number of items, by default 20"
        ),
        ("order" = Option<String>, Query, max_length = 4, description = "`asc` or `desc`"),
        (
            "after" = Option<String>, Query, max_length = 1024,
            description = "ID of the item before the page"
        ),
    ),
    responses(StoredResponses),
    security(("bearer_key" = [])),
)]
pub(crate) async fn input_items(
    State(state): State<Gateway>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    stored::handle(&state, StoredAction::InputItems, &id, request).await
}

/// Responses of the endpoints of one stored response.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum StoredResponses {
    /// Response of the upstream
    #[response(status = 200)]
    Ok(serde_json::Value),
    /// The upstream refused the request
    #[response(status = 400)]
    BadRequest(ErrorBody),
    /// `missing_key`, `malformed_key`, `unknown_key`, `revoked_key`, `expired_key`, `disabled_key`
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// A limit that frees in more than a minute
    #[response(status = 402)]
    PaymentRequired(ErrorBody),
    /// `wrong_scope`, `ip_not_allowed`
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// `not_found`: the project of the key has no such response
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// A limit that frees within a minute, `upstream_rate_limited` or `too_many_failures`
    #[response(status = 429)]
    TooManyRequests(ErrorBody),
    /// `upstream_unreachable`, `upstream_error`, `upstream_unauthorized`
    #[response(status = 502)]
    BadGateway(ErrorBody),
    /// `unavailable`: the response cannot be looked up, or too many calls are in progress
    #[response(status = 503)]
    ServiceUnavailable(ErrorBody),
    /// `upstream_timeout`
    #[response(status = 504)]
    GatewayTimeout(ErrorBody),
}
