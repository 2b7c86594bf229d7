//! One inference key in the list, with its limits and the use of its tightest budget.

use latchkey_domain::api::{BudgetState, ListedKey};
use latchkey_domain::limit::{Limit, Period};
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::KeysPageState;
use super::attribute_view::RowAttributes;
use super::cells::{ActionsCell, Expiry, KeyRowState, SecretHint, ShortId, StatusCell};
use super::model_chips::FewModels;
use crate::layout::{Workspace, inference_key_path};
use latchkey_ui::bar_meter::{BarMeter, percent, short};
use latchkey_ui::budget::{
    is_spent, limit_in_words, meter_label, short_amount, tightest, unit_after, use_in_words,
};
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::relative_time::{exact, month_and_day_of, time_to_the_minute};
use latchkey_ui::table::{CELL, EmptyCell, ONE_LINE, ROW};
use latchkey_ui::thousands;

/// The row. It follows the list but is never replaced, because it may contain the focus.
#[component]
pub fn InferenceKeyRow(
    /// Where the key is listed.
    page: KeysPageState,
    /// Key that the row or dialog shows.
    listed: ListedKey,
) -> impl IntoView {
    let workspace = expect_context::<Workspace>();
    let (id, project) = (listed.key.id, listed.key.project_id);
    let environment = listed.key.environment;
    let KeyRowState { now, time, state, name, is_dead } = KeyRowState::of(page, listed);
    let models = Memo::new(move |_| now.with(|now| now.key.allowed_models.clone()));
    let budgets = Memo::new(move |_| now.with(|now| now.key.budgets.clone()));
    let rpm = Memo::new(move |_| now.with(|now| now.key.rpm.map(Limit::get)));
    let tpm = Memo::new(move |_| now.with(|now| now.key.tpm.map(Limit::get)));
    let per_minute = move || in_words(rpm.get(), tpm.get());
    let href = move || workspace.address(&inference_key_path(project, id));
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-48 md:min-w-32 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <a
                    href=href
                    class=format!("{ONE_LINE} rounded-xs font-medium hover:underline max-md:my-1")
                    class=("text-ink-2", is_dead)
                    title=name
                >
                    {name}
                </a>
                <ShortId id class="block leading-4 text-ink-3 max-md:hidden"/>
                <RowAttributes page now/>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-3 max-md:col-span-4")>
                <span class="flex flex-wrap items-center gap-2">
                    <SecretHint now/>
                    // On wide screens, the key's prefix shows the environment.
                    <span class="md:hidden"><EnvironmentTag environment/></span>
                </span>
                <span class="block text-caption text-ink-3 min-[88rem]:hidden">{per_minute}</span>
            </td>
            <td role="cell" class=format!("{CELL} num text-right text-ink-2 max-[88rem]:hidden")>
                {move || per_cell(rpm.get())}
            </td>
            <td role="cell" class=format!("{CELL} num text-right text-ink-2 max-[88rem]:hidden")>
                {move || per_cell(tpm.get())}
            </td>
            <td role="cell" class=format!("{CELL} min-w-40 max-md:order-4 max-md:col-span-4")>
                {move || {
                    let muted = is_dead.get();
                    budgets
                        .with(|budgets| match tightest(budgets) {
                            Some(budget) => {
                                let others = others_in_words(budgets, budget);
                                view! { <Budget budget=*budget others muted/> }.into_any()
                            }
                            None => view! { <span class="text-ink-3">"No budget"</span> }.into_any(),
                        })
                }}
            </td>
            <td role="cell" class=format!("{CELL} md:max-w-0 md:min-w-32 md:py-2 md:max-xl:hidden max-md:order-5 max-md:col-span-4")>
                {move || view! { <FewModels models=models.get()/> }}
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-[88rem]:hidden")>
                <Expiry now state time/>
            </td>
            <StatusCell now state/>
            <ActionsCell page now/>
        </tr>
    }
}

/// A limit as a number, exact in the tooltip.
fn per_cell(limit: Option<u64>) -> AnyView {
    match limit {
        Some(limit) => view! { <span title=thousands(limit)>{short(limit)}</span> }.into_any(),
        None => view! { <EmptyCell/> }.into_any(),
    }
}

