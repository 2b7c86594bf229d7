//! Invitations: withdrawn by the organization, and answered by the invited person.

use axum::extract::State;
use axum::http::StatusCode;
use latchkey_domain::api::{Invitation, Page};
use latchkey_domain::id::OrganizationId;
use latchkey_domain::login::GithubLogin;
use latchkey_services::{Services, members};

use crate::http::auth::Caller;
use crate::http::extract::{ListPage, PageParams, PathId, PathIds};
use crate::http::problem::Refusal;
use crate::http::responses::{Invalid, IsServiceKey, NoAccess, Unauthenticated, refusals};

refusals! {
    /// The caller's role, or the role of the invitation, is in the way.
    MayNotWithdraw {
        403: "`forbidden`: the caller is not an owner or admin, or not an owner and the invitation is for an owner",
    }

    /// Nothing is there to be answered.
    NoInvitation {
        404: "`not_found`: the caller has no pending invitation to this organization",
    }

    /// The invitation is for an owner.
    OwnsTooMany {
        409: "`limit_reached`: the caller already owns the maximum number of organizations",
    }
}

/// Withdraw an invitation
#[utoipa::path(
    delete,
    path = "/v1/organizations/{id}/invitations/{login}",
    operation_id = "withdraw_invitation",
    tag = "Members",
    params(("id" = OrganizationId, Path), ("login" = String, Path)),
    responses(
        (status = 204, description = "The invitation is withdrawn"),
        NoAccess<Invitation>,
        MayNotWithdraw,
    ),
    security(("user" = [])),
)]
pub(crate) async fn withdraw(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathIds(organization, login): PathIds<OrganizationId, GithubLogin>,
) -> Result<StatusCode, Refusal> {
    members::withdraw(&services, &actor, organization, login.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List your pending invitations
#[utoipa::path(
    get,
    path = "/v1/me/invitations",
    operation_id = "list_my_invitations",
    tag = "Members",
    params(PageParams),
    responses(
        (status = 200, description = "Pending invitations, oldest first", body = Page<Invitation>),
        Unauthenticated,
        IsServiceKey,
        Invalid,
    ),
    security(("user" = [])),
)]
pub(crate) async fn waiting(
    State(services): State<Services>,
    Caller(actor): Caller,
    ListPage(page): ListPage,
) -> Result<axum::Json<Page<Invitation>>, Refusal> {
    Ok(axum::Json(members::waiting(&services, &actor, page).await?))
}

/// Accept an invitation
///
/// The caller becomes a member with their account. Later changes of their GitHub login have no
/// effect on it.
#[utoipa::path(
    post,
    path = "/v1/me/invitations/{id}/accept",
    operation_id = "accept_invitation",
    tag = "Members",
    params(("id" = OrganizationId, Path)),
    responses(
        (status = 204, description = "The caller is now a member"),
        Unauthenticated,
        IsServiceKey,
        NoInvitation,
        OwnsTooMany,
    ),
    security(("user" = [])),
)]
pub(crate) async fn accept(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
) -> Result<StatusCode, Refusal> {
    members::accept(&services, &actor, organization).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decline an invitation
#[utoipa::path(
    post,
    path = "/v1/me/invitations/{id}/decline",
    operation_id = "decline_invitation",
    tag = "Members",
    params(("id" = OrganizationId, Path)),
    responses(
        (status = 204, description = "The invitation is declined"),
        Unauthenticated,
        IsServiceKey,
        NoInvitation,
    ),
    security(("user" = [])),
)]
pub(crate) async fn decline(
    State(services): State<Services>,
    Caller(actor): Caller,
    PathId(organization): PathId<OrganizationId>,
) -> Result<StatusCode, Refusal> {
    members::decline(&services, &actor, organization).await?;
    Ok(StatusCode::NO_CONTENT)
}
