//! Checking a key over the API.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{ApplicationId, KeyId, ProjectId};
use crate::key::Environment;
use crate::limit::Period;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// The body of `POST /v1/keys/verify`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The secret that somebody presented.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: PresentedSecret,
    /// The application that it shall be used for.
    #[serde(default)]
    pub application_id: Option<ApplicationId>,
    /// The model that it shall be used for.
    #[serde(default)]
    pub model: Option<String>,
    /// How many tokens the call takes from the key's tokens per minute and its budget.
    #[serde(default)]
    pub cost: u64,
    /// Where the call comes from. A key with `allowed_cidrs` is refused without it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ip: Option<IpAddr>,
}

/// A secret as somebody presented it, whatever it is. Its `Debug` is redacted.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct PresentedSecret(String);

impl PresentedSecret {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresentedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedSecret(…)")
    }
}

/// The answer of `POST /v1/keys/verify`. Of a key that is not found only `valid` and `code` are
/// told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyAnswer {
    /// Whether the call may go on.
    pub valid: bool,
    /// The outcome.
    pub code: Outcome,
    /// What is known of the key, if there is one.
    #[serde(flatten)]
    pub key: Option<VerifiedKey>,
}

/// What a verification tells of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifiedKey {
    /// The outcome in words, naming the limit, what was used and when it frees.
    pub detail: String,
    /// Its id.
    pub key_id: KeyId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its application; null: any of the project.
    pub application_id: Option<ApplicationId>,
    /// Its name.
    pub name: String,
    /// Live or test.
    pub environment: Environment,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Its requests per minute; null: not limited.
    pub ratelimit: Option<RateLimitState>,
    /// Its token budget; null: not limited.
    pub budget: Option<BudgetState>,
}

/// Where a rate limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateLimitState {
    /// What may be used in 60 seconds.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// Seconds until all of it is free again.
    pub reset_seconds: f64,
}

/// Where a token budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetState {
    /// Tokens of one period.
    pub limit: u64,
    /// What was used of the running one.
    pub used: u64,
    /// What is left of it.
    pub remaining: u64,
    /// How long one lasts.
    pub period: Period,
    /// When the next one begins.
    pub resets_at: Timestamp,
}
