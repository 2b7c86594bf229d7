//! Extractors for paths, queries and pages, with errors that say what is wrong.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use latchkey_domain::api::PageLimit;
use latchkey_domain::problem::{ErrorCode, Problem};
use latchkey_services::PageRequest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as ValueError, StrDeserializer};
use utoipa::IntoParams;

use super::problem::Refusal;

/// The only id in a path. An id of another form or kind is 404, like an id of another tenant.
pub(crate) struct PathId<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        text.and_then(|Path(text)| text.parse().ok()).map(Self).ok_or_else(no_such_id)
    }
}

/// The two ids in a path, such as an organization's and its member's.
pub(crate) struct PathIds<A, B>(pub(crate) A, pub(crate) B);

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await.ok();
        texts
            .and_then(|Path((one, other))| Some(Self(one.parse().ok()?, other.parse().ok()?)))
            .ok_or_else(no_such_id)
    }
}

/// The refusal of an id that names nothing the caller may see.
pub(crate) fn no_such_id() -> Refusal {
    latchkey_services::Error::NotFound.into()
}

/// Query parameters. Unknown ones are ignored.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(_) => Err(Refusal::new(ErrorCode::Malformed, "The query string is malformed.")),
        }
    }
}

/// A parameter that was given. An empty one was not.
pub(crate) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A parameter that is one of an enum's words, which are the same as in JSON.
///
/// # Errors
/// 422 with `message`, naming the parameter.
pub(crate) fn one_of<T: DeserializeOwned>(
    name: &str,
    text: Option<String>,
    message: &str,
) -> Result<Option<T>, Refusal> {
    let Some(text) = given(text) else { return Ok(None) };
    T::deserialize(StrDeserializer::<ValueError>::new(&text))
        .map(Some)
        .map_err(|_| Problem::invalid(name, message).into())
}

/// A parameter that is a text of a certain form. An empty one was not given.
///
/// # Errors
/// 422 naming the parameter.
pub(crate) fn parsed<T: FromStr<Err: Display>>(
    name: &str,
    text: Option<String>,
) -> Result<Option<T>, Refusal> {
    let refused = |invalid: T::Err| Problem::invalid(name, invalid.to_string());
    Ok(given(text).map(|text| text.parse()).transpose().map_err(refused)?)
}

/// A parameter that is `true` or `false`, the default. An empty one is neither.
///
/// # Errors
/// 422 naming the parameter.
pub(crate) fn flag(name: &str, text: Option<&str>) -> Result<bool, Refusal> {
    match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::invalid(name, "Use true or false.").into()),
    }
}

/// `?limit` and `?cursor` of a list.
pub(crate) struct ListPage(pub(crate) PageRequest);

/// Pagination of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Number of items per page, 1 to 100.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, example = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListPage {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Params(params) = Params::<PageParams>::from_request_parts(parts, state).await?;
        let limit = match given(params.limit) {
            Some(text) => text
                .parse()
                .ok()
                .and_then(|rows| PageLimit::new(rows).ok())
                .ok_or_else(|| Problem::invalid("limit", "Use a whole number from 1 to 100."))?,
            None => PageLimit::default(),
        };
        Ok(Self(PageRequest { limit, cursor: given(params.cursor) }))
    }
}
