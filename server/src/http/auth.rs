//! The caller of a request, from `Authorization: Bearer`.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use latchkey_domain::credentials;
use latchkey_domain::problem::ErrorCode;
use latchkey_services::{Actor, Error, Services, accounts};

use super::client::ClientIp;
use super::limits;
use super::presented::AuthenticatedCaller;
use super::problem::Refusal;
use crate::state::AppState;

/// Where SDKs and proxies send a key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The person or service key that the bearer token belongs to. Place it before every other
/// extractor, so that anonymous callers learn nothing else. It is authenticated again when the body
/// has arrived.
pub(crate) struct Caller(pub(crate) Actor);

impl FromRequestParts<AppState> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refusal> {
        let ClientIp(ip) = match ClientIp::from_request_parts(parts, state).await {
            Ok(ip) => ip,
            Err(never) => match never {},
        };
        let actor = caller(&parts.headers, ip, state).await;
        if let Err(error) = &actor {
            limits::refused(parts, error);
        }
        let actor = actor?;
        latchkey_listener::assign_to_caller(&parts.extensions, actor.owner());
        parts.extensions.insert(AuthenticatedCaller::caller(&state.services, &actor));
        Ok(Self(actor))
    }
}

/// The caller, from the address `ip`.
///
/// # Errors
/// As [`accounts::authenticate`].
pub(crate) async fn caller(
    headers: &HeaderMap,
    ip: Option<IpAddr>,
    state: &AppState,
) -> Result<Actor, Error> {
    accounts::authenticate(&state.services, bearer(headers), ip).await
}

/// The key that a request carries in `x-api-key` or as its bearer token.
///
/// # Errors
/// 400: there are two different keys.
pub(crate) fn presented_key<'a>(
    headers: &'a HeaderMap,
    services: &Services,
) -> Result<Option<&'a str>, Refusal> {
    let is_imported = |text: &str| services.checker.has_foreign_shape(text);
    credentials::counting_imported(api_key(headers), bearer(headers), is_imported)
        .map_err(|two| Refusal::new(ErrorCode::Malformed, two.to_string()))
}

/// The text of `x-api-key`; empty if it is not ASCII.
pub(crate) fn api_key(headers: &HeaderMap) -> Option<&str> {
    headers.get(API_KEY).map(|value| value.to_str().unwrap_or_default())
}

/// The token of the `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    credentials::bearer(headers.get(AUTHORIZATION)?.to_str().ok()?)
}
