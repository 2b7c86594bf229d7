//! A key in an export: what is stored of it, and never its secret.

use serde::Serialize;

use crate::attribute::{ExternalId, Metadata, Tags};
use crate::budget::Budgets;
use crate::hint::MaskedSecret;
use crate::id::{ApplicationId, KeyId, UserId};
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{AllowList, Cidr, MaxParallel, ModelName, Rpm, Tokens};
use crate::permission::ServicePermission;
use crate::scope::Scopes;
use crate::time::Timestamp;

/// A key in an export: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExportedKey {
    /// ID of the key.
    pub id: KeyId,
    /// What the key authenticates.
    pub kind: KeyKind,
    /// ID of the application that the key is restricted to; null if there is none.
    pub application_id: Option<ApplicationId>,
    /// Name of the key.
    pub name: String,
    /// Environment of the key.
    pub environment: Environment,
    /// Masked secret, or the hint of an imported key.
    pub masked: MaskedSecret,
    /// Status when the line was written.
    pub status: KeyStatus,
    /// Whether the key is disabled.
    pub disabled: bool,
    /// Maximum requests per minute; null if not limited.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute; null if not limited.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls; null means 64.
    pub max_parallel: Option<MaxParallel>,
    /// Budgets of the key.
    pub budgets: Budgets,
    /// Models that the key may use; null for all.
    pub allowed_models: Option<AllowList<ModelName>>,
    /// Networks that the key may be used from; null for any.
    pub allowed_cidrs: Option<AllowList<Cidr>>,
    /// Permissions of a service key; null for other kinds.
    pub permissions: Option<AllowList<ServicePermission>>,
    /// The customer's own ID of whoever uses the key; null if none.
    pub external_id: Option<ExternalId>,
    /// The customer's own JSON.
    pub metadata: Metadata,
    /// Tags of the key.
    pub tags: Tags,
    /// Scopes of an API key.
    pub scopes: Scopes,
    /// When the key was created.
    pub created_at: Timestamp,
    /// ID of the user who created or imported the key.
    pub created_by: UserId,
    /// When the key expires; null if never.
    pub expires_at: Option<Timestamp>,
    /// When the key was revoked; null if it was not.
    pub revoked_at: Option<Timestamp>,
    /// When the key was archived; null if it is not archived.
    pub archived_at: Option<Timestamp>,
    /// When the key was last used; null if never.
    pub last_used_at: Option<Timestamp>,
    /// Always `latchkey-hmac-sha256`: HMAC-SHA-256 of the whole key under the server's pepper.
    pub scheme: String,
    /// The digest, in hexadecimal. Without the pepper nothing can be compared with it.
    pub stored: String,
    /// What the other system digested of an imported key that has not been used yet, of which
    /// `stored` is a digest then; null for any other key.
    pub imported_scheme: Option<String>,
}

impl ExportedKey {
    /// Name of the scheme of what is stored.
    pub const SCHEME: &'static str = "latchkey-hmac-sha256";
}
