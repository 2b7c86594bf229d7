//! `/healthz` and `/readyz`: is the process alive, and should it be sent work?

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_gateway::UpstreamHealth;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// Liveness of the process.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// The string `ok`, always.
    status: &'static str,
}

/// Readiness of the process.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
    /// Components that fail, such as `database`.
    failing: Vec<&'static str>,
}

/// Readiness with details that only operators see.
#[derive(Serialize)]
pub(crate) struct DetailedReadiness {
    #[serde(flatten)]
    own: Readiness,
    /// State of the gateway’s upstreams, at most a few seconds old. A failing upstream affects
    /// only its own calls, so it does not change `status`.
    upstreams: Vec<UpstreamHealth>,
}

/// Check liveness
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "Operation",
    responses((status = 200, description = "The process is alive", body = Health)),
)]
pub(crate) async fn alive() -> axum::Json<Health> {
    axum::Json(Health { status: "ok" })
}

/// Check readiness
///
/// Returns 503 while the server is shutting down and while it cannot look up keys in its database.
/// The state of the upstreams is available under the same path on `LATCHKEY_METRICS_LISTEN`.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readiness",
    tag = "Operation",
    responses(
        (status = 200, description = "The server is ready", body = Readiness),
        (status = 503, description = "The server is not ready: `draining` or `unavailable`", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, axum::Json<Readiness>) {
    let (code, own) = readiness(&state).await;
    (code, axum::Json(own))
}

/// Readiness and the state of each upstream by name, on the metrics listener.
pub(crate) async fn ready_in_detail(
    State(state): State<AppState>,
) -> (StatusCode, axum::Json<DetailedReadiness>) {
    let upstreams = state.gateway.health(state.services.monotonic());
    let ((code, own), upstreams) = tokio::join!(readiness(&state), upstreams);
    (code, axum::Json(DetailedReadiness { own, upstreams }))
}

async fn readiness(state: &AppState) -> (StatusCode, Readiness) {
    let looked_up = state.services.checker.can_look_up().await;
    if let Err(error) = &looked_up {
        tracing::warn!(%error, "Readiness check failed; keys cannot be looked up");
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
