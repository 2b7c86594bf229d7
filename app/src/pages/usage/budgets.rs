//! The budgets of what the usage page shows, and those that have lately reached 80 or 100 per cent.

use latchkey_domain::api::{BudgetEvent, ListedKey, Page, Usage};
use latchkey_domain::budget::LimitScope;
use leptos::prelude::*;

use crate::components::budget_list::BudgetList;
use crate::components::error_state::ErrorState;
use crate::data::polled_query::{PolledQuery, QueryState};
use latchkey_ui::budget::limit_in_words;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::RelativeTime;

/// Number of events that are listed; the API has all.
const MOST: usize = 10;

/// Card with the budgets of the project, or of the key that is selected. Nothing if there are none.
#[component]
pub fn UsageBudgets(
    /// Usage that the page shows.
    usage: PolledQuery<Usage>,
) -> impl IntoView {
    let budgets = Memo::new(move |_| usage.with(|usage| usage.budgets.clone()).unwrap_or_default());
    move || {
        let budgets = budgets.get();
        (!budgets.is_empty()).then(|| {
            view! {
                <section class="rounded-lg border border-line bg-surface p-4" aria-labelledby="budgets-title">
                    <h2 id="budgets-title" class="mb-3 text-heading font-semibold">"Budgets"</h2>
                    <BudgetList budgets wide=true/>
                </section>
            }
        })
    }
}

/// Card with the newest budget events, or why they could not be loaded. Nothing if there are none.
#[component]
pub fn BudgetEvents(
    /// Events of the project, newest first.
    events: PolledQuery<Page<BudgetEvent>>,
    /// Keys of the project, for their names.
    keys: RwSignal<Vec<ListedKey>>,
) -> impl IntoView {
    let newest = Memo::new(move |_| {
        let first =
            |page: &Page<BudgetEvent>| page.data.iter().take(MOST).copied().collect::<Vec<_>>();
        events.with(first).unwrap_or_default()
    });
    let row = move |event: BudgetEvent| {
        let glyph = if event.percent < 100 { Glyph::TriangleAlert } else { Glyph::Gauge };
        let colour = if event.percent < 100 { "text-warn-ink" } else { "text-danger-ink" };
        let words = keys.with(|keys| event_in_words(&event, keys));
        view! {
            <li class="flex items-start gap-2.5 border-t border-line px-4 py-2.5 text-table">
                <Icon glyph class=colour/>
                <span class="min-w-0 grow break-words">{words}</span>
                <span class="text-caption whitespace-nowrap text-ink-2"><RelativeTime time=event.at/></span>
            </li>
        }
    };
    let section = |inside: AnyView| {
        view! {
            <section class="overflow-hidden rounded-lg border border-line bg-surface" aria-labelledby="events-title">
                <h2 id="events-title" class="px-4 py-3 text-heading font-semibold">"Budget events"</h2>
                {inside}
            </section>
        }
    };
    let shown = events.state();
    move || {
        if let QueryState::Failed(error) = shown.get() {
            let on_retry = move |()| events.retry();
            let failed = view! {
                <ErrorState
                    title="Couldn’t load budget events"
                    error
                    reassurance="Budgets hold all the same."
                    on_retry
                />
            };
            return Some(section(failed.into_any()));
        }
        let newest = newest.get();
        let list = || view! { <ul>{newest.iter().copied().map(row).collect_view()}</ul> };
        (!newest.is_empty()).then(|| section(list().into_any()))
    }
}

/// “Support assistant has used 80% of $5 a day.”
fn event_in_words(event: &BudgetEvent, keys: &[ListedKey]) -> String {
    let BudgetEvent { scope, key_id, unit, period, percent, limit, .. } = *event;
    let whose = match scope {
        LimitScope::Key => keys
            .iter()
            .find(|listed| Some(listed.key.id) == key_id)
            .map_or("A key", |listed| listed.key.name.as_str()),
        LimitScope::Project => "The project",
        LimitScope::Organization => "The organization",
    };
    format!("{whose} has used {percent}% of {}.", limit_in_words(unit, limit, period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_says_whose_budget_it_is() {
        let event = |scope: &str| {
            serde_json::from_value::<BudgetEvent>(serde_json::json!({
                "id": "bev_01h455vb4pex5vsknk084sn02q", "at": "2026-05-14T14:28:03Z",
                "scope": scope, "key_id": null, "unit": "usd", "period": "day", "percent": 80,
                "limit": "5", "used": "4.01",
            }))
            .unwrap()
        };
        let said = |scope| event_in_words(&event(scope), &[]);
        assert_eq!(said("project"), "The project has used 80% of $5 a day.");
        assert_eq!(said("key"), "A key has used 80% of $5 a day.", "it is archived");
    }
}
