//! The id under which the log has a request. It goes back as `x-request-id`, and in every problem.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use latchkey_services::random::Random;

use crate::edge::SystemRandom;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: `req_` and 24 hexadecimal characters. Ours alone; what a client sends as one is ignored,
/// so that nobody can write another's id into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives the request an id and the response the same.
pub(crate) async fn assign(mut request: Request, next: Next) -> Response {
    let random: &dyn Random = &SystemRandom;
    let text = format!("req_{}", &random.token()[..24]);
    let value = HeaderValue::from_str(&text);
    request.extensions_mut().insert(RequestId(text.into()));
    let mut response = next.run(request).await;
    if let Ok(value) = value {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
