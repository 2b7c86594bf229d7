//! `/v1/check/{id}`: forward authentication.
//!
//! Proxies send what their client sent, with any method and any path behind the id, and some
//! announce a body that they keep. So `service` calls [`answer`] for all of that, before the router
//! and its layers, and never reads a body. The two handlers stand for it in the API's description.

use std::fmt::Write;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use latchkey_checker::Denial;
use latchkey_domain::attribute::ExternalId;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::scope::Scopes;
use latchkey_services::forward_auth::{
    self, AllowedRequest, AskedScopes, ForwardedRequest, ProtectedResource,
};
use utoipa::openapi::header::Header;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{IntoParams, IntoResponses};

use crate::http::auth::{api_key, bearer};
use crate::http::client::ClientIp;
use crate::http::extract::no_such_id;
use crate::http::problem::Refusal;
use crate::http::request_id::RequestId;
use crate::http::responses::{ResponseMap, refusals};
use crate::http::{limits, security_headers};
use crate::state::AppState;

const PREFIX: &str = "/v1/check/";

/// Both what is asked for and what the key has.
const SCOPES: HeaderName = HeaderName::from_static("x-latchkey-scopes");
const CODE: HeaderName = HeaderName::from_static("x-latchkey-code");
const KEY_ID: HeaderName = HeaderName::from_static("x-latchkey-key-id");
const KEY_NAME: HeaderName = HeaderName::from_static("x-latchkey-key-name");
const PROJECT_ID: HeaderName = HeaderName::from_static("x-latchkey-project-id");
const APPLICATION_ID: HeaderName = HeaderName::from_static("x-latchkey-application-id");
const ENVIRONMENT: HeaderName = HeaderName::from_static("x-latchkey-environment");
const EXTERNAL_ID: HeaderName = HeaderName::from_static("x-latchkey-external-id");

/// What tells the protected server who calls, with descriptions.
const IDENTITY: [(HeaderName, &str); 7] = [
    (KEY_ID, "ID of the key"),
    (KEY_NAME, "Name of the key, percent-encoded"),
    (PROJECT_ID, "ID of the key’s project"),
    (APPLICATION_ID, "ID of the application that was asked about, else of the key’s, or `none`"),
    (ENVIRONMENT, "`live` or `test`"),
    (EXTERNAL_ID, "Your own ID of whoever uses the key, or `none`"),
    (SCOPES, "Scopes of the key, separated by spaces, or `none`"),
];

/// These, the limits of requests and tokens, the security headers, and a few more.
const HEADERS: usize = 24;
/// Bytes that the identity usually fits into.
const IDENTITY_BYTES: usize = 256;

/// What a request to `/v1/check/{id}` comes to, whatever its method, its query and the rest of its
/// path: allowed, or the response that refuses it.
pub(crate) async fn answer(
    state: &AppState,
    ip: ClientIp,
    parts: &Parts,
) -> Result<AllowedRequest, Response> {
    let Some(resource) = resource(parts.uri.path()) else { return Err(no_resource()) };
    let request = ForwardedRequest {
        resource,
        secret: secret(&parts.headers),
        scopes: scopes(&parts.headers),
        ip: ip.0,
    };
    forward_auth::check(&state.services, request).await.map_err(refused)
}

fn resource(path: &str) -> Option<ProtectedResource> {
    path.strip_prefix(PREFIX)?.split('/').next()?.parse().ok()
}

/// A bearer token beside an API key belongs to the protected server.
fn secret(headers: &HeaderMap) -> Option<&str> {
    api_key(headers).or_else(|| bearer(headers))
}

fn scopes(headers: &HeaderMap) -> AskedScopes<'_> {
    AskedScopes::of_lines(headers.get_all(SCOPES).iter().map(HeaderValue::as_bytes))
}

fn refused(error: latchkey_checker::Error) -> Response {
    let mut headers = HeaderMap::new();
    let code = match &error {
        latchkey_checker::Error::Denied(denial) => {
            limits::write(&mut headers, denial.limits);
            denial.outcome.as_str()
        }
        latchkey_checker::Error::TooManyFailures(_) => "too_many_failures",
    };
    headers.insert(CODE, HeaderValue::from_static(code));
    (headers, Refusal::from(error)).into_response()
}

