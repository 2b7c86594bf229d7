//! Limits per minute by this node's own windows.

use std::time::Duration;

use latchkey_domain::api::RateLimitState;
use latchkey_domain::window::WindowFull;
use latchkey_store::clock::Clock;

use crate::checker::Checker;
use crate::outcome::{Denial, LimitStates, rate_state};
use crate::rate_limit::asked::TokensAsked;
use crate::rate_limit::denial::FullLimit;
use crate::rate_limit::levels::{LevelRates, MinuteLimits};
use crate::rate_limit::peeked::PeekedRate;
use crate::rate_limit::permit::{LevelPermit, RatePermit};
use crate::redis_limiter::DEGRADED_FOR;
use crate::token_estimate::TokenAmount;
use crate::windows::RateWindows;

/// This node's own windows and its clock.
#[derive(Clone, Copy)]
pub(super) struct NodeWindows<'a> {
    pub(super) requests: &'a RateWindows,
    pub(super) tokens: &'a RateWindows,
    pub(super) clock: &'a dyn Clock,
}

impl<'a> NodeWindows<'a> {
    pub(super) fn of(checker: &'a Checker) -> Self {
        Self { requests: &checker.requests, tokens: &checker.tokens, clock: &*checker.clock }
    }

    pub(super) fn monotonic(self) -> Duration {
        self.clock.monotonic()
    }

    /// Acquires from all levels, by their whole limits, all or nothing.
    pub(super) fn acquire_all(
        self,
        of: MinuteLimits<'_>,
        amount: TokenAmount,
        limits: &mut LimitStates,
    ) -> Result<RatePermit, Box<Denial>> {
        let mut permit = RatePermit::default();
        for level in of.levels() {
            let asked = TokensAsked::after(&permit, amount);
            let mut states = LimitStates::default();
            let acquired = self.acquire(&level, asked, &mut states, |limit| limit);
            if let Err(denial) = permit.add(acquired, states, limits) {
                permit.release_on(self);
                return Err(denial);
            }
        }
        if let Some(granted) = permit.excess_over() {
            permit.settle_on(self, granted);
        }
        Ok(permit)
    }

    /// Acquires from one level. `share` maps a limit to what the node may admit of it.
    pub(super) fn acquire(
        self,
        level: &LevelRates,
        asked: TokensAsked,
        states: &mut LimitStates,
        share: impl Fn(u64) -> u64,
    ) -> Result<LevelPermit, Box<Denial>> {
        let (now, owner) = (self.monotonic(), level.owner);
        let mut permit = LevelPermit::nothing(owner);
        if let Some(whole) = level.rpm {
            let limit = share(whole);
            match self.requests.acquire(owner, now, 1, limit) {
                Ok((acquired, state)) => {
                    permit.requests = Some(acquired);
                    states.requests = Some(rate_state(state, limit));
                }
                Err(full) => {
                    states.tokens = self.token_state(level, share);
                    let full = of_share(full, 1, whole);
                    let refused = FullLimit { scope: owner.scope(), full, limit, whole };
                    return Err(refused.of_requests(self.clock.now(), states));
                }
            }
        }
        let Some(whole) = level.tpm else {
            states.tokens = self.token_state(level, share);
            return Ok(permit);
        };
        let limit = share(whole);
        match self.tokens.acquire_of_left(owner, now, |left| asked.of(left), limit) {
            Ok((acquired, state)) => {
                permit.tokens = Some(acquired);
                states.tokens = Some(rate_state(state, limit));
                Ok(permit)
            }
            Err(full) => {
                self.release(&permit);
                let full = of_share(full, asked.least(), whole);
                let refused = FullLimit { scope: owner.scope(), full, limit, whole };
                Err(refused.of_tokens(asked.least(), self.clock.now(), states))
            }
        }
    }

    /// State of a level's token window; acquires nothing.
    pub(super) fn token_state(
        self,
        level: &LevelRates,
        share: impl Fn(u64) -> u64,
    ) -> Option<RateLimitState> {
        let whole = level.shown_tpm?;
        let limit = share(whole);
        let peeked = self.tokens.peek(level.owner, self.monotonic(), 0, limit);
        Some(PeekedRate::of(level.owner.scope(), whole, limit, peeked).state)
    }

    pub(super) fn release(self, level: &LevelPermit) {
        if let Some(acquired) = level.requests {
            self.requests.release(level.owner, acquired);
        }
        if let Some(acquired) = level.tokens {
            self.tokens.release(level.owner, acquired);
        }
    }

    /// Replaces the reserved tokens with those used.
    pub(super) fn settle(self, level: &mut LevelPermit, used: u64) {
        let Some(acquired) = level.tokens else { return };
        self.tokens.settle(level.owner, self.monotonic(), acquired, used);
        level.tokens = Some(acquired.reduced_to(used));
    }
}

impl RatePermit {
    /// Releases what it holds of this node's own windows.
    pub(super) fn release_on(self, node: NodeWindows<'_>) {
        for level in self.0 {
            node.release(&level);
        }
    }

    /// Replaces the reserved tokens in this node's own windows with those used.
    pub(super) fn settle_on(&mut self, node: NodeWindows<'_>, used: u64) {
        for level in &mut self.0 {
            node.settle(level, used);
        }
    }
}

/// A call that fits the limit but not this node's share can retry when limits are shared again.
pub(super) fn of_share(full: WindowFull, amount: u64, whole: u64) -> WindowFull {
    let again = (amount <= whole).then_some(DEGRADED_FOR);
    WindowFull { retry_after: full.retry_after.or(again), ..full }
}
