//! Masks secrets in error responses: a secret that a client put in the wrong place must not end up
//! in its error log.

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use latchkey_domain::mask;
use latchkey_domain::problem::ErrorCode;

use super::problem::Refusal;

/// An error response is short. A longer body is a page, which echoes nothing.
const LONGEST: u64 = 64 * 1024;

/// Masks secrets in the body of an error response of any origin and format.
pub(crate) async fn refusal(response: Response) -> Response {
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let length = response.body().size_hint().exact();
    if !refused || length.is_none_or(|length| length == 0 || length > LONGEST) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::try_from(LONGEST).unwrap_or(usize::MAX)).await else {
        let detail = "The response could not be written.";
        return Refusal::new(ErrorCode::Internal, detail).into_response();
    };
    match mask::masked(&body) {
        Some(masked) => {
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(masked))
        }
        None => Response::from_parts(parts, Body::from(body)),
    }
}