/// The response if a check takes too long.
pub(crate) fn unavailable() -> Response {
    refused(Box::new(Denial::of(Outcome::Unavailable)).into())
}

/// The id is no id, so the proxy is configured wrong.
fn no_resource() -> Response {
    ([(CODE, HeaderValue::from_static("not_found"))], no_such_id()).into_response()
}

/// The headers of an answer that allows a request, as far as all have the same. The others are
/// there with `none`: some proxies pass a header of the client on if the answer has none of its
/// name.
pub(crate) fn headers_of_allowed(over_https: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    for (name, _) in IDENTITY {
        headers.insert(name, HeaderValue::from_static("none"));
    }
    headers.insert(CODE, HeaderValue::from_static(Outcome::Valid.as_str()));
    // An answer to HEAD would have none.
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    security_headers::set(&mut headers, over_https);
    RequestId::reserve(&mut headers);
    headers
}

/// Writes who is allowed over a copy of [`headers_of_allowed`]. The values share one allocation.
pub(crate) fn write_allowed(headers: &mut HeaderMap, allowed: &AllowedRequest) {
    let AllowedRequest { key, application, limits } = allowed;
    let extended = key.extended();
    let mut text = String::with_capacity(IDENTITY_BYTES);
    let _ = write!(text, "{}", key.id);
    let id = text.len();
    percent_encode(&key.name, &mut text);
    let name = text.len();
    let _ = write!(text, "{}", key.project);
    let project = text.len();
    if let Some(application) = application {
        let _ = write!(text, "{application}");
    }
    let application = text.len();
    text.push_str(extended.external_id.as_ref().map_or("", ExternalId::as_str));
    let external_id = text.len();
    for (index, scope) in extended.scopes.iter().flat_map(Scopes::as_slice).enumerate() {
        text.push_str(if index == 0 { "" } else { " " });
        text.push_str(scope.as_str());
    }
    let scopes = text.len();
    let (text, mut start) = (Bytes::from(text), 0);
    for (name, end) in [
        (KEY_ID, id),
        (KEY_NAME, name),
        (PROJECT_ID, project),
        (APPLICATION_ID, application),
        (EXTERNAL_ID, external_id),
        (SCOPES, scopes),
    ] {
        if start < end
            && let Ok(value) = HeaderValue::from_maybe_shared(text.slice(start..end))
        {
            headers.insert(name, value);
        }
        start = end;
    }
    headers.insert(ENVIRONMENT, HeaderValue::from_static(key.environment.as_str()));
    limits::write(headers, *limits);
}

/// Escapes all but the unreserved characters of RFC 3986.
fn percent_encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// What a proxy says beside the key.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes; the fast path reads")]
pub(crate) struct CheckHeaders {
    /// Scopes that the key must have, separated by spaces: all of them, of all such headers. The
    /// proxy sets it.
    #[param(rename = "x-latchkey-scopes", max_length = 16_384, pattern = "^[A-Za-z0-9_.:/ -]*$")]
    scopes: Option<String>,
}

/// The request is allowed.
pub(crate) enum Allowed {}

impl IntoResponses for Allowed {
    fn responses() -> ResponseMap {
        let mut response = utoipa::openapi::Response::new("The request is allowed. No body");
        let code = [(CODE, "`valid`")];
        for (name, description) in code.into_iter().chain(IDENTITY) {
            let mut header = Header::default();
            header.schema = Some(ObjectBuilder::new().schema_type(Type::String).into());
            header.description = Some(description.to_owned());
            response.headers.insert(name.to_string(), RefOr::T(header));
        }
        [("200".to_owned(), response.into())].into()
    }
}

