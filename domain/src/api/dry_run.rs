//! Trying out what a check of a key would come to, without calling anything.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{BudgetState, RateLimitState};
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::whole;

/// The call that is tried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// The model that it names, if it names one.
    #[serde(default)]
    pub model: Option<String>,
    /// Where it comes from. A key with `allowed_cidrs` is refused without it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ip: Option<IpAddr>,
    /// How many tokens it takes in any case: those of its prompt.
    #[serde(default, deserialize_with = "whole::from_0")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)
    )]
    pub tokens: u64,
}

/// What a check of that call would come to now. Limits are told as far as the check would get;
/// nothing was taken of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DryRun {
    /// The outcome.
    pub code: Outcome,
    /// The outcome in words. A limit's numbers stand in its own field.
    pub detail: String,
    /// When the same call could be admitted, in whole seconds, if waiting helps.
    pub retry_after_seconds: Option<u64>,
    /// Requests per minute; null: not limited, or not reached.
    pub ratelimit: Option<RateLimitState>,
    /// Tokens per minute; null: not limited, or not reached.
    pub token_ratelimit: Option<RateLimitState>,
    /// The project's month; null: such calls don't count, or not reached.
    pub quota: Option<QuotaState>,
    /// The token budget; null: not limited, or not reached.
    pub budget: Option<BudgetState>,
}

/// Where a project's live requests of the month stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuotaState {
    /// What its plan allows; null: any number.
    pub limit: Option<u64>,
    /// What was used.
    pub used: u64,
    /// When the next month begins.
    pub resets_at: Timestamp,
}

impl QuotaState {
    /// Whether the plan allows no more this month.
    pub fn is_used_up(&self) -> bool {
        self.limit.is_some_and(|limit| self.used >= limit)
    }
}
