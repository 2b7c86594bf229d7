//! One log line per request: what was asked, what came of it, how long it took. Paths only: a query may
//! hold an OAuth code.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use latchkey_services::clock::Clock;
use tracing::Span;

use super::request_id::RequestId;
use crate::edge::SystemClock;

/// A request's line, begun when it came.
pub(crate) struct Line {
    clock: SystemClock,
    method: Method,
    uri: Uri,
    /// It carries the request's id; whatever is logged on the way stands in it.
    pub(crate) span: Span,
}

impl Line {
    pub(crate) fn begin(request: &Request, id: &RequestId) -> Self {
        Self {
            clock: SystemClock::start(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            span: tracing::info_span!("request", request_id = %id),
        }
    }

    pub(crate) fn end(self, status: StatusCode) {
        let elapsed = self.clock.monotonic();
        let (method, path, status) = (self.method, self.uri.path(), status.as_u16());
        self.span.in_scope(|| {
            let milliseconds = Duration::as_secs_f64(&elapsed) * 1000.0;
            tracing::info!(%method, path, status, milliseconds, "answered");
        });
    }
}
