//! `GET /v1/me`.

use axum::extract::State;
use latchkey_domain::api::Me;
use latchkey_services::{Services, accounts};

use crate::http::auth::Caller;
use crate::http::problem::Refusal;
use crate::http::responses::Unauthenticated;

/// Get the current user
#[utoipa::path(
    get,
    path = "/v1/me",
    operation_id = "get_me",
    tag = "Sessions",
    responses(
        (status = 200, description = "The user who owns the access token", body = Me),
        Unauthenticated,
    ),
    security(("user" = [])),
)]
pub(crate) async fn get(
    State(services): State<Services>,
    Caller(actor): Caller,
) -> Result<axum::Json<Me>, Refusal> {
    Ok(axum::Json(accounts::me(&services, &actor).await?))
}
