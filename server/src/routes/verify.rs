//! `POST /v1/keys/verify`.

use axum::BoxError;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::Body;
use latchkey_domain::api::{VerifyAnswer, VerifyRequest};
use latchkey_domain::problem::ErrorCode;
use latchkey_services::{Actor, accounts, verify};

use crate::http::auth::caller;
use crate::http::client::ClientIp;
use crate::http::json::JSON;
use crate::http::problem::Refusal;
use crate::http::request_limits::MANAGEMENT_BODY;
use crate::http::responses::{Invalid, NoCaller, refusals};
use crate::http::{json, limits};
use crate::state::AppState;

refusals! {
    /// A check counts as a request, so readers may not.
    MayNotVerify {
        403: "`forbidden`: the caller is a viewer or a service key without `keys:verify`",
    }
}

/// Bytes that an answer usually fits into: its buffer need not grow.
const ANSWER: usize = 768;

/// Verify a key
///
/// **The status is 200 for bad keys too**: `valid` is false then, and `code` is the reason. A proxy
/// that only looks at the status, such as nginx with `auth_request`, would let everybody through
/// and must ask `/v1/check/{id}` instead.
///
/// Counts as one request of the key. Keys of other projects are reported as `unknown_key`. With
/// `scopes`, a key that lacks one of them is denied. If a limit denies the call, `limit` tells
/// which one, and whether it is the key’s, its project’s or its organization’s.
#[utoipa::path(
    post,
    path = "/v1/keys/verify",
    operation_id = "verify_key",
    tag = "Keys",
    request_body(content = VerifyRequest),
    responses(
        (
            status = 200,
            description = "Outcome of the check, whether the key is valid or not",
            body = VerifyAnswer
        ),
        NoCaller,
        MayNotVerify,
        Invalid,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn verify_key(
    State(state): State<AppState>,
    ip: ClientIp,
    request: Request,
) -> Response {
    let answer = answer(&state, ip, request).await;
    answer.map_or_else(|refused| refused, |json| ([(CONTENT_TYPE, JSON)], json).into_response())
}

/// The same without an extractor's and a handler's boxes, which cost as much as the check: the
/// answer in JSON, or the response that refuses one.
pub(crate) async fn answer<B>(
    state: &AppState,
    ip: ClientIp,
    request: Request<B>,
) -> Result<Vec<u8>, Response>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let actor = match caller(&parts.headers, ip.0, state).await {
        Ok(actor) => actor,
        Err(error) => {
            let mut rate_headers = HeaderMap::new();
            limits::write_refused(&mut rate_headers, &error);
            return Err((rate_headers, Refusal::from(error)).into_response());
        }
    };
    checked(state, &actor, &parts.headers, body).await.map_err(Refusal::into_response)
}

async fn checked<B>(
    state: &AppState,
    actor: &Actor,
    headers: &HeaderMap,
    body: B,
) -> Result<Vec<u8>, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let request: VerifyRequest = json::take(headers, body, MANAGEMENT_BODY).await?;
    accounts::confirm(&state.services, actor).await?;
    let answer = verify::verify(&state.services, actor, &request).await?;
    let mut json = Vec::with_capacity(ANSWER);
    serde_json::to_writer(&mut json, &answer)
        .map_err(|_| Refusal::new(ErrorCode::Internal, "The response could not be written."))?;
    Ok(json)
}
