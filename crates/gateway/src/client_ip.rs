//! Where a call comes from.

use std::net::IpAddr;

use axum::http::request::Parts;

/// The client's address, which the server leaves in the extensions of a request; none if proxies
/// that are trusted say it in a way that can't be read.
#[derive(Debug, Clone, Copy)]
pub struct ClientIp(pub Option<IpAddr>);

impl ClientIp {
    /// As it was found when the request came.
    pub(super) fn of(parts: &Parts) -> Option<IpAddr> {
        parts.extensions.get().and_then(|Self(ip)| *ip)
    }
}
