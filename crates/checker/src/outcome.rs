//! What a check came to: an admission, or a denial that says why in words.

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::api::{BudgetState, RateLimitState};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::window::{WindowFull, WindowState};

use crate::key_version::KeyVersion;
use crate::record::KeyRecord;

/// Where a key's limits stand after a check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LimitStates {
    /// Requests per minute, if the key has that limit.
    pub requests: Option<RateLimitState>,
    /// Tokens per minute, if the key has that limit.
    pub tokens: Option<RateLimitState>,
    /// The token budget, if the key has one.
    pub budget: Option<BudgetState>,
}

/// A call that may go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// Record of the admitted key.
    pub key: Arc<KeyRecord>,
    /// What to look at again before acting for it later.
    pub seen: KeyVersion,
    /// Where its limits stand, this call included.
    pub limits: LimitStates,
}

/// Why a call is not admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// The outcome, never `valid`.
    pub outcome: Outcome,
    /// The outcome in words: the limit, what was used and when it frees.
    pub detail: String,
    /// The key, if there is one with this secret.
    pub key: Option<Arc<KeyRecord>>,
    /// Where its limits stand.
    pub limits: LimitStates,
    /// When the same call could be admitted, if waiting helps.
    pub retry_after: Option<Duration>,
}

impl Denial {
    /// A denial that has nothing to say beyond its outcome.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: outcome.detail().to_owned(),
            key: None,
            limits: LimitStates::default(),
            retry_after: None,
        }
    }
}

pub(crate) fn rate_state(state: WindowState, limit: u64) -> RateLimitState {
    RateLimitState { limit, remaining: state.remaining, reset_seconds: state.reset.as_secs_f64() }
}

pub(crate) fn full_state(full: WindowFull, limit: u64) -> RateLimitState {
    RateLimitState {
        limit,
        remaining: limit.saturating_sub(full.used),
        reset_seconds: full.reset.as_secs_f64(),
    }
}
