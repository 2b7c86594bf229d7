//! `/v1/projects/{id}/keys/export`: everything that is stored of a project's keys.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures::stream;
use latchkey_domain::api::Project;
use latchkey_domain::id::ProjectId;
use latchkey_services::{Services, import};

use crate::http::auth::Caller;
use crate::http::extract::PathId;
use crate::http::problem::Refusal;
use crate::http::responses::{IsNotAdmin, NoAccess};

/// Export all keys of a project
///
/// Streams a JSON object a line for each key, oldest first: limits, attributes, state and the
/// stored digest (`scheme` is `latchkey-hmac-sha256`), never a secret. The response is aborted if
/// the caller loses access, or spends more than ten minutes in total without reading.
#[utoipa::path(
    get,
    path = "/v1/projects/{projectId}/keys/export",
    operation_id = "export_keys",
    tag = "Keys",
    params(("projectId" = ProjectId, Path)),
    responses(
        (status = 200, description = "A JSON object a line", body = String, content_type = "application/x-ndjson"),
        NoAccess<Project>,
        IsNotAdmin,
    ),
    security(("user" = [])),
)]
pub(crate) async fn export(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
) -> Result<impl IntoResponse, Refusal> {
    let export = import::export(&services, &actor, project).await?;
    // An error during the export aborts the connection, so that no client takes a part for the
    // whole.
    let parts = stream::try_unfold(export, async |mut export| {
        Ok::<_, latchkey_services::Error>(export.next().await?.map(|part| (part, export)))
    });
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"keys.ndjson\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(parts)))
}
