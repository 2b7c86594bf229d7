//! What the server tells the pages about the request and about itself, as Leptos contexts.

use std::collections::BTreeMap;
use std::net::IpAddr;
#[cfg(feature = "ssr")]
use std::sync::Arc;

#[cfg(feature = "ssr")]
use latchkey_domain::api::UpstreamReport;
use serde::{Deserialize, Serialize};

/// Where the built files are, with the hash in their names. Paths begin with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteAssets {
    /// The script that loads the wasm.
    pub js: String,
    /// Scripts that it imports.
    pub modules: Vec<String>,
    /// The wasm's first piece, which every page needs.
    pub wasm: String,
    /// The other pieces, by the name that `lazy` gives them: the files of each.
    pub pieces: BTreeMap<String, Vec<String>>,
    /// URL of the style sheet.
    pub css: String,
    /// Fonts that the first paint needs.
    pub preload: Vec<String>,
    /// While `cargo leptos watch` runs: the port on which it tells of a new build.
    pub reload_port: Option<u16>,
}

/// The id under which the log has this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The client address of the request, if known; only on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

/// Reports on the upstreams of this node; only on the server.
#[cfg(feature = "ssr")]
#[derive(Clone)]
pub struct UpstreamReports(pub Arc<dyn Fn() -> Vec<UpstreamReport> + Send + Sync>);

#[cfg(feature = "ssr")]
impl std::fmt::Debug for UpstreamReports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamReports")
    }
}

/// The ways to sign in that this server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Whether GitHub sign-in is configured.
    pub github: bool,
    /// As the local developer, on loopback without GitHub credentials.
    pub local: bool,
}

/// The URL at which people and SDKs reach this server, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicUrl(pub String);

/// The colours that a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// The light theme, always.
    Light,
    /// The dark theme, always.
    Dark,
    /// As the system is.
    #[default]
    Auto,
}

impl ThemeChoice {
    /// The cookie that keeps the choice.
    pub const COOKIE: &'static str = "theme";

    /// The choice of that name; anything else follows the system.
    pub fn from_name(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// The choice that a `Cookie` header holds.
    pub fn from_cookies(header: &str) -> Self {
        header
            .split(';')
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == Self::COOKIE)
            .map_or_else(Self::default, |(_, value)| Self::from_name(value))
    }

    /// The name in the cookie and the markup.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Auto => "auto",
        }
    }

    /// What `data-theme` of the document says; following the system says nothing.
    pub const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Light | Self::Dark => Some(self.as_str()),
            Self::Auto => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_is_read_from_the_cookie() {
        for (header, choice) in [
            ("theme=dark", ThemeChoice::Dark),
            ("a=b; theme=light; c=d", ThemeChoice::Light),
            ("theme=purple", ThemeChoice::Auto),
            ("nottheme=dark", ThemeChoice::Auto),
            ("", ThemeChoice::Auto),
        ] {
            assert_eq!(ThemeChoice::from_cookies(header), choice, "{header:?}");
        }
    }
}
