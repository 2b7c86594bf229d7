//! Reading back what applications sent in.

use axum::extract::State;
use latchkey_domain::api::{IngestedLog, IngestedTrace, Page};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, telemetry};

use super::auth::Caller;
use super::extract::{ListPage, PageParams, PathId};
use super::problem::Refusal;

/// List the traces of an application
#[utoipa::path(
    get,
    path = "/v1/applications/{id}/traces",
    tag = "Telemetry",
    params(
        ("id" = ApplicationId, Path),
        PageParams,
    ),
    responses(
        (status = 200, description = "Newest first by their own time", body = Page<IngestedTrace>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such application, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list_traces(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<IngestedTrace>>, Refusal> {
    Ok(axum::Json(telemetry::list_traces(&services, &actor, id, page).await?))
}

/// List the logs of an application
#[utoipa::path(
    get,
    path = "/v1/applications/{id}/logs",
    tag = "Telemetry",
    params(
        ("id" = ApplicationId, Path),
        PageParams,
    ),
    responses(
        (status = 200, description = "Newest first by their own time", body = Page<IngestedLog>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such application, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list_logs(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<ApplicationId>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<IngestedLog>>, Refusal> {
    Ok(axum::Json(telemetry::list_logs(&services, &actor, id, page).await?))
}
