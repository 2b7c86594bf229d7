//! `/v1/projects`: what keys belong to.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::Organization;
use latchkey_domain::api::{Page, Project, ProjectPatch, ProjectRequest};
use latchkey_domain::id::{OrganizationId, ProjectId};
use latchkey_services::{Services, projects};

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, PathId};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, InvalidOrMismatched, IsNotAdmin, NoAccess, refusals};

refusals! {
    /// The organization has as many projects as it may have.
    ProjectNotCreated {
        409: "`limit_reached`, `idempotency_replay`",
    }
}

/// List the projects of an organization
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}/projects",
    operation_id = "list_projects",
    tag = "Workspace",
    params(
        ("id" = OrganizationId, Path),
        PageParams,
    ),
    responses(
        (status = 200, description = "The list, newest first", body = Page<Project>),
        NoAccess<Organization>,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<Project>>, Refusal> {
    Ok(axum::Json(projects::list(&services, &actor, organization, page).await?))
}

/// Get a project
#[utoipa::path(
    get,
    path = "/v1/projects/{id}",
    operation_id = "get_project",
    tag = "Workspace",
    params(("id" = ProjectId, Path)),
    responses(
        (status = 200, description = "The project, including its number of keys", body = Project),
        NoAccess<Project>,
    ),
    security(("user" = [])),
)]
pub(crate) async fn get(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ProjectId>,
) -> Result<axum::Json<Project>, Refusal> {
    Ok(axum::Json(projects::get(&services, &actor, id).await?))
}

/// Create a project
#[utoipa::path(
    post,
    path = "/v1/organizations/{id}/projects",
    operation_id = "create_project",
    tag = "Workspace",
    params(("id" = OrganizationId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = ProjectRequest),
    responses(
        (status = 201, description = "The project", body = Project),
        NoAccess<Organization>,
        IsNotAdmin,
        ProjectNotCreated,
        InvalidOrMismatched,
    ),
    security(("user" = [])),
)]
pub(crate) async fn create(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
    idempotency: IdempotencyKey,
    Json(request): Json<ProjectRequest>,
) -> Result<(StatusCode, axum::Json<Project>), Refusal> {
    let idempotency = idempotency.of(&request);
    let made =
        projects::create(&services, &actor, organization, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Update a project
///
/// A new key prefix and `key_defaults` apply to new keys. Existing keys keep theirs. `rpm`, `tpm`,
/// `max_parallel` and `budgets` limit all keys of the project together, live and test, and take
/// effect immediately: a call has to fit the limits of its key, its project and its organization.
#[utoipa::path(
    patch,
    path = "/v1/projects/{id}",
    operation_id = "change_project",
    tag = "Workspace",
    params(("id" = ProjectId, Path)),
    request_body(content = ProjectPatch),
    responses(
        (status = 200, description = "The updated project", body = Project),
        NoAccess<Project>,
        IsNotAdmin,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn change(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ProjectId>,
    Json(patch): Json<ProjectPatch>,
) -> Result<axum::Json<Project>, Refusal> {
    Ok(axum::Json(projects::change(&services, &actor, id, patch).await?))
}

/// Delete a project
#[utoipa::path(
    delete,
    path = "/v1/projects/{id}",
    operation_id = "delete_project",
    tag = "Workspace",
    params(("id" = ProjectId, Path)),
    responses(
        (status = 204, description = "The project is deleted with its applications, and its keys are revoked"),
        NoAccess<Project>,
        IsNotAdmin,
    ),
    security(("user" = [])),
)]
pub(crate) async fn delete(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ProjectId>,
) -> Result<StatusCode, Refusal> {
    projects::delete(&services, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
