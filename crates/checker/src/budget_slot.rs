//! One budget in this process: what was leased of it, what is left of the lease, and what calls in
//! progress have reserved.
//!
//! A budget is a row in the database. Charging it per call would cost two statements a call. A
//! *lease* charges more than one call needs, and later calls draw on it in memory. This module
//! holds the leases; `super::budget` decides calls, and `super::budget_store` talks to the
//! database.
//!
//! ```text
//! used in the database = used by calls + reserved by calls + leased by nodes and not returned
//!
//! draw      a call draws on the lease
//! ask       how much to lease: what the call needs plus AHEAD times as much, but at most what
//!           remains divided by REMAINDER_DIVISOR, so that nodes hold nothing near the limit
//! deposit   add what the database granted
//! renew     below a quarter of a full lease, lease in the background, so that no call waits
//! settle    a reservation becomes usage; the rest goes back to the lease
//! withdraw  once a second: what was set aside, leases that are IDLE, and the excess over FULL
//! ```
//!
//! *Consistency.* Leased amounts count as used in the database, so neither another node nor a crash
//! can spend them twice. Every step runs under the slot's lock, which is never held across an
//! `await`. A call that needs several budgets locks all of them, in the order of
//! `LimitedBudget::order`, and draws on all or none. The database is queried under the slot's gate,
//! so one of many concurrent callers does it. The usage that a node reports exceeds actual usage by
//! what other nodes have leased or reserved. For the same reason a call may be refused although
//! another node's lease would cover it, until that lease is returned.
//!
//! *Life.* A lease belongs to one period. It lasts while calls draw on it, and is returned one to
//! two seconds after the last draw. A slot lives while a cached key has the budget, or while it
//! holds anything.
//!
//! *Failure.* A crash loses what the node had leased and reserved, until the period ends. A return
//! that was not attempted is retried. A return that failed may have been committed, so it stays
//! charged. While the database is unavailable, calls draw on the lease; when it is used up, they
//! are `unavailable`.

mod background;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::id::{OrganizationId, ProjectId};
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;

use crate::budget_crossing::{Crossing, Crossings, THRESHOLDS};
use crate::budget_owner::BudgetOwner;
use crate::budget_use::{BackgroundUse, PeriodUse};

/// Number of calls' worth to lease ahead, capped by [`REMAINDER_DIVISOR`].
const AHEAD: u64 = 256;
/// A node leases ahead at most one part in this many of what remains: little compared with what all
/// nodes may still use, and nothing near the limit.
const REMAINDER_DIVISOR: u64 = 16;
/// A full lease is renewed when less than one part in this many of it is left.
const RENEW_DIVISOR: u64 = 4;
/// Calls' worth that a lease in use may hold. The excess is returned, since other nodes may need
/// it.
const FULL: u64 = 2 * AHEAD;
/// A lease that no call drew on for this long is returned.
const IDLE: Duration = Duration::from_secs(1);

/// What identifies a budget: no two of an owner share unit and period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BudgetId {
    pub(crate) owner: BudgetOwner,
    pub(crate) unit: BudgetUnit,
    pub(crate) period: Period,
}

/// Tenant that a budget belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetTenant {
    pub(crate) organization: OrganizationId,
    /// `None` for an organization's budget.
    pub(crate) project: Option<ProjectId>,
}

/// Charged in the database but not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnusedLease {
    pub(crate) starts_at: Timestamp,
    pub(crate) amount: u64,
}

/// One budget in this process.
#[derive(Debug)]
pub(crate) struct BudgetSlot {
    pub(crate) id: BudgetId,
    pub(crate) tenant: BudgetTenant,
    state: Mutex<SlotState>,
    /// Held while the database is queried, so that concurrent callers query once.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
}

