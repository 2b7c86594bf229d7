//! Asks upstreams how background responses are that no client asks for. It needs no key: a response
//! whose key is revoked is settled too.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use futures::StreamExt;
use latchkey_checker::{BackgroundUsage, DueResponse};

use super::id_path::encoded;
use super::told_response::ToldResponse;
use crate::attempt::Attempt;
use crate::exchange::exchange;
use crate::response_body::ResponseBody;
use crate::state::Gateway;
use crate::upstream_endpoint::UpstreamEndpoint;

/// How long an upstream may take to tell how a response is.
const ASK_TIMEOUT: Duration = Duration::from_mins(1);
/// How many responses are asked for at a time.
const ASKED_AT_ONCE: usize = 8;

const GAVE_UP: &str = "No longer asking for a background response: what it reserved stays charged";

/// What an upstream says of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedResponse {
    Ended(BackgroundUsage),
    /// It goes on, or the upstream could not be asked.
    Unknown,
    /// The upstream does not know it.
    Gone,
}

impl Gateway {
    /// Settles the background responses that have ended and that no client has read. Each is asked
    /// for every ten minutes, by one node. Call it about once a minute. What fails is logged, and
    /// done again later.
    pub async fn settle_background(&self) {
        loop {
            let due = match self.checker.claim_due_responses().await {
                Ok(due) if due.is_empty() => return,
                Ok(due) => due,
                Err(error) => {
                    tracing::warn!(%error, "Failed to look up background responses");
                    return;
                }
            };
            let settling = |due: DueResponse| async move { settle(self, &due).await };
            futures::stream::iter(due).for_each_concurrent(ASKED_AT_ONCE, settling).await;
        }
    }
}

async fn settle(state: &Gateway, due: &DueResponse) {
    let Some(used) = ended(state, due).await else { return };
    if let Err(error) = state.checker.settle_background(due.project, &due.id, used).await {
        tracing::warn!(%error, "Failed to settle a background response; retrying later");
    }
}

/// What a response is charged. None if it has to be asked for again.
async fn ended(state: &Gateway, due: &DueResponse) -> Option<BackgroundUsage> {
    // What the sandbox says is known from the beginning.
    let Some(name) = &due.upstream else { return Some(BackgroundUsage::Unread) };
    if due.is_expired {
        tracing::warn!(upstream = name, "{GAVE_UP}");
        return Some(BackgroundUsage::Unread);
    }
    let Some(upstream) = state.upstreams.configured(name) else {
        tracing::warn!(upstream = name, "The upstream of a background response is not configured");
        return None;
    };
    match ask(state, &upstream, &due.id).await {
        AskedResponse::Ended(used) => Some(used),
        AskedResponse::Unknown => None,
        AskedResponse::Gone => match state.checker.count_missing(due).await {
            Ok(true) => {
                tracing::warn!(upstream = name, "{GAVE_UP}");
                Some(BackgroundUsage::Unread)
            }
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, "Failed to count a missing background response");
                None
            }
        },
    }
}

/// Asks an upstream how a response is.
pub(super) async fn ask(
    state: &Gateway,
    upstream: &Arc<UpstreamEndpoint>,
    id: &str,
) -> AskedResponse {
    // Calls of clients come first.
    let Some(_permit) = state.upstreams.acquire_call() else { return AskedResponse::Unknown };
    let asked = tokio::time::timeout(ASK_TIMEOUT, read(state, upstream, id)).await;
    asked.unwrap_or(AskedResponse::Unknown)
}

async fn read(state: &Gateway, upstream: &Arc<UpstreamEndpoint>, id: &str) -> AskedResponse {
    let path = format!("/{}", encoded(id));
    let Some(target) = upstream.response_target(&path, "") else { return AskedResponse::Unknown };
    let attempt = Attempt::begin(upstream, state.upstreams.monotonic());
    let request = || upstream.request_to(Method::GET, target.clone());
    let response = match exchange(state, attempt, request).await {
        Ok(response) => response,
        Err(failure) if failure.is_gone() => return AskedResponse::Gone,
        Err(_) => return AskedResponse::Unknown,
    };
    let mut body = ResponseBody::decode(response);
    let mut told = ToldResponse::new();
    loop {
        match body.next(state.upstreams.idle_timeout).await {
            Ok(Some(chunk)) => {
                if let Some(used) = told.read(&chunk) {
                    return AskedResponse::Ended(used);
                }
            }
            Ok(None) => return AskedResponse::Unknown,
            Err(error) => {
                upstream.count_broken_answer(error.message());
                return AskedResponse::Unknown;
            }
        }
    }
}
