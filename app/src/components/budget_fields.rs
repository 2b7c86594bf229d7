//! The list of budgets in a form: unit, limit and period of each, add and remove.

use latchkey_domain::budget::{BudgetUnit, Budgets};
use latchkey_domain::limit::Period;
use leptos::prelude::*;

use super::budget_form::{BudgetForm, BudgetRow};
use latchkey_ui::budget::{ABOUT_PRICES, unit_label};
use latchkey_ui::button::{Button, IconButton, Size};
use latchkey_ui::field::{FieldError, TextField};
use latchkey_ui::icon::Glyph;
use latchkey_ui::select::{Choice, Select, SelectPlace};

/// IDs of the fields for limits, by the index of their row.
const LIMIT_IDS: [&str; Budgets::MAX] = [
    "budget-limit-0",
    "budget-limit-1",
    "budget-limit-2",
    "budget-limit-3",
    "budget-limit-4",
    "budget-limit-5",
    "budget-limit-6",
    "budget-limit-7",
];

/// Budgets of a form.
#[component]
pub fn BudgetFields(
    /// The budgets that are filled in.
    form: BudgetForm,
    /// Unit of the first one that is added.
    first: BudgetUnit,
    /// What happens at a spent budget.
    hint: &'static str,
) -> impl IntoView {
    let is_full = Memo::new(move |_| form.count() >= Budgets::MAX);
    let limits_money = Memo::new(move |_| form.limits_money());
    let add = move |()| {
        if let Some(index) = form.add_row(first) {
            focus_soon(format!("#{}", limit_id(index)));
        }
    };
    view! {
        <div role="group" aria-labelledby="budgets-label" aria-describedby="budgets-about" class="flex flex-col gap-2.5">
            <span id="budgets-label" class="text-table font-medium">"Budgets"</span>
            <For each=move || form.shown.get() key=|index| *index let(index)>
                <Row form index/>
            </For>
            <div id="add-budget">
                <Button size=Size::Compact glyph=Glyph::Plus disabled=is_full on_press=add>
                    "Add budget"
                </Button>
            </div>
            {move || {
                form.error
                    .get()
                    .map(|why| view! { <div class="text-caption" role="alert"><FieldError>{why}</FieldError></div> })
            }}
            <div id="budgets-about" class="text-caption text-ink-3">
                <p>{hint}</p>
                <Show when=move || limits_money.get()>
                    <p>{ABOUT_PRICES} " Calls of a model without a price are refused."</p>
                </Show>
                <Show when=move || is_full.get()>
                    <p>{format!("{} budgets are the most.", Budgets::MAX)}</p>
                </Show>
            </div>
        </div>
    }
}

fn limit_id(index: usize) -> &'static str {
    LIMIT_IDS.get(index).copied().unwrap_or_default()
}

/// Moves focus to what is only there after the next render.
fn focus_soon(selector: String) {
    request_animation_frame(move || {
        latchkey_ui::focus(document().query_selector(&selector).ok().flatten());
    });
}

#[component]
fn Row(form: BudgetForm, index: usize) -> impl IntoView {
    let Some(BudgetRow { unit, limit, period }) = form.row(index) else {
        return ().into_any();
    };
    let place = move || {
        let place = form.shown.with(|shown| shown.iter().position(|shown| *shown == index));
        place.unwrap_or_default() + 1
    };
    let choose_unit = move |chosen: String| {
        unit.set(BudgetUnit::from_name(&chosen).unwrap_or(BudgetUnit::Requests));
        form.clear_errors();
    };
    let choose_period = move |chosen: String| {
        period.set(Period::from_name(&chosen).unwrap_or(Period::Month));
        form.clear_errors();
    };
    let remove = move |()| {
        form.remove(index);
        focus_soon("#add-budget button".to_owned());
    };
    view! {
        <div
            role="group"
            aria-label=move || format!("Budget {}", place())
            class="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)_minmax(0,1fr)_auto] items-center gap-2 max-md:grid-cols-2"
        >
            <Select
                name=format!("budget-unit-{index}")
                label="Unit"
                options=Signal::stored(units())
                value=Signal::derive(move || unit.get().as_str().to_owned())
                on_change=choose_unit
                place=SelectPlace::Row
            />
            <TextField
                name=limit_id(index)
                label="Limit"
                value=limit.value
                keyboard="decimal"
                placeholder="Limit"
                error=limit.error
                in_row=true
            />
            <Select
                name=format!("budget-period-{index}")
                label="Period"
                options=Signal::stored(periods())
                value=Signal::derive(move || period.get().as_str().to_owned())
                on_change=choose_period
                place=SelectPlace::Row
            />
            <IconButton
                glyph=Glyph::X
                label=Signal::derive(move || format!("Remove budget {}", place()))
                tooltip="Remove"
                class="max-md:justify-self-end"
                on_press=remove
            />
        </div>
    }
    .into_any()
}

fn units() -> Vec<Choice> {
    BudgetUnit::ALL.into_iter().map(|unit| Choice::new(unit.as_str(), unit_label(unit))).collect()
}

fn periods() -> Vec<Choice> {
    let label = |period: Period| match period {
        Period::Minute => "A minute",
        Period::Hour => "An hour",
        Period::Day => "A day",
        Period::Week => "A week",
        Period::Month => "A month",
        Period::Total => "For life",
    };
    Period::ALL.into_iter().map(|period| Choice::new(period.as_str(), label(period))).collect()
}
