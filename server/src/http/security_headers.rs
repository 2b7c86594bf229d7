//! The headers that keep browsers from being used against the people who trust this server.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::json::JSON;

/// These, the request's id and what kind of content it is.
const HEADERS: usize = 8;
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// All headers of an answer in JSON, the request’s id aside: made once and copied, not set again
/// for each answer.
pub(crate) fn of_json(over_https: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    set(&mut headers, over_https);
    headers
}

/// Sets the headers on every response. Pages set a content policy of their own, with a nonce; other
/// responses need none. Responses are not cached unless they say so, as the site's files do.
pub(crate) fn set(headers: &mut HeaderMap, over_https: bool) {
    // Parsed once instead of on every response.
    headers.reserve(HEADERS.saturating_sub(headers.len()));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    if over_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