/// State of a budget under its lock. Amounts are requests, tokens or billionths of a dollar.
#[derive(Debug, Default)]
pub(crate) struct SlotState {
    /// Current period. `None` before the first call.
    starts_at: Option<Timestamp>,
    /// `None`: it never ends.
    ends_at: Option<Timestamp>,
    /// Usage according to the database, leases included. `None`: not asked in this period.
    used: Option<u64>,
    /// What is left of the lease.
    left: u64,
    /// Limit under which it was granted. Under a lower one, other nodes may have used too much.
    granted_under: u64,
    /// Reserved by calls in progress on this node.
    reserved: u64,
    calls: u64,
    background: BackgroundUse,
    drawn_at: Duration,
    /// Largest draw since the last check for excess.
    wanted: u64,
    /// If less is left of the lease, it is renewed before a call has to wait for it. 0: not.
    renew_below: u64,
    /// Amounts to return that no call can draw, one for each period.
    aside: Vec<UnusedLease>,
    /// Thresholds that were crossed in this period.
    noted: u8,
    /// Whether the slot is in the list of slots that hold anything.
    is_listed: bool,
    /// Number of the last query of the usage.
    queries: u64,
    /// Number of the last one that has finished in this period; 0 if none has.
    finished: u64,
}

/// What this node knows of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KnownUse {
    /// Charged in the database and neither used nor reserved by a call of this node.
    pub(crate) unused: u64,
    /// Reserved by calls in progress on this node.
    pub(crate) reserved: u64,
}

/// What remains to be done after a reservation was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SettledBudget {
    /// Used beyond the reservation and the lease: to be charged in the database.
    pub(crate) unpaid: u64,
    /// Whether the slot holds something again.
    pub(crate) has_to_be_listed: bool,
}

impl BudgetSlot {
    pub(crate) fn new(id: BudgetId, tenant: BudgetTenant) -> Self {
        Self { id, tenant, state: Mutex::default(), gate: Arc::default() }
    }

    /// Locks the slot.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SlotState> {
        // Each step leaves the state consistent, even if a thread panicked while holding the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the slot in the period that contains `now`.
    pub(crate) fn lock_at(&self, now: Timestamp) -> MutexGuard<'_, SlotState> {
        let mut state = self.lock();
        state.enter(self.id.period, now);
        state
    }
}

impl SlotState {
    /// Ends the lease of another period. A clock that was set back does not reopen a period.
    fn enter(&mut self, period: Period, now: Timestamp) {
        let lasts = self.ends_at.is_none_or(|end| now < end);
        if self.starts_at.is_some() && lasts {
            return;
        }
        let (starts_at, ends_at) = period.around(now);
        if let Some(before) = self.starts_at.replace(starts_at) {
            self.set_aside(UnusedLease { starts_at: before, amount: self.left });
        }
        let Self { aside, queries, is_listed, .. } = std::mem::take(self);
        *self = Self {
            starts_at: Some(starts_at),
            ends_at,
            aside,
            queries,
            is_listed,
            ..Self::default()
        };
    }

    fn set_aside(&mut self, unused: UnusedLease) {
        let known = self.aside.iter_mut().find(|known| known.starts_at == unused.starts_at);
        match known {
            Some(known) => known.amount = known.amount.saturating_add(unused.amount),
            None if unused.amount == 0 => {}
            None => self.aside.push(unused),
        }
    }

    /// Start of the current period.
    pub(crate) fn starts_at(&self) -> Timestamp {
        self.starts_at.unwrap_or(Timestamp::from_millis(0))
    }

    /// End of the current period. `None`: never.
    pub(crate) const fn ends_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    /// What is left of the budget, as far as this node knows. `None` until the database was asked.
    pub(crate) fn known_left(&self, limit: u64) -> Option<u64> {
        Some(limit.saturating_sub(self.charged()?))
    }

    /// What is charged and not left in this node's lease.
    fn charged(&self) -> Option<u64> {
        Some(self.used?.saturating_sub(self.left))
    }

    /// Used by calls that have settled, as far as this node knows.
    pub(crate) fn spent(&self) -> u64 {
        self.charged().unwrap_or_default().saturating_sub(self.in_progress().0)
    }

    /// What this node holds of the period that starts at `starts_at`.
    pub(crate) fn known_use(&self, starts_at: Timestamp) -> KnownUse {
        let aside = self.aside.iter().find(|unused| unused.starts_at == starts_at);
        let aside = aside.map_or(0, |unused| unused.amount);
        if self.starts_at == Some(starts_at) {
            let unused = self.left.saturating_add(aside);
            KnownUse { unused, reserved: self.reserved }
        } else {
            KnownUse { unused: aside, ..KnownUse::default() }
        }
    }

