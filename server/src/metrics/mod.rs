//! The operator's listener, which is not public: `/metrics` in OpenMetrics or the older text
//! format, as the client accepts, and `/readyz` with the state of each upstream.

mod counters;
mod durations;
mod exposition;
mod text_format;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::IntoResponse;
use axum::routing::get;
use latchkey_listener::{AcceptedRequest, Connections, Timeouts};
use tokio::net::TcpListener;
use tower::{ServiceExt, service_fn};

pub(crate) use counters::Metrics;
pub(crate) use durations::RouteClass;

use crate::config::MetricsListen;
use crate::routes::health;
use crate::state::AppState;

/// Maximum number of connections. Few clients collect metrics, and the file descriptors are for the
/// public listener.
const CONNECTIONS: usize = 32;

/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Opens the listener that the operator asked for, if any.
///
/// # Errors
/// The configured address is in use. If the default address is in use, that is only logged: another
/// node on this machine has it.
pub(crate) async fn listen(wanted: MetricsListen) -> anyhow::Result<Option<TcpListener>> {
    match wanted {
        MetricsListen::Off => Ok(None),
        MetricsListen::Usual(address) => Ok(TcpListener::bind(address)
            .await
            .inspect_err(|error| {
                tracing::info!(
                    %address,
                    %error,
                    "Metrics listener is disabled; set LATCHKEY_METRICS_LISTEN to a free address"
                );
            })
            .ok()),
        MetricsListen::At(address) => {
            let listener = TcpListener::bind(address).await;
            Ok(Some(
                listener.with_context(|| {
                    format!("can’t listen on {address} (LATCHKEY_METRICS_LISTEN)")
                })?,
            ))
        }
    }
}

/// Serves `/metrics` and a detailed `/readyz` until it is dropped. Its clients are trusted no more
/// than the public: slow ones are disconnected.
pub async fn serve(listener: TcpListener, state: AppState) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/readyz", get(health::ready_in_detail))
        .with_state(state);
    let service = service_fn(move |accepted: AcceptedRequest| {
        router.clone().oneshot(accepted.request.map(Body::new))
    });
    let connections = Connections::up_to(CONNECTIONS);
    let forever = std::future::pending();
    let service = move || service.clone();
    latchkey_listener::accept(listener, service, connections, Timeouts::DEFAULT, forever).await;
}

async fn metrics(State(state): State<AppState>, headers: HeaderMap) -> impl IntoResponse {
    let text = exposition::text(&state);
    let accept = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    if accept.into_iter().any(text_format::wants_open_metrics) {
        ([(CONTENT_TYPE, OPEN_METRICS), (VARY, "accept")], text)
    } else {
        let text = text_format::of_open_metrics(&text);
        ([(CONTENT_TYPE, text_format::TEXT), (VARY, "accept")], text)
    }
}