refusals! {
    /// The proxy must not let the request through.
    NotAllowed {
        401: "`missing_key`, `malformed_key`, `unknown_key` (also for a key of another project), `revoked_key`, `expired_key`, `disabled_key`",
        403: "`wrong_scope` (the key is for another application), `ip_not_allowed`, `insufficient_scope`",
        404: "`not_found`: the ID is malformed. A well-formed ID that does not exist is `unknown_key`",
        429: "`rate_limited`, `token_rate_limited`, `request_budget_exhausted`, `token_budget_exhausted`, `spend_limit_reached` or `quota_exceeded`, or `too_many_failures` with an imported key whose hash is slow to check; `limit` tells which limit it was. See `Retry-After`",
        503: "`unavailable`: the key cannot be checked. See `Retry-After`",
    }
}

/// Check the key of a forwarded request
///
/// For proxies: nginx `auth_request`, Caddy `forward_auth`, Traefik `forwardAuth`, `HAProxy`, Envoy
/// `ext_authz`. Every method is the same check, and `/v1/check/{id}/` may be followed by any path.
/// The query, the body and the remaining headers have no effect, and the body is never read. The
/// key is `x-api-key`, else `Authorization: Bearer`. Counts as one request of the key, as
/// `POST /v1/keys/verify` does. A refusal has its code in `x-latchkey-code` too. Failed keys are
/// never held up with `too_many_failures`.
#[utoipa::path(
    get,
    path = "/v1/check/{id}",
    operation_id = "check_forwarded_request",
    tag = "Keys",
    params(
        (
            "id" = String, Path,
            description = "ID of the project or the application that the proxy protects",
            pattern = "^(prj|app)_[0-7][0-9a-hjkmnp-tv-z]{25}$"
        ),
        CheckHeaders,
    ),
    responses(Allowed, NotAllowed),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn get(State(state): State<AppState>, ip: ClientIp, request: Request) -> Response {
    routed(&state, ip, request).await
}

/// Check the key of a forwarded request by POST
///
/// The same as with GET, as with every other method. The body is never read.
#[utoipa::path(
    post,
    path = "/v1/check/{id}",
    operation_id = "check_forwarded_request_by_post",
    tag = "Keys",
    params(
        (
            "id" = String, Path,
            description = "ID of the project or the application that the proxy protects",
            pattern = "^(prj|app)_[0-7][0-9a-hjkmnp-tv-z]{25}$"
        ),
        CheckHeaders,
    ),
    responses(Allowed, NotAllowed),
    security(("key" = []), ("bearer_key" = [])),
)]
pub(crate) async fn post(
    State(state): State<AppState>,
    ip: ClientIp,
    request: Request,
) -> Response {
    routed(&state, ip, request).await
}

async fn routed(state: &AppState, ip: ClientIp, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match answer(state, ip, &parts).await {
        Ok(allowed) => {
            let mut headers = headers_of_allowed(state.config.public_url.is_https());
            write_allowed(&mut headers, &allowed);
            headers.into_response()
        }
        Err(refused) => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_first_segment_of_path_is_read() {
        let id = "prj_01h455vb4pex5vsknk084sn02q";
        for rest in ["", "/", "//", "/v1/chat", "/a%2Fb", "/../x"] {
            assert!(resource(&format!("/v1/check/{id}{rest}")).is_some(), "{rest}");
        }
        for path in ["/v1/check/", "/v1/check//", "/v1/check/x", &format!("/v1/check//{id}")] {
            assert_eq!(resource(path), None, "{path}");
        }
        assert_eq!(resource(&format!("/v1/check/{id}x")), None);
    }

    #[test]
    fn api_key_outranks_bearer_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(secret(&headers), None);
        headers.insert("authorization", HeaderValue::from_static("bearer  b"));
        assert_eq!(secret(&headers), Some("b"));
        headers.insert("x-api-key", HeaderValue::from_static("a"));
        assert_eq!(secret(&headers), Some("a"));
        headers.insert("x-api-key", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(secret(&headers), Some(""));
    }

    #[test]
    fn names_are_percent_encoded() {
        for (name, expected) in [
            ("Web checkout", "Web%20checkout"),
            ("a-b_c.d~9", "a-b_c.d~9"),
            ("50% für 注", "50%25%20f%C3%BCr%20%E6%B3%A8"),
            ("\r\n", "%0D%0A"),
        ] {
            let mut encoded = String::new();
            percent_encode(name, &mut encoded);
            assert_eq!(encoded, expected);
        }
    }
}
