//! The filters of the audit log, and the number of matching events.

use latchkey_domain::api::AuditEvent;
use latchkey_domain::audit::AuditAction;
use leptos::prelude::*;

use super::filter::{EventsFilterState, Period};
use super::people::{People, id_of, name_of};
use crate::components::count::Count;
use crate::data::paged_list::PagedList;
use latchkey_ui::select::{Choice, Select, SelectPlace};

/// The option for all actors, or all actions.
const ANY: &str = "";
/// As the server names Latchkey itself.
const SYSTEM: &str = "system";

/// Narrows the log by actor, action and period.
#[component]
pub fn Toolbar(
    /// The filter of the page.
    filter: EventsFilterState,
    /// The events that it leaves.
    events: PagedList<AuditEvent>,
    /// Who may have acted.
    people: People,
) -> impl IntoView {
    view! {
        <div role="search" aria-label="Audit log" class="mb-3 flex flex-wrap items-center gap-2">
            <div class="w-44 max-md:w-full"><ActorSelect filter people/></div>
            <div class="w-48 max-md:w-auto max-md:grow max-md:basis-0"><ActionSelect filter/></div>
            <div class="w-40 max-md:w-auto max-md:grow max-md:basis-0"><PeriodSelect filter/></div>
            <div class="ml-auto max-md:w-full"><Count list=events one="event" several="events"/></div>
        </div>
    }
}

#[component]
fn ActorSelect(filter: EventsFilterState, people: People) -> impl IntoView {
    // A URL may contain a login, or somebody who has left.
    let value = Signal::derive(move || {
        let actor = filter.now.with(|filter| filter.actor.clone()).unwrap_or_default();
        people.find(&actor).map_or(actor, |member| id_of(&member))
    });
    let options = Signal::derive(move || {
        let mut options = vec![Choice::new(ANY, "Anyone")];
        let members = people.who_act();
        options.extend(members.iter().map(|member| Choice::new(id_of(member), name_of(member))));
        options.push(Choice::new(SYSTEM, "System"));
        let value = value.get();
        if options.iter().all(|option| option.value != value) {
            options.push(Choice::new(value.clone(), value));
        }
        options
    });
    let choose = move |chosen: String| {
        filter.change(|filter| filter.actor = Some(chosen).filter(|chosen| chosen != ANY));
    };
    view! { <Select name="actor" label="Actor" options value on_change=choose place=SelectPlace::Toolbar/> }
}

#[component]
fn ActionSelect(filter: EventsFilterState) -> impl IntoView {
    let all = AuditAction::ALL.iter().map(|action| Choice::new(action.as_str(), action.label()));
    let options: Vec<Choice> = std::iter::once(Choice::new(ANY, "Any action")).chain(all).collect();
    let value = Signal::derive(move || {
        filter.now.with(|filter| filter.action.map_or(ANY, AuditAction::as_str).to_owned())
    });
    let choose =
        move |chosen: String| filter.change(|it| it.action = AuditAction::from_code(&chosen));
    view! {
        <Select
            name="action"
            label="Action"
            options=Signal::stored(options)
            value
            on_change=choose
            place=SelectPlace::Toolbar
        />
    }
}

#[component]
fn PeriodSelect(filter: EventsFilterState) -> impl IntoView {
    let choice = |period: Period| Choice::new(period.name(), period.label());
    let options = Period::ALL.map(choice).to_vec();
    let value = Signal::derive(move || filter.now.with(|filter| filter.period.name().to_owned()));
    let choose = move |chosen: String| {
        filter.change(|filter| filter.period = Period::from_name(&chosen).unwrap_or_default());
    };
    view! {
        <Select
            name="period"
            label="Period"
            options=Signal::stored(options)
            value
            on_change=choose
            place=SelectPlace::Toolbar
        />
    }
}
