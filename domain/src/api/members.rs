//! Members of an organization.

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::login::GithubLogin;
use crate::role::Role;
use crate::time::Timestamp;

/// A member, or somebody who was invited and has never signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The person. An invited person has an id too, and keeps it, unless they turn out to be somebody who
    /// signed in under another login before.
    pub user_id: UserId,
    /// Their GitHub login.
    pub login: String,
    /// Their name, if GitHub knows one.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether they never signed in: the invitation waits for them.
    pub invited: bool,
    /// When they were added or invited.
    pub created_at: Timestamp,
}

/// A member in the pages' list, with what the API does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedMember {
    /// The member.
    #[serde(flatten)]
    pub member: Member,
    /// Where their picture is.
    pub avatar_url: Option<String>,
    /// When they last renewed a session, if any stands.
    pub last_active_at: Option<Timestamp>,
    /// The login of who added or invited them.
    pub invited_by: Option<String>,
}

/// The body of `POST /v1/organizations/{id}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    /// Whom to add. Somebody who never signed in is invited until they do.
    pub login: GithubLogin,
    /// What they may do.
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
