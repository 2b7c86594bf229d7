//! `/v1/applications`: the applications of a project.

use axum::extract::State;
use latchkey_domain::api::{Application, Page};
use latchkey_domain::id::{ApplicationId, ProjectId};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, applications};

use super::auth::Caller;
use super::extract::{ListPage, PageParams, PathId};
use super::problem::Refusal;

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
        (status = 200, description = "Newest first", body = Page<Application>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such project, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
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

/// Read an application
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    operation_id = "get_application",
    tag = "Workspace",
    params(("id" = ApplicationId, Path)),
    responses(
        (status = 200, description = "The application", body = Application),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such application, or another tenant’s", body = Problem),
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
