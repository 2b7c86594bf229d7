//! The id under which the log has a request. It goes back as `x-request-id`, and in every problem.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
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

impl RequestId {
    /// One that no other request has.
    pub(crate) fn new() -> Self {
        let random: &dyn Random = &SystemRandom;
        Self(format!("req_{}", &random.token()[..24]).into())
    }

    /// Puts it on an answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            headers.insert(HEADER, value);
        }
    }
}
