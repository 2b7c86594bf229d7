//! Sums of calls.

use std::ops::AddAssign;

use latchkey_domain::money::Usd;
use latchkey_domain::token_usage::TokenUsage;

use super::call::Use;

/// Number of calls, their tokens and their cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of calls.
    pub requests: u64,
    /// Tokens of these calls.
    pub tokens: TokenUsage,
    /// Cost of these calls.
    pub cost: Usd,
    /// Telemetry items of these calls that were not stored.
    pub rejected_items: u64,
}

impl Counts {
    pub(super) fn of(call: &Use) -> Self {
        Self {
            requests: 1,
            tokens: call.tokens.bounded(),
            cost: call.cost.min(Usd::MAX_PER_CALL),
            rejected_items: 0,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.tokens += other.tokens;
        self.cost += other.cost;
        self.rejected_items += other.rejected_items;
    }
}
