//! What Latchkey answers, and what is made of it for the client.

use axum_core::body::Body;
use axum_core::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

const CHALLENGE: &str = "ApiKey realm=\"latchkey\", Bearer realm=\"latchkey\"";

/// What Latchkey answers, but for who called.
#[derive(Deserialize)]
pub(crate) struct Answer {
    pub(crate) valid: bool,
    code: String,
    detail: Option<String>,
    retry_after_seconds: Option<u64>,
    ratelimit: Option<Rate>,
    tokens: Option<Rate>,
}

#[derive(Deserialize)]
struct Rate {
    limit: u64,
    remaining: u64,
    reset_seconds: f64,
}

/// The state of the key's limits as headers.
#[derive(Default)]
pub(crate) struct RateHeaders(Vec<(HeaderName, HeaderValue)>);

impl RateHeaders {
    pub(crate) fn of(answer: &Answer) -> Self {
        let mut headers = Vec::new();
        for (unit, rate) in [("requests", &answer.ratelimit), ("tokens", &answer.tokens)] {
            let Some(Rate { limit, remaining, reset_seconds }) = rate else { continue };
            let values = [
                ("limit", limit.to_string()),
                ("remaining", remaining.to_string()),
                ("reset", format!("{reset_seconds:.3}s")),
            ];
            for (what, value) in values {
                let name = HeaderName::try_from(format!("x-ratelimit-{what}-{unit}"));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                    headers.push((name, value));
                }
            }
        }
        Self(headers)
    }

    pub(crate) fn write(self, headers: &mut HeaderMap) {
        for (name, value) in self.0 {
            headers.insert(name, value);
        }
    }
}

/// Why a request is not admitted.
pub(crate) struct Refusal {
    code: String,
    detail: Option<String>,
    retry_after: Option<u64>,
    rates: RateHeaders,
}

impl Refusal {
    pub(crate) fn new(code: &str, detail: Option<String>) -> Self {
        let rates = RateHeaders::default();
        Self { code: code.to_owned(), detail, retry_after: None, rates }
    }

    /// What a caller is told when Latchkey can't be asked.
    pub(crate) fn unavailable() -> Self {
        Self::new("unavailable", None)
    }

    pub(crate) fn of(answer: Answer) -> Self {
        let rates = RateHeaders::of(&answer);
        let Answer { code, detail, retry_after_seconds: retry_after, .. } = answer;
        Self { code, detail, retry_after, rates }
    }

    pub(crate) fn response(self) -> Response {
        let (status, detail) = of_code(&self.code);
        let title = status.canonical_reason();
        let detail = self.detail.as_deref().unwrap_or(detail);
        let problem = json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "code": self.code,
            "detail": detail,
        });
        let mut response = Response::new(Body::from(problem.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        self.rates.write(headers);
        response
    }
}

/// The status of a refusal, and what is said if Latchkey said nothing.
fn of_code(code: &str) -> (StatusCode, &'static str) {
    match code {
        "missing_key" | "malformed_key" | "unknown_key" | "revoked_key" | "expired_key"
        | "disabled_key" => (StatusCode::UNAUTHORIZED, "This API key is not valid."),
        "rate_limited"
        | "token_rate_limited"
        | "too_many_parallel_requests"
        | "request_budget_exhausted"
        | "token_budget_exhausted"
        | "spend_limit_reached"
        | "quota_exceeded" => (StatusCode::TOO_MANY_REQUESTS, "This API key has reached a limit."),
        "unavailable" => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The API key can't be checked right now. Try again shortly.",
        ),
        // A later Latchkey may refuse for reasons that this version does not know.
        _ => (StatusCode::FORBIDDEN, "This API key may not make this request."),
    }
}
