//! The response that a call continues, and the output items and containers that it refers to. They
//! were made through this gateway by the same project, and only the upstream that has them can read
//! them.

use axum::http::StatusCode;
use latchkey_checker::{Checker, KeyRecord, ResponseStore};
use latchkey_domain::id::ProjectId;

use super::accounting::MAX_ID_CHARS;
use super::body::CallBody;
use super::error::GatewayError;
use super::references::{self, CONTAINER, ITEM_REFERENCE};
use super::registry::ModelBackend;
use super::state::Gateway;

const FIELD: &str = "previous_response_id";

/// A response of the project.
struct PreviousResponse {
    id: String,
    store: ResponseStore,
}

impl PreviousResponse {
    /// Finds the response that a call continues. None if it continues none, or if the upstream's
    /// configuration lets the field pass, as `passes` tells.
    ///
    /// # Errors
    /// 404: the project has no such response. 503: the database fails.
    async fn of(
        body: &CallBody,
        checker: &Checker,
        project: ProjectId,
        passes: impl Fn(&str) -> bool,
    ) -> Result<Option<Self>, GatewayError> {
        if !body.endpoint.is_responses() {
            return Ok(None);
        }
        let Some(text) = body.field(FIELD) else { return Ok(None) };
        let id: String = serde_json::from_str(text)
            .map_err(|_| GatewayError::invalid(FIELD, "Send the ID of a response."))?;
        if is_bounded(&id) && passes(FIELD) {
            return Ok(None);
        }
        match find(checker, project, &id).await? {
            Some(store) => Ok(Some(Self { id, store })),
            None => Err(not_found(&id)),
        }
    }
}

/// Leaves only the upstream that has what the call refers to. False if it does not serve the call,
/// or if the call goes to the sandbox and this is elsewhere, or the other way round.
fn restrict(backend: &mut ModelBackend, store: &ResponseStore) -> bool {
    match (backend, store) {
        (ModelBackend::Upstreams(candidates), ResponseStore::Upstream(name)) => {
            candidates.restrict_to(name)
        }
        (ModelBackend::Sandbox(_), ResponseStore::Sandbox(_)) => true,
        (ModelBackend::Upstreams(_), ResponseStore::Sandbox(_))
        | (ModelBackend::Sandbox(_), ResponseStore::Upstream(_)) => false,
    }
}

/// Checks what a request points at, and leaves only the upstream that has it.
///
/// # Errors
/// 404: something does not belong to the project of the key. 503: the database fails.
pub(super) async fn confine(
    state: &Gateway,
    key: &KeyRecord,
    body: &CallBody,
    mut backend: ModelBackend,
) -> Result<ModelBackend, GatewayError> {
    let passes = |field: &str| state.upstreams.passes(&body.model, field);
    let references = references::check(body, passes)?;
    let previous = PreviousResponse::of(body, &state.checker, key.project, passes).await?;
    if let Some(PreviousResponse { id, store }) = previous
        && !restrict(&mut backend, &store)
    {
        return Err(not_found(&id));
    }
    for field in [ITEM_REFERENCE, CONTAINER] {
        let of_field = references.iter().filter(|reference| reference.field == field);
        let ids: Vec<String> = of_field.map(|reference| reference.id.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        let found = state.checker.find_items(key.project, &ids).await;
        let found = found.map_err(|error| unavailable(&error))?.unwrap_or_default();
        let is_elsewhere = |store: &ResponseStore| !restrict(&mut backend, store);
        if found.is_empty() || found.iter().any(is_elsewhere) {
            return Err(references::unknown(field));
        }
    }
    Ok(backend)
}

/// Where a response of a project is stored. None if it has no such response.
///
/// # Errors
/// 503: the database fails.
pub(super) async fn find(
    checker: &Checker,
    project: ProjectId,
    id: &str,
) -> Result<Option<ResponseStore>, GatewayError> {
    if !is_bounded(id) {
        return Ok(None);
    }
    checker.find_response(project, id).await.map_err(|error| unavailable(&error))
}

fn unavailable(error: &dyn std::fmt::Display) -> GatewayError {
    tracing::warn!(%error, "Failed to look up a stored response");
    let message = "Stored responses can’t be looked up at the moment. Try again shortly.";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    GatewayError::new(status, "unavailable", message).with_retry_after(Some(1))
}

fn is_bounded(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= MAX_ID_CHARS
}

fn not_found(id: &str) -> GatewayError {
    let message = format!("Previous response with id “{}” not found.", shown(id));
    GatewayError::unknown(Some(FIELD), "previous_response_not_found", message)
}

/// An ID as messages show it.
pub(super) fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(100).collect()
}
