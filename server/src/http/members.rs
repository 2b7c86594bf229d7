//! `/v1/organizations/{id}/members`: who is a member, and who is invited.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{Member, MemberPatch, MemberRequest, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::problem::Problem;
use latchkey_services::{Services, members};

use super::auth::Caller;
use super::extract::{ListPage, PageParams, PathId, PathIds};
use super::idempotency::IdempotencyKey;
use super::json::Json;
use super::problem::Refusal;

/// List the members of an organization
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}/members",
    operation_id = "list_members",
    tag = "Members",
    params(("id" = OrganizationId, Path), PageParams),
    responses(
        (status = 200, description = "Members and invited people, first come first", body = Page<Member>),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 404, description = "`not_found`: no such organization, or another tenant’s", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<Member>>, Refusal> {
    let members = members::list(&services, &actor, organization, page).await?;
    Ok(axum::Json(members.map(|listed| listed.member)))
}

/// Invite a member
///
/// Whoever of GitHub signs in with the login may accept or decline; until then the organization
/// sees the login alone. A person makes at most 60 invitations an hour; more are 429
/// `rate_limited`.
#[utoipa::path(
    post,
    path = "/v1/organizations/{id}/members",
    operation_id = "invite_member",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = MemberRequest),
    responses(
        (status = 201, description = "The invitation", body = Member),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 403, description = "`forbidden`: only owners and admins, and owners alone invite owners", body = Problem),
        (status = 404, description = "`not_found`: no such organization, or another tenant’s", body = Problem),
        (status = 409, description = "`conflict`: a member or invited already; `idempotency_replay`", body = Problem),
        (status = 422, description = "`invalid`, `idempotency_mismatch`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn invite(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
    idempotency: IdempotencyKey,
    Json(request): Json<MemberRequest>,
) -> Result<(StatusCode, axum::Json<Member>), Refusal> {
    let idempotency = idempotency.of(&request);
    let invited =
        members::invite(&services, &actor, organization, request, idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, axum::Json(invited)))
}

/// Give a member another role
///
/// Effective with their next request.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{id}/members/{userId}",
    operation_id = "change_member",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("userId" = UserId, Path)),
    request_body(content = MemberPatch),
    responses(
        (status = 200, description = "The member as they are now", body = Member),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 403, description = "`forbidden`: only owners and admins, and owners alone change owners", body = Problem),
        (status = 404, description = "`not_found`: no such member, or another tenant’s", body = Problem),
        (status = 409, description = "`last_owner`; `limit_reached`: they own as many organizations as a person may", body = Problem),
        (status = 422, description = "`invalid`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn change(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathIds(organization, user): PathIds<OrganizationId, UserId>,
    Json(patch): Json<MemberPatch>,
) -> Result<axum::Json<Member>, Refusal> {
    Ok(axum::Json(members::change(&services, &actor, organization, user, patch).await?))
}

/// Remove a member
///
/// Their access ends at once; the keys that they made keep working. It is also how one leaves.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{id}/members/{userId}",
    operation_id = "remove_member",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("userId" = UserId, Path)),
    responses(
        (status = 204, description = "Removed or left"),
        (status = 401, description = "`unauthenticated`", body = Problem),
        (status = 403, description = "`forbidden`: only owners and admins remove others, and owners alone remove owners", body = Problem),
        (status = 404, description = "`not_found`: no such member, or another tenant’s", body = Problem),
        (status = 409, description = "`last_owner`", body = Problem),
    ),
    security(("user" = [])),
)]
pub(crate) async fn remove(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathIds(organization, user): PathIds<OrganizationId, UserId>,
) -> Result<StatusCode, Refusal> {
    members::remove(&services, &actor, organization, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
