//! `/v1/projects/{id}/budget-events`: budgets that have reached 80 or 100 per cent.

use axum::extract::State;
use latchkey_domain::api::{BudgetEvent, Page, Project};
use latchkey_domain::id::ProjectId;
use latchkey_services::{Services, budget_events};

use super::usage::MayNotReadUsage;
use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, PathId};
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, NoCaller, NotFound};

/// List the budget events of a project
///
/// A budget has an event when it reaches 80 % and another when it reaches 100 %, once each in its
/// period. The list has those of the project, of its keys and of its organization.
#[utoipa::path(
    get,
    path = "/v1/projects/{id}/budget-events",
    operation_id = "list_budget_events",
    tag = "Usage",
    params(("id" = ProjectId, Path), PageParams),
    responses(
        (status = 200, description = "Events, newest first", body = Page<BudgetEvent>),
        NoCaller,
        MayNotReadUsage,
        NotFound<Project>,
        Invalid,
    ),
    security(("user" = []), ("service_key" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(project): PathId<ProjectId>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<BudgetEvent>>, Refusal> {
    Ok(axum::Json(budget_events::list(&services, &actor, project, page).await?))
}
