//! The key that comes with a call.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use latchkey_domain::credentials;

use super::error::GatewayError;

/// The bearer token. Some clients send a second credential as `x-api-key`, which counts instead if
/// it alone has the form of our keys.
///
/// # Errors
/// 400: both are keys, and not the same.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, GatewayError> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    let other = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    credentials::counting(Some(token), other)
        .map_err(|two| GatewayError::new(StatusCode::BAD_REQUEST, "malformed", two.to_string()))
}

/// The token of the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials::bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)
}
