//! `POST /v1/keys/verify`.

use axum::extract::State;
use latchkey_domain::api::{VerifyAnswer, VerifyRequest};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, verify};

use super::auth::Caller;
use super::json::Json;
use super::problem::Refusal;

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
pub(crate) async fn verify_key(
    State(services): State<Services>,
    Caller(actor): Caller,
    Json(request): Json<VerifyRequest>,
) -> Result<axum::Json<VerifyAnswer>, Refusal> {
    Ok(axum::Json(verify::verify(&services, &actor, &request).await?))
}
