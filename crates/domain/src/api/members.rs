//! Members of an organization.

use serde::{Deserialize, Serialize};

use crate::id::{InvitationId, OrganizationId, UserId};
use crate::login::GithubLogin;
use crate::role::Role;
use crate::time::Timestamp;

/// A member of an organization, or a person who has been invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// ID of the user; null until they accept the invitation.
    pub user_id: Option<UserId>,
    /// GitHub login. For an invitation, as it was entered.
    pub login: String,
    /// Display name from GitHub; null if not set, or until they accept the invitation.
    pub name: Option<String>,
    /// Role in the organization.
    pub role: Role,
    /// Whether the invitation is pending.
    pub invited: bool,
    /// When the user joined or was invited.
    pub created_at: Timestamp,
}

/// A member in the dashboard's list, with details that the API does not return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedMember {
    /// The member or invitation itself.
    #[serde(flatten)]
    pub member: Member,
    /// ID of the pending invitation; null for members.
    pub invitation_id: Option<InvitationId>,
    /// URL of the user's avatar.
    pub avatar_url: Option<String>,
    /// When the user last refreshed a session; null if they have no active session.
    pub last_active_at: Option<Timestamp>,
    /// GitHub login of the user who sent the invitation.
    pub invited_by: Option<String>,
}

/// Body of `POST /v1/organizations/{id}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// GitHub login to invite. The user who signs in with it can accept the invitation.
    pub login: GithubLogin,
    /// Role that the user gets after accepting.
    pub role: Role,
}

/// Body of `PATCH /v1/organizations/{id}/members/{userId}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// New role of the member.
    pub role: Role,
}

/// An invitation, as the invited user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// The organization that the user is invited to.
    pub organization: InvitingOrganization,
    /// Role that the user gets after accepting.
    pub role: Role,
    /// GitHub login of the user who sent the invitation.
    pub invited_by: Option<String>,
    /// When the invitation was sent.
    pub created_at: Timestamp,
}

/// The organization of an invitation, as the invited user sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitingOrganization {
    /// ID of the organization.
    pub id: OrganizationId,
    /// Name of the organization.
    pub name: String,
}
