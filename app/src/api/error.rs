//! Why a call failed: refused by the server, or never answered.

use latchkey_domain::problem::{ErrorCode, Problem};
use server_fn::error::{FromServerFnError, ServerFnErrorErr};
use server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};

/// Why a call failed. Its text is shown to users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The server refused the call, with a reason.
    #[error("{}", .0.detail)]
    Refused(Problem),
    /// The browser has no connection.
    #[error("You’re offline.")]
    Offline,
    /// The server can't be reached.
    #[error("Latchkey can’t be reached.")]
    Unreachable,
    /// The server did not answer in time.
    #[error("Latchkey didn’t answer within 10 seconds.")]
    TimedOut,
    /// The response is not one of Latchkey's: it came from a proxy, or from another version.
    #[error("This page can’t read the server’s response. Reload the page.")]
    Unreadable,
}

impl ApiError {
    /// The code of a refusal.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// Whether this is a refusal for that reason.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code)
    }

    /// The refusal, if it is one.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// The id under which the server's log has the request.
    pub fn into_request_id(self) -> Option<String> {
        match self {
            Self::Refused(problem) => problem.request_id,
            _ => None,
        }
    }

    /// The problem as sent over the wire. Only refusals are; the other variants exist only in the
    /// browser.
    fn into_problem(self) -> Problem {
        match self {
            Self::Refused(problem) => problem,
            other => Problem::new(ErrorCode::Internal, other.to_string()),
        }
    }
}

impl FromServerFnError for ApiError {
    type Encoder = ProblemEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        #[cfg(feature = "ssr")]
        {
            server::refuse(server::problem_of(&error))
        }
        #[cfg(not(feature = "ssr"))]
        {
            _ = error;
            Self::Unreadable
        }
    }
}

/// Errors travel as `application/problem+json`, so those of middleware in front can be read too.
pub struct ProblemEncoding;

impl ContentType for ProblemEncoding {
    const CONTENT_TYPE: &'static str = "application/problem+json";
}

impl FormatType for ProblemEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl Encodes<ApiError> for ProblemEncoding {
    type Error = serde_json::Error;

    fn encode(error: &ApiError) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(&error.clone().into_problem()).map(Bytes::from)
    }
}

impl Decodes<ApiError> for ProblemEncoding {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<ApiError, Self::Error> {
        serde_json::from_slice(&bytes).map(ApiError::Refused)
    }
}

#[cfg(feature = "ssr")]
mod server {
    //! Refusals get their status, their headers and their request id on the way out.

    use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
    use axum::http::{HeaderValue, StatusCode};
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    use super::{ApiError, ErrorCode, Problem, ServerFnErrorErr};
    use crate::context::RequestId;

    impl From<latchkey_services::Error> for ApiError {
        fn from(error: latchkey_services::Error) -> Self {
            if error.is_fault() {
                let id = use_context::<RequestId>().map(|id| id.0).unwrap_or_default();
                tracing::error!(request_id = id, %error, "Server function failed");
            }
            if let Some(seconds) = error.retry_after()
                && let Some(response) = use_context::<ResponseOptions>()
            {
                response.insert_header(RETRY_AFTER, seconds.into());
            }
            refuse(Problem::from(&error))
        }
    }

    /// What `server_fn` itself found wrong. A body that can't be read arrives here as a problem
    /// already, see [`super::super::body`].
    pub(super) fn problem_of(error: &ServerFnErrorErr) -> Problem {
        match error {
            ServerFnErrorErr::Deserialization(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| {
                    if text.contains("length limit") {
                        Problem::new(
                            ErrorCode::TooLarge,
                            "The body exceeds the size limit of this endpoint.",
                        )
                    } else {
                        Problem::new(ErrorCode::Malformed, "The body could not be read.")
                    }
                })
            }
            ServerFnErrorErr::Args(text) | ServerFnErrorErr::MissingArg(text) => {
                Problem::new(ErrorCode::Invalid, text.clone())
            }
            other => {
                tracing::error!(error = %other, "Server function failed to respond");
                Problem::new(
                    ErrorCode::Internal,
                    "An internal error occurred. The server’s log has the cause under the request \
                     ID.",
                )
            }
        }
    }

    /// The refusal, with the answer's status and headers set to match.
    pub(super) fn refuse(mut problem: Problem) -> ApiError {
        problem.request_id = use_context::<RequestId>().map(|id| id.0);
        if let Some(response) = use_context::<ResponseOptions>() {
            response.set_status(
                StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            );
            if problem.status == 401 {
                response.insert_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            if problem.status == 503 {
                response.insert_header(RETRY_AFTER, HeaderValue::from_static("1"));
            }
        }
        ApiError::Refused(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_problem_on_the_wire() {
        let problem = Problem::invalid("name", "Enter a name.");
        let error = ApiError::Refused(problem.clone());
        let wire = error.ser();
        assert_eq!(serde_json::from_slice::<Problem>(&wire).unwrap(), problem);
        assert_eq!(ApiError::de(wire), error);
    }
}
