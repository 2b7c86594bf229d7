//! People and their sessions.

use serde::{Deserialize, Serialize};

use super::Organization;
use crate::id::{SessionId, UserId};
use crate::time::Timestamp;

/// The person who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// Their id.
    pub id: UserId,
    /// Their GitHub login.
    pub login: String,
    /// Their name, if GitHub knows one.
    pub name: Option<String>,
    /// Where their picture is.
    pub avatar_url: Option<String>,
    /// Whether they administer this instance.
    pub administrator: bool,
    /// The organizations that they are a member of.
    pub organizations: Vec<Organization>,
}

/// One sign-in of a person: where and when they were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whether this is the one that asks.
    pub current: bool,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last renewed.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
    /// The address that it was last renewed from.
    pub ip: Option<String>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionEndReason {
    /// The person signed out, or ended it from another one.
    SignedOut,
    /// A refresh token came back after its use: somebody had copied it.
    TokenReused,
    /// A newer sign-in took its place: a person has at most 100 sessions at a time, and nobody had
    /// used this one for the longest time.
    Replaced,
}

impl SessionEndReason {
    /// As it stands in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::TokenReused => "token_reused",
            Self::Replaced => "replaced",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::SignedOut, Self::TokenReused, Self::Replaced];
        all.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// A sign-in of a person in their own log, whether its session still stands or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInEntry {
    /// The session that began.
    pub id: SessionId,
    /// When.
    pub created_at: Timestamp,
    /// The address that the session was last seen at.
    pub ip: Option<String>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// When the session ended, if it did before its time.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub end_reason: Option<SessionEndReason>,
}

/// The body of `POST /refresh` and `POST /logout` of a client that keeps its refresh token itself.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token. Each is good once.
    #[serde(rename = "refreshToken")]
    #[cfg_attr(feature = "openapi", schema(max_length = 65_536))]
    pub refresh_token: String,
}

/// A new pair of tokens.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionTokens {
    /// The JWT to send as `Authorization: Bearer`.
    pub token: String,
    /// The next refresh token; absent when it went back as a cookie.
    #[serde(rename = "refreshToken", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub refresh_token: Option<String>,
    /// Seconds until the JWT expires.
    #[serde(rename = "expiresIn")]
    pub expires_in: u64,
}
