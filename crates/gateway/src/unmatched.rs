//! Paths and methods under the gateway's prefixes that nothing answers, in the shape that the
//! callers read: a client of OpenAI's or Anthropic's shows a problem document as nothing at all.

use std::net::IpAddr;

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_domain::key::KeyKind;
use latchkey_domain::secret::PresentedKey;
use latchkey_services::check;
use serde_json::{Value, json};

use super::credentials::bearer;
use super::state::Gateway;

/// What is called below these is meant for a gateway.
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
const SERVED: &str = "POST /v1/chat/completions, POST /v1/completions, POST /v1/embeddings, GET /v1/models and \
                      GET /v1/models/{id}";
/// Bytes of a path that a message repeats at most.
const MAX_PATH_BYTES: usize = 200;

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What to remember of a request that may turn out to be for nothing that is served.
pub struct UnmatchedRequest {
    path: String,
    /// Its client reads Anthropic's shape.
    is_anthropic: bool,
    /// It asks for the Responses API over a WebSocket.
    is_websocket: bool,
    /// What came as a bearer token and has the form of our keys.
    key: Option<String>,
}

impl UnmatchedRequest {
    /// Of a request that may be for the gateway; none: it is surely not.
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let path = request.uri().path();
        if !path.starts_with("/v1/") {
            return None;
        }
        let key = bearer(request.headers()).filter(|text| PresentedKey::parse(text).is_ok());
        Some(Self {
            path: path[..path.floor_char_boundary(MAX_PATH_BYTES)].to_owned(),
            is_anthropic: request.headers().contains_key(ANTHROPIC_VERSION),
            is_websocket: asks_for_websocket(request),
            key: key.map(str::to_owned),
        })
    }

    /// The answer in the client's shape, if nothing answered the request and it was a gateway's
    /// client that asked. `is_refusal`: a route of the server's has answered with one of its own.
    pub async fn answer(
        self,
        state: &Gateway,
        ip: Option<IpAddr>,
        method: &Method,
        answered: Response,
        is_refusal: bool,
    ) -> Response {
        if self.is_websocket {
            return upgrade_required(&self);
        }
        let is_bare = !answered.headers().contains_key(CONTENT_TYPE) && !is_refusal;
        let what = match answered.status() {
            StatusCode::NOT_FOUND if is_bare => format!("{method} {} does not exist.", self.path),
            StatusCode::METHOD_NOT_ALLOWED if is_bare => {
                format!("{} does not support {method}.", self.path)
            }
            _ => return answered,
        };
        if !is_below_prefix(&self.path) && !self.is_of_inference_key(state, ip).await {
            return answered;
        }
        let status = answered.status();
        let message = format!("{what} This gateway serves {SERVED}.");
        let body = self.body(status, &message);
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        if let Some(allow) = answered.headers().get(ALLOW) {
            response.headers_mut().insert(ALLOW, allow.clone());
        }
        response
    }

    fn body(&self, status: StatusCode, message: &str) -> Value {
        if self.is_anthropic {
            let kind = match status {
                StatusCode::NOT_FOUND => "not_found_error",
                _ => "invalid_request_error",
            };
            return json!({"type": "error", "error": {"type": kind, "message": message}});
        }
        let code = match status {
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::UPGRADE_REQUIRED => "upgrade_required",
            _ => "method_not_allowed",
        };
        json!({"error": {
            "message": message, "type": "invalid_request_error", "param": null, "code": code,
        }})
    }

    /// Whether an inference key came with the call.
    async fn is_of_inference_key(&self, state: &Gateway, ip: Option<IpAddr>) -> bool {
        let Some(key) = &self.key else { return false };
        let found = check::identify(&state.services, Some(key), ip).await;
        found.is_ok_and(|found| found.key().kind == KeyKind::Inference)
    }
}

fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    let wanted = request.headers().get(UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
    request.method() == Method::GET
        && request.uri().path() == "/v1/responses"
        && wanted.eq_ignore_ascii_case(b"websocket")
}

/// 426, at which clients that prefer a WebSocket send the same over HTTP. RFC 9110 wants the
/// protocol to be named.
fn upgrade_required(asked: &UnmatchedRequest) -> Response {
    let message = "WebSockets are not supported. Send the request over HTTP.";
    let body = asked.body(StatusCode::UPGRADE_REQUIRED, message);
    let protocol = [(UPGRADE, HeaderValue::from_static("HTTP/1.1"))];
    (StatusCode::UPGRADE_REQUIRED, protocol, Json(body)).into_response()
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
    fn prefixes_end_where_a_segment_does() {
        for path in ["/v1/chat", "/v1/chat/", "/v1/responses", "/v1/messages/count_tokens"] {
            assert!(is_below_prefix(path), "{path}");
        }
        for path in ["/v1/chats", "/v1/keys", "/v1", "/v1/model"] {
            assert!(!is_below_prefix(path), "{path}");
        }
    }
}
