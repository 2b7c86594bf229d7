//! One log line per request: what was asked, what came of it, how long it took. Paths only: a query may
//! hold an OAuth code.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use latchkey_services::clock::Clock;
use tracing::Instrument;

use super::request_id::RequestId;
use crate::edge::SystemClock;

/// Wraps the request in a span that carries its id, and tells its end.
pub(crate) async fn log(id: axum::Extension<RequestId>, request: Request, next: Next) -> Response {
    let clock = SystemClock::start();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", request_id = %id.0);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    let elapsed = clock.monotonic();
    span.in_scope(|| {
        let milliseconds = Duration::as_secs_f64(&elapsed) * 1000.0;
        tracing::info!(%method, path, status, milliseconds, "answered");
    });
    response
}
