//! The budgets of the key, and what to do when one is spent.

use latchkey_domain::api::{BudgetState, ListedKey};
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use crate::components::budget_list::BudgetList;
use crate::keys::KeysPageState;
use latchkey_ui::budget::is_spent;
use latchkey_ui::button::{Button, Size};
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::relative_time::date_and_time;

/// Card with the key's budgets.
#[component]
pub fn BudgetCard(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let budgets = Memo::new(move |_| now.with(|now| now.key.budgets.clone()));
    let is_empty = Memo::new(move |_| budgets.with(Vec::is_empty));
    // A memo, so that its button keeps focus while the other budgets are used.
    let spent = Memo::new(move |_| budgets.with(|budgets| spent_in_words(budgets)));
    view! {
        <section class="rounded-lg border border-line bg-surface p-4" aria-labelledby="budget-title">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <h2 id="budget-title" class="text-heading font-semibold">"Budgets"</h2>
                <Show when=move || is_empty.get()>
                    <Edit page now label="Set a budget"/>
                </Show>
            </div>
            {move || {
                let budgets = budgets.get();
                if budgets.is_empty() {
                    return view! {
                        <p class="mt-1 text-table text-ink-2">"None of its own. Budgets of the project and the organization still apply."</p>
                    }
                    .into_any();
                }
                view! { <div class="mt-3"><BudgetList budgets/></div> }.into_any()
            }}
            {move || spent.get().map(|words| view! { <Spent page now words/> })}
        </section>
    }
}

#[component]
fn Spent(page: KeysPageState, now: Memo<ListedKey>, words: String) -> impl IntoView {
    view! {
        <div class="mt-3">
            <Callout tone=Tone::Danger>
                <p>{words}</p>
                <div class="mt-2"><Edit page now label="Raise budget"/></div>
            </Callout>
        </div>
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

/// Which budgets are spent, and until when; nothing if none is.
fn spent_in_words(budgets: &[BudgetState]) -> Option<String> {
    let spent: Vec<&BudgetState> = budgets.iter().filter(|state| is_spent(state)).collect();
    let what = match spent.len() {
        0 => return None,
        1 => "The budget is spent.".to_owned(),
        several => format!("{several} budgets are spent."),
    };
    // Calls pass only when all of them have started again.
    let ends: Option<Vec<_>> = spent.iter().map(|state| state.resets_at).collect();
    Some(match ends.and_then(|ends| ends.into_iter().max()) {
        Some(end) => format!("{what} Requests are denied until {}.", date_and_time(end)),
        None => format!("{what} Requests are denied until the limit is raised."),
    })
}

#[cfg(test)]
mod tests {
    use latchkey_domain::budget::{BudgetAmount, BudgetUnit};
    use latchkey_domain::limit::Period;
    use latchkey_domain::time::Timestamp;

    use super::*;

    fn state(used: u64, resets_at: Option<&str>) -> BudgetState {
        let amount = |counted| BudgetAmount::new(BudgetUnit::Tokens, counted);
        BudgetState {
            unit: BudgetUnit::Tokens,
            limit: amount(5),
            period: if resets_at.is_some() { Period::Day } else { Period::Total },
            used: amount(used),
            reserved: amount(0),
            remaining: amount(5 - used),
            resets_at: resets_at.map(|text| Timestamp::parse(text).unwrap()),
        }
    }

    #[test]
    fn spent_budgets_say_until_when_requests_are_denied() {
        let day = Some("2026-05-15T00:00:00Z");
        let said = |budgets: &[BudgetState]| spent_in_words(budgets);
        assert_eq!(said(&[state(4, day)]), None);
        assert_eq!(
            said(&[state(5, day), state(4, None)]).unwrap(),
            "The budget is spent. Requests are denied until May 15, 2026 at 00:00 UTC."
        );
        assert_eq!(
            said(&[state(5, day), state(5, None)]).unwrap(),
            "2 budgets are spent. Requests are denied until the limit is raised."
        );
    }
}
