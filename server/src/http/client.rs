//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::header::{FORWARDED, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use latchkey_services::accounts::Device;

use super::forwarded::{self, X_FORWARDED_FOR};
use super::request_id::RequestId;
use crate::state::AppState;

/// The client's address; none if proxies that are trusted say it in a way that can't be read. Then
/// networks that a key allows refuse, and what is limited per address counts all such callers as
/// one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientIp(pub(crate) Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // As it was found when the request came.
        Ok(parts.extensions.get().copied().unwrap_or(Self(None)))
    }
}

impl ClientIp {
    /// Of a request with these headers that came from `peer`. What can't be read is logged as it
    /// came.
    pub(crate) fn of(
        peer: SocketAddr,
        headers: &HeaderMap,
        id: RequestId,
        state: &AppState,
    ) -> Self {
        let found = forwarded::client(peer.ip(), headers, &state.config.trusted_proxies);
        if found.is_none() {
            let [x_forwarded_for, forwarded] =
                [X_FORWARDED_FOR, FORWARDED].map(|name| end_of(headers, &name));
            tracing::warn!(
                request_id = %id, proxy = %peer.ip(), x_forwarded_for, forwarded,
                "Client IP address could not be determined from the proxy headers"
            );
        }
        Self(found)
    }
}

/// The end of a header, which the nearest proxy wrote, in a form that a log can hold.
fn end_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    const BYTES: usize = 200;
    let line = headers.get_all(name).iter().next_back()?.as_bytes();
    Some(line[line.len().saturating_sub(BYTES)..].escape_ascii().to_string())
}

/// The device that a person signs in from.
pub(crate) struct ClientDevice(pub(crate) Device);

impl FromRequestParts<AppState> for ClientDevice {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let ClientIp(ip) = ClientIp::from_request_parts(parts, state).await?;
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(Device { ip, user_agent: user_agent.map(str::to_owned) }))
    }
}
