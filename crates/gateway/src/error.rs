//! Errors in OpenAI's format: `{"error": {"message", "type", "param", "code"}}`, with the `limit`
//! that refused the call, if one did.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use latchkey_checker::Error;
use latchkey_domain::api::RefusingLimit;
use latchkey_domain::mask;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::problem::{ErrorCode, Problem};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::api_format::{ApiFormat, anthropic_error_type};
use super::upstream_error::UpstreamError;

/// Error type that tells clients that retrying is useless.
const INSUFFICIENT_QUOTA: &str = "insufficient_quota";
/// The longest `Retry-After` that a client is sent.
pub(super) const MAX_RETRY_AFTER_SECONDS: u64 = 60;
/// Header by which OpenAI's clients decide whether to retry.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Credentials that Anthropic's clients may send.
const ANTHROPIC_CHALLENGE: HeaderValue =
    HeaderValue::from_static("ApiKey realm=\"latchkey\", Bearer realm=\"latchkey\"");
pub(super) const LATCHKEY_CODE: HeaderName = HeaderName::from_static("x-latchkey-code");

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GatewayError {
    status: StatusCode,
    body: Box<ErrorBody>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// An error in the format of OpenAI’s API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct ErrorDetail {
    /// What happened and what to do, for humans.
    message: String,
    /// `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error`,
    /// `insufficient_quota` or `server_error`.
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    /// Name of the invalid field.
    param: Option<String>,
    /// Machine-readable error code. Null if the upstream did not return one.
    code: Option<Cow<'static, str>>,
    /// The limit that refused the call, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<RefusingLimit>,
}

