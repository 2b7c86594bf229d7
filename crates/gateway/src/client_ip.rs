//! The client's IP address.

use std::net::IpAddr;

use axum::http::request::Parts;

/// Extension of a request that holds the client's IP address. The server sets it on each request.
/// None if a trusted proxy sent an address that cannot be parsed.
#[derive(Debug, Clone, Copy)]
pub struct ClientIp(pub Option<IpAddr>);

impl ClientIp {
    /// Reads the address from the request's extensions.
    pub(super) fn of(parts: &Parts) -> Option<IpAddr> {
        parts.extensions.get().and_then(|Self(ip)| *ip)
    }
}
