//! A row of tabs with one tab stop. The arrow keys move focus and select.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

/// One tab. Its label is also what tells it from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tab {
    /// Label of the tab.
    pub label: &'static str,
    /// More classes, e.g. to show it on some screens only.
    pub class: &'static str,
}

impl Tab {
    /// A tab that is always shown.
    pub const fn new(label: &'static str) -> Self {
        Self { label, class: "" }
    }
}

/// The row. The panel that it switches has the id `{id}-panel` and is labelled by [`tab_id`].
#[component]
pub fn TabList(
    /// What the ids of the tabs begin with.
    id: &'static str,
    /// What is chosen here, for screen readers.
    label: &'static str,
    /// Tabs in their order.
    tabs: Vec<Tab>,
    /// The label of the chosen tab.
    #[prop(into)]
    chosen: Signal<&'static str>,
    /// Called with the label of the tab that a person chooses.
    #[prop(into)]
    on_choose: Callback<&'static str>,
) -> impl IntoView {
    let labels: StoredValue<Vec<&str>> =
        StoredValue::new(tabs.iter().map(|tab| tab.label).collect());
    let choose = move |label: &'static str| {
        on_choose.run(label);
        super::focus(document().get_element_by_id(&tab_id(id, label)));
    };
    let on_key = move |event: KeyboardEvent| {
        let next =
            labels.with_value(|labels| neighbour(labels, chosen.get_untracked(), &event.key()));
        if let Some(next) = next {
            event.prevent_default();
            choose(next);
        }
    };
    let tab = move |tab: Tab| {
        let is_chosen = move || chosen.get() == tab.label;
        view! {
            <button
                type="button"
                role="tab"
                id=tab_id(id, tab.label)
                class=format!("{TAB} {}", tab.class)
                aria-selected=move || is_chosen().to_string()
                aria-controls=format!("{id}-panel")
                tabindex=move || if is_chosen() { "0" } else { "-1" }
                on:click=move |_| choose(tab.label)
            >
                {tab.label}
            </button>
        }
    };
    view! {
        <div role="tablist" aria-label=label class="flex min-w-0 overflow-x-auto overflow-y-hidden" on:keydown=on_key>
            {tabs.into_iter().map(tab).collect_view()}
        </div>
    }
}

const TAB: &str = "h-9 shrink-0 cursor-pointer border-b-2 border-transparent px-2.5 text-table text-ink-2 \
    outline-offset-[-2px] transition-colors duration-[120ms] hover:text-ink aria-selected:border-accent \
    aria-selected:font-medium aria-selected:text-ink max-md:h-11";

/// What the element of a tab is called, by the id of the tabs and its label.
pub fn tab_id(id: &str, label: &str) -> String {
    format!("{id}-{}", label.trim_start_matches('.').to_lowercase().replace(' ', "-"))
}

/// The tab that a keyboard key selects, if any.
fn neighbour(labels: &[&'static str], chosen: &str, key: &str) -> Option<&'static str> {
    let at = labels.iter().position(|label| *label == chosen).unwrap_or_default();
    let last = labels.len().checked_sub(1)?;
    let next = match key {
        "ArrowRight" if at == last => 0,
        "ArrowRight" => at + 1,
        "ArrowLeft" => at.checked_sub(1).unwrap_or(last),
        "Home" => 0,
        "End" => last,
        _ => return None,
    };
    labels.get(next).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_around_the_tabs() {
        let labels = ["a", "b", "c"];
        assert_eq!(neighbour(&labels, "c", "ArrowRight"), Some("a"));
        assert_eq!(neighbour(&labels, "a", "ArrowRight"), Some("b"));
        assert_eq!(neighbour(&labels, "a", "ArrowLeft"), Some("c"));
        assert_eq!(neighbour(&labels, "b", "End"), Some("c"));
        assert_eq!(neighbour(&labels, "b", "Home"), Some("a"));
        assert_eq!(neighbour(&labels, "b", "x"), None);
        assert_eq!(neighbour(&[], "b", "Home"), None);
    }

    #[test]
    fn id_of_a_tab_has_no_spaces() {
        assert_eq!(tab_id("groups", "External ID"), "groups-external-id");
        assert_eq!(tab_id("code", ".env"), "code-env");
    }
}
