//! Verifying a key through the API.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{BudgetState, RefusingLimit, TokenBudget, present};
use crate::attribute::{ExternalId, Metadata, Tags};
use crate::id::{ApplicationId, KeyId, ProjectId};
use crate::key::Environment;
use crate::outcome::Outcome;
use crate::scope::{ScopeQuery, Scopes};
use crate::time::Timestamp;
use crate::whole;

/// Body of `POST /v1/keys/verify`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The secret to verify.
    #[cfg_attr(feature = "openapi", schema(value_type = String, max_length = 1_048_576))]
    pub key: PresentedSecret,
    /// ID of the application that the key is used for.
    #[serde(default)]
    pub application_id: Option<ApplicationId>,
    /// Model that the key is used for.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 1_048_576))]
    pub model: Option<String>,
    /// Number of tokens to deduct from the key's tokens per minute and its token budget.
    #[serde(default, deserialize_with = "whole::from_0")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)
    )]
    pub cost: u64,
    /// IP address of the end user. Required for keys with `allowed_cidrs`; without it they are
    /// denied.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = Option<String>, format = "ip", example = "203.0.113.7")
    )]
    pub ip: Option<IpAddr>,
    /// Scopes that the key has to have, else it is denied with `insufficient_scope`.
    #[serde(default)]
    pub scopes: Option<ScopeQuery>,
}

/// Any text that a caller presents as a secret. Its `Debug` output is redacted.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct PresentedSecret(String);

impl PresentedSecret {
    /// The plaintext, which must not be logged.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresentedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedSecret(…)")
    }
}

/// Response of `POST /v1/keys/verify`. If the key is unknown, it has only `valid` and `code`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyAnswer {
    /// Whether to allow the request.
    pub valid: bool,
    /// Outcome of the check.
    pub code: Outcome,
    /// Explanation of the outcome: the limit, what was used, and when it resets. Like all fields
    /// below, absent if the key is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub detail: Option<String>,
    /// ID of the verified key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub key_id: Option<KeyId>,
    /// ID of the key's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub project_id: Option<ProjectId>,
    /// ID of the application that the key is restricted to; null if it is valid for the whole
    /// project.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ApplicationId>))]
    pub application_id: Option<Option<ApplicationId>>,
    /// Name of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    /// Environment of the key: `live` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub environment: Option<Environment>,
    /// When the key expires; null if never.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
    /// Seconds until the same call could be admitted; null if it was admitted or if waiting does
    /// not help.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1))]
    pub retry_after_seconds: Option<Option<u64>>,
    /// Requests per minute; null if not limited.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<RateLimitState>))]
    pub ratelimit: Option<Option<RateLimitState>>,
    /// Tokens per minute; null if not limited, or if the call was denied before this limit was
    /// evaluated.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<RateLimitState>))]
    pub tokens: Option<Option<RateLimitState>>,
    /// The key’s first budget in tokens; null if it has none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TokenBudget>))]
    pub budget: Option<Option<TokenBudget>>,
    /// States of the key’s budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, max_items = 8))]
    pub budgets: Option<Vec<BudgetState>>,
    /// The limit that refused the call; null if none did.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<RefusingLimit>))]
    pub limit: Option<Option<RefusingLimit>>,
    /// Scopes of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub scopes: Option<Scopes>,
    /// Your own ID of whoever uses the key; null if it has none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ExternalId>))]
    pub external_id: Option<Option<ExternalId>>,
    /// Metadata of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub metadata: Option<Metadata>,
    /// Tags of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub tags: Option<Tags>,
}

impl VerifyAnswer {
    /// The response for an unknown key.
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
            budgets: None,
            limit: None,
            scopes: None,
            external_id: None,
            metadata: None,
            tags: None,
        }
    }
}

/// Current state of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateLimitState {
    /// Maximum in any 60 seconds.
    pub limit: u64,
    /// Amount left in the current window.
    pub remaining: u64,
    /// Seconds until the full limit is available again.
    pub reset_seconds: f64,
}
