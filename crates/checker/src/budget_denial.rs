//! The denial of a call that a budget refuses.

use latchkey_domain::api::RefusingLimit;
use latchkey_domain::budget::{BudgetAmount, BudgetUnit, LimitScope};
use latchkey_domain::limit::Period;
use latchkey_domain::outcome::Outcome;
use latchkey_domain::time::Timestamp;

use crate::budget::BudgetRefusal;
use crate::outcome::Denial;

/// Builds the denial. A call that is larger than the whole budget, or a budget for life, has no
/// time after which to retry.
pub(crate) fn denial(refusal: &BudgetRefusal, now: Timestamp) -> Denial {
    let BudgetRefusal { budget, spent, reserved, calls, least, resets_at } = refusal;
    let id = budget.slot.id;
    let amount = |counted: u64| BudgetAmount::new(id.unit, counted);
    let resets_at = resets_at.filter(|_| *least <= budget.limit);
    let would_fit = spent.saturating_add(*least) <= budget.limit;
    let whose = match id.owner.scope() {
        LimitScope::Key => "",
        LimitScope::Project => " of the project",
        LimitScope::Organization => " of the organization",
    };
    let when = match (resets_at, id.period) {
        (Some(at), _) => format!("It resets at {at}."),
        (None, Period::Total) => "It does not reset.".to_owned(),
        (None, _) => "A call of this size never fits.".to_owned(),
    };
    Denial {
        detail: format!(
            "The budget of {}{whose} is not enough for this call: {} used, {} requested. {when}",
            in_words(id.unit, budget.limit, id.period),
            amount(spent.saturating_add(*reserved)),
            amount(*least),
        ),
        retry_after: resets_at.map(|at| at.since(now)),
        limit: Some(Box::new(RefusingLimit {
            scope: id.owner.scope(),
            unit: id.unit.into(),
            period: Some(id.period),
            limit: amount(budget.limit),
            used: amount(*spent),
            reserved: amount(*reserved),
            resets_at,
        })),
        reserved_by: if would_fit { *calls } else { 0 },
        ..Denial::of(outcome(id.unit))
    }
}

/// Outcome of a call that a budget in this unit refuses.
pub(crate) const fn outcome(unit: BudgetUnit) -> Outcome {
    match unit {
        BudgetUnit::Requests => Outcome::RequestBudgetExhausted,
        BudgetUnit::Tokens => Outcome::TokenBudgetExhausted,
        BudgetUnit::Usd => Outcome::SpendLimitReached,
    }
}

/// A budget in words: `1000 tokens a day`, `$5 a month`, `10 requests for life`.
fn in_words(unit: BudgetUnit, limit: u64, period: Period) -> String {
    let amount = BudgetAmount::new(unit, limit);
    let unit = match unit {
        BudgetUnit::Requests => " requests",
        BudgetUnit::Tokens => " tokens",
        BudgetUnit::Usd => "",
    };
    format!("{amount}{unit} {}", period.recurrence())
}
