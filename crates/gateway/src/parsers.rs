//! What the gateway reads from outside, as functions of bytes: for the tests that count the work of
//! parsers and for `make fuzz`.

use axum::body::Bytes;

use super::body::CallBody;
use super::endpoint::Endpoint;
use super::{accounting, base64_vectors, sse_proxy, upstream_error};

/// Reads a call's body and goes no further.
pub fn read_body(bytes: &Bytes) {
    for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings] {
        let _ = CallBody::parse(endpoint, bytes.clone());
    }
}

/// Reads what an upstream answers and goes no further.
pub fn read_answer(bytes: &[u8]) {
    sse_proxy::read_events(bytes);
    let mut scanner = accounting::ResponseScanner::default();
    let mut vectors = base64_vectors::Base64Vectors::default();
    // As it comes: in pieces.
    for piece in bytes.chunks(7) {
        scanner.read(piece);
        let _ = vectors.encode(piece);
    }
    let _ = upstream_error::read(bytes, &std::iter::empty());
}
