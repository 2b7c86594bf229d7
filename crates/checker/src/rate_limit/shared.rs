//! Limits per minute by the windows that nodes share in Redis.

use latchkey_domain::outcome::Outcome;

use crate::checker::Checker;
use crate::outcome::{Denial, LimitStates, rate_state};
use crate::rate_limit::asked::TokensAsked;
use crate::rate_limit::denial::FullLimit;
use crate::rate_limit::levels::{LevelRates, MinuteLimits};
use crate::rate_limit::node::NodeWindows;
use crate::rate_limit::permit::{LevelPermit, RatePermit, tighter};
use crate::rate_limit::settle::{release, settle_later, settle_tokens};
use crate::redis_limiter::{
    RateLimitExceeded, RedisLimiter, RedisUnavailable, SharedPermit, SharedWindowState,
};
use crate::token_estimate::TokenAmount;

/// Seconds of this node's admissions that Redis must count too. If it counts less, it has lost
/// data. The rest of the minute is margin: the seconds of Redis start at another moment, and its
/// response takes time. Only requests are compared, so an owner without a limit on them is not
/// covered.
const SURELY_SHARED: u64 = 57;

/// What the levels so far have granted. Dropping it releases that: if a later level refuses, and if
/// the call is cancelled while Redis is being asked.
struct GrantedLevels<'a> {
    checker: &'a Checker,
    permit: RatePermit,
}

impl Drop for GrantedLevels<'_> {
    fn drop(&mut self) {
        release(self.checker, std::mem::take(&mut self.permit));
    }
}

/// Acquires from all levels, all or nothing.
pub(super) async fn acquire_all(
    checker: &Checker,
    limiter: &RedisLimiter,
    of: MinuteLimits<'_>,
    amount: TokenAmount,
    limits: &mut LimitStates,
) -> Result<RatePermit, Box<Denial>> {
    let windows = SharedWindows { checker, limiter, node: NodeWindows::of(checker) };
    let mut granted = GrantedLevels { checker, permit: RatePermit::default() };
    for level in of.levels() {
        let asked = TokensAsked::after(&granted.permit, amount);
        let mut states = LimitStates::default();
        let acquired = windows.acquire(&level, asked, &mut states).await;
        granted.permit.add(acquired, states, limits)?;
    }
    let permit = std::mem::take(&mut granted.permit);
    Ok(match permit.excess_over() {
        Some(least) => settle_tokens(checker, permit, least),
        None => permit,
    })
}

/// The windows in Redis, and this node's own beside them.
struct SharedWindows<'a> {
    checker: &'a Checker,
    limiter: &'a RedisLimiter,
    node: NodeWindows<'a>,
}

impl SharedWindows<'_> {
    /// Acquires from one level.
    async fn acquire(
        &self,
        level: &LevelRates,
        asked: TokensAsked,
        states: &mut LimitStates,
    ) -> Result<LevelPermit, Box<Denial>> {
        let LevelRates { owner, rpm, tpm, .. } = *level;
        let (node, limiter) = (self.node, self.limiter);
        if !level.acquires() {
            states.tokens = node.token_state(level, |limit| limit);
            return Ok(LevelPermit::nothing(owner));
        }
        let now = node.monotonic();
        let own = rpm.map_or(0, |_| node.requests.recent(owner, now, SURELY_SHARED));
        // An answer without a cap gets a quarter of the whole limit, not of what is left.
        let tokens = (asked.least(), asked.of(tpm.unwrap_or(u64::MAX)));
        match limiter.acquire(now, owner, rpm, tpm, tokens).await {
            Ok((Ok(acquired), mut seen)) => {
                // The count from Redis includes this call.
                if own > 0 && seen.requests.state(seen.now, own).used <= own {
                    limiter.has_forgotten(now);
                }
                self.admitted(level, asked, states, acquired, seen)
            }
            Ok((Err(refused), seen)) => Err(self.refused(level, asked, states, refused, seen)),
            Err(RedisUnavailable) => {
                node.acquire(level, asked, states, |limit| limiter.share(limit))
            }
        }
    }

    /// Records a call that Redis admitted and, while degraded, applies this node's share too.
    fn admitted(
        &self,
        level: &LevelRates,
        asked: TokensAsked,
        states: &mut LimitStates,
        acquired: SharedPermit,
        mut seen: SharedWindowState,
    ) -> Result<LevelPermit, Box<Denial>> {
        let LevelRates { owner, rpm, tpm, shown_tpm } = *level;
        let (node, limiter) = (self.node, self.limiter);
        states.requests = rpm.map(|limit| rate_state(seen.requests.state(seen.now, limit), limit));
        states.tokens =
            shown_tpm.map(|limit| rate_state(seen.tokens.state(seen.now, limit), limit));
        let now = node.monotonic();
        let shared = Some(acquired);
        if !limiter.is_degraded(now) {
            let requests = rpm.map(|_| node.requests.count(owner, now, 1));
            let tokens = tpm.map(|_| node.tokens.count(owner, now, acquired.tokens));
            return Ok(LevelPermit { owner, requests, tokens, shared });
        }
        let mut own = LimitStates::default();
        let asked = TokensAsked {
            amount: TokenAmount::Between(asked.least(), acquired.tokens),
            most: acquired.tokens,
        };
        let permit = node.acquire(level, asked, &mut own, |limit| limiter.share(limit));
        states.requests = tighter(states.requests, own.requests);
        states.tokens = tighter(states.tokens, own.tokens);
        match permit {
            Ok(permit) => Ok(LevelPermit { shared, ..permit }),
            Err(denial) => {
                settle_later(self.checker, owner, acquired, None);
                match denial.outcome {
                    Outcome::RateLimited => states.requests = own.requests,
                    _ => states.tokens = own.tokens,
                }
                Err(denial)
            }
        }
    }

    /// Builds the denial of a call that Redis refused, even if this node reads the counts
    /// otherwise.
    fn refused(
        &self,
        level: &LevelRates,
        asked: TokensAsked,
        states: &mut LimitStates,
        refused: RateLimitExceeded,
        mut seen: SharedWindowState,
    ) -> Box<Denial> {
        let (scope, now) = (level.owner.scope(), self.node.clock.now());
        let rpm = level.rpm.unwrap_or_default();
        if refused == RateLimitExceeded::Requests {
            let full = seen.requests.refusal(seen.now, 1, rpm);
            states.tokens =
                level.shown_tpm.map(|limit| rate_state(seen.tokens.state(seen.now, limit), limit));
            return FullLimit { scope, full, limit: rpm, whole: rpm }.of_requests(now, states);
        }
        states.requests = level.rpm.map(|_| rate_state(seen.requests.state(seen.now, rpm), rpm));
        let tpm = level.tpm.unwrap_or_default();
        let full = seen.tokens.refusal(seen.now, asked.least(), tpm);
        let refused = FullLimit { scope, full, limit: tpm, whole: tpm };
        refused.of_tokens(asked.least(), now, states)
    }
}
