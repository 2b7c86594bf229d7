//! The token budget of the key: how much is used, when it resets, and whether it will last.

use std::time::Duration;

use latchkey_domain::api::{BudgetState, ListedKey};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use crate::keys::KeysPageState;
use latchkey_ui::bar_meter::{BarMeter, percent, permille, short};
use latchkey_ui::button::{Button, Size};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::relative_time::{Clock, browser_time, date_and_time, exact, time_left};
use latchkey_ui::thousands;

/// Card with the key's token budget.
#[component]
pub fn BudgetCard(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let budget = Memo::new(move |_| now.with(|now| now.budget));
    view! {
        <section class="rounded-lg border border-line bg-surface p-4" aria-labelledby="budget-title">
            {move || match budget.get() {
                Some(state) => view! { <Budget page now state/> }.into_any(),
                None => view! { <NoBudget page now/> }.into_any(),
            }}
        </section>
    }
}

/// Opens the edit dialog, for users who may edit.
#[component]
fn Edit(page: KeysPageState, now: Memo<ListedKey>, label: &'static str) -> impl IntoView {
    let may = Memo::new(move |_| {
        page.may_write()
            && now.with(|now| now.key.status != KeyStatus::Revoked && !now.key.archived)
    });
    view! {
        <Show when=move || may.get()>
            <Button size=Size::Compact on_press=move |()| page.editing.set(Some(now.get_untracked()))>
                {label}
            </Button>
        </Show>
    }
}

#[component]
fn NoBudget(page: KeysPageState, now: Memo<ListedKey>) -> impl IntoView {
    view! {
        <div class="flex flex-wrap items-center justify-between gap-3">
            <h2 id="budget-title" class="text-heading font-semibold">"Token budget"</h2>
            <Edit page now label="Set a budget"/>
        </div>
        <p class="mt-1 text-table text-ink-2">"None. This key may use any number of tokens."</p>
    }
}

#[component]
fn Budget(page: KeysPageState, now: Memo<ListedKey>, state: BudgetState) -> impl IntoView {
    let BudgetState { limit, used, period, resets_at, remaining } = state;
    let clock = use_context::<Clock>();
    let time = move || clock.and_then(Clock::get).or_else(browser_time);
    let left = move || time().map(|now| format!("Resets in {}", time_left(resets_at, now)));
    let text =
        format!("{} of {} tokens this {}", thousands(used), thousands(limit), period.as_str());
    let forecast = move || {
        let runs_out = time().and_then(|now| runs_out_at(&state, now))?;
        Some(format!("At this rate the budget runs out around {}.", date_and_time(runs_out)))
    };
    view! {
        <div class="flex flex-wrap items-baseline justify-between gap-x-4">
            <h2 id="budget-title" class="text-heading font-semibold">"Token budget"</h2>
            <p class="num text-caption text-ink-2" title=exact(resets_at)>{left}</p>
        </div>
        <p class="num mt-2 flex flex-wrap items-baseline gap-x-2" title=text.clone()>
            <span class="text-metric font-semibold">{short(used)}</span>
            <span class="text-table text-ink-2">
                {format!("of {} this {}", short(limit), period.as_str())}
            </span>
            <span class="ml-auto text-table font-medium">{percent(used, limit)}</span>
        </p>
        <div class="relative mt-2.5">
            <BarMeter label="Token budget used" used limit text large=true/>
            {move || time().map(|now| view! { <Pace share=elapsed(&state, now)/> })}
        </div>
        <p class="mt-1 text-table text-warn-ink empty:hidden">{forecast}</p>
        {(remaining == 0)
            .then(|| {
                view! {
                    <div class="mt-3">
                        <Callout tone=Tone::Danger>
                            <p>{format!("The budget is spent. Requests are denied until {}.", date_and_time(resets_at))}</p>
                            <div class="mt-2"><Edit page now label="Raise budget"/></div>
                        </Callout>
                    </div>
                }
            })}
    }
}

/// How much of the period has passed: where the bar would end if every day took the same.
#[component]
fn Pace(
    /// Used share in thousandths.
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

/// How much of the period has passed at `now`, in thousandths.
fn elapsed(state: &BudgetState, now: Timestamp) -> u16 {
    let (begins, ends) = state.period.around(now);
    permille(now.since(begins).as_secs(), ends.since(begins).as_secs())
}

/// When the budget is used up if it goes on as so far, if that is before it resets. In the first
/// twentieth of a period nobody can tell.
fn runs_out_at(state: &BudgetState, now: Timestamp) -> Option<Timestamp> {
    let (begins, ends) = state.period.around(now);
    let passed = u128::from(now.since(begins).as_secs());
    let length = u128::from(ends.since(begins).as_secs());
    if state.used == 0 || state.remaining == 0 || passed * 20 < length {
        return None;
    }
    let whole = passed * u128::from(state.limit) / u128::from(state.used);
    let end = begins + Duration::from_secs(u64::try_from(whole).ok().filter(|_| whole < length)?);
    Some(end)
}

#[cfg(test)]
mod tests {
    use latchkey_domain::limit::Period;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn state(used: u64) -> BudgetState {
        let (limit, period) = (1_000, Period::Day);
        let remaining = limit - used;
        BudgetState { limit, used, remaining, period, resets_at: at("2026-05-15T00:00:00Z") }
    }

    #[test]
    fn a_budget_that_will_not_last_says_when_it_ends() {
        let noon = at("2026-05-14T12:00:00Z");
        assert_eq!(runs_out_at(&state(750), noon), Some(at("2026-05-14T16:00:00Z")));
        assert_eq!(runs_out_at(&state(500), noon), None, "it lasts");
        assert_eq!(runs_out_at(&state(0), noon), None, "nothing was used");
        assert_eq!(runs_out_at(&state(1_000), noon), None, "it is spent already");
        assert_eq!(runs_out_at(&state(900), at("2026-05-14T01:00:00Z")), None, "too early to tell");
    }

    #[test]
    fn the_even_pace_is_the_part_of_the_period_that_has_passed() {
        assert_eq!(elapsed(&state(0), at("2026-05-14T00:00:00Z")), 0);
        assert_eq!(elapsed(&state(0), at("2026-05-14T06:00:00Z")), 250);
    }
}