    /// What is charged and what is reserved, while calls draw on a lease of this node.
    pub(crate) fn leased_use(&self) -> Option<(u64, u64)> {
        let charged = self.charged().filter(|_| self.left > 0)?;
        Some((charged, self.in_progress().0))
    }

    /// Whether a call can draw `amount` now. Even a call that needs nothing wants a lease: without
    /// one the node does not know whether anything is left.
    pub(crate) fn covers(&self, amount: u64, limit: u64) -> bool {
        let fits = self.known_left(limit).is_some_and(|left| amount.max(1) <= left);
        fits && amount.max(1) <= self.left && self.granted_under <= limit
    }

    /// Draws `amount`, which the lease covers, for a call that has used it at once.
    pub(crate) fn spend(&mut self, amount: u64, limit: u64, now: Duration) -> Crossings {
        self.draw(amount, now);
        self.crossings(limit)
    }

    /// Draws `amount`, which the lease covers, for a call in progress.
    pub(crate) fn reserve(&mut self, amount: u64, now: Duration) {
        self.draw(amount, now);
        self.reserved = self.reserved.saturating_add(amount);
        self.calls += 1;
    }

    /// Whether the lease should be renewed while calls still draw on it. True once for each lease.
    pub(crate) const fn starts_renewal(&mut self) -> bool {
        if self.left >= self.renew_below {
            return false;
        }
        self.renew_below = 0;
        true
    }

    fn draw(&mut self, amount: u64, now: Duration) {
        self.left = self.left.saturating_sub(amount);
        self.drawn_at = now;
        self.wanted = self.wanted.max(amount);
    }

    /// Replaces what a call reserved in the period that starts at `starts_at` with what it used.
    pub(crate) fn settle(
        &mut self,
        starts_at: Timestamp,
        (reserved, used): (u64, u64),
    ) -> SettledBudget {
        let beyond = used.saturating_sub(reserved);
        let rest = reserved.saturating_sub(used);
        let unpaid = if self.starts_at == Some(starts_at) {
            self.reserved = self.reserved.saturating_sub(reserved);
            self.calls = self.calls.saturating_sub(1);
            // The lease covers it first. Otherwise the node would admit calls on an exhausted
            // budget.
            let paid = beyond.min(self.left);
            self.left = (self.left - paid).saturating_add(rest);
            beyond - paid
        } else {
            self.set_aside(UnusedLease { starts_at, amount: rest });
            beyond
        };
        SettledBudget { unpaid, has_to_be_listed: !std::mem::replace(&mut self.is_listed, true) }
    }

    /// Thresholds that the usage has crossed and that were not noted in this period.
    pub(crate) fn crossings(&mut self, limit: u64) -> Crossings {
        let used = self.spent();
        let mut crossings = Crossings::default();
        // Far from the limit, one comparison is enough.
        if used < limit / 5 * 4 {
            return crossings;
        }
        for (crossing, (percent, bit)) in crossings.iter_mut().zip(THRESHOLDS) {
            let is_crossed = u128::from(used) * 100 >= u128::from(limit) * u128::from(percent);
            if is_crossed && self.noted & bit == 0 {
                self.noted |= bit;
                *crossing = Some(Crossing { percent, starts_at: self.starts_at(), limit, used });
            }
        }
        crossings
    }

    /// Amount to lease for a call that needs `need`, when the database has `remaining` left.
    pub(crate) fn ask(&self, need: u64, remaining: u64) -> u64 {
        let need = need.max(1);
        let shortfall = need.saturating_sub(self.left);
        let rest = remaining.saturating_sub(shortfall);
        let ahead = (rest / REMAINDER_DIVISOR).min(need.saturating_mul(AHEAD));
        shortfall.saturating_add(ahead).min(remaining)
    }

