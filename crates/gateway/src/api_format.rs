//! The formats in which clients read errors.

use axum::http::{HeaderMap, HeaderName, StatusCode};

/// Header of every request of Anthropic's clients.
pub(super) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const MESSAGES: &str = "/v1/messages";

/// A family of APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiFormat {
    /// `{"error": {"message", "type", "param", "code"}}`
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}}`
    Anthropic,
}

impl ApiFormat {
    /// The format that the client of a request reads: Anthropic's on its paths, and elsewhere if
    /// one of its clients asks.
    pub fn of_request(path: &str, headers: &HeaderMap) -> Self {
        let is_messages = path
            .strip_prefix(MESSAGES)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_messages || headers.contains_key(ANTHROPIC_VERSION) {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

/// Error types of [Anthropic's API](https://docs.claude.com/en/api/errors). Its clients decide by
/// them.
pub(super) const fn anthropic_error_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn format_depends_on_the_path_and_the_client() {
        let mut headers = HeaderMap::new();
        for path in ["/v1/messages", "/v1/messages/", "/v1/messages/count_tokens"] {
            assert_eq!(ApiFormat::of_request(path, &headers), ApiFormat::Anthropic, "{path}");
        }
        for path in ["/v1/models", "/v1/messagesx", "/v1/chat/completions"] {
            assert_eq!(ApiFormat::of_request(path, &headers), ApiFormat::OpenAi, "{path}");
        }
        headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
        assert_eq!(ApiFormat::of_request("/v1/models", &headers), ApiFormat::Anthropic);
    }
}
