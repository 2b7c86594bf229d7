//! Requests and tokens per minute, by this node's own windows or by those that nodes share.
//!
//! ```text
//! the key has no such limit    nothing is acquired
//! Redis is not configured      the node's own windows decide, by the whole limit
//! Redis is up                  Redis decides; the node's own windows count what it admits
//! Redis is down                the node's own windows decide, by the node's share of the limit
//! degraded: Redis was down or  both have to admit the call: Redis by the whole limit, and the
//! lost data within 61 s, and   node's own windows by its share
//! is up again
//! ```
//! The windows are [`RateWindows`] and [`RedisLimiter`]; this module alone decides which of them
//! count. The node also counts what Redis admits, so it knows what it has admitted when Redis goes
//! down.
//!
//! A call holds its reservation ([`RatePermit`]) until its outcome is known: [`release`] if another
//! limit refuses it, [`settle_tokens`] once it has used its tokens. Both update the node's windows
//! and those in Redis.
//!
//! *Consistency.* In Redis, one script acquires requests and tokens together. On the node these are
//! two steps, and the request is released if the tokens are refused. In between, another call that
//! would fit may be refused, but none is admitted beyond the limit.
//!
//! *Failure.* A check never fails because Redis is down. All shares together are the limit, but a
//! node does not know what the others admitted before the outage: [`super::redis_limiter`] says how
//! much that may add. Releases and settlements are sent to Redis in the background. If one is lost,
//! or a caller disconnects while Redis is being asked, the reservation stays in the window for a
//! minute: the strict side.

use std::cmp::Reverse;
use std::time::Duration;

use latchkey_domain::api::RateLimitState;
use latchkey_domain::id::KeyId;
use latchkey_domain::limit::Limit;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::window::{WindowFull, WindowPermit, WindowState};

use crate::checker::Checker;
use crate::outcome::Denial;
use crate::outcome::LimitStates;
use crate::outcome::{full_state, rate_state};
use crate::record::KeyRecord;
use crate::redis_limiter::{
    DEGRADED_FOR, RateLimitExceeded, RedisLimiter, RedisUnavailable, SharedPermit,
    SharedWindowState,
};
use crate::token_estimate::TokenAmount;
use crate::windows::RateWindows;
use latchkey_store::clock::whole_seconds;

/// Seconds of this node's admissions that Redis must count too. If it counts less, it has lost
/// data. The rest of the minute is margin: the seconds of Redis start at another moment, and its
/// response takes time. Only requests are compared, so a key without a limit on them is not
/// covered.
const SURELY_SHARED: u64 = 57;

/// What a call holds of its key's limits per minute. Shared reservations also count in this node's
/// own windows, so that the node knows what it has admitted if Redis goes down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RatePermit {
    /// In this node's own windows.
    requests: Option<WindowPermit>,
    tokens: Option<WindowPermit>,
    shared: Option<SharedPermit>,
}

impl RatePermit {
    /// Tokens that the call may use. `None` if tokens are not limited.
    pub(crate) fn tokens(self) -> Option<u64> {
        let own = self.tokens?.amount();
        Some(self.shared.map_or(own, |shared| own.min(shared.tokens)))
    }
}

/// The limits per minute that a call has to acquire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MinuteLimits {
    key: KeyId,
    rpm: Option<u64>,
    tpm: Option<u64>,
    /// Limit on tokens per minute to report to the caller, even if none are acquired.
    shown_tpm: Option<u64>,
}

impl MinuteLimits {
    /// All limits of the key.
    pub(crate) fn of(key: &KeyRecord) -> Self {
        let tpm = key.extended().tpm.map(Limit::get);
        Self { key: key.id, rpm: key.rpm.map(Limit::get), tpm, shown_tpm: tpm }
    }

    /// Requests only: the number of tokens is not known yet.
    pub(crate) const fn requests(self) -> Self {
        Self { tpm: None, ..self }
    }

    /// Tokens only: the request was acquired before.
    pub(crate) const fn tokens(self) -> Self {
        Self { rpm: None, ..self }
    }
}

