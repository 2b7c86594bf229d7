//! State of a window, as a call would find it.

use std::cmp::Reverse;
use std::time::Duration;

use latchkey_domain::api::{LimitUnit, RateLimitState, RefusingLimit};
use latchkey_domain::budget::LimitScope;
use latchkey_domain::time::Timestamp;
use latchkey_domain::window::{WindowFull, WindowState};

use crate::outcome::{full_state, rate_state};
use crate::rate_limit::denial::refusing;

/// State of a window, for a call that would acquire from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeekedRate {
    pub(crate) state: RateLimitState,
    /// Too little is left for the call.
    pub(crate) is_full: bool,
    /// Time until enough is left. `None` if it is already, or never will be.
    pub(crate) frees_in: Option<Duration>,
    scope: LimitScope,
    whole: u64,
    used: u64,
}

impl PeekedRate {
    /// `limit` is what this node may admit of the `whole` limit.
    pub(super) fn of(
        scope: LimitScope,
        whole: u64,
        limit: u64,
        peeked: Result<WindowState, WindowFull>,
    ) -> Self {
        let is_full = peeked.is_err();
        let (state, used, frees_in) = match peeked {
            Ok(state) => (rate_state(state, limit), state.used, None),
            Err(full) => (full_state(full, limit), full.used, full.retry_after),
        };
        Self { state, is_full, frees_in, scope, whole, used }
    }

    /// The limit as a denial at `now` tells it.
    pub(crate) fn refusing(self, unit: LimitUnit, now: Timestamp) -> RefusingLimit {
        refusing((self.scope, unit), self.whole, self.used, self.frees_in, now)
    }

    /// The state that limits a call which needs both windows of one limit.
    pub(super) fn stricter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let key = |rate: &Self| (rate.is_full, Reverse(rate.state.remaining));
        one.into_iter().chain(other).max_by_key(key)
    }

    /// Of two levels, the state that a call is told: of the first that refuses it, else the
    /// tightest.
    pub(super) fn told(inner: Option<Self>, outer: Option<Self>) -> Option<Self> {
        match (inner, outer) {
            (Some(inner), Some(outer))
                if !inner.is_full
                    && (outer.is_full || outer.state.remaining < inner.state.remaining) =>
            {
                Some(outer)
            }
            (inner, outer) => inner.or(outer),
        }
    }
}
