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

/// Sets them on every response. Pages set their own content policy, with a nonce; what is no page
/// needs none of it. Answers are not stored by anybody unless they say so themselves, as the site's
/// files do.
pub(crate) fn set(headers: &mut HeaderMap, over_https: bool) {
    // Once, rather than again and again.
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
