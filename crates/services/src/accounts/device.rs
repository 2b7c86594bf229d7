//! The client that a person signs in from.

use std::net::IpAddr;

/// Client that a person signs in from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// IP address of the client, if known.
    pub ip: Option<IpAddr>,
    /// `User-Agent` header of the browser.
    pub user_agent: Option<String>,
}

impl Device {
    /// The user agent to store, truncated to 256 characters. Real ones are shorter.
    pub(super) fn user_agent(&self) -> Option<String> {
        const CHARACTERS: usize = 256;
        self.user_agent.as_deref().map(|name| name.chars().take(CHARACTERS).collect())
    }
}
