//! Reservations: what a call may cost is taken before it is made, and what it did cost takes its
//! place after.
//!
//! A call whose cost is known only when it is done would otherwise let parallel calls overspend. A
//! reservation that is dropped gives back all of it; a crash gives back nothing, so a budget is
//! never overspent.

use std::sync::Arc;

use latchkey_domain::outcome::Outcome;

use super::admit::{Need, TakenTokens};
use super::{
    BegunCall, Call, CallSlot, Denial, Found, KeyRecord, LimitStates, budget, decide, rates,
};
use crate::services::Services;
use crate::usage::{TokenCounts, Use};

/// What one call may count. An upstream that claims more than anybody could use must not make the
/// sums unreadable.
const MOST_A_CALL: u64 = 1 << 40;

/// What a call may cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenNeed {
    /// What it costs in any case.
    pub prompt: u64,
    /// What it may cost beyond that. Where less is left, less is reserved.
    pub completion: u64,
}

/// What a call did cost, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsedTokens {
    /// That went in.
    pub prompt: u64,
    /// That came out.
    pub completion: u64,
    /// How many of both are an estimate.
    pub estimated: u64,
}

/// An admitted call that holds what it may cost.
#[must_use]
pub struct Reservation {
    services: Services,
    held: Option<Held>,
    key: Arc<KeyRecord>,
    /// Where the key's limits stand, this call's reservation included.
    pub limits: LimitStates,
    granted: u64,
}

/// What has to be settled.
struct Held {
    taken: TakenTokens,
    call: Use,
    slot: CallSlot,
}

/// Decides whether a key that was found admits a call that was begun, and reserves what it may
/// cost: all limits or none.
///
/// # Errors
/// The [`Denial`] with the outcome; it is counted.
pub async fn reserve(
    services: &Services,
    found: &Found,
    call: Call<'_>,
    need: TokenNeed,
    begun: BegunCall,
) -> Result<Reservation, Denial> {
    let now = services.clock.now();
    let most = need.prompt.saturating_add(need.completion);
    let need = Need { least: need.prompt, most };
    let (limits, mut taken) = decide(services, found, call, need, now, Some(&begun)).await?;
    let granted = taken.granted();
    // The minute may have had more to give than the budget.
    if taken.rates.tokens().is_some_and(|tokens| tokens > granted) {
        taken.rates = rates::settle_tokens(services, found.key.id, taken.rates, granted);
    }
    Ok(Reservation {
        services: services.clone(),
        held: Some(Held { taken, call: found.used(call, now, Outcome::Valid), slot: begun.slot }),
        key: Arc::clone(&found.key),
        limits,
        granted,
    })
}

impl Reservation {
    /// The key.
    pub const fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// How many tokens the call may use in all.
    pub const fn granted(&self) -> u64 {
        self.granted
    }

    /// Puts what the call did cost in the place of what it might have, and counts the call. Its
    /// place among the key's calls goes back, for as long as the answer still takes.
    pub async fn settle(mut self, used: UsedTokens) -> Option<CallSlot> {
        match self.held.take() {
            Some(held) => Some(settle(&self.services, held, used).await),
            None => None,
        }
    }

    /// The same without waiting, for where nothing can.
    pub fn settle_later(mut self, used: UsedTokens) {
        if let Some(held) = self.held.take() {
            spawn_settle(&self.services, held, used);
        }
    }
}

/// A call that came to nothing cost nothing, but it was a call.
impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            spawn_settle(&self.services, held, UsedTokens::default());
        }
    }
}

fn spawn_settle(services: &Services, held: Held, used: UsedTokens) {
    let services = services.clone();
    // Without a runtime there is nobody left to call; what was reserved stays taken, which is the
    // safe side.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let unsettled = services.unsettled.clone();
        unsettled.spawn_on(async move { drop(settle(&services, held, used).await) }, &runtime);
    }
}

async fn settle(services: &Services, held: Held, used: UsedTokens) -> CallSlot {
    let Held { taken, mut call, slot } = held;
    let cost = used.prompt.saturating_add(used.completion).min(MOST_A_CALL);
    rates::settle_tokens(services, call.key, taken.rates, cost);
    if let Some(spent) = taken.budget
        && let Err(error) = budget::settle(services, spent, cost).await
    {
        // What was reserved stays taken: the budget is not overspent.
        tracing::error!(%error, key = %call.key, "a budget could not be settled");
    }
    call.tokens =
        TokenCounts { prompt: used.prompt, completion: used.completion, estimated: used.estimated };
    services.usage.record(&call);
    slot
}
