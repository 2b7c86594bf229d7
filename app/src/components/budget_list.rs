//! The states of budgets: what is used, reserved and left of each, when it resets, and whether it
//! will last.

use std::time::Duration;

use latchkey_domain::api::BudgetState;
use latchkey_domain::budget::BudgetUnit;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use latchkey_ui::bar_meter::{BarMeter, percent, permille};
use latchkey_ui::budget::{
    ABOUT_PRICES, meter_label, short_amount, this, unit_after, unit_label, use_in_words,
};
use latchkey_ui::relative_time::{Clock, browser_time, date_and_time, exact, time_left};

/// The budgets, each with its bar.
#[component]
pub fn BudgetList(
    /// States of the budgets, in their order.
    budgets: Vec<BudgetState>,
    /// Whether there is room for two side by side.
    #[prop(optional)]
    wide: bool,
) -> impl IntoView {
    let limits_money = budgets.iter().any(|state| state.unit == BudgetUnit::Usd);
    let class = if wide { "grid gap-x-8 gap-y-5 md:grid-cols-2" } else { "flex flex-col gap-5" };
    view! {
        <ul class=class>
            {budgets.into_iter().map(|state| view! { <li class="min-w-0"><Budget state/></li> }).collect_view()}
        </ul>
        {limits_money.then(|| view! { <p class="mt-3 text-caption text-ink-2">{ABOUT_PRICES}</p> })}
    }
}

#[component]
fn Budget(state: BudgetState) -> impl IntoView {
    let BudgetState { unit, limit, period, used, reserved, remaining, resets_at } = state;
    let clock = use_context::<Clock>();
    let time = move || clock.and_then(Clock::get).or_else(browser_time);
    let left = move || match resets_at {
        Some(end) => time().map(|now| format!("Resets in {}", time_left(end, now))),
        None => Some("Never resets".to_owned()),
    };
    let text = use_in_words(&state);
    let forecast = move || {
        let runs_out = time().and_then(|now| runs_out_at(&state, now))?;
        Some(format!("At this rate the budget runs out around {}.", date_and_time(runs_out)))
    };
    view! {
        <div class="flex flex-wrap items-baseline justify-between gap-x-4">
            <h3 class="text-table font-medium">{format!("{} {}", unit_label(unit), period.recurrence())}</h3>
            <p class="num text-caption text-ink-2" title=resets_at.map(exact)>{left}</p>
        </div>
        <p class="num mt-1 flex flex-wrap items-baseline gap-x-2" title=text.clone()>
            <span class="text-metric font-semibold">{short_amount(used)}</span>
            <span class="text-table text-ink-2">
                {format!("of {}{} {}", short_amount(limit), unit_after(unit, limit), this(period))}
            </span>
            <span class="ml-auto text-table font-medium">{percent(used.counted(), limit.counted())}</span>
        </p>
        <div class="relative mt-2.5">
            <BarMeter label=meter_label(unit) used=used.counted() limit=limit.counted() text large=true/>
            {move || time().and_then(|now| elapsed(&state, now)).map(|share| view! { <Pace share/> })}
        </div>
        <p class="num mt-1 text-caption text-ink-2">
            {format!("{} reserved, {} left", short_amount(reserved), short_amount(remaining))}
        </p>
        <p class="mt-1 text-table text-warn-ink empty:hidden">{forecast}</p>
    }
}

/// How much of the period has passed: where the bar would end if every day took the same.
#[component]
fn Pace(
    /// Share of the period in thousandths.
    share: u16,
) -> impl IntoView {
    let at = |share: u16| format!("{}%", f64::from(share) / 10.0);
    view! {
        <svg class="absolute inset-x-0 -top-1 h-9 w-full overflow-visible" aria-hidden="true">
            <rect class="fill-ink" x=at(share) y="0" width="2" height="16"></rect>
            // On a card the label stays.
            <text class="fill-ink-2 text-micro" x=at(share.clamp(90, 910)) y="30" text-anchor="middle">
                "even pace"
            </text>
        </svg>
        <div class="h-6"></div>
    }
}

/// How much of the period has passed at `now`, in thousandths. `None` if it never ends.
fn elapsed(state: &BudgetState, now: Timestamp) -> Option<u16> {
    let (begins, ends) = state.period.around(now);
    Some(permille(now.since(begins).as_secs(), ends?.since(begins).as_secs()))
}

/// When the budget is used up if it goes on as so far, if that is before it resets. In the first
/// twentieth of a period nobody can tell.
fn runs_out_at(state: &BudgetState, now: Timestamp) -> Option<Timestamp> {
    let (begins, ends) = state.period.around(now);
    let passed = u128::from(now.since(begins).as_secs());
    let length = u128::from(ends?.since(begins).as_secs());
    let (used, limit) = (u128::from(state.used.counted()), u128::from(state.limit.counted()));
    if used == 0 || used >= limit || passed * 20 < length {
        return None;
    }
    let whole = passed * limit / used;
    let end = begins + Duration::from_secs(u64::try_from(whole).ok().filter(|_| whole < length)?);
    Some(end)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::budget::BudgetAmount;
    use latchkey_domain::limit::Period;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn state(used: u64) -> BudgetState {
        let amount = |counted| BudgetAmount::new(BudgetUnit::Usd, counted);
        BudgetState {
            unit: BudgetUnit::Usd,
            limit: amount(1_000),
            period: Period::Day,
            used: amount(used),
            reserved: amount(0),
            remaining: amount(1_000 - used),
            resets_at: Some(at("2026-05-15T00:00:00Z")),
        }
    }

    #[test]
    fn budget_that_will_not_last_says_when_it_ends() {
        let noon = at("2026-05-14T12:00:00Z");
        assert_eq!(runs_out_at(&state(750), noon), Some(at("2026-05-14T16:00:00Z")));
        assert_eq!(runs_out_at(&state(500), noon), None, "it lasts");
        assert_eq!(runs_out_at(&state(0), noon), None, "nothing was used");
        assert_eq!(runs_out_at(&state(1_000), noon), None, "it is spent already");
        assert_eq!(runs_out_at(&state(900), at("2026-05-14T01:00:00Z")), None, "too early to tell");
        let for_life = BudgetState { period: Period::Total, resets_at: None, ..state(750) };
        assert_eq!(runs_out_at(&for_life, noon), None, "its period never ends");
    }

    #[test]
    fn even_pace_is_the_part_of_the_period_that_has_passed() {
        assert_eq!(elapsed(&state(0), at("2026-05-14T00:00:00Z")), Some(0));
        assert_eq!(elapsed(&state(0), at("2026-05-14T06:00:00Z")), Some(250));
        let for_life = BudgetState { period: Period::Total, ..state(0) };
        assert_eq!(elapsed(&for_life, at("2026-05-14T06:00:00Z")), None);
    }
}
