//! Signing in: with GitHub, or on loopback as the local developer.

mod authorize;
mod callback;
pub(crate) mod cookies;
mod github;
mod local;
mod responses;

pub(crate) use authorize::{__path_authorize, authorize};
pub(crate) use callback::{__path_callback, callback};
pub(crate) use github::GithubClient;
pub(crate) use local::{__path_local, local, local_link};

use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_domain::path::LocalPath;
use latchkey_services::Error;

use crate::http::problem::Refusal;
use crate::pages::wants_page;

/// 302, as the contract has it.
fn found(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::FOUND, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The page that ends a sign-in by fetching the first access token. The URL contains no token.
fn completion(next: &LocalPath) -> String {
    format!("/auth/complete?next={}", next.to_query_value())
}

/// The login page, with a reason that it puts into words.
fn login(reason: &str, next: &LocalPath) -> String {
    format!("/login?reason={reason}&next={}", next.to_query_value())
}

/// A sign-in that can't go on because the address has failed too often: a person comes to the login
/// page, a program gets the problem.
fn sign_in_error(error: Error, headers: &HeaderMap, next: &LocalPath) -> Response {
    match error {
        Error::TooManyFailures(_) if wants_page(headers) => {
            found(&login("too_many_failures", next))
        }
        error => Refusal::from(error).into_response(),
    }
}
