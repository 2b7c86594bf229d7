//! The search, the filters and the order of the list, and how many keys they leave.

use std::time::Duration;

use latchkey_domain::api::KeySort;
use latchkey_domain::key::Environment;
use leptos::html;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::filter::{FilterState, LAST_USED, STATUSES};
use crate::components::button::{Button, Variant};
use crate::components::icon::{Glyph, Icon};
use crate::components::segmented::{Segment, Segmented, Track};
use crate::components::select::{Choice, Select, SelectPlace};
use crate::components::shortcut::on_shortcut;
use crate::components::switch::Switch;
use crate::pages::keys::Desk;

const ALL: &str = "all";

const ENVIRONMENTS: &[Segment] = &[
    Segment::new(ALL, "All"),
    Segment::new(Environment::Live.as_str(), Environment::Live.label()),
    Segment::new(Environment::Test.as_str(), Environment::Test.label()),
];

/// How long a person pauses before the search begins.
const PAUSE: Duration = Duration::from_millis(250);

/// The toolbar.
#[component]
pub fn Toolbar(
    /// The filter of the page.
    filter: FilterState,
    /// The keys that are listed.
    desk: Desk,
    /// Opens “Is this my key?”.
    #[prop(into)]
    on_check: Callback<()>,
) -> impl IntoView {
    let environment = Signal::derive(move || {
        filter.now.with(|filter| filter.environment.map_or(ALL, Environment::as_str))
    });
    let archived = Signal::derive(move || filter.now.with(|filter| filter.archived));
    view! {
        <div role="search" aria-label="Keys" class="mb-3 flex flex-wrap items-center gap-3 max-md:gap-2">
            <Search filter/>
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
            <div class="ml-auto flex items-center gap-3 max-md:order-2 max-md:w-full max-md:justify-between">
                <Count desk/>
                <Button variant=Variant::Ghost on_press=on_check>"Is this my key?"</Button>
            </div>
        </div>
    }
}

/// The field, and the address a moment after something was typed.
#[component]
fn Search(filter: FilterState) -> impl IntoView {
    let text = RwSignal::new(filter.now.with_untracked(|filter| filter.q.clone()));
    // What this field itself put into the address does not come back to it: more may be typed by
    // then.
    let sent = StoredValue::new(text.get_untracked());
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let field = NodeRef::<html::Input>::new();
    let send = move || {
        let q = text.get_untracked().trim().to_owned();
        sent.set_value(q.clone());
        filter.change(|filter| filter.q = q);
    };
    let stop = move || {
        if let Some(timer) = timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
    };
    let typed = move |value: String| {
        text.set(value);
        stop();
        timer.set_value(set_timeout_with_handle(send, PAUSE).ok());
    };
    on_cleanup(stop);
    Effect::new(move || {
        let q = filter.now.with(|filter| filter.q.clone());
        if sent.with_value(|sent| *sent != q) {
            stop();
            sent.set_value(q.clone());
            text.set(q);
        }
    });
    on_shortcut("/", move || crate::components::focus(field.get_untracked().map(Into::into)));
    view! {
        <div class="field-focus flex h-8 max-w-72 min-w-44 grow basis-44 items-center gap-2 rounded-sm border border-control bg-surface px-2.5 max-md:h-11 max-md:max-w-none max-md:basis-full">
            <Icon glyph=Glyph::Search class="text-ink-3"/>
            <input
                type="search"
                class="h-full min-w-0 grow appearance-none bg-transparent text-table outline-none max-md:text-[1rem] [&::-webkit-search-cancel-button]:hidden"
                aria-label="Search keys"
                aria-keyshortcuts="/"
                placeholder="Search name, id or last four"
                autocomplete="off"
                spellcheck="false"
                maxlength="100"
                prop:value=text
                on:input:target=move |event| typed(event.target().value())
                on:keydown=move |event| {
                    if event.key() == "Enter" {
                        stop();
                        send();
                    }
                }
                node_ref=field
            />
            <kbd class="rounded-xs border border-line-strong px-1 font-mono text-micro text-ink-3 max-md:hidden" aria-hidden="true">
                "/"
            </kbd>
        </div>
    }
}

#[component]
fn StatusSelect(filter: FilterState) -> impl IntoView {
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
fn SortSelect(filter: FilterState) -> impl IntoView {
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

/// “6 keys”, said again whenever it changes.
#[component]
fn Count(desk: Desk) -> impl IntoView {
    let words = move || {
        let more = if desk.keys.has_older() { "+" } else { "" };
        match desk.keys.count() {
            1 if more.is_empty() => "1 key".to_owned(),
            count => format!("{count}{more} keys"),
        }
    };
    view! { <p class="num text-caption whitespace-nowrap text-ink-2" role="status">{words}</p> }
}
