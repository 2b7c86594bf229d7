//! Budgets of a key, its project and its organization. A call draws on all of them or on none, and
//! what it draws was charged in the database before. So neither concurrent calls, nor several
//! nodes, nor a crash can overspend a budget.
//!
//! ```text
//! acquire: lock all slots, draw on all leases -> enough: done, in memory
//!           `- one is too small: one caller of that budget at a time
//!                read the usage -> too little is left: refuse
//!                `- lease more, only if it fits -> deposit -> draw again
//! ```
//!
//! *Consistency.* One statement ([`budget_store::add`]) leases more and applies only if the sum
//! stays within the limit. So the limit holds whatever other nodes do between the read and the
//! write. A call that waited while another call of the same budget found too little left is refused
//! by that result and does not query again. A refused call has drawn on nothing, so it never stands
//! in the way of another one. Budgets are the last limits to be acquired.
//!
//! *Failure.* If a lease is too small and the database fails or takes longer than five seconds, the
//! call is `unavailable`. Leasing runs in its own task, so that a cancelled call loses nothing. If
//! a write that returns an amount fails, it may have been committed all the same, so the amount
//! stays charged: the strict side.

use std::sync::Arc;

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::time::Timestamp;
use latchkey_store::Error;
use latchkey_store::database::{OnBehalfOf, in_time};
use smallvec::SmallVec;
use tokio::sync::OwnedMutexGuard;

use crate::budget_need::BudgetNeed;
use crate::budget_slot::{BudgetSlot, Crossings, LimitedBudget, SlotState, UnusedLease};
use crate::budget_store::{self, BudgetPeriod, ChangeError, stored};
use crate::checker::Checker;

/// What a call in progress holds of one budget.
#[derive(Debug)]
struct BudgetPermit {
    slot: Arc<BudgetSlot>,
    limit: u64,
    starts_at: Timestamp,
    amount: u64,
}

/// What a call in progress holds of its budgets, until [`settle`].
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct BudgetPermits(Vec<BudgetPermit>);

impl BudgetPermits {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What an admitted call got of its budgets.
#[derive(Debug, Default)]
pub(crate) struct AcquiredBudgets {
    /// Tokens that the call may use.
    pub(crate) granted: u64,
    pub(crate) permits: BudgetPermits,
}

/// The budget that refuses a call, as this node knows it.
#[derive(Debug, Clone)]
pub(crate) struct BudgetRefusal {
    pub(crate) budget: LimitedBudget,
    /// Used by calls that have settled.
    pub(crate) spent: u64,
    /// Reserved by calls in progress on this node.
    pub(crate) reserved: u64,
    /// Number of these calls.
    pub(crate) calls: u64,
    /// Least amount that the call needs.
    pub(crate) least: u64,
    pub(crate) resets_at: Option<Timestamp>,
}

impl BudgetRefusal {
    fn of(budget: &LimitedBudget, state: &SlotState, least: u64) -> Self {
        let known = state.known_use(state.starts_at());
        Self {
            budget: budget.clone(),
            spent: state.spent(),
            reserved: known.reserved,
            calls: known.calls,
            least,
            resets_at: state.ends_at(),
        }
    }
}

/// How a call uses its budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetMode {
    /// At once.
    Spend,
    /// When it settles; requests at once.
    Reserve,
}

/// Result of drawing on all budgets.
enum Drawn {
    Acquired(AcquiredBudgets, Vec<(usize, Crossings)>),
    /// The lease of the budget with this index is too small for this amount.
    NeedsLease(usize, u64),
    /// As far as this node knows, too little is left of the budget with this index.
    TooLittle(usize, Box<BudgetRefusal>),
}

/// Acquires what a call needs of all budgets, or of none. Acquire budgets last: nothing after them
/// may refuse the call. It waits for the database only when a lease of this node is used up.
pub(crate) async fn acquire(
    checker: &Checker,
    budgets: &[LimitedBudget],
    need: &BudgetNeed<'_>,
    mode: BudgetMode,
    now: Timestamp,
) -> Result<Result<AcquiredBudgets, Box<BudgetRefusal>>, Error> {
    if let Drawn::Acquired(acquired, crossings) = draw(checker, budgets, need, mode, now) {
        note(checker, budgets, &crossings);
        return Ok(Ok(acquired));
    }
    // Boxed, so that checks that draw on a lease do not carry this future.
    Box::pin(in_time(acquire_with_lease(checker, budgets, need, mode, now))).await
}

