//! Members of an organization.

use latchkey_domain::api::{ListedMember, Member, MemberPatch, MemberRequest, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::{ApiError, Bearer, Body};

/// The members of an organization and who is invited, first come first.
///
/// # Errors
/// See [`ApiError`]; `not_found` for an organization that the person is not in.
#[server(prefix = "/api", endpoint = "members/list", input = Body, output = Body, client = Bearer)]
pub async fn list_members(
    /// Which organization.
    organization_id: OrganizationId,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
) -> Result<Page<ListedMember>, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::list(&services, &actor, organization_id, page(cursor)).await?)
}

/// Adds a member; somebody who never signed in is invited until they do.
///
/// # Errors
/// See [`ApiError`]; `conflict` for who is there already, `forbidden`.
#[server(prefix = "/api", endpoint = "members/add", input = Body, output = Body, client = Bearer)]
pub async fn add_member(
    /// Which organization.
    organization_id: OrganizationId,
    /// Whom, and in which role.
    request: MemberRequest,
) -> Result<Member, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::add(&services, &actor, organization_id, request).await?)
}

/// Gives a member another role, effective at once.
///
/// # Errors
/// See [`ApiError`]; `last_owner`, `forbidden`.
#[server(prefix = "/api", endpoint = "members/change", input = Body, output = Body, client = Bearer)]
pub async fn change_member(
    /// Which organization.
    organization_id: OrganizationId,
    /// Which member.
    user_id: UserId,
    /// Their role from now on.
    patch: MemberPatch,
) -> Result<Member, ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::change(&services, &actor, organization_id, user_id, patch)
        .await?)
}

/// Removes a member at once, withdraws an invitation, or leaves the organization.
///
/// # Errors
/// See [`ApiError`]; `last_owner`, `forbidden`.
#[server(prefix = "/api", endpoint = "members/remove", input = Body, output = Body, client = Bearer)]
pub async fn remove_member(
    /// Which organization.
    organization_id: OrganizationId,
    /// Which member.
    user_id: UserId,
) -> Result<(), ApiError> {
    let (services, actor) = caller().await?;
    Ok(latchkey_services::members::remove(&services, &actor, organization_id, user_id).await?)
}