/// Acquires what a call needs of the limits per minute, or returns why it cannot.
pub(crate) async fn acquire(
    checker: &Checker,
    of: MinuteLimits,
    amount: TokenAmount,
    limits: &mut LimitStates,
) -> Result<RatePermit, Box<Denial>> {
    if of.rpm.is_none() && of.tpm.is_none() {
        limits.tokens = tokens_of_node(checker, of, |limit| limit);
        return Ok(RatePermit::default());
    }
    let Some(shared) = &checker.shared else {
        return of_node(checker, of, amount, limits, |limit| limit);
    };
    let now = checker.clock.monotonic();
    let own = of.rpm.map_or(0, |_| checker.requests.recent(of.key, now, SURELY_SHARED));
    // Boxed, so that checks without Redis do not carry this future.
    match Box::pin(shared.acquire(now, of.key, of.rpm, of.tpm, amount)).await {
        Ok((Ok(acquired), mut seen)) => {
            // The count from Redis includes this call.
            if own > 0 && seen.requests.state(seen.now, own).used <= own {
                shared.has_forgotten(now);
            }
            of_all(checker, shared, of, amount, limits, acquired, seen)
        }
        Ok((Err(refused), seen)) => Err(refused_by_all(of, amount, limits, refused, seen)),
        Err(RedisUnavailable) => of_node(checker, of, amount, limits, |limit| shared.share(limit)),
    }
}

/// Acquires from this node's own windows. `share` maps a limit to what the node may admit of it.
fn of_node(
    checker: &Checker,
    of: MinuteLimits,
    amount: TokenAmount,
    limits: &mut LimitStates,
    share: impl Fn(u64) -> u64,
) -> Result<RatePermit, Box<Denial>> {
    let now = checker.clock.monotonic();
    let mut permit = RatePermit::default();
    if let Some(whole) = of.rpm {
        let limit = share(whole);
        match checker.requests.acquire(of.key, now, 1, limit) {
            Ok((acquired, state)) => {
                permit.requests = Some(acquired);
                limits.requests = Some(rate_state(state, limit));
            }
            Err(full) => {
                limits.tokens = tokens_of_node(checker, of, share);
                return Err(too_many_requests(of_share(full, 1, whole), limit, whole, limits));
            }
        }
    }
    if of.tpm.is_none() {
        limits.tokens = tokens_of_node(checker, of, &share);
    }
    if let Some(whole) = of.tpm {
        let limit = share(whole);
        match checker.tokens.acquire_of_left(of.key, now, |left| amount.of(left), limit) {
            Ok((acquired, state)) => {
                permit.tokens = Some(acquired);
                limits.tokens = Some(rate_state(state, limit));
            }
            Err(full) => {
                release(checker, of.key, permit);
                let full = of_share(full, amount.least(), whole);
                return Err(too_many_tokens(full, limit, whole, amount, limits));
            }
        }
    }
    Ok(permit)
}

/// State of this node's own token window; acquires nothing.
fn tokens_of_node(
    checker: &Checker,
    of: MinuteLimits,
    share: impl Fn(u64) -> u64,
) -> Option<RateLimitState> {
    let limit = share(of.shown_tpm?);
    let now = checker.clock.monotonic();
    Some(PeekedRate::of(checker.tokens.peek(of.key, now, 0, limit), limit).state)
}

/// A call that fits the limit but not this node's share can retry when limits are shared again.
fn of_share(full: WindowFull, amount: u64, whole: u64) -> WindowFull {
    let again = (amount <= whole).then_some(DEGRADED_FOR);
    WindowFull { retry_after: full.retry_after.or(again), ..full }
}

