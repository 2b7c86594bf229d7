//! `/v1/organizations/{id}/members`: who is a member, and who is invited.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::Organization;
use latchkey_domain::api::{Member, MemberPatch, MemberRequest, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_services::{Services, members};

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, PathId, PathIds};
use crate::http::idempotency::IdempotencyKey;
use crate::http::json::Json;
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, InvalidOrMismatched, NoAccess, refusals};

refusals! {
    /// The caller's role, or the role of the invitation, is in the way.
    MayNotInvite {
        403: "`forbidden`: the caller is not an owner or admin; only owners can invite owners",
    }

    /// Nobody is invited twice.
    IsAlreadyThere {
        409: "`conflict`: the user is already a member or invited; `idempotency_replay`",
    }

    /// The caller's role, or the member's, is in the way.
    MayNotUpdate {
        403: "`forbidden`: the caller is not an owner or admin; only owners can update owners",
    }

    /// The new role is impossible.
    RoleNotChanged {
        409: "`last_owner`; `limit_reached`: the member already owns the maximum number of organizations",
    }

    /// The caller's role, or the member's, is in the way.
    MayNotRemove {
        403: "`forbidden`: only owners and admins can remove other members, and only owners can remove owners",
    }

    /// An organization keeps an owner.
    IsLastOwner {
        409: "`last_owner`",
    }
}

/// List the members of an organization
#[utoipa::path(
    get,
    path = "/v1/organizations/{id}/members",
    operation_id = "list_members",
    tag = "Members",
    params(("id" = OrganizationId, Path), PageParams),
    responses(
        (status = 200, description = "Members and pending invitations, oldest first", body = Page<Member>),
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
) -> Result<axum::Json<Page<Member>>, Refusal> {
    let members = members::list(&services, &actor, organization, page).await?;
    Ok(axum::Json(members.map(|listed| listed.member)))
}

/// Invite a member
///
/// The user who signs in with this GitHub login can accept or decline the invitation. Until then,
/// the organization sees only the login. A user can send 60 invitations per hour; further ones get
/// 429 `rate_limited`.
#[utoipa::path(
    post,
    path = "/v1/organizations/{id}/members",
    operation_id = "invite_member",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body(content = MemberRequest),
    responses(
        (status = 201, description = "The invitation", body = Member),
        NoAccess<Organization>,
        MayNotInvite,
        IsAlreadyThere,
        InvalidOrMismatched,
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

/// Update a member’s role
///
/// Takes effect with the member’s next request.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{id}/members/{userId}",
    operation_id = "change_member",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("userId" = UserId, Path)),
    request_body(content = MemberPatch),
    responses(
        (status = 200, description = "The updated member", body = Member),
        NoAccess<Member>,
        MayNotUpdate,
        RoleNotChanged,
        Invalid,
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
/// The member loses access immediately. Keys that they created keep working. Members can also
/// remove themselves to leave an organization.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{id}/members/{userId}",
    operation_id = "remove_member",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("userId" = UserId, Path)),
    responses(
        (status = 204, description = "The user is no longer a member"),
        NoAccess<Member>,
        MayNotRemove,
        IsLastOwner,
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
