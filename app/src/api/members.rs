//! Members of an organization, and invitations.

use latchkey_domain::api::{Invitation, ListedMember, Member, MemberPatch, MemberRequest, Page};
use latchkey_domain::id::{OrganizationId, UserId};
use latchkey_domain::login::GithubLogin;

#[cfg(feature = "ssr")]
use super::caller::{caller, page};
use super::server_function::server_function;

server_function! {
    #[endpoint(
        "members/list",
        summary = "List the members and pending invitations of an organization",
        refuses = [NotFound],
    )]
    pub async fn list_members(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<ListedMember> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::list(&services, &actor, organization_id, page(cursor)).await?)
    }
}

server_function! {
    #[endpoint(
        "members/invite",
        summary = "Invite a user to an organization",
        refuses = [Forbidden, NotFound, Conflict],
    )]
    pub async fn invite_member(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// Whom, and in which role.
        request: MemberRequest,
    ) -> Member {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::invite(&services, &actor, organization_id, request, None)
            .await?)
    }
}

server_function! {
    #[endpoint(
        "invitations/withdraw",
        summary = "Withdraw an invitation",
        refuses = [Forbidden, NotFound],
    )]
    pub async fn withdraw_invitation(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// GitHub login of the invited user.
        login: GithubLogin,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::withdraw(&services, &actor, organization_id, login.as_str())
            .await?)
    }
}

server_function! {
    #[endpoint("invitations/list", summary = "List your pending invitations")]
    pub async fn list_invitations(
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    ) -> Page<Invitation> {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::waiting(&services, &actor, page(cursor)).await?)
    }
}

server_function! {
    #[endpoint(
        "invitations/accept",
        summary = "Accept an invitation",
        refuses = [NotFound, LimitReached],
    )]
    pub async fn accept_invitation(
        /// Organization that the call is about.
        organization_id: OrganizationId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::accept(&services, &actor, organization_id).await?)
    }
}

server_function! {
    #[endpoint("invitations/decline", summary = "Decline an invitation", refuses = [NotFound])]
    pub async fn decline_invitation(
        /// Organization that the call is about.
        organization_id: OrganizationId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::decline(&services, &actor, organization_id).await?)
    }
}

server_function! {
    #[endpoint(
        "members/change",
        summary = "Update a member’s role",
        refuses = [Forbidden, NotFound, LastOwner, LimitReached],
    )]
    pub async fn update_member(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// ID of the member.
        user_id: UserId,
        /// Their role from now on.
        patch: MemberPatch,
    ) -> Member {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::change(&services, &actor, organization_id, user_id, patch)
            .await?)
    }
}

server_function! {
    #[endpoint(
        "members/remove",
        summary = "Remove a member or leave an organization",
        refuses = [Forbidden, NotFound, LastOwner],
    )]
    pub async fn remove_member(
        /// Organization that the call is about.
        organization_id: OrganizationId,
        /// ID of the member.
        user_id: UserId,
    ) -> () {
        let (services, actor) = caller().await?;
        Ok(latchkey_services::members::remove(&services, &actor, organization_id, user_id).await?)
    }
}
