//! Search, filters and order of the list, and the number of matching keys.

use latchkey_domain::api::KeySort;
use latchkey_domain::key::Environment;
use leptos::prelude::*;

use super::filter::{KeysFilterState, LAST_USED, STATUSES};
use crate::components::attribute_filter::{AttributeFilterRows, AttributeFilterState, MoreFilters};
use crate::components::count::Count;
use crate::keys::KeysPageState;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::search::Search;
use latchkey_ui::segmented::{Segment, Segmented, Track};
use latchkey_ui::select::{Choice, Select, SelectPlace};
use latchkey_ui::switch::Switch;

const ALL: &str = "all";

const ENVIRONMENTS: &[Segment] = &[
    Segment::new(ALL, "All"),
    Segment::new(Environment::Live.as_str(), Environment::Live.label()),
    Segment::new(Environment::Test.as_str(), Environment::Test.label()),
];

/// Search, filters and order of the list.
#[component]
pub fn Toolbar(
    /// The filter of the page.
    filter: KeysFilterState,
    /// The keys that are listed.
    page: KeysPageState,
    /// Opens “Is this my key?”.
    #[prop(into)]
    on_check: Callback<()>,
) -> impl IntoView {
    let environment = Signal::derive(move || {
        filter.now.with(|filter| filter.environment.map_or(ALL, Environment::as_str))
    });
    let attributes = AttributeFilterState::new(
        Signal::derive(move || filter.now.with(|filter| filter.attributes.clone())),
        Callback::new(move |attributes| filter.change(|filter| filter.attributes = attributes)),
    );
    let archived = Signal::derive(move || filter.now.with(|filter| filter.archived));
    view! {
        <div role="search" aria-label="Keys" class="mb-3 flex flex-wrap items-center gap-3 max-md:gap-2">
            <Search
                label="Search keys"
                placeholder="Search name, id or last four"
                value=Signal::derive(move || filter.now.with(|filter| filter.q.clone()))
                on_search=move |q| filter.change(|filter| filter.q = q)
                shortcut=true
            />
            <Segmented
                label="Environment"
                options=ENVIRONMENTS
                value=environment
                on_change=move |chosen| filter.change(|it| it.environment = Environment::from_name(chosen))
                track=Track::Toolbar
            />
            <div class="flex gap-3 max-md:order-1 max-md:w-full max-md:gap-2">
                <StatusSelect filter/>
                <SortSelect filter/>
            </div>
            <div class="max-md:ml-auto">
                <Switch on=archived on_change=move |on| filter.change(|it| it.archived = on)>
                    "Show archived"
                </Switch>
            </div>
            <div class="ml-auto flex flex-wrap items-center gap-3 max-md:order-2 max-md:w-full max-md:justify-between max-md:gap-y-1">
                <Count list=page.keys one="key" several="keys"/>
                <MoreFilters filter=attributes/>
                <Button variant=Variant::Ghost on_press=on_check>"Is this my key?"</Button>
            </div>
            <AttributeFilterRows filter=attributes/>
        </div>
    }
}

#[component]
fn StatusSelect(filter: KeysFilterState) -> impl IntoView {
    let all = Choice::new(ALL, "Any status");
    let options: Vec<Choice> = std::iter::once(all)
        .chain(STATUSES.map(|(name, label, _)| Choice::new(name, label)))
        .collect();
    let value = Signal::derive(move || {
        filter.now.with(|filter| filter.status_name().unwrap_or(ALL).to_owned())
    });
    let choose = move |chosen: String| {
        let status = STATUSES.iter().find(|(name, ..)| *name == chosen).map(|(.., status)| *status);
        filter.change(|filter| filter.status = status);
    };
    view! {
        <div class="w-28 max-md:w-auto max-md:grow max-md:basis-0">
            <Select
                name="status"
                label="Status"
                options=Signal::stored(options)
                value
                on_change=choose
                place=SelectPlace::Toolbar
            />
        </div>
    }
}

#[component]
fn SortSelect(filter: KeysFilterState) -> impl IntoView {
    const NEWEST: &str = "created";
    let options =
        vec![Choice::new(NEWEST, "Newest first"), Choice::new(LAST_USED, "Last used first")];
    let value = Signal::derive(move || {
        let is_by_use = filter.now.with(|filter| filter.sort == KeySort::LastUsed);
        if is_by_use { LAST_USED } else { NEWEST }.to_owned()
    });
    let choose = move |chosen: String| {
        let sort = if chosen == LAST_USED { KeySort::LastUsed } else { KeySort::Created };
        filter.change(|filter| filter.sort = sort);
    };
    view! {
        <div class="w-36 max-md:w-auto max-md:grow max-md:basis-0">
            <Select
                name="sort"
                label="Order"
                options=Signal::stored(options)
                value
                on_change=choose
                place=SelectPlace::Toolbar
            />
        </div>
    }
}