async fn acquire_with_lease(
    checker: &Checker,
    budgets: &[LimitedBudget],
    need: &BudgetNeed<'_>,
    mode: BudgetMode,
    now: Timestamp,
) -> Result<Result<AcquiredBudgets, Box<BudgetRefusal>>, Error> {
    let mut drawn = draw(checker, budgets, need, mode, now);
    loop {
        let (index, amount) = match drawn {
            Drawn::Acquired(acquired, crossings) => {
                note(checker, budgets, &crossings);
                return Ok(Ok(acquired));
            }
            Drawn::NeedsLease(index, amount) => (index, amount),
            Drawn::TooLittle(index, refusal) => (index, refusal.least),
        };
        let budget = budgets[index].clone();
        let least = need.least(budget.slot.id.unit);
        let leasing = LeaseRequest { checker: checker.clone(), budget, least, amount, now };
        // A call that is cancelled between the grant and the deposit would lose the grant.
        let leased = tokio::spawn(async move { in_time(leasing.lease()).await });
        let (has_leased, alone) = leased.await.map_err(Error::unavailable)??;
        drawn = draw(checker, budgets, need, mode, now);
        // Only now may the next caller look at the lease, which it might find too small and end.
        drop(alone);
        if !has_leased {
            match drawn {
                // Of another budget, what this node knows may be out of date.
                Drawn::TooLittle(refused, refusal) if refused == index => return Ok(Err(refusal)),
                other => drawn = other,
            }
        }
    }
}

/// Draws on all budgets, if all leases are large enough. Never waits for the database.
fn draw(
    checker: &Checker,
    budgets: &[LimitedBudget],
    need: &BudgetNeed<'_>,
    mode: BudgetMode,
    now: Timestamp,
) -> Drawn {
    let mut states: SmallVec<[_; 3]> =
        budgets.iter().map(|budget| budget.slot.lock_at(now)).collect();
    for (index, (budget, state)) in budgets.iter().zip(&states).enumerate() {
        let least = need.least(budget.slot.id.unit);
        match state.known_left(budget.limit) {
            None => return Drawn::NeedsLease(index, least),
            Some(left) if left < least => {
                let refusal = BudgetRefusal::of(budget, state, least);
                return Drawn::TooLittle(index, Box::new(refusal));
            }
            Some(_) => {}
        }
    }
    let left = budgets.iter().zip(&states).map(|(budget, state)| {
        (budget.slot.id.unit, state.known_left(budget.limit).unwrap_or_default())
    });
    let granted = need.granted(&left);
    for (index, (budget, state)) in budgets.iter().zip(&states).enumerate() {
        let amount = need.amount(budget.slot.id.unit, granted);
        if !state.covers(amount, budget.limit) {
            return Drawn::NeedsLease(index, amount);
        }
    }
    let at = checker.clock.monotonic();
    let mut permits = Vec::new();
    let mut crossings = Vec::new();
    for (index, (budget, state)) in budgets.iter().zip(&mut states).enumerate() {
        let unit = budget.slot.id.unit;
        let amount = need.amount(unit, granted);
        if mode == BudgetMode::Spend || unit == BudgetUnit::Requests {
            let crossed = state.spend(amount, budget.limit, at);
            if crossed != Crossings::default() {
                crossings.push((index, crossed));
            }
        } else {
            state.reserve(amount, at);
            permits.push(BudgetPermit {
                slot: Arc::clone(&budget.slot),
                limit: budget.limit,
                starts_at: state.starts_at(),
                amount,
            });
        }
    }
    Drawn::Acquired(AcquiredBudgets { granted, permits: BudgetPermits(permits) }, crossings)
}

fn note(checker: &Checker, budgets: &[LimitedBudget], crossings: &[(usize, Crossings)]) {
    for (index, crossings) in crossings {
        checker.budget_events.note(&budgets[*index].slot, crossings, checker.clock.now());
    }
}

/// One call's request for a larger lease.
struct LeaseRequest {
    checker: Checker,
    budget: LimitedBudget,
    /// The call is refused if less is left.
    least: u64,
    /// What it would take.
    amount: u64,
    now: Timestamp,
}

