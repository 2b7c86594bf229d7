//! What stands around every answer: the request's id, its line in the log, the problem if it is refused, and the
//! headers that keep browsers safe. They are one layer, because every layer costs every request some boxes and
//! copies, and none of these ever goes without the others.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::request_id::RequestId;
use super::trace::Line;
use super::{problem, security_headers};

/// What answers depend on beside the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    /// Whether people reach the server over https.
    pub(crate) is_https: bool,
}

/// Answers a request with all of that around it.
pub(crate) async fn answer(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let line = Line::begin(&request, &id);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(line.span.clone()).await;
    problem::render(&mut response, &id);
    security_headers::set(response.headers_mut(), edge.is_https);
    line.end(response.status());
    id.write(response.headers_mut());
    response
}
