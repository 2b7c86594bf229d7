//! Every refusal as `application/problem+json` (RFC 9457), with the request's id.
//!
//! Handlers answer with a [`Refusal`]; it rides in the response's extensions until [`render`]
//! writes it with the request id. Bare statuses from axum's own layers become problems there too,
//! so that no client ever meets an empty or a plain-text error.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::permission::ServicePermission;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::Error;

use super::challenge::{self, Credentials};
use super::request_id::RequestId;
use crate::otel;

#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) problem: Box<Problem>,
    /// The seconds after which the same request could go on, if waiting helps.
    retry_after: Option<u64>,
    /// The permission that a service key lacks, if that is why.
    lacking: Option<ServicePermission>,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), retry_after: None, lacking: None }
    }
}

impl From<Outcome> for Refusal {
    fn from(outcome: Outcome) -> Self {
        Problem::outcome(outcome).into()
    }
}

impl From<latchkey_checker::Error> for Refusal {
    fn from(error: latchkey_checker::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if error.is_fault() {
            tracing::error!(%error, "Request failed");
        }
        let lacking = match error {
            Error::InsufficientScope(lacking) => Some(lacking),
            _ => None,
        };
        Self { retry_after: error.retry_after(), lacking, ..Problem::from(&error).into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = status(self.problem.status).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the problem of a response: the refusal that it carries, or the one that its bare status
/// means. `auth` is what the route accepts.
pub(crate) fn render(id: RequestId, auth: Credentials, mut response: Response) -> Response {
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let refusal = response.extensions_mut().remove::<Refusal>().or_else(|| bare_status(&response));
    let Some(Refusal { mut problem, retry_after, lacking }) = refusal else { return response };
    if problem.code == ErrorCode::Outcome(Outcome::MissingKey) {
        auth.no_key().clone_into(&mut problem.detail);
    }
    otel::note_error(problem.code);
    problem.request_id = Some(id.to_string());
    let status = status(problem.status);
    // Serializing strings and numbers can't fail.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    *response.status_mut() = status;
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(auth.challenge()));
    }
    if let Some(lacking) = lacking {
        let challenge = challenge::insufficient_scope(lacking);
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The problem behind a status that a layer or the router answered by itself.
fn bare_status(response: &Response) -> Option<Refusal> {
    let typed = response.headers().get(CONTENT_TYPE);
    if typed.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain")) {
        return None;
    }
    let (code, detail) = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            (ErrorCode::MethodNotAllowed, "This path does not support this method.")
        }
        StatusCode::REQUEST_TIMEOUT => (ErrorCode::Timeout, "The request took too long."),
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::TooLarge, "The body is too large."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (ErrorCode::UnsupportedMediaType, "This endpoint does not accept this media type.")
        }
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "There is no endpoint at this path."),
        StatusCode::BAD_REQUEST => (ErrorCode::Malformed, "The request is malformed."),
        StatusCode::UNPROCESSABLE_ENTITY => {
            (ErrorCode::Invalid, "The request has an invalid value.")
        }
        status if status.is_server_error() => (
            ErrorCode::Internal,
            "An internal error occurred. The server’s log has the cause under the request ID.",
        ),
        _ => return None,
    };
    Some(Refusal::new(code, detail))
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
