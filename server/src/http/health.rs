//! `/healthz` and `/readyz`: is the process alive, and should it be sent work?

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// Whether this process can serve.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
}

/// Is the process alive?
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "Operation",
    responses((status = 200, description = "It answers", body = Health)),
)]
pub(crate) async fn alive() -> axum::Json<Health> {
    axum::Json(Health { status: "ok" })
}

/// Should this process be sent work?
///
/// Not while it drains before it stops, nor while its database does not answer.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readiness",
    tag = "Operation",
    responses(
        (status = 200, description = "Yes", body = Health),
        (status = 503, description = "No: `draining` or `unavailable`", body = Health),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, axum::Json<Health>) {
    let (code, status) = if state.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if state.services.database.ping().await.is_err() {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    } else {
        (StatusCode::OK, "ok")
    };
    (code, axum::Json(Health { status }))
}
