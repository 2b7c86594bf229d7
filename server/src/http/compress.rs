//! Compression of responses to reads (gzip and brotli, over 1 kB), and `ETag`s for clients that
//! have the response already.
//!
//! Only responses to `GET` and `HEAD` of the management API and its description are compressed.
//! None of them contains a secret, which an attacker could infer from the compressed size next to
//! text of their own. Responses with a secret (creates, rotations, `/refresh`) are responses to
//! `POST`; the gateway's streams and ingest have no such layer.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use hyper::body::Body as _;
use latchkey_domain::problem::ErrorCode;
use sha2::{Digest, Sha256};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

use super::problem::Refusal;

/// What is shorter fits a packet as it is.
const SHORTEST: u64 = 1_024;
/// What is longer comes as a stream and has no tag.
const LONGEST: u64 = 8 * 1024 * 1024;

/// An answer that may be compressed.
#[derive(Debug, Clone, Copy)]
struct Compressible;

/// Which answers are compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsMarked;

impl Predicate for IsMarked {
    fn should_compress<B>(&self, response: &axum::http::Response<B>) -> bool
    where
        B: hyper::body::Body,
    {
        response.extensions().get::<Compressible>().is_some()
    }
}

/// Compresses what [`tag`] has marked.
pub(crate) fn layer() -> CompressionLayer<And<SizeAbove, IsMarked>> {
    CompressionLayer::new().compress_when(SizeAbove::new(SHORTEST).and(IsMarked))
}

/// Marks good answers to reads as compressible, and gives them a tag; 304 to who has them.
pub(crate) async fn tag(request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let had = request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let mut response = match response.body().size_hint().exact() {
        Some(length) if length > SHORTEST && length <= LONGEST => tagged(response, &had).await,
        _ => response,
    };
    response.extensions_mut().insert(Compressible);
    response
}

async fn tagged(response: Response, had: &[HeaderValue]) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::try_from(LONGEST).unwrap_or(usize::MAX)).await else {
        let detail = "The response could not be written.";
        return Refusal::new(ErrorCode::Internal, detail).into_response();
    };
    let hash = Sha256::digest(&body);
    // Weak: the same content in another encoding has the same tag.
    let tag = format!("W/\"{}\"", HEXLOWER.encode(&hash[..16]));
    let is_had = had.iter().filter_map(|line| line.to_str().ok()).any(|line| names(line, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, tag);
    }
    if is_had {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether `If-None-Match` names a tag.
fn names(line: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    line.trim() == "*" || line.split(',').any(|one| opaque(one) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let tag = "W/\"abc\"";
        for line in ["W/\"abc\"", "\"abc\"", "\"x\", W/\"abc\"", "*"] {
            assert!(names(line, tag), "{line}");
        }
        for line in ["", "abc", "\"abcd\"", "W/\"x\""] {
            assert!(!names(line, tag), "{line}");
        }
    }
}