impl GatewayError {
    pub(super) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (kind, code) = (kind_of(status).into(), Some(code.into()));
        let error = ErrorDetail { message: message.into(), kind, param: None, code, limit: None };
        Self { status, body: Box::new(ErrorBody { error }), headers: Vec::new() }
    }

    /// 400: a field of the body is invalid.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let mut refused = Self::new(StatusCode::BAD_REQUEST, "invalid", message);
        refused.body.error.param = Some(param.to_owned());
        refused
    }

    /// 404: no upstream serves the model.
    pub(super) fn no_such_model(model: &str) -> Self {
        let shown: String = model.chars().filter(|c| !c.is_control()).take(100).collect();
        let message = format!("The model “{shown}” does not exist, or this key may not use it.");
        let mut refused = Self::new(StatusCode::NOT_FOUND, "model_not_found", message);
        refused.body.error.param = Some("model".to_owned());
        refused
    }

    /// 405: no upstream of the model is configured to serve the endpoint. `Allow` is empty, as no
    /// other method is served either.
    pub(super) fn endpoint_not_supported(model: &str) -> Self {
        let shown: String = model.chars().filter(|c| !c.is_control()).take(100).collect();
        let message = format!("The upstream of the model “{shown}” does not serve this endpoint.");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut refused = Self::new(status, "endpoint_not_supported", message);
        refused.body.error.param = Some("model".to_owned());
        refused.headers.push((ALLOW, HeaderValue::from_static("")));
        refused
    }

    /// 404: what the request names does not exist for this project.
    pub(super) fn unknown(
        param: Option<&str>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let mut refused = Self::new(StatusCode::NOT_FOUND, code, message);
        refused.body.error.param = param.map(str::to_owned);
        refused
    }

    /// The upstream's error, in its own words.
    pub(super) fn of_upstream(status: StatusCode, error: UpstreamError) -> Self {
        let UpstreamError { message, kind, param, code } = error;
        let kind = kind.map_or_else(|| kind_of(status).into(), Cow::from);
        let code = code.map(Cow::from);
        let error = ErrorDetail { message, kind, param, code, limit: None };
        Self { status, body: Box::new(ErrorBody { error }), headers: Vec::new() }
    }

    /// 504: the upstream timed out.
    pub(super) fn upstream_timeout() -> Self {
        let message = "The upstream took too long to respond. Try again.";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
    }

    /// 502: the upstream cannot be reached.
    pub(super) fn upstream_unreachable() -> Self {
        let message = "The upstream that serves this model can’t be reached. Try again shortly.";
        Self::new(StatusCode::BAD_GATEWAY, "upstream_unreachable", message)
    }

    /// 502: the upstream failed.
    pub(super) fn upstream_error() -> Self {
        let message = "The upstream that serves this model failed. Try again shortly.";
        Self::new(StatusCode::BAD_GATEWAY, "upstream_error", message)
    }

    /// 502: the upstream rejects this server's credentials. The client cannot do anything about it.
    pub(super) fn upstream_unauthorized() -> Self {
        let message = "The upstream that serves this model rejected this server’s credentials. \
                       Contact the operator of this server.";
        let mut refused = Self::new(StatusCode::BAD_GATEWAY, "upstream_unauthorized", message);
        refused.headers.push((SHOULD_RETRY, HeaderValue::from_static("false")));
        refused
    }

    /// 503 or 529, as the upstream sent it: it is overloaded.
    pub(super) fn upstream_overloaded(status: StatusCode) -> Self {
        let message = "The upstream that serves this model is overloaded. Try again shortly.";
        Self::new(status, "upstream_error", message)
    }

    /// 502: the upstream sent an error with a success status.
    pub(super) fn upstream_answered(error: UpstreamError) -> Self {
        let code = error.code.clone().or_else(|| Some("upstream_error".to_owned()));
        Self::of_upstream(StatusCode::BAD_GATEWAY, UpstreamError { code, ..error })
    }

    /// 429: the upstream limits the rate of this server's calls.
    pub(super) fn upstream_busy() -> Self {
        let message = "The upstream that serves this model is rate limiting requests. Try again \
                       later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "upstream_rate_limited", message)
    }

    /// 429: the account at the upstream has no quota left. Retrying is useless.
    pub(super) fn upstream_quota(error: UpstreamError) -> Self {
        let error = UpstreamError { code: Some(INSUFFICIENT_QUOTA.to_owned()), ..error };
        let mut refused = Self::of_upstream(StatusCode::TOO_MANY_REQUESTS, error);
        refused.body.error.kind = INSUFFICIENT_QUOTA.into();
        refused.headers.push((SHOULD_RETRY, HeaderValue::from_static("false")));
        refused
    }

    /// 503: what a background response may cost could not be written down.
    pub(super) fn background_unavailable() -> Self {
        let message =
            "Background responses can’t be accounted for at the moment. Try again shortly.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).with_retry_after(Some(1))
    }

    /// Adds `Retry-After`, in whole seconds.
    pub(super) fn with_retry_after(mut self, seconds: Option<u64>) -> Self {
        self.headers.extend(seconds.map(|seconds| (RETRY_AFTER, seconds.into())));
        self
    }

    /// Name of the invalid field.
    #[cfg(test)]
    pub(super) fn param(&self) -> Option<&str> {
        self.body.error.param.as_deref()
    }

    /// The message for people.
    pub(super) fn message(&self) -> &str {
        &self.body.error.message
    }

    /// The error itself, for an event of a stream that has started: `message`, `type`, `param` and
    /// `code`.
    pub(super) fn detail(&self) -> Value {
        let error = serde_json::to_string(&self.body.error).unwrap_or_default();
        // In other responses secrets are masked when the response leaves the server.
        serde_json::from_str(&mask::secrets(&error)).unwrap_or_default()
    }

    /// The error as an event of a stream that has started.
    pub(super) fn event(&self, format: ApiFormat) -> String {
        let (name, body) = match format {
            ApiFormat::OpenAi => ("", serde_json::to_string(&self.body)),
            ApiFormat::Anthropic => {
                let mut body = self.anthropic_body();
                // Clients of streams know what to do after this type.
                body.error.kind = "api_error";
                ("event: error\n", serde_json::to_string(&body))
            }
        };
        // In other responses secrets are masked when the response leaves the server.
        format!("{name}data: {}\n\n", mask::secrets(&body.unwrap_or_default()))
    }
}

