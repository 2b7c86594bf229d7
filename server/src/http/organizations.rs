//! `/v1/organizations`: what the caller is a member of, made, changed and deleted.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{Organization, OrganizationPatch, OrganizationRequest, Page};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, organizations};

use super::auth::Caller;
use super::extract::{ListPage, PageParams, PathId};
use super::idempotency::IdempotencyKey;
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

/// Make an organization
#[utoipa::path(
    post,
    path = "/v1/organizations",
    operation_id = "create_organization",
    tag = "Workspace",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body(content = OrganizationRequest),
    responses(
        (status = 201, description = "The organization, on the free tier, with the caller as its owner", body = Organization),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 403, description = "`forbidden`: a service key", body = Problem),
        (status = 409, description = "`limit_reached`: the caller owns as many organizations as a person may; `idempotency_replay`", body = Problem),
        (status = 422, description = "`invalid`, `idempotency_mismatch`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn create(
    State(services): State<Services>,
    Caller(actor): Caller,
    idempotency: IdempotencyKey,
    Json(request): Json<OrganizationRequest>,
) -> Result<(StatusCode, axum::Json<Organization>), Refusal> {
    let idempotency = idempotency.of(&request);
    let made = organizations::create(&services, &actor, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Change an organization
///
/// Owners and admins rename it. The instance’s administrators put it on another tier or override
/// numbers of its tier, whichever organization it is; effective at once. Lowering a limit revokes
/// nothing; it only refuses what is new.
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
        (status = 403, description = "`forbidden`: the name is for owners and admins, the plan for the instance’s administrators", body = Problem),
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
    Ok(axum::Json(organizations::change(&services, &actor, id, patch).await?))
}

/// Delete an organization
#[utoipa::path(
    delete,
    path = "/v1/organizations/{id}",
    operation_id = "delete_organization",
    tag = "Workspace",
    params(("id" = OrganizationId, Path)),
    responses(
        (status = 204, description = "Deleted, with its projects and applications; its keys are revoked"),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 403, description = "`forbidden`: only owners", body = Problem),
        (status = 404, description = "`not_found`: no such organization, or another tenant’s", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn delete(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(id): PathId<OrganizationId>,
) -> Result<StatusCode, Refusal> {
    organizations::delete(&services, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
