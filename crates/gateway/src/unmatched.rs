//! Responses for unknown paths and methods below the gateway's prefixes, in the format that its
//! clients parse. Clients of OpenAI and Anthropic show nothing of a problem document.

use std::net::IpAddr;

use axum::http::header::{ALLOW, CONTENT_TYPE, UPGRADE, VARY};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use latchkey_domain::key::KeyKind;
use latchkey_domain::mask;
use latchkey_domain::secret::PresentedKey;

use super::api_format::ApiFormat;
use super::credentials::presented_key;
use super::error::{GatewayError, LATCHKEY_CODE};
use super::state::Gateway;

/// Path prefixes of LLM APIs.
const PREFIXES: [&str; 10] = [
    "/v1/chat",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/models",
    "/v1/responses",
    "/v1/messages",
    "/v1/rerank",
    "/v1/moderations",
    "/v1/images",
    "/v1/audio",
];
const SERVED: &str = "POST /v1/chat/completions, POST /v1/completions, POST /v1/embeddings, \
                      POST /v1/responses, POST /v1/messages, POST /v1/rerank, \
                      POST /v1/moderations, POST /v1/images/generations, POST /v1/audio/speech, \
                      POST /v1/audio/transcriptions, POST /v1/audio/translations, GET /v1/models \
                      and GET /v1/models/{id}";
const INTERNAL_ERROR: &str =
    "An internal error occurred. The server’s log has the cause under the request ID.";
/// Maximum length of a key, imported ones included, in bytes.
const MAX_KEY_BYTES: usize = 1_024;
/// Maximum length of a path in a message, in bytes.
const MAX_PATH_BYTES: usize = 200;

/// What is kept of a request until it is known whether a route matches.
pub struct UnmatchedRequest {
    path: String,
    /// The format in which the client reads errors.
    format: ApiFormat,
    /// It tries to open the Responses API over a WebSocket.
    is_websocket: bool,
    /// The credential, if it may be a key.
    key: Option<String>,
}

impl UnmatchedRequest {
    /// Records a request below `/v1/`. None for all other requests.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let path = request.uri().path();
        if !path.starts_with("/v1/") {
            return None;
        }
        let format = ApiFormat::of_request(path, request.headers());
        let key = presented_key(request.headers(), format, |_| false).unwrap_or_default();
        let key = key.filter(|text| text.len() <= MAX_KEY_BYTES);
        Some(Self {
            path: shown(path),
            format,
            is_websocket: asks_for_websocket(request),
            key: key.map(str::to_owned),
        })
    }

    /// Records a request to an endpoint of the gateway, whose client reads errors in `format`.
    pub fn of_endpoint(path: &str, format: ApiFormat) -> Self {
        Self { path: shown(path), format, is_websocket: false, key: None }
    }

    /// Replaces the server's response if it refuses an LLM client in another format: no route
    /// matched, or a path cannot be read. `is_refusal` says that a route has refused the request.
    pub async fn answer(
        self,
        state: &Gateway,
        ip: Option<IpAddr>,
        method: &Method,
        original: Response,
        is_refusal: bool,
    ) -> Response {
        if self.is_websocket {
            return self.upgrade_required();
        }
        let status = original.status();
        let is_error = status.is_client_error() || status.is_server_error();
        if !is_error || original.headers().contains_key(LATCHKEY_CODE) {
            return original;
        }
        let is_bare = !original.headers().contains_key(CONTENT_TYPE) && !is_refusal;
        let is_unmatched =
            is_bare && matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
        let is_of_gateway = is_below_prefix(&self.path)
            || is_unmatched && self.is_of_inference_key(state, ip).await;
        if !is_of_gateway {
            return original;
        }
        let (code, message) = match status {
            StatusCode::NOT_FOUND => {
                let what = format!("{method} {} does not exist.", self.path);
                ("not_found", format!("{what} This gateway serves {SERVED}."))
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                let what = format!("{} does not support {method}.", self.path);
                ("method_not_allowed", format!("{what} This gateway serves {SERVED}."))
            }
            status if status.is_server_error() => ("internal", INTERNAL_ERROR.to_owned()),
            _ => ("malformed", "The path or the query is malformed.".to_owned()),
        };
        let mut response = self.refusal(status, code, message);
        for (name, value) in original.headers().iter().filter(|(name, _)| is_kept(name)) {
            response.headers_mut().append(name, value.clone());
        }
        response
    }

    fn refusal(&self, status: StatusCode, code: &'static str, message: String) -> Response {
        GatewayError::new(status, code, message).into_response_in(self.format)
    }

    /// 426, after which clients that prefer a WebSocket send the same request over HTTP. RFC 9110
    /// requires an `Upgrade` header.
    fn upgrade_required(&self) -> Response {
        let message = "WebSockets are not supported. Send the request over HTTP.".to_owned();
        let mut response = self.refusal(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message);
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
        response
    }

    /// Whether the request carries a valid inference key.
    async fn is_of_inference_key(&self, state: &Gateway, ip: Option<IpAddr>) -> bool {
        let is_key = |text: &&String| {
            PresentedKey::parse(text).is_ok() || state.checker.has_foreign_shape(text)
        };
        let Some(key) = self.key.as_ref().filter(is_key) else { return false };
        let identity = state.checker.authenticate(Some(key), ip).await;
        identity.is_ok_and(|identity| identity.key().kind == KeyKind::Inference)
    }
}

fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    let wanted = request.headers().get(UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
    request.method() == Method::GET
        && request.uri().path() == "/v1/responses"
        && wanted.eq_ignore_ascii_case(b"websocket")
}

/// Whether a header of the replaced response still applies: the methods of the path, and what pages
/// of other origins may read.
fn is_kept(name: &HeaderName) -> bool {
    *name == ALLOW || *name == VARY || name.as_str().starts_with("access-control-")
}

/// The path as a message shows it. Masked before it is cut, as nothing recognizes half a secret.
fn shown(path: &str) -> String {
    if path.len() <= MAX_PATH_BYTES {
        return path.to_owned();
    }
    let masked = mask::secrets(path);
    masked[..masked.floor_char_boundary(MAX_PATH_BYTES)].to_owned()
}

fn is_below_prefix(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_path_is_masked_before_it_is_cut() {
        let key = "lk_live_000000000000000000000000000000004cjNQE";
        let path = format!("/v1/{}/{key}", "x".repeat(MAX_PATH_BYTES - 40));
        let shown = shown(&path);
        assert!(shown.len() <= MAX_PATH_BYTES && !shown.contains("lk_live_00000"), "{shown}");
    }

    #[test]
    fn prefixes_end_at_a_segment() {
        for path in ["/v1/chat", "/v1/chat/", "/v1/responses", "/v1/messages/count_tokens"] {
            assert!(is_below_prefix(path), "{path}");
        }
        for path in ["/v1/chats", "/v1/keys", "/v1", "/v1/model"] {
            assert!(!is_below_prefix(path), "{path}");
        }
    }
}
