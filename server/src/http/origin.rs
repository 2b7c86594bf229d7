//! Whether a browser's request comes from our own pages.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};

use crate::config::{Config, PublicUrl};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether `Origin` or `Sec-Fetch-Site` names another site. A client that is no browser sends
/// neither.
pub(crate) fn is_foreign(headers: &HeaderMap, public_url: &PublicUrl) -> bool {
    let foreign_site = match text(headers, SEC_FETCH_SITE) {
        None | Some("same-origin" | "none") => false,
        Some(_) => true,
    };
    let foreign_origin = match text(headers, ORIGIN) {
        None => false,
        Some(origin) => origin != public_url.to_string() && !is_of_host(origin, headers),
    };
    foreign_site || foreign_origin
}

/// Whether an origin is of the host that the request was sent to.
fn is_of_host(origin: &str, headers: &HeaderMap) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == text(headers, HOST)
}

/// Whether a request was made by our own page, under a name that is our own: the condition for
/// local sign-in. Another site can't send our `Origin`; one whose name was rebound to this machine
/// can't send our `Host`.
pub(crate) fn is_own_page(headers: &HeaderMap, config: &Config) -> bool {
    // Of two, a proxy may go by the one and this by the other.
    if headers.get_all(HOST).iter().count() > 1 || headers.get_all(ORIGIN).iter().count() > 1 {
        return false;
    }
    let Some(host) = text(headers, HOST) else { return false };
    let port = config.listen.port();
    let loopback = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
    let own_host = host == config.public_url.authority()
        || loopback.iter().any(|own| own == host)
        || host == config.listen.to_string();
    let own_origin = text(headers, ORIGIN).is_some_and(|origin| {
        origin == format!("http://{host}") || origin == format!("https://{host}")
    });
    own_host && own_origin && !is_foreign(headers, &config.public_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn requests_of_other_sites_are_foreign() {
        let ours: PublicUrl = "https://keys.example".parse().unwrap();
        let foreign = |pairs: &[(&'static str, &str)]| is_foreign(&headers(pairs), &ours);
        assert!(!foreign(&[]));
        assert!(!foreign(&[("origin", "https://keys.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[("origin", "http://localhost:3000"), ("host", "localhost:3000")]));
        assert!(foreign(&[("origin", "https://evil.example"), ("host", "keys.example")]));
        assert!(foreign(&[("origin", "null"), ("host", "keys.example")]));
        assert!(foreign(&[("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[("sec-fetch-site", "same-site")]));
    }
}
