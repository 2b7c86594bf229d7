//! What background responses have reserved of a budget. They are in the database, so no node knows
//! them for itself: a node adds those that it has handed over, until it asks the database again.

use latchkey_domain::time::Timestamp;

use super::SlotState;

impl SlotState {
    /// Reserved by calls in progress on this node and by background responses of all nodes, and
    /// the number of both.
    pub(crate) const fn in_progress(&self) -> (u64, u64) {
        let amount = self.reserved.saturating_add(self.background.amount);
        (amount, self.calls.saturating_add(self.background.calls))
    }

    /// Makes the reservation of a call of this node that of a background response. It stays
    /// charged.
    pub(crate) fn hand_over(&mut self, starts_at: Timestamp, amount: u64) {
        if self.starts_at == Some(starts_at) {
            self.reserved = self.reserved.saturating_sub(amount);
            self.calls = self.calls.saturating_sub(1);
            self.background.amount = self.background.amount.saturating_add(amount);
            self.background.calls = self.background.calls.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use latchkey_domain::budget::BudgetUnit;
    use latchkey_domain::id::{KeyId, OrganizationId};
    use latchkey_domain::limit::Period;

    use super::*;
    use crate::budget_owner::BudgetOwner;
    use crate::budget_slot::{BudgetId, BudgetSlot, BudgetTenant};
    use crate::budget_use::{BackgroundUse, PeriodUse};

    #[test]
    fn reservation_stays_charged_when_it_is_handed_over() {
        let at = Timestamp::from_millis(0);
        let owner = BudgetOwner::Key(KeyId::new(at, [0; 10]));
        let id = BudgetId { owner, unit: BudgetUnit::Tokens, period: Period::Day };
        let organization = OrganizationId::new(at, [0; 10]);
        let slot = BudgetSlot::new(id, BudgetTenant { organization, project: None });
        let mut state = slot.lock_at(at);
        let starts_at = state.starts_at();
        state.deposit(starts_at, (100, 1_000), 400, Duration::ZERO);
        state.reserve(60, Duration::ZERO);
        assert_eq!((state.spent(), state.in_progress()), (300, (60, 1)));
        state.hand_over(starts_at, 60);
        assert_eq!((state.spent(), state.in_progress()), (300, (60, 1)));
        assert_eq!(state.known_left(1_000), Some(640), "it is charged");
        assert_eq!(state.known_use(starts_at).reserved, 0, "the database knows it");
        // Another node has settled it at 10.
        let number = state.begin_query();
        let known = PeriodUse { used: 350, background: BackgroundUse::default() };
        state.finish_query(number, starts_at, known);
        assert_eq!((state.spent(), state.in_progress()), (310, (0, 0)));
        state.hand_over(Timestamp::from_millis(-1), 60);
        assert_eq!(state.in_progress(), (0, 0), "that was another period");
    }
}
