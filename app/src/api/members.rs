//! Members of an organization, and invitations.

use latchkey_domain::api::{Invitation, ListedMember, Member, MemberPatch, MemberRequest, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::login::GithubLogin;
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Body};
use crate::data::bearer::Bearer;

/// The members of an organization and who is invited, first come first.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an organization that the person is not in.
#[server(prefix = "/api", endpoint = "members/list", input = Body, output = Body, client = Bearer)]
pub async fn list_members(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<ListedMember>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::list(&services, &actor, organization_id, page(cursor)).await?)
}

/// Invites somebody, who is a member once they accept.
///
/// # Errors
/// See [`ApiError`]; `conflict` for who is there already, `forbidden`, `rate_limited`.
#[server(prefix = "/api", endpoint = "members/invite", input = Body, output = Body, client = Bearer)]
pub async fn invite_member(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// Whom, and in which role.
    request: MemberRequest,
) -> Result<Member, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::invite(&services, &actor, organization_id, request, None)
        .await?)
}

/// Takes an invitation back.
///
/// # Errors
/// See [`ApiError`]; `not_found` for one that was answered meanwhile, `forbidden`.
#[server(prefix = "/api", endpoint = "invitations/withdraw", input = Body, output = Body, client = Bearer)]
pub async fn withdraw_invitation(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// GitHub login of the invited user.
    login: GithubLogin,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::withdraw(&services, &actor, organization_id, login.as_str())
        .await?)
}

/// The invitations that wait for the person, first come first.
///
/// # Errors
/// See [`ApiError`].
#[server(prefix = "/api", endpoint = "invitations/list", input = Body, output = Body, client = Bearer)]
pub async fn list_invitations(
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<Invitation>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::waiting(&services, &actor, page(cursor)).await?)
}

/// Accepts an invitation: the person is a member at once.
///
/// # Errors
/// See [`ApiError`]; `not_found` for one that was withdrawn meanwhile, `limit_reached`.
#[server(prefix = "/api", endpoint = "invitations/accept", input = Body, output = Body, client = Bearer)]
pub async fn accept_invitation(
    /// Organization that the call is about.
    organization_id: OrganizationId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::accept(&services, &actor, organization_id).await?)
}

/// Declines an invitation.
///
/// # Errors
/// See [`ApiError`]; `not_found` for one that was withdrawn meanwhile.
#[server(prefix = "/api", endpoint = "invitations/decline", input = Body, output = Body, client = Bearer)]
pub async fn decline_invitation(
    /// Organization that the call is about.
    organization_id: OrganizationId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::decline(&services, &actor, organization_id).await?)
}

/// Gives a member another role, effective at once.
///
/// # Errors
/// See [`ApiError`]; `last_owner`, `forbidden`.
#[server(prefix = "/api", endpoint = "members/change", input = Body, output = Body, client = Bearer)]
pub async fn update_member(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// ID of the member.
    user_id: UserId,
    /// Their role from now on.
    patch: MemberPatch,
) -> Result<Member, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::change(&services, &actor, organization_id, user_id, patch)
        .await?)
}

/// Removes a member at once, or leaves the organization.
///
/// # Errors
/// See [`ApiError`]; `last_owner`, `forbidden`.
#[server(prefix = "/api", endpoint = "members/remove", input = Body, output = Body, client = Bearer)]
pub async fn remove_member(
    /// Organization that the call is about.
    organization_id: OrganizationId,
    /// ID of the member.
    user_id: UserId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::remove(&services, &actor, organization_id, user_id).await?)
}
