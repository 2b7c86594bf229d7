//! Requests and tokens per minute: of this node's own windows, or of those that nodes share.

use std::time::Duration;

use latchkey_domain::id::KeyId;
use latchkey_domain::limit::Limit;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::window::{Taken, WindowFull};

use super::admit::Need;
use super::outcome::{full_state, rate_state};
use super::shared::{Away, SharedAnswer, SharedWindows};
use super::{Denial, KeyRecord, LimitStates};
use crate::clock::whole_seconds;
use crate::services::Services;

/// What a call holds of its key's limits per minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HeldRates {
    requests: Option<Taken>,
    tokens: Option<Taken>,
    /// Of the shared windows, not this node's.
    shared: bool,
}

impl HeldRates {
    /// How many tokens; none: they are not limited.
    pub(super) fn tokens(self) -> Option<u64> {
        self.tokens.map(Taken::amount)
    }
}

/// Takes what a call needs of the limits per minute, or says why it can't.
pub(super) async fn take(
    services: &Services,
    key: &KeyRecord,
    need: Need,
    limits: &mut LimitStates,
) -> Result<HeldRates, Box<Denial>> {
    let (rpm, tpm) = (key.rpm.map(Limit::get), key.rare().tpm.map(Limit::get));
    if rpm.is_none() && tpm.is_none() {
        return Ok(HeldRates::default());
    }
    let Some(shared) = &services.shared else {
        return of_node(services, key, need, limits, |limit| limit);
    };
    // Boxed: a check that asks no Redis need not carry the states of asking it.
    match Box::pin(shared.take(key.id, rpm, tpm, need)).await {
        Ok(answer) => of_all(services, shared, key, need, limits, answer),
        Err(Away) => of_node(services, key, need, limits, |limit| shared.share(limit)),
    }
}

/// Of this node's own windows; `share` is what it may admit of a limit.
fn of_node(
    services: &Services,
    key: &KeyRecord,
    need: Need,
    limits: &mut LimitStates,
    share: impl Fn(u64) -> u64,
) -> Result<HeldRates, Box<Denial>> {
    let now = services.clock.monotonic();
    let mut held = HeldRates::default();
    if let Some(limit) = key.rpm.map(|limit| share(limit.get())) {
        match services.requests.take(key.id, now, 1, limit) {
            Ok((taken, state)) => {
                held.requests = Some(taken);
                limits.requests = Some(rate_state(state, limit));
            }
            Err(full) => return Err(too_many_requests(full, limit, limits)),
        }
    }
    if let Some(limit) = key.rare().tpm.map(|limit| share(limit.get())) {
        match services.tokens.take_between(key.id, now, (need.least, need.most), limit) {
            Ok((taken, state)) => {
                held.tokens = Some(taken);
                limits.tokens = Some(rate_state(state, limit));
            }
            Err(full) => {
                give_back(services, key, held);
                return Err(too_many_tokens(full, limit, need, limits));
            }
        }
    }
    Ok(held)
}

/// What the shared windows have answered.
fn of_all(
    services: &Services,
    shared: &SharedWindows,
    key: &KeyRecord,
    need: Need,
    limits: &mut LimitStates,
    answer: SharedAnswer,
) -> Result<HeldRates, Box<Denial>> {
    let SharedAnswer { admitted, now, mut requests_window, mut tokens_window, .. } = answer;
    let (rpm, tpm) = (key.rpm.map(Limit::get), key.rare().tpm.map(Limit::get));
    if let Some(limit) = rpm {
        // If it was not admitted and one more fits, it was not this that refused it.
        if !admitted && let Err(full) = requests_window.clone().take(now, 1, limit) {
            return Err(too_many_requests(full, limit, limits));
        }
        limits.requests = Some(rate_state(requests_window.state(now, limit), limit));
    }
    if let Some(limit) = tpm {
        if !admitted {
            let full = tokens_window.take(now, need.least, limit).err().unwrap_or(WindowFull {
                used: 0,
                retry_after: Some(Duration::ZERO),
                reset: Duration::ZERO,
            });
            return Err(too_many_tokens(full, limit, need, limits));
        }
        limits.tokens = Some(rate_state(tokens_window.state(now, limit), limit));
    }
    let held = HeldRates {
        requests: rpm.map(|_| answer.request),
        tokens: tpm.map(|_| answer.tokens),
        shared: true,
    };
    if !shared.is_narrow(services.clock.monotonic()) {
        remember(services, key, &answer.tokens);
        return Ok(held);
    }
    let need = Need { most: answer.tokens.amount(), ..need };
    match of_node(services, key, need, limits, |limit| shared.share(limit)) {
        // What this takes less of Redis's window than was asked for leaves it within a minute by itself.
        Ok(own) => {
            let granted = own.tokens.map(Taken::amount).unwrap_or_default();
            Ok(HeldRates { tokens: held.tokens.map(|taken| taken.reduced_to(granted)), ..held })
        }
        Err(denial) => {
            give_back(services, key, held);
            Err(denial)
        }
    }
}