/// Records a call that Redis admitted and, while degraded, applies this node's share too.
fn of_all(
    checker: &Checker,
    shared: &RedisLimiter,
    of: MinuteLimits,
    amount: TokenAmount,
    limits: &mut LimitStates,
    acquired: SharedPermit,
    mut seen: SharedWindowState,
) -> Result<RatePermit, Box<Denial>> {
    let MinuteLimits { key, rpm, tpm, shown_tpm } = of;
    limits.requests = rpm.map(|limit| rate_state(seen.requests.state(seen.now, limit), limit));
    limits.tokens = shown_tpm.map(|limit| rate_state(seen.tokens.state(seen.now, limit), limit));
    let now = checker.clock.monotonic();
    if !shared.is_degraded(now) {
        return Ok(RatePermit {
            requests: rpm.map(|_| checker.requests.count(key, now, 1)),
            tokens: tpm.map(|_| checker.tokens.count(key, now, acquired.tokens)),
            shared: Some(acquired),
        });
    }
    let mut own = LimitStates::default();
    let amount = TokenAmount::Between(amount.least(), acquired.tokens);
    let permit = of_node(checker, of, amount, &mut own, |limit| shared.share(limit));
    limits.requests = tighter(limits.requests, own.requests);
    limits.tokens = tighter(limits.tokens, own.tokens);
    let shared = Some(acquired);
    match permit {
        Ok(own) => Ok(RatePermit { shared, ..own }),
        Err(denial) => {
            release(checker, key, RatePermit { shared, ..RatePermit::default() });
            Err(denial)
        }
    }
}

/// Builds the denial of a call that Redis refused, even if this node reads the counts otherwise.
fn refused_by_all(
    of: MinuteLimits,
    amount: TokenAmount,
    limits: &mut LimitStates,
    refused: RateLimitExceeded,
    mut seen: SharedWindowState,
) -> Box<Denial> {
    let rpm = of.rpm.unwrap_or_default();
    if refused == RateLimitExceeded::Requests {
        let full = seen.requests.refusal(seen.now, 1, rpm);
        limits.tokens =
            of.shown_tpm.map(|limit| rate_state(seen.tokens.state(seen.now, limit), limit));
        return too_many_requests(full, rpm, rpm, limits);
    }
    limits.requests = of.rpm.map(|_| rate_state(seen.requests.state(seen.now, rpm), rpm));
    let tpm = of.tpm.unwrap_or_default();
    let full = seen.tokens.refusal(seen.now, amount.least(), tpm);
    too_many_tokens(full, tpm, tpm, amount, limits)
}

/// States of a key's limits per minute, as a call would find them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RateStates {
    pub(crate) requests: Option<PeekedRate>,
    pub(crate) tokens: Option<PeekedRate>,
}

/// State of a window, for a call that would acquire from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeekedRate {
    pub(crate) state: RateLimitState,
    /// Too little is left for the call.
    pub(crate) is_full: bool,
    /// Time until enough is left. `None` if it is already, or never will be.
    pub(crate) frees_in: Option<Duration>,
}

impl PeekedRate {
    fn of(peeked: Result<WindowState, WindowFull>, limit: u64) -> Self {
        match peeked {
            Ok(state) => Self { state: rate_state(state, limit), is_full: false, frees_in: None },
            Err(full) => {
                Self { state: full_state(full, limit), is_full: true, frees_in: full.retry_after }
            }
        }
    }

    /// The state that limits a call which needs both.
    fn stricter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let key = |rate: &Self| (rate.is_full, Reverse(rate.state.remaining));
        one.into_iter().chain(other).max_by_key(key)
    }
}

/// States that a call of `tokens` tokens would find. Acquires nothing.
pub(crate) async fn peek(checker: &Checker, key: &KeyRecord, tokens: u64) -> RateStates {
    let (rpm, tpm) = (key.rpm.map(Limit::get), key.extended().tpm.map(Limit::get));
    if rpm.is_none() && tpm.is_none() {
        return RateStates::default();
    }
    let Some(shared) = &checker.shared else {
        return peek_node(checker, key, tokens, |limit| limit);
    };
    let seen = Box::pin(shared.peek(key.id)).await;
    let own = peek_node(checker, key, tokens, |limit| shared.share(limit));
    let Ok(SharedWindowState { now, requests: mut of_requests, tokens: mut of_tokens }) = seen
    else {
        return own;
    };
    let requests = rpm.map(|limit| PeekedRate::of(of_requests.peek(now, 1, limit), limit));
    let tokens = tpm.map(|limit| PeekedRate::of(of_tokens.peek(now, tokens, limit), limit));
    if !shared.is_degraded(checker.clock.monotonic()) {
        return RateStates { requests, tokens };
    }
    RateStates {
        requests: PeekedRate::stricter(requests, own.requests),
        tokens: PeekedRate::stricter(tokens, own.tokens),
    }
}

