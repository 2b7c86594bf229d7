//! `/v1/organizations`: what the caller is a member of.

use axum::extract::State;
use latchkey_domain::api::{Organization, OrganizationPatch, Page};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, organizations};

use super::auth::Caller;
use super::extract::{ListPage, PageParams, PathId};
use super::json::Json;
use super::problem::Refusal;

/// List my organizations
#[utoipa::path(
    get,
    path = "/v1/organizations",
    operation_id = "list_organizations",
    tag = "Workspace",
    params(
        PageParams,
    ),
    responses(
        (status = 200, description = "Newest first", body = Page<Organization>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<Organization>>, Refusal> {
    Ok(axum::Json(organizations::list(&services, &actor, page).await?))
}

/// Read an organization
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}",
    operation_id = "get_organization",
    tag = "Workspace",
    params(("id" = OrganizationId, Path)),
    responses(
        (status = 200, description = "The organization, with the caller’s role", body = Organization),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such organization, or another tenant’s", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn get(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<OrganizationId>,
) -> Result<axum::Json<Organization>, Refusal> {
    Ok(axum::Json(organizations::get(&services, &actor, id).await?))
}

/// Change an organization’s tier
///
/// For the instance’s administrators, whichever organization it is. Effective at once. Lowering a tier revokes
/// nothing; it only refuses new keys.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{id}",
    operation_id = "change_organization",
    tag = "Workspace",
    params(("id" = OrganizationId, Path)),
    request_body(content = OrganizationPatch),
    responses(
        (status = 200, description = "The organization as it is now", body = Organization),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 403, description = "`forbidden`: no administrator", body = Problem),
        (status = 404, description = "`not_found`: no such organization, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn change(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<OrganizationId>,
    Json(patch): Json<OrganizationPatch>,
) -> Result<axum::Json<Organization>, Refusal> {
    Ok(axum::Json(organizations::change_tier(&services, &actor, id, patch.tier).await?))
}
