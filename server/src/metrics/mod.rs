//! What an operator watches: `/metrics` in the text form of OpenMetrics, on a listener of its own that the public never
//! reaches.

mod durations;
mod exposition;

use std::sync::atomic::AtomicU64;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

pub(crate) use durations::{Durations, Route};

use crate::config::MetricsListen;
use crate::state::AppState;

/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted at the edge. What the capabilities count, they are asked for.
#[derive(Default)]
pub(crate) struct Metrics {
    /// How long answers took.
    pub(crate) durations: Durations,
    /// Connections that are open.
    pub(crate) connections: AtomicU64,
}

/// Opens the listener that the operator asked for, if any.
///
/// # Errors
/// The address that was asked for is taken. Where nobody asked and the usual one is taken, a word in the log will do:
/// another node on this machine has it.
pub(crate) async fn listen(wanted: MetricsListen) -> anyhow::Result<Option<TcpListener>> {
    match wanted {
        MetricsListen::Off => Ok(None),
        MetricsListen::Usual(address) => Ok(TcpListener::bind(address)
            .await
            .inspect_err(
                |error| tracing::info!(%address, %error, "no metrics: set LATCHKEY_METRICS_LISTEN"),
            )
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

/// Answers `/metrics` for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, state: AppState) -> std::io::Result<()> {
    let router = Router::new().route("/metrics", get(metrics)).with_state(state);
    axum::serve(listener, router).await
}

async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], exposition::text(&state))
}
