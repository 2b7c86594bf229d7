//! Result of a check: an admission, or a denial with its reason.

use std::sync::Arc;
use std::time::Duration;

use latchkey_domain::api::{RateLimitState, RefusingLimit};
use latchkey_domain::outcome::Outcome;
use latchkey_domain::window::{WindowFull, WindowState};

use crate::key_version::KeyVersion;
use crate::record::KeyRecord;

/// States of a key's limits after a check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LimitStates {
    /// Requests per minute, if the key has that limit.
    pub requests: Option<RateLimitState>,
    /// Tokens per minute, if the key has that limit.
    pub tokens: Option<RateLimitState>,
}

/// An admitted call.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// Record of the admitted key.
    pub key: Arc<KeyRecord>,
    /// Version of the key, for confirming it later in the call.
    pub seen: KeyVersion,
    /// States of the key's limits, this call included.
    pub limits: LimitStates,
}

/// A refused call.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// Reason as a code, never `valid`.
    pub outcome: Outcome,
    /// Reason as text: the limit, the usage and when it resets.
    pub detail: String,
    /// The key, if one has this secret.
    pub key: Option<Arc<KeyRecord>>,
    /// States of the key's limits.
    pub limits: LimitStates,
    /// Time after which the same call could be admitted, if waiting helps.
    pub retry_after: Option<Duration>,
    /// The limit that refused it, if one did.
    pub limit: Option<Box<RefusingLimit>>,
    /// Number of calls in progress that have reserved so much that this call does not fit, although
    /// it would if they used nothing.
    pub(crate) reserved_by: u64,
}

impl Denial {
    /// A denial with the outcome's default text.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: outcome.detail().to_owned(),
            key: None,
            limits: LimitStates::default(),
            retry_after: None,
            limit: None,
            reserved_by: 0,
        }
    }

    /// Whether the call would fit if the calls in progress used nothing of what they have reserved.
    pub const fn is_by_reservation(&self) -> bool {
        self.reserved_by > 0
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
