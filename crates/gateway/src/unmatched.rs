//! Responses for unknown paths and methods below the gateway's prefixes, in the format that its
//! clients parse. Clients of OpenAI and Anthropic show nothing of a problem document.

use std::net::IpAddr;

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_domain::key::KeyKind;
use latchkey_domain::secret::PresentedKey;
use serde_json::{Value, json};

use super::api_format::{ApiFormat, anthropic_error_type};
use super::credentials::presented_key;
use super::error::{LATCHKEY_CODE, SHOULD_RETRY};
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
/// Maximum length of a path in a message, in bytes.
const MAX_PATH_BYTES: usize = 200;

/// What is kept of a request until it is known whether a route matches.
pub struct UnmatchedRequest {
    path: String,
    /// The format in which the client reads errors.
    format: ApiFormat,
    /// It tries to open the Responses API over a WebSocket.
    is_websocket: bool,
    /// The credential, if it has the format of our keys.
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
        let key = presented_key(request.headers(), format).unwrap_or_default();
        let key = key.filter(|text| PresentedKey::parse(text).is_ok());
        Some(Self {
            path: path[..path.floor_char_boundary(MAX_PATH_BYTES)].to_owned(),
            format,
            is_websocket: asks_for_websocket(request),
            key: key.map(str::to_owned),
        })
    }

    /// Replaces the server's response if no route matched and an LLM client sent the request.
    /// `is_refusal` says that a route has refused the request.
    pub async fn answer(
        self,
        state: &Gateway,
        ip: Option<IpAddr>,
        method: &Method,
        original: Response,
        is_refusal: bool,
    ) -> Response {
        if self.is_websocket {
            return upgrade_required(&self);
        }
        let is_bare = !original.headers().contains_key(CONTENT_TYPE) && !is_refusal;
        let what = match original.status() {
            StatusCode::NOT_FOUND if is_bare => format!("{method} {} does not exist.", self.path),
            StatusCode::METHOD_NOT_ALLOWED if is_bare => {
                format!("{} does not support {method}.", self.path)
            }
            _ => return original,
        };
        if !is_below_prefix(&self.path) && !self.is_of_inference_key(state, ip).await {
            return original;
        }
        let status = original.status();
        let message = format!("{what} This gateway serves {SERVED}.");
        let mut response = self.refusal(status, &message);
        response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        if let Some(allow) = original.headers().get(ALLOW) {
            response.headers_mut().insert(ALLOW, allow.clone());
        }
        response
    }

    fn refusal(&self, status: StatusCode, message: &str) -> Response {
        let code = match status {
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::UPGRADE_REQUIRED => "upgrade_required",
            _ => "method_not_allowed",
        };
        let body = self.body(status, code, message);
        let code = [(LATCHKEY_CODE, HeaderValue::from_static(code))];
        (status, code, Json(body)).into_response()
    }

    fn body(&self, status: StatusCode, code: &str, message: &str) -> Value {
        match self.format {
            ApiFormat::Anthropic => {
                let kind = anthropic_error_type(status);
                let error = json!({"type": kind, "message": message, "code": code});
                json!({"type": "error", "error": error})
            }
            ApiFormat::OpenAi => json!({"error": {
                "message": message, "type": "invalid_request_error", "param": null, "code": code,
            }}),
        }
    }

    /// Whether the request carries a valid inference key.
    async fn is_of_inference_key(&self, state: &Gateway, ip: Option<IpAddr>) -> bool {
        let Some(key) = &self.key else { return false };
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

/// 426, after which clients that prefer a WebSocket send the same request over HTTP. RFC 9110
/// requires an `Upgrade` header.
fn upgrade_required(request: &UnmatchedRequest) -> Response {
    let message = "WebSockets are not supported. Send the request over HTTP.";
    let mut response = request.refusal(StatusCode::UPGRADE_REQUIRED, message);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    response
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
    fn prefixes_end_at_a_segment() {
        for path in ["/v1/chat", "/v1/chat/", "/v1/responses", "/v1/messages/count_tokens"] {
            assert!(is_below_prefix(path), "{path}");
        }
        for path in ["/v1/chats", "/v1/keys", "/v1", "/v1/model"] {
            assert!(!is_below_prefix(path), "{path}");
        }
    }
}
