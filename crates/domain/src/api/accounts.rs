//! Users and their sessions.

use serde::{Deserialize, Serialize};

use super::Organization;
use crate::id::{SessionId, UserId};
use crate::time::Timestamp;
use crate::word::{from_name, words};

/// The user who owns the access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// ID of the user.
    pub id: UserId,
    /// GitHub login of the user.
    pub login: String,
    /// Display name from GitHub; null if the user has not set one there.
    pub name: Option<String>,
    /// URL of the user's avatar.
    pub avatar_url: Option<String>,
    /// Whether the user is an administrator of this instance.
    pub administrator: bool,
    /// Organizations that the user is a member of.
    pub organizations: Vec<Organization>,
}

/// A session of the signed-in user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// ID of the session.
    pub id: SessionId,
    /// Whether this is the session that made the request.
    pub current: bool,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When the session was last refreshed.
    pub last_seen_at: Timestamp,
    /// When the session expires unless it is refreshed.
    pub expires_at: Timestamp,
    /// IP address that last refreshed the session.
    pub ip: Option<String>,
    /// `User-Agent` of the browser.
    pub user_agent: Option<String>,
}

/// Why a session ended before it expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum SessionEndReason {
    /// The user signed out or ended the session from another one.
    SignedOut,
    /// A refresh token was used twice, so it may have been stolen.
    TokenReused,
    /// The user had 100 sessions and signed in again, so the one idle for the longest time was
    /// ended.
    Replaced,
}

words!(SessionEndReason);
from_name!(SessionEndReason);

/// A past sign-in of the user, whether or not its session is still active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInEntry {
    /// ID of the session that was started.
    pub id: SessionId,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// IP address that last refreshed the session.
    pub ip: Option<String>,
    /// `User-Agent` of the browser.
    pub user_agent: Option<String>,
    /// When the session was ended; null if it is active or expired.
    pub ended_at: Option<Timestamp>,
    /// Why the session was ended; null if it is active or expired.
    pub end_reason: Option<SessionEndReason>,
}

/// Body of `POST /refresh` and `POST /logout`, for clients that store the refresh token themselves.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token. Each can be used once.
    #[serde(rename = "refreshToken")]
    #[cfg_attr(feature = "openapi", schema(max_length = 65_536))]
    pub refresh_token: String,
}

/// A new access token and refresh token.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionTokens {
    /// Access token (JWT) to send as `Authorization: Bearer`.
    pub token: String,
    /// The next refresh token. Absent if it was set as a cookie.
    #[serde(rename = "refreshToken", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub refresh_token: Option<String>,
    /// Seconds until the access token expires.
    #[serde(rename = "expiresIn")]
    pub expires_in: u64,
}
