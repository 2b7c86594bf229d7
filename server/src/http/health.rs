//! `/healthz` and `/readyz`: is the process alive, and should it be sent work?

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::gateway::UpstreamReach;
use crate::state::AppState;

/// Whether this process is alive.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether this process can serve.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
    /// The gateway’s upstreams, as they were found a few seconds ago at most. One that is down makes only its own
    /// calls fail: keys are checked and everything else is served, so it changes nothing about `status`.
    upstreams: Vec<UpstreamReach>,
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
/// Not while it drains before it stops, nor while its database does not answer. An upstream that does not answer is
/// told by its name.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readiness",
    tag = "Operation",
    responses(
        (status = 200, description = "Yes", body = Readiness),
        (status = 503, description = "No: `draining` or `unavailable`", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, axum::Json<Readiness>) {
    let (ping, upstreams) = tokio::join!(
        state.services.database.ping(),
        state.upstreams.reach(state.services.monotonic()),
    );
    let (code, status) = if state.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if ping.is_err() {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    } else {
        (StatusCode::OK, "ok")
    };
    (code, axum::Json(Readiness { status, upstreams }))
}
