//! `/healthz` and `/readyz`: is the process alive, and should it be sent work?

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_services::check;
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
    /// Which of its own parts fail: `database`.
    failing: Vec<&'static str>,
}

/// The same with what only operators see.
#[derive(Serialize)]
pub(crate) struct DetailedReadiness {
    #[serde(flatten)]
    own: Readiness,
    /// The gateway’s upstreams, as they were found a few seconds ago at most. One that is down
    /// makes only its own calls fail: keys are checked and everything else is served, so it changes
    /// nothing about `status`.
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
/// Not while it drains before it stops, nor while no key could be looked up in its database. Which
/// upstreams answer is told where the metrics are, at `LATCHKEY_METRICS_LISTEN`, under the same
/// path.
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
    let (code, own) = readiness(&state).await;
    (code, axum::Json(own))
}

/// The same for whoever may see the metrics, with the upstreams by name.
pub(crate) async fn ready_in_detail(
    State(state): State<AppState>,
) -> (StatusCode, axum::Json<DetailedReadiness>) {
    let upstreams = state.upstreams.reach(state.services.monotonic());
    let ((code, own), upstreams) = tokio::join!(readiness(&state), upstreams);
    (code, axum::Json(DetailedReadiness { own, upstreams }))
}

async fn readiness(state: &AppState) -> (StatusCode, Readiness) {
    let looked_up = check::can_look_up(&state.services).await;
    if let Err(error) = &looked_up {
        tracing::warn!(%error, "not ready: no key could be looked up");
    }
    let failing: Vec<_> = looked_up.err().map(|_| "database").into_iter().collect();
    let (code, status) = if state.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if failing.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    (code, Readiness { status, failing })
}
