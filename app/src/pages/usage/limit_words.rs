//! The limit that refused a call, in words: what was used of it, by whom, and when it resets.

use latchkey_domain::api::{LimitUnit, RefusingLimit, TokenBudget};
use latchkey_domain::budget::LimitScope;
use latchkey_domain::limit::Period;
use latchkey_domain::time::Timestamp;

use latchkey_ui::budget::{exact_amount, this};
use latchkey_ui::relative_time::date_and_time;
use latchkey_ui::thousands;

/// “20 of 20 tokens are used this day by all keys of the project”,
/// “$5 of $5 is spent this day”.
pub fn used_in_words(limit: &RefusingLimit) -> String {
    let RefusingLimit { scope, unit, period, used, reserved, .. } = *limit;
    let (used, all) = (exact_amount(used), exact_amount(limit.limit));
    let what = match unit {
        LimitUnit::Requests => " requests are used",
        LimitUnit::Tokens => " tokens are used",
        LimitUnit::Usd => " is spent",
        LimitUnit::Calls => " calls are in progress",
    };
    let period = period.filter(|period| *period != Period::Total);
    let when = period.map(|period| format!(" {}", this(period))).unwrap_or_default();
    let whose = match scope {
        LimitScope::Key => "",
        LimitScope::Project => " by all keys of the project",
        LimitScope::Organization => " by all keys of the organization",
    };
    let reserved = match reserved.counted() {
        0 => String::new(),
        _ => format!(", and {} reserved by calls in progress", exact_amount(reserved)),
    };
    format!("{used} of {all}{what}{when}{whose}{reserved}")
}

/// The same for a budget, as a sentence, and when it resets.
pub fn budget_in_words(limit: &RefusingLimit) -> String {
    let resets = match (limit.period, limit.resets_at) {
        (Some(Period::Total), _) => resets_in_words(None),
        (_, Some(end)) => resets_in_words(Some(end)),
        (_, None) => String::new(),
    };
    format!("{}.{resets}", used_in_words(limit))
}

/// The same for the first token budget of a key.
pub fn token_budget_in_words(state: &TokenBudget) -> String {
    let (used, limit) = (thousands(state.used), thousands(state.limit));
    let resets = resets_in_words(state.resets_at);
    format!("{used} of {limit} tokens are used {}.{resets}", this(state.period))
}

fn resets_in_words(resets_at: Option<Timestamp>) -> String {
    match resets_at {
        Some(end) => format!(" The budget resets on {}.", date_and_time(end)),
        None => " The budget never resets.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use latchkey_domain::budget::BudgetAmount;
    use latchkey_domain::money::Usd;

    use super::*;

    fn limit(scope: LimitScope, period: Period, reserved: u32) -> RefusingLimit {
        let dollars = |dollars| BudgetAmount::Usd(Usd::dollars(dollars));
        RefusingLimit {
            scope,
            unit: LimitUnit::Usd,
            period: Some(period),
            limit: dollars(5),
            used: dollars(4),
            reserved: dollars(reserved),
            resets_at: Timestamp::parse("2026-06-01T00:00:00Z").ok(),
        }
    }

    #[test]
    fn refusal_names_the_level_of_the_limit() {
        assert_eq!(
            budget_in_words(&limit(LimitScope::Project, Period::Day, 1)),
            "$4 of $5 is spent this day by all keys of the project, and $1 reserved by calls in \
             progress. The budget resets on June 1, 2026 at 00:00 UTC."
        );
        assert_eq!(
            budget_in_words(&limit(LimitScope::Key, Period::Total, 0)),
            "$4 of $5 is spent. The budget never resets."
        );
    }

    #[test]
    fn limit_of_calls_at_a_time_has_no_period() {
        let calls = RefusingLimit {
            unit: LimitUnit::Calls,
            period: None,
            limit: BudgetAmount::Count(8),
            used: BudgetAmount::Count(8),
            ..limit(LimitScope::Organization, Period::Day, 0)
        };
        assert_eq!(
            used_in_words(&calls),
            "8 of 8 calls are in progress by all keys of the organization"
        );
    }
}
