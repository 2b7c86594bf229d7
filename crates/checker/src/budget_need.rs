//! How much a call needs of each budget, given what is left of all of them.

use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::money::Usd;
use latchkey_domain::price::Price;

use crate::token_estimate::{ReservedTokens, TokenAmount, TokenEstimate};

/// What a call needs of its budgets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BudgetNeed<'a> {
    pub(crate) tokens: TokenAmount,
    /// Most tokens that it may use: what the rate limits have granted.
    pub(crate) most: u64,
    /// Price of the model, if the call has one and it is known.
    pub(crate) price: Option<&'a Price>,
}

impl BudgetNeed<'_> {
    /// Least amount that must be left to admit the call. Even a call that uses nothing needs a
    /// budget that is not exhausted.
    pub(crate) fn least(&self, unit: BudgetUnit) -> u64 {
        let least = match unit {
            BudgetUnit::Requests => 1,
            BudgetUnit::Tokens => self.tokens.least(),
            BudgetUnit::Usd => self.cost(self.tokens.least()),
        };
        least.max(1)
    }

    /// Amount to take of a budget by a call that may use `granted` tokens.
    pub(crate) fn amount(&self, unit: BudgetUnit, granted: u64) -> u64 {
        match unit {
            BudgetUnit::Requests => 1,
            BudgetUnit::Tokens => granted,
            BudgetUnit::Usd => self.cost(granted),
        }
    }

    /// Most that `granted` tokens cost, in billionths of a dollar.
    fn cost(&self, granted: u64) -> u64 {
        let (Some(price), TokenAmount::Estimated(estimate)) = (self.price, self.tokens) else {
            return 0;
        };
        let ReservedTokens { prompt, answer } = estimate.split(granted);
        price.max_cost(prompt, answer.saturating_mul(estimate.answers.into())).billionths()
    }

    /// Tokens that the call may use when `left` is left of each budget. At least what it needs,
    /// whether or not that is left.
    pub(crate) fn granted(&self, left: &(impl Iterator<Item = (BudgetUnit, u64)> + Clone)) -> u64 {
        let in_tokens = left.clone().map(|(unit, left)| self.tokens_for(unit, left)).min();
        let most = in_tokens.unwrap_or(u64::MAX);
        let granted = self.tokens.of(most).min(self.most).max(self.tokens.least());
        let fits = |granted| left.clone().all(|(unit, left)| self.amount(unit, granted) <= left);
        if fits(granted) { granted } else { self.within(granted, left.clone()) }
    }

    /// Tokens that `left` of a budget pays for.
    fn tokens_for(&self, unit: BudgetUnit, left: u64) -> u64 {
        match (unit, self.price, self.tokens) {
            (BudgetUnit::Tokens, ..) => left,
            (BudgetUnit::Usd, Some(price), TokenAmount::Estimated(estimate)) => {
                tokens_for(price, &estimate, Usd::from_billionths(left))
            }
            (BudgetUnit::Requests | BudgetUnit::Usd, ..) => u64::MAX,
        }
    }

    /// Fewer tokens than `granted`, with the prompt as it is estimated, so that their cost fits.
    fn within(&self, granted: u64, left: impl Iterator<Item = (BudgetUnit, u64)>) -> u64 {
        let (Some(price), TokenAmount::Estimated(estimate)) = (self.price, self.tokens) else {
            return granted;
        };
        let prompt = u64::from(estimate.prompt_estimate);
        let affordable = left
            .filter(|(unit, _)| *unit == BudgetUnit::Usd)
            .filter_map(|(_, left)| price.affordable_completion(Usd::from_billionths(left), prompt))
            .min();
        let completion = affordable.unwrap_or(u64::MAX);
        let completion = estimate.below_prompt_bound(completion);
        granted.min(prompt.saturating_add(completion)).max(estimate.least())
    }
}

/// Tokens, prompt included, that `money` pays for.
fn tokens_for(price: &Price, estimate: &TokenEstimate, money: Usd) -> u64 {
    let bound = u64::from(estimate.prompt_bound);
    if let Some(completion) = price.affordable_completion(money, bound)
        && completion >= estimate.answer_wanted_with_bound()
    {
        return bound.saturating_add(completion);
    }
    let prompt = u64::from(estimate.prompt_estimate);
    let completion = price.affordable_completion(money, prompt).unwrap_or_default();
    prompt.saturating_add(estimate.below_prompt_bound(completion))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::token_estimate::AnswerCap;

    proptest! {
        #[test]
        fn grant_fits_every_budget_that_holds_the_least(
            estimate in 0_u32..5_000, more in 0_u32..20_000, answers in 0_u32..4,
            cap in 1_u32..100_000, open: bool, tokens in 0_u64..200_000, money in 0_u64..2_000_000_000,
            input in 0_u64..50_000_000_000, output in 0_u64..50_000_000_000, most in 1_u64..300_000,
            least in 0_u32..2_000,
        ) {
            let usd = Usd::from_billionths;
            let price = Price {
                input: usd(input), cached_input: None, cache_write: None, output: usd(output),
                request: Usd::ZERO,
            };
            let answer = if open { AnswerCap::Model(cap) } else { AnswerCap::Client(cap) };
            let estimate = TokenEstimate {
                prompt_estimate: estimate, prompt_bound: estimate + more, answers,
                least_answer: least.min(cap), answer,
            };
            let need = BudgetNeed {
                tokens: TokenAmount::Estimated(estimate), most: most.max(estimate.least()),
                price: Some(&price),
            };
            let left = [(BudgetUnit::Tokens, tokens), (BudgetUnit::Usd, money)];
            let granted = need.granted(&left.into_iter());
            prop_assert!(granted >= estimate.least());
            prop_assert!(granted <= need.most);
            if left.iter().all(|(unit, left)| need.least(*unit) <= *left) {
                for (unit, left) in left {
                    prop_assert!(need.amount(unit, granted) <= left, "{:?} {}", unit, granted);
                }
            }
        }
    }
}
