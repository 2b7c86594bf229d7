//! A key as its holder sees it.

use serde::{Deserialize, Serialize};

use super::{BudgetState, RateLimitState};
use crate::attribute::ExternalId;
use crate::hint::MaskedSecret;
use crate::id::{ApplicationId, KeyId, ProjectId};
use crate::key::{Environment, KeyKind, KeyStatus};
use crate::limit::{MaxParallel, Rpm, Tokens};
use crate::scope::Scopes;
use crate::time::Timestamp;

/// A key as its holder sees it, and where its limits stand now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// ID of the key. A rotation does not change it.
    pub id: KeyId,
    /// What the key authenticates.
    pub kind: KeyKind,
    /// ID of the project that the key belongs to.
    pub project_id: ProjectId,
    /// ID of the application that the key is restricted to; null if it is valid for the whole
    /// project.
    pub application_id: Option<ApplicationId>,
    /// Name of the key.
    pub name: String,
    /// Environment of the key: `live` or `test`.
    pub environment: Environment,
    /// Masked form of the secret that was sent, e.g. `lk_live_7Qm2...x9Kd`; the hint of an imported
    /// key.
    pub masked: MaskedSecret,
    /// Current status of the key: `active`, since any other key is refused.
    pub status: KeyStatus,
    /// When the key expires; null if never.
    pub expires_at: Option<Timestamp>,
    /// Maximum requests per minute; null if not limited.
    pub rpm: Option<Rpm>,
    /// Maximum tokens per minute; null if not limited.
    pub tpm: Option<Tokens>,
    /// Maximum concurrent gateway calls; null means 64.
    pub max_parallel: Option<MaxParallel>,
    /// Scopes of the key.
    pub scopes: Scopes,
    /// The ID that the key's issuer has for whoever uses the key; null if it has none.
    pub external_id: Option<ExternalId>,
    /// State of the requests per minute; null if not limited.
    pub ratelimit: Option<RateLimitState>,
    /// State of the tokens per minute; null if not limited.
    pub tokens: Option<RateLimitState>,
    /// States of the key's budgets.
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub budgets: Vec<BudgetState>,
}
