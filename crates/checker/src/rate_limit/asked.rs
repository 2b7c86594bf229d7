//! What a call asks of one level.

use crate::rate_limit::permit::RatePermit;
use crate::token_estimate::TokenAmount;

/// Tokens that a call asks of a level: at most what the levels before have granted.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokensAsked {
    pub(super) amount: TokenAmount,
    pub(super) most: u64,
}

impl TokensAsked {
    pub(super) fn after(permit: &RatePermit, amount: TokenAmount) -> Self {
        Self { amount, most: permit.tokens().unwrap_or(u64::MAX) }
    }

    /// The call is refused if fewer tokens are left.
    pub(super) fn least(self) -> u64 {
        self.amount.least()
    }

    /// Tokens to acquire when `left` are left.
    pub(super) fn of(self, left: u64) -> u64 {
        self.amount.of(left).min(self.most)
    }
}