    /// Adds what the database granted. `used` is its usage after that. Returns whether the slot has
    /// to be listed.
    pub(crate) fn deposit(
        &mut self,
        starts_at: Timestamp,
        (amount, limit): (u64, u64),
        used: u64,
        now: Duration,
    ) -> bool {
        if self.starts_at == Some(starts_at) {
            self.granted_under = if self.left > 0 { self.granted_under.max(limit) } else { limit };
            self.left = self.left.saturating_add(amount);
            self.used = Some(used);
            self.drawn_at = now;
            // Otherwise it is near the limit, where nodes hold nothing that no call needs. Its
            // size alone does not tell: calls need different amounts.
            let is_full = amount <= limit.saturating_sub(used) / REMAINDER_DIVISOR;
            self.renew_below = if is_full { amount / RENEW_DIVISOR } else { 0 };
        } else {
            self.set_aside(UnusedLease { starts_at, amount });
        }
        !std::mem::replace(&mut self.is_listed, true)
    }

    /// Adds to the known usage of the database. The lease itself does not change.
    pub(crate) fn charged_beyond(&mut self, starts_at: Timestamp, amount: u64) {
        if self.starts_at == Some(starts_at) {
            self.used = self.used.map(|used| used.saturating_add(amount));
        }
    }

    /// Records that the database took `unused` back.
    pub(crate) fn returned(&mut self, unused: UnusedLease) {
        if self.starts_at == Some(unused.starts_at) {
            self.used = self.used.map(|used| used.saturating_sub(unused.amount));
        }
    }

    /// Number of usage queries started so far.
    pub(crate) const fn queries(&self) -> u64 {
        self.queries
    }

    /// Starts a usage query and returns its number.
    pub(crate) const fn begin_query(&mut self) -> u64 {
        self.queries += 1;
        self.queries
    }

    /// Stores the result of usage query `number`.
    pub(crate) fn finish_query(&mut self, number: u64, starts_at: Timestamp, known: PeriodUse) {
        if self.starts_at == Some(starts_at) {
            (self.used, self.background) = (Some(known.used), known.background);
            self.finished = number;
        }
    }

    /// Whether a usage query has finished that started after the first `queries`. A caller that has
    /// waited at the gate since then need not repeat it.
    pub(crate) const fn was_read_since(&self, queries: u64) -> bool {
        self.finished > queries
    }

    /// Ends a lease that a call under `limit` may not draw on, or that is too little for a call of
    /// `least`: what is left of it is to be returned. A call that is larger than the whole budget
    /// ends nothing: no return would admit it, and other calls would lease anew each time.
    pub(crate) fn end_unfit_lease(&mut self, least: u64, limit: u64) {
        let fits = self.known_left(limit).is_none_or(|left| left >= least);
        if (fits || least > limit) && self.granted_under <= limit {
            return;
        }
        let unused = UnusedLease { starts_at: self.starts_at(), amount: self.left };
        self.left = 0;
        self.set_aside(unused);
    }

    /// Takes one of the amounts that were set aside, to be returned. The others stay here, where
    /// neither a failed return nor a caller that gives up can lose them.
    pub(crate) fn next_aside(&mut self) -> Option<UnusedLease> {
        self.aside.pop()
    }

    /// Sets an amount aside again whose return was not sent. Returns whether the slot has to be
    /// listed.
    pub(crate) fn keep(&mut self, unused: UnusedLease) -> bool {
        self.set_aside(unused);
        !std::mem::replace(&mut self.is_listed, true)
    }

    /// Sets aside what is due for return: the rest of an idle lease, and the excess of an active
    /// one; with `all`, everything.
    pub(crate) fn withdraw_due(&mut self, now: Duration, all: bool) {
        let starts_at = self.starts_at();
        let is_idle = all || now.saturating_sub(self.drawn_at) >= IDLE;
        let excess = if is_idle {
            self.left
        } else if self.wanted == 0 {
            // No call came since the last check, so what the next one needs is unknown.
            0
        } else {
            self.left.saturating_sub(self.wanted.saturating_mul(FULL))
        };
        self.wanted = 0;
        self.left -= excess;
        if excess > 0 {
            // What is returned must not be leased again by the next call.
            self.renew_below = self.renew_below.min(self.left / RENEW_DIVISOR);
        }
        self.set_aside(UnusedLease { starts_at, amount: excess });
    }

    /// Whether the slot holds anything.
    pub(crate) fn stays_listed(&mut self) -> bool {
        self.is_listed = self.left > 0 || !self.aside.is_empty();
        self.is_listed
    }
}

#[cfg(test)]
mod tests;
