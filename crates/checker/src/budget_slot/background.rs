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
