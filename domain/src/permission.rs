//! What a service key may do.

use serde::Serialize;

use crate::word::from_words;

/// One thing that a service key may do in its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ServicePermission {
    /// See the project's keys, masked.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Make, change, rotate, revoke and archive API and inference keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Check keys.
    #[serde(rename = "keys:verify")]
    KeysVerify,
    /// See what keys were used for.
    #[serde(rename = "usage:read")]
    UsageRead,
}

from_words!(ServicePermission);

impl ServicePermission {
    /// All permissions.
    pub const ALL: [Self; 4] = [Self::KeysRead, Self::KeysWrite, Self::KeysVerify, Self::UsageRead];

    /// As it stands in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::KeysVerify => "keys:verify",
            Self::UsageRead => "usage:read",
        }
    }
}