fn peek_node(
    checker: &Checker,
    key: &KeyRecord,
    tokens: u64,
    share: impl Fn(u64) -> u64,
) -> RateStates {
    let now = checker.clock.monotonic();
    let peek = |windows: &RateWindows, amount: u64, whole: u64| {
        let limit = share(whole);
        let peeked = windows.peek(key.id, now, amount, limit);
        PeekedRate::of(peeked.map_err(|full| of_share(full, amount, whole)), limit)
    };
    RateStates {
        requests: key.rpm.map(|limit| peek(&checker.requests, 1, limit.get())),
        tokens: key.extended().tpm.map(|limit| peek(&checker.tokens, tokens, limit.get())),
    }
}

/// The state with less remaining.
fn tighter(one: Option<RateLimitState>, other: Option<RateLimitState>) -> Option<RateLimitState> {
    match (one, other) {
        (Some(one), Some(other)) if other.remaining < one.remaining => Some(other),
        (one, other) => one.or(other),
    }
}

fn too_many_requests(
    full: WindowFull,
    limit: u64,
    whole: u64,
    limits: &mut LimitStates,
) -> Box<Denial> {
    limits.requests = Some(full_state(full, limit));
    let wait = full.retry_after.unwrap_or_default();
    Box::new(Denial {
        detail: format!(
            "rpm {} reached: {} used in the last 60 s. Retry in {} s.",
            named(limit, whole),
            full.used,
            whole_seconds(wait)
        ),
        retry_after: Some(wait),
        ..Denial::of(Outcome::RateLimited)
    })
}

fn too_many_tokens(
    full: WindowFull,
    limit: u64,
    whole: u64,
    amount: TokenAmount,
    limits: &mut LimitStates,
) -> Box<Denial> {
    limits.tokens = Some(full_state(full, limit));
    let when = match full.retry_after {
        Some(wait) => format!("retry in {} s", whole_seconds(wait)),
        None => "a call of this size never fits".to_owned(),
    };
    Box::new(Denial {
        detail: format!(
            "tpm {} reached: {} used in the last 60 s, {} requested; {when}.",
            named(limit, whole),
            full.used,
            amount.least()
        ),
        retry_after: full.retry_after,
        ..Denial::of(Outcome::TokenRateLimited)
    })
}

/// Formats a limit, with this node's current share if that is less.
fn named(limit: u64, whole: u64) -> String {
    if limit == whole {
        limit.to_string()
    } else {
        format!(
            "{whole} (currently {limit} on this \
                                                            node)"
        )
    }
}

/// Releases the reservation of a call that was refused for another reason.
pub(crate) fn release(checker: &Checker, key: KeyId, permit: RatePermit) {
    if let Some(acquired) = permit.requests {
        checker.requests.release(key, acquired);
    }
    if let Some(acquired) = permit.tokens {
        checker.tokens.release(key, acquired);
    }
    if let Some(acquired) = permit.shared {
        settle_later(checker, key, acquired, None);
    }
}

/// Replaces the reserved tokens with those used, and returns the new reservation.
pub(crate) fn settle_tokens(
    checker: &Checker,
    key: KeyId,
    permit: RatePermit,
    used: u64,
) -> RatePermit {
    let Some(own) = permit.tokens else { return permit };
    checker.tokens.settle(key, checker.clock.monotonic(), own, used);
    if let Some(acquired) = permit.shared {
        settle_later(checker, key, acquired, Some(used));
    }
    RatePermit {
        tokens: Some(own.reduced_to(used)),
        shared: permit.shared.map(|acquired| acquired.reduced_to(used)),
        ..permit
    }
}

/// Settles in Redis without waiting, see [`RedisLimiter::settle`]. If that fails, the reservation
/// leaves the window within a minute.
fn settle_later(checker: &Checker, key: KeyId, acquired: SharedPermit, used: Option<u64>) {
    let checker = checker.clone();
    let unsettled = checker.unsettled.clone();
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let settle = async move {
        if let Some(shared) = &checker.shared {
            let _ = shared.settle(key, acquired, used).await;
        }
    };
    unsettled.spawn_on(settle, &runtime);
}
