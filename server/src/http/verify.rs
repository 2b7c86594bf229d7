//! `POST /v1/keys/verify`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use latchkey_domain::api::{VerifyAnswer, VerifyRequest};
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::{Actor, verify};

use super::auth::caller;
use super::problem::Refusal;
use super::{json, limits};
use crate::router::MANAGEMENT_BODY;
use crate::state::AppState;

/// Bytes that an answer usually fits into: its buffer need not grow.
const ANSWER: usize = 640;

/// Check a key
///
/// Counts as one request of the key. What the key is refused for is an answer: `valid` is false and `code`
/// says why. A key of another project is unknown to the caller.
#[utoipa::path(
    post,
    path = "/v1/keys/verify",
    operation_id = "verify_key",
    tag = "Keys",
    request_body(content = VerifyRequest),
    responses(
        (status = 200, description = "The outcome", body = VerifyAnswer),
        (status = 401, description = "`unauthenticated`, or why the service key was refused", body = Problem),
        (status = 403, description = "`forbidden`: a viewer, or a service key without `keys:verify`", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn verify_key(State(state): State<AppState>, request: Request) -> Response {
    answer(&state, request).await
}

/// The same without an extractor's and a handler's boxes: they cost as much as the check.
pub(crate) async fn answer(state: &AppState, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let actor = match caller(&mut parts, state).await {
        Ok(actor) => actor,
        Err(error) => {
            let mut standing = HeaderMap::new();
            limits::write_refused(&mut standing, &error);
            return (standing, Refusal::from(error)).into_response();
        }
    };
    checked(state, &actor, &parts.headers, body).await.into_response()
}

async fn checked(
    state: &AppState,
    actor: &Actor,
    headers: &HeaderMap,
    body: Body,
) -> Result<impl IntoResponse + use<>, Refusal> {
    let request: VerifyRequest = json::take(headers, body, MANAGEMENT_BODY).await?;
    let answer = verify::verify(&state.services, actor, &request).await?;
    let mut body = Vec::with_capacity(ANSWER);
    serde_json::to_writer(&mut body, &answer)
        .map_err(|_| Refusal::new(ErrorCode::Internal, "The answer could not be written."))?;
    Ok(([(CONTENT_TYPE, "application/json")], body))
}
