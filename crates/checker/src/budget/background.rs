//! Reservations that outlive their call's connection: those of background responses.

use super::{BudgetPermit, BudgetPermits};
use crate::budget_crossing::Crossings;
use crate::checker::Checker;
use crate::reserved_budget::ReservedBudget;

impl BudgetPermits {
    /// What is reserved, in the order in which the database is changed.
    pub(crate) fn reserved(&self) -> Vec<ReservedBudget> {
        let mut reserved: Vec<_> = self
            .0
            .iter()
            .map(|BudgetPermit { slot, limit, starts_at, amount }| ReservedBudget {
                id: slot.id,
                starts_at: *starts_at,
                amount: *amount,
                limit: *limit,
            })
            .collect();
        reserved.sort_by_key(ReservedBudget::order);
        reserved
    }

    /// Leaves what is reserved to the database, which knows of the background response by now. It
    /// was charged there before the call was admitted.
    pub(crate) fn hand_over(self) {
        for BudgetPermit { slot, starts_at, amount, .. } in self.0 {
            slot.lock().hand_over(starts_at, amount);
        }
    }

    /// Leaves what is reserved charged, as if all of it had been used.
    pub(crate) fn charge_all(self, checker: &Checker) {
        for BudgetPermit { slot, limit, starts_at, amount } in self.0 {
            let (settled, crossings) = {
                let mut state = slot.lock();
                let settled = state.settle(starts_at, (amount, amount));
                (settled, state.crossings(limit))
            };
            if settled.has_to_be_listed {
                checker.budget_slots.list(&slot);
            }
            if crossings != Crossings::default() {
                checker.budget_events.note(&slot, &crossings, checker.clock.now());
            }
        }
    }
}
