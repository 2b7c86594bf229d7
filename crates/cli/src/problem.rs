//! Errors of the API, and answers of others than the API.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::failure::{Exit, Failure};

/// An error of the API, of which everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiProblem {
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) errors: Vec<Fault>,
    /// The key that the first request created, if this one came again.
    pub(crate) key_id: Option<String>,
}

/// What is wrong with one field.
#[derive(Debug, Deserialize)]
pub(crate) struct Fault {
    pub(crate) field: String,
    pub(crate) message: String,
}

impl ApiProblem {
    /// The error in a body; `None` if it is not the API that answered.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let problem: Self = serde_json::from_slice(body).ok()?;
        (!problem.code.is_empty() && !problem.detail.is_empty()).then_some(problem)
    }

    /// The failure that it is, in the server's words.
    pub(crate) fn failure(&self, status: StatusCode) -> Failure {
        Failure::new(exit(status, &self.code), &self.detail)
    }
}

/// The exit code that a refusal means.
fn exit(status: StatusCode, code: &str) -> Exit {
    match (status.as_u16(), code) {
        (401 | 403, _) => Exit::NotAllowed,
        (404, _) => Exit::NotFound,
        (402 | 429, _) | (409, "tier_limit_reached" | "limit_reached") => Exit::Limit,
        (502..=504, _) => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_exit_codes_that_are_promised() {
        for (status, code, expected) in [
            (400, "malformed", Exit::Failed),
            (401, "unauthenticated", Exit::NotAllowed),
            (403, "forbidden", Exit::NotAllowed),
            (404, "not_found", Exit::NotFound),
            (409, "name_taken", Exit::Failed),
            (409, "tier_limit_reached", Exit::Limit),
            (409, "limit_reached", Exit::Limit),
            (422, "invalid", Exit::Failed),
            (429, "too_many_failures", Exit::Limit),
            (500, "internal", Exit::Failed),
            (503, "unavailable", Exit::Unreachable),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(exit(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn other_bodies_are_no_errors_of_the_api() {
        for body in ["", "<html>", "{}", "[]", r#"{"code":404,"detail":"no"}"#, r#"{"detail":"x"}"#]
        {
            assert!(ApiProblem::parse(body.as_bytes()).is_none(), "{body}");
        }
        let body = br#"{"type":"about:blank","code":"not_found","detail":"No.","status":404}"#;
        assert_eq!(ApiProblem::parse(body).unwrap().detail, "No.");
    }
}
