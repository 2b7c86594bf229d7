//! Reads, deletes and cancels stored responses: at the upstream that has them, for keys of their
//! project only.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use latchkey_checker::{BackgroundUsage, Error, ResponseStore};
use latchkey_domain::id::ProjectId;
use latchkey_domain::key::Environment;
use serde_json::json;

use super::background::{self, AskedResponse};
use super::background_reader::BackgroundReader;
use super::id_path::encoded;
use super::stored_body::StoredBody;
use crate::attempt::Attempt;
use crate::call::{Caller, attach_limits};
use crate::error::GatewayError;
use crate::exchange::exchange;
use crate::previous_response::{self, shown};
use crate::response_body::ResponseBody;
use crate::sandbox::StoredAnswer;
use crate::state::Gateway;
use crate::upstream_endpoint::UpstreamEndpoint;

/// Query parameters that are passed on. Others might hold a credential.
const PARAMETERS: [&str; 10] = [
    "stream",
    "starting_after",
    "include",
    "include[]",
    "include%5B%5D",
    "include%5b%5d",
    "include_obfuscation",
    "limit",
    "order",
    "after",
];

/// What is done with a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredAction {
    Get,
    Delete,
    Cancel,
    InputItems,
}

impl StoredAction {
    const fn method(self) -> Method {
        match self {
            Self::Get | Self::InputItems => Method::GET,
            Self::Delete => Method::DELETE,
            Self::Cancel => Method::POST,
        }
    }

    /// The rest of the path after the ID.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Get | Self::Delete => "",
            Self::Cancel => "/cancel",
            Self::InputItems => "/input_items",
        }
    }
}

pub(super) async fn handle(
    state: &Gateway,
    action: StoredAction,
    id: &str,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let served = serve(state, action, id, &mut parts).await;
    let mut response = served.unwrap_or_else(IntoResponse::into_response);
    attach_limits(&parts, &mut response);
    response
}

async fn serve(
    state: &Gateway,
    action: StoredAction,
    id: &str,
    parts: &mut Parts,
) -> Result<Response, GatewayError> {
    let caller = Caller::authenticate(state, parts).await?;
    caller.admit_reading(state, parts).await?;
    let key = caller.identity().key();
    let query = passed_query(parts.uri.query().unwrap_or_default());
    match previous_response::find(&state.checker, key.project, id).await? {
        Some(ResponseStore::Sandbox(answer)) => {
            let stored = StoredAnswer::parse(&answer).ok_or_else(|| not_found(id))?;
            if action == StoredAction::Delete {
                forget(state, &caller, id).await?;
            }
            of_sandbox(state, key.project, stored, (action, id), &query).await
        }
        // No call of a test key reaches an upstream.
        Some(ResponseStore::Upstream(name)) if key.environment == Environment::Live => {
            let upstream = state.upstreams.upstream(&name, key).ok_or_else(|| not_found(id))?;
            if action == StoredAction::Delete {
                settle_if_ended(state, &upstream, key.project, id).await;
            }
            let response = at_upstream(state, &caller, &upstream, (action, id), &query).await?;
            if action == StoredAction::Delete {
                forget(state, &caller, id).await?;
            }
            Ok(response)
        }
        Some(ResponseStore::Upstream(_)) | None => Err(not_found(id)),
    }
}

/// The response no longer belongs to anybody.
async fn forget(state: &Gateway, caller: &Caller, id: &str) -> Result<(), GatewayError> {
    let project = caller.identity().key().project;
    state.checker.forget_response(project, id).await.map_err(|error| {
        tracing::warn!(%error, "Failed to forget a deleted response");
        let message = "The response can’t be deleted at the moment. Try again shortly.";
        unavailable(message)
    })?;
    // Nobody can learn any more what a background response has used.
    let used = BackgroundUsage::Unread;
    state
        .checker
        .settle_background(project, id, used)
        .await
        .map_err(|error| not_settled(&error))?;
    Ok(())
}

/// Settles a background response that has ended, before it is deleted.
async fn settle_if_ended(
    state: &Gateway,
    upstream: &Arc<UpstreamEndpoint>,
    project: ProjectId,
    id: &str,
) {
    if matches!(state.checker.is_in_background(project, id).await, Ok(true))
        && let AskedResponse::Ended(used) = background::ask(state, upstream, id).await
        && let Err(error) = state.checker.settle_background(project, id, used).await
    {
        tracing::warn!(%error, "Failed to settle a background response before it was deleted");
    }
}

fn not_settled(error: &dyn std::fmt::Display) -> GatewayError {
    tracing::warn!(%error, "Failed to settle a background response");
    unavailable("Background responses can’t be read at the moment. Try again shortly.")
}