impl GatewayError {
    /// The body in Anthropic's format. `code` and `limit` are ours: its clients ignore them.
    fn anthropic_body(&self) -> AnthropicErrorBody {
        let ErrorDetail { message, code, limit, .. } = self.body.error.clone();
        let kind = anthropic_error_type(self.status);
        let error = AnthropicErrorDetail { kind, message, code, limit };
        AnthropicErrorBody { kind: "error", error }
    }
}

/// An error in the format of Anthropic’s API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnthropicErrorBody {
    /// The string `error`, always.
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicErrorDetail,
}

#[derive(Debug, Serialize, ToSchema)]
struct AnthropicErrorDetail {
    /// `invalid_request_error`, `authentication_error`, `billing_error`, `permission_error`,
    /// `not_found_error`, `request_too_large`, `rate_limit_error`, `api_error`,
    /// `overloaded_error` or `timeout_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What happened and what to do, for humans.
    message: String,
    /// Machine-readable error code. Absent if the upstream did not return one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<Cow<'static, str>>,
    /// The limit that refused the call, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<RefusingLimit>,
}

const fn kind_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

/// Whether retrying is useless after this status.
const fn is_lasting(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400..500) && !matches!(status.as_u16(), 408 | 409 | 425 | 429)
}

/// 503 `unavailable` in the format that the client reads.
pub fn unavailable(format: ApiFormat, message: &'static str) -> Response {
    let mut refused = GatewayError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
    refused.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
    refused.into_response_in(format)
}

impl From<Error> for GatewayError {
    fn from(error: Error) -> Self {
        let problem = Problem::from(&error);
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Error codes are strings in JSON too.
        let code = serde_json::to_value(problem.code).unwrap_or_default();
        let code = code.as_str().unwrap_or_default().to_owned();
        let mut refused = Self::new(status, code, problem.detail);
        refused.body.error.limit = limit_of(&error);
        if status == StatusCode::TOO_MANY_REQUESTS
            && error.retry_after().is_none_or(|seconds| seconds > MAX_RETRY_AFTER_SECONDS)
        {
            // Some clients sleep through any wait, and others retry regardless of it.
            refused.status = StatusCode::PAYMENT_REQUIRED;
            refused.body.error.kind = INSUFFICIENT_QUOTA.into();
            return refused;
        }
        if let ErrorCode::Outcome(Outcome::ModelNotAllowed | Outcome::ModelNotPriced) = problem.code
        {
            refused.body.error.param = Some("model".to_owned());
        }
        let wait = error.retry_after().or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(1));
        refused.headers.extend(wait.map(|seconds| (RETRY_AFTER, seconds.into())));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"latchkey\"");
            refused.headers.push((WWW_AUTHENTICATE, challenge));
        }
        refused
    }
}

fn limit_of(error: &Error) -> Option<RefusingLimit> {
    match error {
        Error::Denied(denial) => denial.limit.as_deref().copied(),
        Error::TooManyFailures(_) => None,
    }
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        self.into_response_in(ApiFormat::OpenAi)
    }
}

impl GatewayError {
    /// The response, with the body in the format that the client reads.
    pub(super) fn into_response_in(self, format: ApiFormat) -> Response {
        // An upstream may have refused without a code.
        let code = self.body.error.code.as_deref().filter(|code| !code.is_empty());
        let code = code.and_then(|code| HeaderValue::try_from(code).ok());
        let code = code.unwrap_or(HeaderValue::from_static("upstream_error"));
        let mut response = match format {
            ApiFormat::OpenAi => (self.status, Json(self.body)).into_response(),
            ApiFormat::Anthropic => (self.status, Json(self.anthropic_body())).into_response(),
        };
        let headers = response.headers_mut();
        if is_lasting(self.status) {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        headers.insert(LATCHKEY_CODE, code);
        headers.extend(self.headers);
        if format == ApiFormat::Anthropic && headers.contains_key(WWW_AUTHENTICATE) {
            headers.insert(WWW_AUTHENTICATE, ANTHROPIC_CHALLENGE);
        }
        response
    }
}
