//! `/v1/organizations`: what the caller is a member of, made, changed and deleted.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{Organization, OrganizationPatch, OrganizationRequest, Page};
use latchkey_domain::id::OrganizationId;
use latchkey_services::{Services, organizations};

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, PathId};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{
    Invalid, InvalidOrMismatched, IsServiceKey, NoAccess, Unauthenticated, refusals,
};

refusals! {
    /// The caller owns as many organizations as they may.
    OrganizationNotCreated {
        409: "`limit_reached`: the caller already owns the maximum number of organizations; `idempotency_replay`",
    }

    /// Which field it is decides who may change it.
    MayNotChange {
        403: "`forbidden`: only owners and admins can change the name and the limits, and only administrators of the instance the tier",
    }

    /// Only owners delete what they own.
    IsNotOwner {
        403: "`forbidden`: the caller is not an owner",
    }
}

/// List your organizations
#[utoipa::path(
    get,
    path = "/v1/organizations",
    operation_id = "list_organizations",
    tag = "Workspace",
    params(
        PageParams,
    ),
    responses(
        (status = 200, description = "The list, newest first", body = Page<Organization>),
        Unauthenticated,
        Invalid,
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

/// Get an organization
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}",
    operation_id = "get_organization",
    tag = "Workspace",
    params(("id" = OrganizationId, Path)),
    responses(
        (status = 200, description = "The organization, including the caller’s role", body = Organization),
        NoAccess<Organization>,
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

/// Create an organization
#[utoipa::path(
    post,
    path = "/v1/organizations",
    operation_id = "create_organization",
    tag = "Workspace",
    params(("Idempotency-Key" = Option<String>, Header)),
    request_body(content = OrganizationRequest),
    responses(
        (status = 201, description = "The organization, on the Free tier, owned by the caller", body = Organization),
        Unauthenticated,
        IsServiceKey,
        OrganizationNotCreated,
        InvalidOrMismatched,
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

/// Update an organization
///
/// Owners and admins can change the name and the limits. Administrators of the instance can change
/// the tier and its overrides for any organization. Changes take effect immediately. `rpm`, `tpm`,
/// `max_parallel` and `budgets` limit all keys of the organization together, live and test.
/// Lowering a limit of the tier does not revoke anything; it only prevents new resources.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{id}",
    operation_id = "change_organization",
    tag = "Workspace",
    params(("id" = OrganizationId, Path)),
    request_body(content = OrganizationPatch),
    responses(
        (status = 200, description = "The updated organization", body = Organization),
        NoAccess<Organization>,
        MayNotChange,
        Invalid,
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
        (status = 204, description = "The organization is deleted with its projects and applications, and its keys are revoked"),
        NoAccess<Organization>,
        IsNotOwner,
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
