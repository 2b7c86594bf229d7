//! Redirect target after a sign-in.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// All characters except RFC 3986's unreserved ones and slashes.
const OUTSIDE_QUERY_VALUES: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A path on this server, such as `/projects/prj_…?tab=logs`, that is safe to redirect to: it
/// can't lead to another host, however the browser treats slashes and backslashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalPath(String);

impl LocalPath {
    /// Parses a `next` parameter. Anything that is not a local path becomes `/`: a sign-in should
    /// not fail because of its target.
    pub fn or_root(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(|| Self("/".to_owned()))
    }

    /// Parses a path on this server.
    pub fn parse(text: &str) -> Option<Self> {
        // Browsers resolve `.` and `..`, so `/..//host` would become `//host`.
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let local = path.starts_with('/')
            && !path.contains("//")
            && text.len() <= 2048
            && text.chars().all(|c| c.is_ascii_graphic() && c != '\\');
        local.then(|| Self(text.to_owned()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the value of a query parameter, percent-encoded.
    pub fn to_query_value(&self) -> String {
        utf8_percent_encode(&self.0, &OUTSIDE_QUERY_VALUES).to_string()
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_must_be_a_local_path() {
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "\\\\evil.example",
            "evil",
            "",
            "/a\r\nSet-Cookie: x=1",
            "/a b",
            "/é",
        ] {
            assert_eq!(LocalPath::or_root(Some(bad)).as_str(), "/", "{bad:?}");
        }
        for good in ["/", "/projects/prj_1?tab=logs&x=%20#top", "/a?url=https://b.example"] {
            assert_eq!(LocalPath::or_root(Some(good)).as_str(), good);
        }
        assert_eq!(LocalPath::or_root(None).as_str(), "/");
    }

    #[test]
    fn path_is_encoded_for_a_query_parameter() {
        let path = LocalPath::or_root(Some("/a?b=c&d=e#f"));
        assert_eq!(path.to_query_value(), "/a%3Fb%3Dc%26d%3De%23f");
    }
}
