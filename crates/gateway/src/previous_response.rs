//! The response that a call continues. It was made through this gateway by the same project, and
//! only the upstream that has it can continue it.

use axum::http::StatusCode;
use latchkey_checker::{Checker, ResponseStore};
use latchkey_domain::id::ProjectId;

use super::accounting::MAX_ID_CHARS;
use super::body::CallBody;
use super::candidates::Candidates;
use super::error::GatewayError;

const FIELD: &str = "previous_response_id";

/// A response of the project.
pub(super) struct PreviousResponse {
    id: String,
    store: ResponseStore,
}

impl PreviousResponse {
    /// Finds the response that a call continues. None if it continues none, or if the upstream's
    /// configuration lets the field pass (`passes`).
    ///
    /// # Errors
    /// 404: the project has no such response. 503: the database fails.
    pub(super) async fn of(
        body: &CallBody,
        checker: &Checker,
        project: ProjectId,
        passes: bool,
    ) -> Result<Option<Self>, GatewayError> {
        let Some(text) = body.field(FIELD).filter(|_| body.endpoint.is_responses()) else {
            return Ok(None);
        };
        let id: String = serde_json::from_str(text)
            .map_err(|_| GatewayError::invalid(FIELD, "Send the ID of a response."))?;
        if passes {
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
    pub(super) fn restrict(&self, candidates: &mut Candidates) -> Result<(), GatewayError> {
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
    pub(super) fn check_sandbox(&self) -> Result<(), GatewayError> {
        match &self.store {
            ResponseStore::Sandbox(_) => Ok(()),
            ResponseStore::Upstream(_) => Err(not_found(&self.id)),
        }
    }
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
    if id.is_empty() || id.chars().count() > MAX_ID_CHARS {
        return Ok(None);
    }
    checker.find_response(project, id).await.map_err(|error| {
        tracing::warn!(%error, "Failed to look up a stored response");
        let message = "Stored responses can’t be looked up at the moment. Try again shortly.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        GatewayError::new(status, "unavailable", message).with_retry_after(Some(1))
    })
}

fn not_found(id: &str) -> GatewayError {
    let message = format!("Previous response with id “{}” not found.", shown(id));
    GatewayError::unknown(Some(FIELD), "previous_response_not_found", message)
}

/// An ID as messages show it.
pub(super) fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(100).collect()
}
