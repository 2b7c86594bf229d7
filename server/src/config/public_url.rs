//! The URL that people and GitHub reach this server at.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
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
#[error("use http:// or https://, a host and an optional port, without a path")]
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

    /// Whether the host is a loopback address or `localhost`, which need no name server.
    pub fn is_loopback(&self) -> bool {
        let host =
            self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, port)| {
                if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { &self.authority }
            });
        let address =
            host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        host == "localhost"
            || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
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
    fn loopback_hosts_are_recognized() {
        let is_loopback = |text: &str| text.parse::<PublicUrl>().unwrap().is_loopback();
        for own in [
            "http://localhost",
            "https://LOCALHOST:8443",
            "http://127.0.0.1:3000",
            "http://127.8.9.1",
            "http://[::1]",
            "http://[::1]:3000",
            "http://[::ffff:127.0.0.1]:3000",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "http://keys.example",
            "http://localhost.example:3000",
            "http://10.0.0.1",
            "http://127.0.0.1.nip.io",
            "http://[2001:db8::1]:3000",
            "http://0.0.0.0:3000",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn public_url_is_scheme_host_and_port() {
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
