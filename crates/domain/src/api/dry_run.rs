//! Dry runs: what a check of a key would return, without counting a call.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{RateLimitState, RefusingLimit, TokenBudget};
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::whole;

/// A hypothetical call to check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DryRunRequest {
    /// Model that the call would request.
    #[serde(default)]
    pub model: Option<String>,
    /// IP address of the caller. Required for keys with `allowed_cidrs`; without it they are
    /// denied.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ip: Option<IpAddr>,
    /// Number of prompt tokens.
    #[serde(default, deserialize_with = "whole::from_0")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)
    )]
    pub tokens: u64,
}

/// The outcome that the call would get now. Nothing is counted. Limits that come after the one that
/// denies the call are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DryRun {
    /// Outcome of the check.
    pub code: Outcome,
    /// Explanation of the outcome. The numbers of a limit are in its own field.
    pub detail: String,
    /// Seconds until the same call could be admitted; null if it is admitted now or if waiting does
    /// not help.
    pub retry_after_seconds: Option<u64>,
    /// Requests per minute; null if not limited or not evaluated.
    pub ratelimit: Option<RateLimitState>,
    /// Tokens per minute; null if not limited or not evaluated.
    pub token_ratelimit: Option<RateLimitState>,
    /// Monthly quota of the project; null if the call does not count towards it or if it was not
    /// evaluated.
    pub quota: Option<QuotaState>,
    /// Token budget; null if the key has none or if it was not evaluated.
    pub budget: Option<TokenBudget>,
    /// The limit that would refuse the call; null if none would.
    #[serde(default)]
    pub limit: Option<RefusingLimit>,
}

/// Current state of a project's monthly request quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuotaState {
    /// Requests per month that the plan allows; null if unlimited.
    pub limit: Option<u64>,
    /// Live requests in this month.
    pub used: u64,
    /// When the next month starts.
    pub resets_at: Timestamp,
}

impl QuotaState {
    /// Whether the quota is exhausted.
    pub fn is_used_up(&self) -> bool {
        self.limit.is_some_and(|limit| self.used >= limit)
    }
}
