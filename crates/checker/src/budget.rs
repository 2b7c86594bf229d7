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

mod background;

use std::sync::Arc;

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::time::Timestamp;
use latchkey_store::Error;
use latchkey_store::database::{OnBehalfOf, in_time};
use smallvec::SmallVec;

use crate::budget_crossing::Crossings;
use crate::budget_lease::{self, LeaseRequest};
use crate::budget_need::BudgetNeed;
use crate::budget_slot::{BudgetSlot, SlotState};
use crate::budget_slots::LimitedBudget;
use crate::budget_store::{self, BudgetPeriod, stored};
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
    /// Reserved by calls in progress on this node, and by background responses.
    pub(crate) reserved: u64,
    /// Number of these calls.
    pub(crate) calls: u64,
    /// Least amount that the call needs.
    pub(crate) least: u64,
    pub(crate) resets_at: Option<Timestamp>,
}

impl BudgetRefusal {
    fn of(budget: &LimitedBudget, state: &SlotState, least: u64) -> Self {
        let (reserved, calls) = state.in_progress();
        Self {
            budget: budget.clone(),
            spent: state.spent(),
            reserved,
            calls,
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
    /// Only in requests: what it asks for was charged to an earlier call.
    Read,
}

/// What a draw leaves to be done of the budget with this index.
struct FollowUp {
    index: usize,
    crossings: Crossings,
    /// What the call took of a lease that has to be renewed.
    renewal: Option<u64>,
}

/// Result of drawing on all budgets.
enum Drawn {
    Acquired(AcquiredBudgets, Vec<FollowUp>),
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
    if let Drawn::Acquired(acquired, left_to_do) = draw(checker, budgets, need, mode, now) {
        follow_up(checker, budgets, &left_to_do, now);
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
            Drawn::Acquired(acquired, left_to_do) => {
                follow_up(checker, budgets, &left_to_do, now);
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
    let mut left_to_do = Vec::new();
    for (index, (budget, state)) in budgets.iter().zip(&mut states).enumerate() {
        let unit = budget.slot.id.unit;
        let amount = need.amount(unit, granted);
        let mut crossings = Crossings::default();
        if mode == BudgetMode::Spend || unit == BudgetUnit::Requests {
            crossings = state.spend(amount, budget.limit, at);
        } else {
            state.reserve(amount, at);
            permits.push(BudgetPermit {
                slot: Arc::clone(&budget.slot),
                limit: budget.limit,
                starts_at: state.starts_at(),
                amount,
            });
        }
        let renewal = state.starts_renewal().then_some(amount);
        if crossings != Crossings::default() || renewal.is_some() {
            left_to_do.push(FollowUp { index, crossings, renewal });
        }
    }
    Drawn::Acquired(AcquiredBudgets { granted, permits: BudgetPermits(permits) }, left_to_do)
}

fn follow_up(
    checker: &Checker,
    budgets: &[LimitedBudget],
    left_to_do: &[FollowUp],
    now: Timestamp,
) {
    for FollowUp { index, crossings, renewal } in left_to_do {
        let budget = &budgets[*index];
        if *crossings != Crossings::default() {
            checker.budget_events.note(&budget.slot, crossings, checker.clock.now());
        }
        if let Some(amount) = *renewal {
            budget_lease::renew(checker, budget.clone(), amount, now);
        }
    }
}

/// Replaces what a call reserved with what it used, in the periods that it was reserved in. Usage
/// beyond the reservation counts even over the limit: it cannot be undone. A refund does not wait
/// for the database: see [`budget_lease::return_leases`]. A caller that is cancelled here loses
/// nothing.
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

#[cfg(test)]
mod tests;
