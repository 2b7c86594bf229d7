//! Budgets in words: amounts, units and periods.

use latchkey_domain::api::BudgetState;
use latchkey_domain::budget::{BudgetAmount, BudgetUnit};
use latchkey_domain::limit::Period;
use latchkey_domain::money::Usd;

use super::bar_meter::short;
use super::thousands;

/// Billionths of a dollar in a dollar.
const DOLLAR: u64 = 1_000_000_000;
/// Billionths of a dollar in a cent.
const CENT: u64 = DOLLAR / 100;

/// Where prices come from. Said wherever money is shown or limited.
pub const ABOUT_PRICES: &str = "Prices come from the operator’s upstreams file.";

/// An exact amount, with cents at least where it isn't whole: “$1,204”, “$1.20”,
/// “$0.000012”.
pub fn dollars(amount: Usd) -> String {
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    if fraction.is_empty() { format!("${whole}") } else { format!("${whole}.{fraction:0<2}") }
}

/// A few digits of an amount, rounded down: “$12k”, “$1.20”, “$0.0012”.
pub fn short_dollars(amount: Usd) -> String {
    let billionths = amount.billionths();
    if billionths >= 10_000 * DOLLAR {
        return format!("${}", short(billionths / DOLLAR));
    }
    let last_digit = if billionths >= CENT {
        CENT
    } else {
        10_u64.pow(billionths.checked_ilog10().unwrap_or_default().saturating_sub(1))
    };
    dollars(Usd::from_billionths(billionths / last_digit * last_digit))
}

/// An amount without its unit: “5,000,000”, “$1.20”.
pub fn exact_amount(amount: BudgetAmount) -> String {
    match amount {
        BudgetAmount::Count(number) => thousands(number),
        BudgetAmount::Usd(amount) => dollars(amount),
    }
}

/// The same with few digits, rounded down: “5M”, “$1.20”.
pub fn short_amount(amount: BudgetAmount) -> String {
    match amount {
        BudgetAmount::Count(number) => short(number),
        BudgetAmount::Usd(amount) => short_dollars(amount),
    }
}

/// What a form calls amounts of this unit.
pub const fn unit_label(unit: BudgetUnit) -> &'static str {
    match unit {
        BudgetUnit::Requests => "Requests",
        BudgetUnit::Tokens => "Tokens",
        BudgetUnit::Usd => "US dollars",
    }
}

/// What is counted, after a limit. Dollars have their sign instead.
pub const fn unit_after(unit: BudgetUnit, limit: BudgetAmount) -> &'static str {
    let is_one = limit.counted() == 1;
    match unit {
        BudgetUnit::Requests if is_one => " request",
        BudgetUnit::Requests => " requests",
        BudgetUnit::Tokens if is_one => " token",
        BudgetUnit::Tokens => " tokens",
        BudgetUnit::Usd => "",
    }
}

/// What the meter of a budget measures.
pub const fn meter_label(unit: BudgetUnit) -> &'static str {
    match unit {
        BudgetUnit::Requests => "Request budget used",
        BudgetUnit::Tokens => "Token budget used",
        BudgetUnit::Usd => "Spend limit used",
    }
}

/// The period that is under way, after what was used.
pub const fn this(period: Period) -> &'static str {
    match period {
        Period::Minute => "this minute",
        Period::Hour => "this hour",
        Period::Day => "this day",
        Period::Week => "this week",
        Period::Month => "this month",
        Period::Total => "for life",
    }
}

/// “5,000,000 tokens a month”, “$5 a day”.
pub fn limit_in_words(unit: BudgetUnit, limit: BudgetAmount, period: Period) -> String {
    format!("{}{} {}", exact_amount(limit), unit_after(unit, limit), period.recurrence())
}

/// “10 of 20 tokens this day”, “$1.20 of $5 for life”.
pub fn use_in_words(state: &BudgetState) -> String {
    let BudgetState { unit, limit, period, used, .. } = *state;
    let (used, all) = (exact_amount(used), exact_amount(limit));
    format!("{used} of {all}{} {}", unit_after(unit, limit), this(period))
}

/// Whether all of a budget is used. What is only reserved may become free again.
pub const fn is_spent(state: &BudgetState) -> bool {
    state.used.counted() >= state.limit.counted()
}

/// The budget with the least share left; of several, the first.
pub fn tightest(budgets: &[BudgetState]) -> Option<&BudgetState> {
    let left = |one: &BudgetState, other: &BudgetState| {
        u128::from(one.remaining.counted()) * u128::from(other.limit.counted())
    };
    budgets.iter().min_by(|one, other| left(one, other).cmp(&left(other, one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    fn state(unit: BudgetUnit, used: u64, limit: u64) -> BudgetState {
        let amount = |counted| BudgetAmount::new(unit, counted);
        BudgetState {
            unit,
            limit: amount(limit),
            period: Period::Day,
            used: amount(used),
            reserved: amount(0),
            remaining: amount(limit.saturating_sub(used)),
            resets_at: None,
        }
    }

    #[test]
    fn dollars_are_exact_or_rounded_down() {
        for (amount, exact, few) in [
            ("0", "$0", "$0"),
            ("5", "$5", "$5"),
            ("1.2", "$1.20", "$1.20"),
            ("1.239", "$1.239", "$1.23"),
            ("0.001299", "$0.001299", "$0.0012"),
            ("0.000000005", "$0.000000005", "$0.000000005"),
            ("12999.5", "$12,999.50", "$12k"),
        ] {
            assert_eq!(
                (dollars(usd(amount)).as_str(), short_dollars(usd(amount)).as_str()),
                (exact, few)
            );
        }
    }

    #[test]
    fn budget_is_said_with_its_unit_and_period() {
        let tokens = state(BudgetUnit::Tokens, 10, 20);
        assert_eq!(use_in_words(&tokens), "10 of 20 tokens this day");
        assert_eq!(limit_in_words(tokens.unit, tokens.limit, Period::Hour), "20 tokens an hour");
        let one = state(BudgetUnit::Requests, 0, 1);
        assert_eq!(limit_in_words(one.unit, one.limit, Period::Day), "1 request a day");
        let money = BudgetState {
            period: Period::Total,
            ..state(BudgetUnit::Usd, 1_200_000_000, 5_000_000_000)
        };
        assert_eq!(use_in_words(&money), "$1.20 of $5 for life");
        assert_eq!(limit_in_words(money.unit, money.limit, money.period), "$5 for life");
    }

    #[test]
    fn tightest_budget_has_least_share_left() {
        let budgets = [
            state(BudgetUnit::Requests, 1, 10),
            state(BudgetUnit::Usd, 4_000_000_000, 5_000_000_000),
            state(BudgetUnit::Tokens, 80, 100),
        ];
        assert_eq!(tightest(&budgets), Some(&budgets[1]), "the first of two equal ones");
        assert_eq!(tightest(&[]), None);
        assert!(!is_spent(&budgets[2]));
        assert!(is_spent(&state(BudgetUnit::Tokens, 6, 5)), "the limit was lowered");
    }
}
