//! The response that a call continues. It was made through this gateway by the same project, and
//! only the upstream that has it can continue it.

use axum::http::StatusCode;
use latchkey_checker::{Checker, KeyRecord, ResponseStore};
use latchkey_domain::id::ProjectId;

use super::accounting::MAX_ID_CHARS;
use super::body::CallBody;
use super::candidates::Candidates;
use super::error::GatewayError;
use super::references;
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

    /// Sends the call to the upstream that has the response.
    ///
    /// # Errors
    /// 404: the upstream does not serve the call, or the sandbox has the response.
    fn restrict(&self, candidates: &mut Candidates) -> Result<(), GatewayError> {
        let is_there = match &self.store {
            ResponseStore::Upstream(name) => candidates.restrict_to(name),
            ResponseStore::Sandbox(_) => false,
        };
        if is_there { Ok(()) } else { Err(not_found(&self.id)) }
    }

    /// Checks that the sandbox has the response.
    ///
    /// # Errors
    /// 404: an upstream has it.
    fn check_sandbox(&self) -> Result<(), GatewayError> {
        match &self.store {
            ResponseStore::Sandbox(_) => Ok(()),
            ResponseStore::Upstream(_) => Err(not_found(&self.id)),
        }
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
    references::check(body, passes)?;
    let previous = PreviousResponse::of(body, &state.checker, key.project, passes).await?;
    if let Some(previous) = previous {
        match &mut backend {
            ModelBackend::Upstreams(candidates) => previous.restrict(candidates)?,
            ModelBackend::Sandbox(_) => previous.check_sandbox()?,
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
    checker.find_response(project, id).await.map_err(|error| {
        tracing::warn!(%error, "Failed to look up a stored response");
        let message = "Stored responses can’t be looked up at the moment. Try again shortly.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        GatewayError::new(status, "unavailable", message).with_retry_after(Some(1))
    })
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
