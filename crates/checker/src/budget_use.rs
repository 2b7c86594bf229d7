//! What the database says of one period of a budget.

/// What background responses of all nodes have reserved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BackgroundUse {
    /// Tokens or billionths of a dollar.
    pub(crate) amount: u64,
    /// Number of the responses.
    pub(crate) calls: u64,
}

/// Usage of a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PeriodUse {
    /// What is charged, leases and reservations included.
    pub(crate) used: u64,
    /// The part of it that background responses have reserved.
    pub(crate) background: BackgroundUse,
}

impl PeriodUse {
    /// From the columns of `budget_usage`. A negative number, which is never written, counts as 0.
    pub(crate) fn of((used, background, calls): (i64, i64, i64)) -> Self {
        let amount = |stored: i64| u64::try_from(stored).unwrap_or_default();
        let background = BackgroundUse { amount: amount(background), calls: amount(calls) };
        Self { used: amount(used), background }
    }
}