impl LeaseRequest {
    /// Leases more. False if too little is left. The caller draws while it holds the slot's gate.
    async fn lease(&self) -> Result<(bool, OwnedMutexGuard<()>), Error> {
        let slot = &self.budget.slot;
        let queries = slot.lock().queries();
        let alone = Arc::clone(&slot.gate).lock_owned().await;
        Ok((self.lease_alone(queries).await?, alone))
    }

    /// Same as [`Self::lease`] for the holder of the gate, who came to it after `queries` queries.
    async fn lease_alone(&self, queries: u64) -> Result<bool, Error> {
        let Self { checker, budget: LimitedBudget { slot, limit }, least, amount, now } = self;
        let (limit, least) = (*limit, *least);
        let who = OnBehalfOf::Organization(slot.tenant.organization);
        let starts_at = {
            let mut state = slot.lock_at(*now);
            // Otherwise thousands of calls on an exhausted budget would query one after the other,
            // and the last would wait too long.
            let is_read = state.was_read_since(queries);
            if is_read && state.known_left(limit).is_some_and(|left| left < least) {
                return Ok(false);
            }
            // The holder of the gate before may have leased enough for several calls.
            if state.covers((*amount).min(least), limit) && is_read {
                return Ok(true);
            }
            // Other nodes, or a limit that was lowered, may need what this node holds.
            state.end_unfit_lease(least, limit);
            state.starts_at()
        };
        return_unused(checker, who, slot).await?;
        let period = BudgetPeriod { id: slot.id, starts_at };
        let number = slot.lock().begin_query();
        let used = budget_store::used_of(&checker.database, period).await?;
        let ask = {
            let mut state = slot.lock_at(*now);
            state.finish_query(number, starts_at, used);
            if state.known_left(limit).is_none_or(|left| left < least) {
                return Ok(false);
            }
            state.ask(*amount, limit.saturating_sub(used))
        };
        if ask == 0 {
            return Ok(true);
        }
        if let Some(used) = budget_store::add(&checker.database, who, period, ask, limit).await? {
            let monotonic = checker.clock.monotonic();
            let has_to_be_listed = slot.lock().deposit(starts_at, (ask, limit), used, monotonic);
            if has_to_be_listed {
                checker.budget_slots.list(slot);
            }
        }
        Ok(true)
    }
}

/// Replaces what a call reserved with what it used, in the periods that it was reserved in. Usage
/// beyond the reservation counts even over the limit: it cannot be undone. A refund does not wait
/// for the database: see [`return_leases`]. A caller that is cancelled here loses nothing.
pub(crate) async fn settle(
    checker: &Checker,
    permits: BudgetPermits,
    used: impl Fn(BudgetUnit) -> u64,
) -> Result<(), Error> {
    let mut unpaid = Vec::new();
    for BudgetPermit { slot, limit, starts_at, amount } in permits.0 {
        let used = used(slot.id.unit);
        let (settled, crossings) = {
            let mut state = slot.lock();
            let settled = state.settle(starts_at, (amount, used));
            (settled, state.crossings(limit))
        };
        if settled.has_to_be_listed {
            checker.budget_slots.list(&slot);
        }
        if crossings != Crossings::default() {
            checker.budget_events.note(&slot, &crossings, checker.clock.now());
        }
        if settled.unpaid > 0 {
            unpaid.push(BudgetPermit { slot, limit, starts_at, amount: settled.unpaid });
        }
    }
    if unpaid.is_empty() {
        return Ok(());
    }
    let charging = charge(checker.clone(), unpaid);
    checker.unsettled.spawn(charging).await.map_err(Error::unavailable)?
}

/// Charges amounts that no lease covers.
async fn charge(checker: Checker, unpaid: Vec<BudgetPermit>) -> Result<(), Error> {
    let mut result = Ok(());
    for BudgetPermit { slot, limit, starts_at, amount } in unpaid {
        let who = OnBehalfOf::Organization(slot.tenant.organization);
        let period = BudgetPeriod { id: slot.id, starts_at };
        match budget_store::change(&checker.database, who, period, stored(amount)).await {
            Ok(()) => {
                let crossings = {
                    let mut state = slot.lock();
                    state.charged_beyond(starts_at, amount);
                    state.crossings(limit)
                };
                if crossings != Crossings::default() {
                    checker.budget_events.note(&slot, &crossings, checker.clock.now());
                }
            }
            Err(error) => result = Err(error.into()),
        }
    }
    result
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