/// What this node admits counts in its own windows too: should Redis go away, it has had its share already.
fn remember(services: &Services, key: &KeyRecord, tokens: &Taken) {
    let now = services.clock.monotonic();
    if key.rpm.is_some() {
        let _ = services.requests.take(key.id, now, 1, u64::MAX);
    }
    if key.rare().tpm.is_some() {
        let _ = services.tokens.take(key.id, now, tokens.amount(), u64::MAX);
    }
}

fn too_many_requests(full: WindowFull, limit: u64, limits: &mut LimitStates) -> Box<Denial> {
    limits.requests = Some(full_state(full, limit));
    let wait = full.retry_after.unwrap_or_default();
    Box::new(Denial {
        detail: format!(
            "rpm {limit} reached: {} used in the last 60 s, frees in {} s.",
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
    need: Need,
    limits: &mut LimitStates,
) -> Box<Denial> {
    limits.tokens = Some(full_state(full, limit));
    let when = match full.retry_after {
        Some(wait) => format!("enough frees in {} s", whole_seconds(wait)),
        None => "a call of that size never fits".to_owned(),
    };
    Box::new(Denial {
        detail: format!(
            "tpm {limit} reached: {} used in the last 60 s, {} asked for; {when}.",
            full.used, need.least
        ),
        retry_after: full.retry_after,
        ..Denial::of(Outcome::TokenRateLimited)
    })
}

/// Gives back what a call held that was refused for another reason.
pub(super) fn give_back(services: &Services, key: &KeyRecord, held: HeldRates) {
    if held.shared {
        settle_later(services, key.id, held, 0);
        return;
    }
    if let Some(taken) = held.requests {
        services.requests.give_back(key.id, taken);
    }
    if let Some(taken) = held.tokens {
        services.tokens.give_back(key.id, taken);
    }
}

/// Puts the tokens that a call has used in the place of those that it held; what it holds then.
pub(super) fn settle_tokens(
    services: &Services,
    key: KeyId,
    held: HeldRates,
    used: u64,
) -> HeldRates {
    let Some(taken) = held.tokens else { return held };
    if held.shared {
        settle_later(services, key, HeldRates { requests: None, ..held }, used);
    } else {
        services.tokens.settle(key, services.clock.monotonic(), taken, used);
    }
    HeldRates { tokens: Some(taken.reduced_to(used)), ..held }
}

/// Tells Redis without waiting: gives back the request that is held, and puts `used` in the place of the tokens. If
/// it can't be told, what was held leaves the window within a minute by itself.
fn settle_later(services: &Services, key: KeyId, held: HeldRates, used: u64) {
    let services = services.clone();
    let unsettled = services.unsettled.clone();
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let settle = async move {
        let Some(shared) = &services.shared else { return };
        if let Some(taken) = held.requests {
            let _ = shared.give_back_request(key, taken).await;
        }
        if let Some(taken) = held.tokens {
            let _ = shared.settle_tokens(key, taken, used).await;
        }
    };
    unsettled.spawn_on(settle, &runtime);
}