/// “60 rpm · 12k tpm”, where the columns have no room.
fn in_words(rpm: Option<u64>, tpm: Option<u64>) -> String {
    let rpm = rpm.map(|rpm| format!("{} rpm", short(rpm)));
    let tpm = tpm.map(|tpm| format!("{} tpm", short(tpm)));
    rpm.into_iter().chain(tpm).collect::<Vec<_>>().join(" · ")
}

/// The other budgets of the key: “5,000 tokens a day”, “$20 a month”.
fn others_in_words(budgets: &[BudgetState], shown: &BudgetState) -> Vec<String> {
    let others = budgets.iter().filter(|state| *state != shown);
    let words = others.map(|state| limit_in_words(state.unit, state.limit, state.period));
    words.collect()
}

/// “$1.20 of $5, 24%”, its bar, “a day, resets Dec 1”, and how many budgets there are
/// beside it.
#[component]
fn Budget(budget: BudgetState, others: Vec<String>, muted: bool) -> impl IntoView {
    let BudgetState { unit, limit, period, used, resets_at, .. } = budget;
    let text = use_in_words(&budget);
    let whole = match resets_at {
        Some(end) => format!("{text}, resets {}", exact(end)),
        None => text.clone(),
    };
    let (used_count, limit_count) = (used.counted(), limit.counted());
    let share = if muted {
        "text-ink-2"
    } else if is_spent(&budget) {
        "font-medium text-danger-ink"
    } else if used_count.saturating_mul(5) >= limit_count.saturating_mul(4) {
        "font-medium text-warn-ink"
    } else {
        "text-ink-2"
    };
    let more = (!others.is_empty()).then(|| {
        let (count, others) = (others.len(), others.join(", "));
        view! {
            " "
            <span title=others.clone()>
                {format!("+{count}")} <span class="sr-only">{format!(" more: {others}")}</span>
            </span>
        }
    });
    view! {
        <div class="num" title=whole>
            <p class="flex justify-between gap-3 text-table whitespace-nowrap">
                <span>
                    <span class="font-medium" class=("text-ink-2", muted)>{short_amount(used)}</span>
                    <span class="text-ink-2">{format!(" of {}", short_amount(limit))}</span>
                </span>
                <span class=share>{percent(used_count, limit_count)}</span>
            </p>
            <div class="my-1">
                <BarMeter label=meter_label(unit) used=used_count limit=limit_count text muted/>
            </div>
            <p class="text-caption text-ink-3">{after_amounts(unit_after(unit, limit), period, resets_at)} {more}</p>
        </div>
    }
}

/// “tokens a month, resets Dec 1”, “an hour, resets 19:00”, “requests for life”.
fn after_amounts(unit: &str, period: Period, resets_at: Option<Timestamp>) -> String {
    let unit = unit.trim_start();
    let often = period.recurrence();
    let often = if unit.is_empty() { often.to_owned() } else { format!("{unit} {often}") };
    match resets_at {
        Some(end) => format!("{often}, resets {}", reset_in_words(period, end)),
        None => often,
    }
}

/// When a budget resets, as exactly as its period is long; the key's page has the whole time.
fn reset_in_words(period: Period, resets_at: Timestamp) -> String {
    match period {
        Period::Minute | Period::Hour => time_to_the_minute(resets_at),
        Period::Day | Period::Week | Period::Month | Period::Total => month_and_day_of(resets_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_per_minute_stand_in_a_line() {
        assert_eq!(in_words(Some(60), Some(12_000)), "60 rpm · 12k tpm");
        assert_eq!(in_words(None, Some(500)), "500 tpm");
        assert_eq!(in_words(None, None), "");
    }

    #[test]
    fn a_short_period_resets_at_a_time_and_a_long_one_on_a_day() {
        let at = Timestamp::parse("2026-12-01T19:00:00Z").unwrap();
        assert_eq!(
            after_amounts(" tokens", Period::Month, Some(at)),
            "tokens a month, resets Dec 1"
        );
        assert_eq!(after_amounts("", Period::Hour, Some(at)), "an hour, resets 19:00");
        assert_eq!(after_amounts("", Period::Total, None), "for life");
    }
}
