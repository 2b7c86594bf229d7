//! The URL that people and GitHub reach this server at.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use axum::http::Uri;

/// `http://host[:port]` or `https://host[:port]`, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: &'static str,
    authority: String,
}

/// Why a text is no public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use http:// or https://, a host and perhaps a port, and no path")]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// The default: the address that the server listens on.
    pub fn of_listener(listen: SocketAddr) -> Self {
        Self { scheme: "http", authority: listen.to_string() }
    }

    /// Whether browsers reach the server over TLS, so that cookies must be `Secure`.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Host and port, as a `Host` header names them.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| InvalidPublicUrl)?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(InvalidPublicUrl),
        };
        let authority = uri.authority().ok_or(InvalidPublicUrl)?.as_str().to_lowercase();
        let bare = uri.path_and_query().is_none_or(|rest| rest.as_str() == "/");
        if authority.contains('@') || !bare {
            return Err(InvalidPublicUrl);
        }
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default_port).unwrap_or(&authority).to_owned();
        Ok(Self { scheme, authority })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_host_and_port() {
        for (text, url) in [
            ("https://keys.example", "https://keys.example"),
            ("https://Keys.example:443/", "https://keys.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), url);
        }
        for text in ["", "keys.example", "ftp://x", "https://a/b", "https://a?b=c", "https://u:p@a"]
        {
            assert_eq!(text.parse::<PublicUrl>(), Err(InvalidPublicUrl), "{text}");
        }
    }
}
