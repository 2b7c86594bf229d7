//! Members of an organization.

use serde::{Deserialize, Serialize};

use crate::id::{InvitationId, OrganizationId, UserId};
use crate::login::GithubLogin;
use crate::role::Role;
use crate::time::Timestamp;

/// A member, or somebody who is invited. Of the latter the organization knows the login alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The person; null while they are invited.
    pub user_id: Option<UserId>,
    /// Their GitHub login; of an invitation, as it was typed.
    pub login: String,
    /// Their name, if GitHub knows one; null while they are invited.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether the invitation waits for their answer.
    pub invited: bool,
    /// When they joined or were invited.
    pub created_at: Timestamp,
}

/// A member in the pages' list, with what the API does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedMember {
    /// The member.
    #[serde(flatten)]
    pub member: Member,
    /// The invitation that waits, for who is no member yet.
    pub invitation_id: Option<InvitationId>,
    /// Where their picture is.
    pub avatar_url: Option<String>,
    /// When they last renewed a session, if any stands.
    pub last_active_at: Option<Timestamp>,
    /// The login of who invited them.
    pub invited_by: Option<String>,
}

/// The body of `POST /v1/organizations/{id}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// Whom to invite: whoever of GitHub signs in with it may accept.
    pub login: GithubLogin,
    /// What they may do once they accept.
    pub role: Role,
}

/// The body of `PATCH /v1/organizations/{id}/members/{user_id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// What they may do from now on.
    pub role: Role,
}

/// An invitation, as whoever is invited sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// To what.
    pub organization: InvitingOrganization,
    /// What they may do there.
    pub role: Role,
    /// The login of who invited them.
    pub invited_by: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// What somebody who is invited sees of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitingOrganization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
}
