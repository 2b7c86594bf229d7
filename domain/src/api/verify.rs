//! Checking a key over the API.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::present;
use crate::id::{ApplicationId, KeyId, ProjectId};
use crate::key::Environment;
use crate::limit::Period;
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::whole;

/// The body of `POST /v1/keys/verify`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The secret that somebody presented.
    #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 1_048_576))]
    pub key: PresentedSecret,
    /// The application that it shall be used for.
    #[serde(default)]
    pub application_id: Option<ApplicationId>,
    /// The model that it shall be used for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 1_048_576))]
    pub model: Option<String>,
    /// How many tokens the call takes from the key's tokens per minute and its budget.
    #[serde(default, deserialize_with = "whole::from_0")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)
    )]
    pub cost: u64,
    /// Where the call comes from. A key with `allowed_cidrs` is refused without it.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<String>, format = "ip", example = "203.0.113.7")
    )]
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
    /// The outcome in words, naming the limit, what was used and when it frees. Of a key that is
    /// found, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub detail: Option<String>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<KeyId>,
    /// Its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project_id: Option<ProjectId>,
    /// Its application; null: any of the project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ApplicationId>))]
    pub application_id: Option<Option<ApplicationId>>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    /// Live or test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub environment: Option<Environment>,
    /// When it stops working; null: never.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
    /// When the same call could be admitted, in whole seconds; null: it was, or no waiting helps.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub retry_after_seconds: Option<Option<u64>>,
    /// Its requests per minute; null: not limited.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<RateLimitState>))]
    pub ratelimit: Option<Option<RateLimitState>>,
    /// Its tokens per minute; null: not limited, or the call was refused before they were looked
    /// at.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<RateLimitState>))]
    pub tokens: Option<Option<RateLimitState>>,
    /// Its token budget; null: not limited.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BudgetState>))]
    pub budget: Option<Option<BudgetState>>,
}

impl VerifyAnswer {
    /// The answer for a key that is not found.
    pub const fn not_found(code: Outcome) -> Self {
        Self {
            valid: false,
            code,
            detail: None,
            key_id: None,
            project_id: None,
            application_id: None,
            name: None,
            environment: None,
            expires_at: None,
            retry_after_seconds: None,
            ratelimit: None,
            tokens: None,
            budget: None,
        }
    }
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
