//! Permissions of service keys.

use serde::Serialize;

use crate::word::{from_words, words};

/// A permission of a service key in its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(strum::EnumCount, strum::VariantArray, strum::VariantNames)]
pub enum ServicePermission {
    /// List and read the project's keys, masked.
    #[serde(rename = "keys:read")]
    #[strum(serialize = "keys:read")]
    KeysRead,
    /// Create, update, rotate, revoke and archive API and inference keys.
    #[serde(rename = "keys:write")]
    #[strum(serialize = "keys:write")]
    KeysWrite,
    /// Verify keys of the project.
    #[serde(rename = "keys:verify")]
    #[strum(serialize = "keys:verify")]
    KeysVerify,
    /// Read the usage of keys.
    #[serde(rename = "usage:read")]
    #[strum(serialize = "usage:read")]
    UsageRead,
}

words!(ServicePermission);
from_words!(ServicePermission);
