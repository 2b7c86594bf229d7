//! The id of a request in the log. It is returned as `x-request-id` and in every problem.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use data_encoding::HEXLOWER;
use latchkey_services::random::Random;

use crate::system::SystemRandom;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Where Anthropic's clients look for it.
const ANTHROPIC_HEADER: HeaderName = HeaderName::from_static("request-id");

/// A request's id: `req_` and 24 hexadecimal characters. An id that the client sends is ignored, so
/// that no client can put another's id into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId([u8; 12]);

impl RequestId {
    /// A new random id.
    pub(crate) fn new() -> Self {
        let random: &dyn Random = &SystemRandom;
        Self(random.bytes())
    }

    /// Makes room for an id in headers that are copied for each answer. The placeholder is static:
    /// a copy of it touches no counter that threads share, as one of an id would.
    pub(crate) fn reserve(headers: &mut HeaderMap) {
        headers.insert(HEADER, HeaderValue::from_static(""));
    }

    pub(crate) fn write(self, headers: &mut HeaderMap) {
        self.write_as(HEADER, headers);
    }

    /// Writes it once more, under the name that Anthropic's clients read.
    pub(crate) fn write_for_anthropic(self, headers: &mut HeaderMap) {
        self.write_as(ANTHROPIC_HEADER, headers);
    }

    fn write_as(self, name: HeaderName, headers: &mut HeaderMap) {
        let mut text = *b"req_000000000000000000000000";
        HEXLOWER.encode_mut(&self.0, &mut text[4..]);
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            headers.insert(name, value);
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("req_")?;
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_in_header_and_log_is_the_same() {
        let (id, mut headers) = (RequestId::new(), HeaderMap::new());
        id.write(&mut headers);
        id.write_for_anthropic(&mut headers);
        assert_eq!(headers[HEADER], id.to_string());
        assert_eq!(headers[ANTHROPIC_HEADER], id.to_string());
        assert_eq!(id.to_string().len(), 28);
        assert_ne!(id, RequestId::new());
    }

    #[test]
    fn id_replaces_its_placeholder() {
        let (id, mut headers) = (RequestId::new(), HeaderMap::new());
        RequestId::reserve(&mut headers);
        id.write(&mut headers);
        assert_eq!(headers.get_all(HEADER).iter().count(), 1);
        assert_eq!(headers[HEADER], id.to_string());
    }
}
