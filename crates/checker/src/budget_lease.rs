//! Leases of budgets: what a node has charged in the database ahead of the calls that will use it.
//!
//! A lease is renewed under its slot's gate, by one caller at a time. The first call that finds it
//! too small waits for that; to make this rare, a call that leaves less than a quarter of a full
//! lease starts the renewal in the background.

use std::sync::Arc;

use latchkey_domain::time::Timestamp;
use latchkey_store::Error;
use latchkey_store::database::{OnBehalfOf, in_time};
use tokio::sync::OwnedMutexGuard;

use crate::budget_slot::{BudgetSlot, UnusedLease};
use crate::budget_slots::LimitedBudget;
use crate::budget_store::{self, BudgetPeriod, ChangeError, stored};
use crate::checker::Checker;

/// One call's request for a larger lease.
pub(crate) struct LeaseRequest {
    pub(crate) checker: Checker,
    pub(crate) budget: LimitedBudget,
    /// The call is refused if less is left.
    pub(crate) least: u64,
    /// What it would take.
    pub(crate) amount: u64,
    pub(crate) now: Timestamp,
}

impl LeaseRequest {
    /// Leases more. False if too little is left. The caller draws while it holds the slot's gate.
    pub(crate) async fn lease(&self) -> Result<(bool, OwnedMutexGuard<()>), Error> {
        let slot = &self.budget.slot;
        let queries = slot.lock().queries();
        let alone = Arc::clone(&slot.gate).lock_owned().await;
        Ok((self.lease_alone(queries).await?, alone))
    }

    /// Same as [`Self::lease`] for the holder of the gate, who came to it after `queries` queries.
    async fn lease_alone(&self, queries: u64) -> Result<bool, Error> {
        let Self { budget: LimitedBudget { slot, limit }, least, amount, now, .. } = self;
        let (limit, least) = (*limit, *least);
        {
            let mut state = slot.lock_at(*now);
            // Otherwise thousands of calls on an exhausted budget would query one after the other,
            // and the last would wait too long.
            let is_read = state.was_read_since(queries);
            if is_read && state.known_left(limit).is_some_and(|left| left < least) {
                return Ok(false);
            }
            // The holder of the gate before may have leased enough for several calls.
            let covers_least = is_read && state.covers((*amount).min(least), limit);
            if covers_least || state.covers(*amount, limit) {
                return Ok(true);
            }
            // Other nodes, or a limit that was lowered, may need what this node holds.
            state.end_unfit_lease(least, limit);
        }
        self.lease_more().await
    }

    /// Leases more, whatever is left of the lease. False if too little is left of the budget.
    async fn lease_more(&self) -> Result<bool, Error> {
        let Self { checker, budget: LimitedBudget { slot, limit }, least, amount, now } = self;
        let who = OnBehalfOf::Organization(slot.tenant.organization);
        let starts_at = slot.lock_at(*now).starts_at();
        return_unused(checker, who, slot).await?;
        let period = BudgetPeriod { id: slot.id, starts_at };
        let number = slot.lock().begin_query();
        let known = budget_store::used_of(&checker.database, period).await?;
        let ask = {
            let mut state = slot.lock_at(*now);
            state.finish_query(number, starts_at, known);
            if state.known_left(*limit).is_none_or(|left| left < *least) {
                return Ok(false);
            }
            state.ask(*amount, limit.saturating_sub(known.used))
        };
        if ask == 0 {
            return Ok(true);
        }
        if let Some(used) = budget_store::add(&checker.database, who, period, ask, *limit).await? {
            checker.counters.leased();
            let monotonic = checker.clock.monotonic();
            let has_to_be_listed = slot.lock().deposit(starts_at, (ask, *limit), used, monotonic);
            if has_to_be_listed {
                checker.budget_slots.list(slot);
            }
        }
        Ok(true)
    }
}

/// Renews a lease in the background, unless somebody is about to. If that fails, the first call
/// that finds the lease too small leases itself, and reports the error.
pub(crate) fn renew(checker: &Checker, budget: LimitedBudget, amount: u64, now: Timestamp) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let Ok(alone) = Arc::clone(&budget.slot.gate).try_lock_owned() else { return };
    let request = LeaseRequest { checker: checker.clone(), budget, least: amount, amount, now };
    let renewing = async move {
        if let Err(error) = in_time(request.lease_more()).await {
            tracing::debug!(%error, "Failed to renew a lease");
        }
        drop(alone);
    };
    checker.unsettled.spawn_on(renewing, &runtime);
}

/// Returns idle leases, the excess of active ones, and refunds whose lease has ended; with `all`,
/// everything.
///
/// # Errors
/// The database fails. The amount being returned at that moment stays charged.
pub(crate) async fn return_leases(checker: &Checker, all: bool) -> Result<(), Error> {
    let now = checker.clock.monotonic();
    for slot in checker.budget_slots.listed() {
        // Callers that need more of the budget wait until this is written. Otherwise they would be
        // refused although it is about to be returned.
        let _alone = match slot.gate.try_lock() {
            Ok(alone) => alone,
            Err(_) if all => slot.gate.lock().await,
            // The holder of the gate is about to lease more.
            Err(_) => continue,
        };
        // One budget at a time: if the database fails, only the return in flight is lost.
        slot.lock().withdraw_due(now, all);
        return_unused(checker, OnBehalfOf::Server, &slot).await?;
    }
    Ok(())
}

/// Returns what was set aside of a slot whose gate is held. A return that was not sent is kept for
/// the next attempt; one that failed stays charged, as it may have been committed.
async fn return_unused(
    checker: &Checker,
    who: OnBehalfOf,
    slot: &Arc<BudgetSlot>,
) -> Result<(), Error> {
    loop {
        let Some(unused) = slot.lock().next_aside() else { return Ok(()) };
        let UnusedLease { starts_at, amount } = unused;
        let period = BudgetPeriod { id: slot.id, starts_at };
        match budget_store::change(&checker.database, who, period, -stored(amount)).await {
            Ok(()) => slot.lock().returned(unused),
            Err(ChangeError::NotSent(error)) => {
                let has_to_be_listed = slot.lock().keep(unused);
                if has_to_be_listed {
                    checker.budget_slots.list(slot);
                }
                return Err(error);
            }
            Err(ChangeError::Unknown(error)) => return Err(error),
        }
    }
}