/// What the sandbox has stored.
async fn of_sandbox(
    state: &Gateway,
    project: ProjectId,
    stored: StoredAnswer,
    (action, id): (StoredAction, &str),
    query: &str,
) -> Result<Response, GatewayError> {
    match action {
        StoredAction::Get => {
            let stream = parameter(query, "stream") == Some("true");
            let after = match parameter(query, "starting_after").map(str::parse) {
                None => None,
                Some(Ok(number)) => Some(number),
                Some(Err(_)) => {
                    let message = "Send the sequence number of an event.";
                    return Err(GatewayError::invalid("starting_after", message));
                }
            };
            let read = state.checker.read_in_sandbox(project, id, stream).await;
            if read.map_err(|error| not_settled(&error))? {
                return Ok(stored.respond_unfinished("in_progress", None));
            }
            Ok(stored.respond(stream, after, None))
        }
        StoredAction::Delete => {
            Ok(Json(json!({ "id": id, "object": "response", "deleted": true })).into_response())
        }
        StoredAction::InputItems => Ok(Json(stored.input_items()).into_response()),
        StoredAction::Cancel if stored.is_in_background() => {
            let used = BackgroundUsage::Told(stored.prompt_usage());
            let cancelled = state.checker.settle_background(project, id, used).await;
            if !cancelled.map_err(|error| not_settled(&error))? {
                // It had ended before.
                return Ok(stored.respond(false, None, None));
            }
            let stored = stored.cancelled();
            let store = ResponseStore::Sandbox(stored.to_json().into());
            state.checker.remember_response(project, id, store);
            Ok(stored.respond(false, None, None))
        }
        StoredAction::Cancel => {
            let message = "Only background responses can be cancelled.";
            Err(GatewayError::new(StatusCode::BAD_REQUEST, "invalid", message))
        }
    }
}

async fn at_upstream(
    state: &Gateway,
    caller: &Caller,
    upstream: &Arc<UpstreamEndpoint>,
    (action, id): (StoredAction, &str),
    query: &str,
) -> Result<Response, GatewayError> {
    let permit = state.upstreams.acquire_call().ok_or_else(|| {
        unavailable("This server has its maximum number of calls in progress. Try again shortly.")
    })?;
    let path = format!("/{}{}", encoded(id), action.suffix());
    let target = upstream.response_target(&path, query).ok_or_else(|| not_found(id))?;
    let mut key = state.checker.watch_key(caller.identity());
    let attempt = Attempt::begin(upstream, state.upstreams.monotonic());
    let request = || upstream.request_to(action.method(), target.clone());
    let sent = tokio::select! {
        biased;
        denial = key.ended() => return Err(Error::from(Box::new(denial)).into()),
        sent = exchange(state, attempt, request) => sent,
    };
    let response = sent.map_err(|failure| failure.told)?;
    let idle_timeout = state.upstreams.idle_timeout;
    let kind = response.headers.get(CONTENT_TYPE).cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
    let is_stream = kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream");
    let body = StoredBody::new(
        ResponseBody::decode(response),
        key,
        (Arc::clone(upstream), idle_timeout),
        is_stream.then_some(id),
        permit,
    );
    let body = match action {
        StoredAction::Get | StoredAction::Cancel => {
            let project = caller.identity().key().project;
            body.with_reader(BackgroundReader::new(&state.checker, project, id))
        }
        StoredAction::Delete | StoredAction::InputItems => body,
    };
    let mut response = (StatusCode::OK, body.into_body()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if is_stream {
        let no_cache = HeaderValue::from_static("no-cache");
        response.headers_mut().insert(CACHE_CONTROL, no_cache);
    }
    Ok(response)
}

fn not_found(id: &str) -> GatewayError {
    let message = format!("Response with id “{}” not found.", shown(id));
    GatewayError::unknown(None, "not_found", message)
}

fn unavailable(message: &'static str) -> GatewayError {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    GatewayError::new(status, "unavailable", message).with_retry_after(Some(1))
}

/// The parameters that are passed on, as they were written.
fn passed_query(query: &str) -> String {
    let is_passed = |pair: &&str| PARAMETERS.contains(&name_of(pair));
    query.split('&').filter(is_passed).collect::<Vec<_>>().join("&")
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

/// The value of a parameter, as it was written.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parameters_are_passed() {
        let query = "stream=true&api-key=x&starting_after=4&include[]=a&Stream=1&after";
        assert_eq!(passed_query(query), "stream=true&starting_after=4&include[]=a&after");
        assert_eq!(passed_query(""), "");
        assert_eq!(parameter("limit=1&stream=true", "stream"), Some("true"));
        assert_eq!(parameter("streams=true", "stream"), None);
    }
}
