//! Reads the key from a request's headers.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use latchkey_domain::credentials;

use super::error::GatewayError;

/// The key in `Authorization: Bearer`. Some clients send a second credential as `x-api-key`; it is
/// used instead if it alone has the format of our keys.
///
/// # Errors
/// 400: both headers contain keys of ours, and they differ.
pub(super) fn presented_key(headers: &HeaderMap) -> Result<Option<&str>, GatewayError> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    let other = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    credentials::counting(Some(token), other)
        .map_err(|two| GatewayError::new(StatusCode::BAD_REQUEST, "malformed", two.to_string()))
}

/// The token in the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials::bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)
}
