//! `/v1/applications`: the applications of a project.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::Project;
use latchkey_domain::api::{Application, ApplicationPatch, ApplicationRequest, Page};
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_services::{Services, applications};

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, PathId};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, InvalidOrMismatched, IsViewer, NoAccess, refusals};

refusals! {
    /// The request was made before.
    IsReplay {
        409: "`idempotency_replay`",
    }
}

/// List the applications of a project
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/applications",
    operation_id = "list_applications",
    tag = "Workspace",
    params(
        ("id" = ProjectId, Path),
        PageParams,
    ),
    responses(
        (status = 200, description = "The list, newest first", body = Page<Application>),
        NoAccess<Project>,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<Application>>, Refusal> {
    Ok(axum::Json(applications::list(&services, &actor, project, page).await?))
}

/// Get an application
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    operation_id = "get_application",
    tag = "Workspace",
    params(("id" = ApplicationId, Path)),
    responses(
        (status = 200, description = "The application", body = Application),
        NoAccess<Application>,
    ),
    security(("user" = [])),
)]
pub(crate) async fn get(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
) -> Result<axum::Json<Application>, Refusal> {
    Ok(axum::Json(applications::get(&services, &actor, id).await?))
}

/// Create an application
#[utoipa::path(
    post,
    path = "/v1/projects/{id}/applications",
    operation_id = "create_application",
    tag = "Workspace",
    params(("id" = ProjectId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = ApplicationRequest),
    responses(
        (status = 201, description = "The application", body = Application),
        NoAccess<Project>,
        IsViewer,
        IsReplay,
        InvalidOrMismatched,
    ),
    security(("user" = [])),
)]
pub(crate) async fn create(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    idempotency: IdempotencyKey,
    Json(request): Json<ApplicationRequest>,
) -> Result<(StatusCode, axum::Json<Application>), Refusal> {
    let idempotency = idempotency.of(&request);
    let made =
        applications::create(&services, &actor, project, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Update an application
#[utoipa::path(
    patch,
    path = "/v1/applications/{id}",
    operation_id = "change_application",
    tag = "Workspace",
    params(("id" = ApplicationId, Path)),
    request_body(content = ApplicationPatch),
    responses(
        (status = 200, description = "The updated application", body = Application),
        NoAccess<Application>,
        IsViewer,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn change(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
    Json(patch): Json<ApplicationPatch>,
) -> Result<axum::Json<Application>, Refusal> {
    Ok(axum::Json(applications::change(&services, &actor, id, patch).await?))
}

/// Delete an application
#[utoipa::path(
    delete,
    path = "/v1/applications/{id}",
    operation_id = "delete_application",
    tag = "Workspace",
    params(("id" = ApplicationId, Path)),
    responses(
        (status = 204, description = "The application is deleted. Keys restricted to it are revoked, and its telemetry is deleted soon after"),
        NoAccess<Application>,
        IsViewer,
    ),
    security(("user" = [])),
)]
pub(crate) async fn delete(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
) -> Result<StatusCode, Refusal> {
    applications::delete(&services, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
