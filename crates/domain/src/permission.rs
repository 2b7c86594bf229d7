//! What a service key may do.

use serde::Serialize;

use crate::word::from_words;

/// A permission of a service key in its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ServicePermission {
    /// List and read the project's keys, masked.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Create, update, rotate, revoke and archive API and inference keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Verify keys of the project.
    #[serde(rename = "keys:verify")]
    KeysVerify,
    /// Read the usage of keys.
    #[serde(rename = "usage:read")]
    UsageRead,
}

from_words!(ServicePermission);

impl ServicePermission {
    /// All permissions in their display order.
    pub const ALL: [Self; 4] = [Self::KeysRead, Self::KeysWrite, Self::KeysVerify, Self::UsageRead];

    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::KeysVerify => "keys:verify",
            Self::UsageRead => "usage:read",
        }
    }
}
