//! Entry points of the gateway's parsers, for `make fuzz` and for the tests that measure parsers.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};

use super::body::CallBody;
use super::endpoint::Endpoint;
use super::{accounting, base64_vectors, sse_proxy, upstream_error};

/// Parses a request body.
pub fn read_body(bytes: &Bytes) {
    for endpoint in Endpoint::ALL {
        let _ = CallBody::parse(endpoint, bytes.clone());
    }
}

/// Parses a form, whose boundary is `b`.
pub fn read_form(bytes: &Bytes) {
    let kind = HeaderValue::from_static("multipart/form-data; boundary=b");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
    let _ = CallBody::read(Endpoint::Transcriptions, &headers, bytes.clone());
    // The header with the boundary is untrusted as well.
    if let Ok(kind) = HeaderValue::from_bytes(bytes) {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let _ = CallBody::read(Endpoint::Transcriptions, &headers, Bytes::new());
    }
}

/// Parses an upstream's response.
pub fn read_answer(bytes: &[u8]) {
    sse_proxy::read_events(bytes);
    let mut scanners = Endpoint::ALL
        .map(|endpoint| accounting::ResponseScanner::new(accounting::AnswerForm::of(endpoint)));
    let mut vectors = base64_vectors::Base64Vectors::default();
    // In small chunks, because responses arrive in chunks.
    for chunk in bytes.chunks(7) {
        for scanner in &mut scanners {
            scanner.read(chunk);
        }
        let _ = vectors.encode(chunk);
    }
    let _ = upstream_error::read(bytes, &std::iter::empty());
}
