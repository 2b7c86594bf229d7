//! What an operator watches: `/metrics` in OpenMetrics or the text format before it, as the reader
//! asks, and `/readyz` with the upstreams by name, on a listener of its own that the public never
//! reaches.

mod counters;
mod durations;
mod exposition;
mod text_format;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use latchkey_listener::{BodyPermit, DrainedBody, Handler, Timeouts};
use tokio::net::TcpListener;
use tower::ServiceExt;

pub(crate) use counters::Metrics;
pub(crate) use durations::RouteClass;

use crate::config::MetricsListen;
use crate::routes::health;
use crate::state::AppState;

/// More wait to be accepted: a few collect metrics, and no file is to be kept from the public
/// listener.
const CONNECTIONS: usize = 32;

/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Opens the listener that the operator asked for, if any.
///
/// # Errors
/// The address that was asked for is taken. Where nobody asked and the usual one is taken, a word
/// in the log will do: another node on this machine has it.
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

/// Answers `/metrics`, and `/readyz` in detail, for as long as it is polled. Its clients are no
/// more trusted than the public: whoever is slow is cut off.
pub async fn serve(listener: TcpListener, state: AppState) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/readyz", get(health::ready_in_detail))
        .with_state(state);
    let forever = std::future::pending();
    latchkey_listener::accept(listener, Pages(router), CONNECTIONS, Timeouts::DEFAULT, forever)
        .await;
}

/// What this listener answers.
struct Pages(Router);

impl Handler for Pages {
    async fn handle(
        &self,
        request: Request<DrainedBody>,
        _peer: SocketAddr,
        _permit: Option<Arc<BodyPermit>>,
    ) -> Response {
        // Its only error is that there is none.
        let Ok(response) = self.0.clone().oneshot(request.map(Body::new)).await;
        response
    }
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
