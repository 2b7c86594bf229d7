//! What a call has reserved of one budget, as the database keeps it for a background response.

use latchkey_domain::time::Timestamp;

use crate::budget_slot::BudgetId;
use crate::budget_store::BudgetPeriod;

/// A reservation of one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReservedBudget {
    pub(crate) id: BudgetId,
    /// Start of the period in which it was reserved.
    pub(crate) starts_at: Timestamp,
    /// Tokens or billionths of a dollar.
    pub(crate) amount: u64,
    /// The limit at that time.
    pub(crate) limit: u64,
}

impl ReservedBudget {
    /// The row of `budget_usage` that it is charged in.
    pub(crate) const fn period(&self) -> BudgetPeriod {
        BudgetPeriod { id: self.id, starts_at: self.starts_at }
    }

    /// Order in which rows are changed. It is the same for all transactions, so that no two wait
    /// for each other.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let BudgetId { owner, unit, period } = self.id;
        (owner.scope(), owner.uuid(), unit, period, self.starts_at)
    }
}
