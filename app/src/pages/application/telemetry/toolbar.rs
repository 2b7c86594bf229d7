//! The filters of the two lists, and the number of matching rows.

use latchkey_domain::api::{IngestedLog, IngestedTrace, SpanKind, SpanStatus};
use leptos::prelude::*;

use super::filter::{TelemetryFilter, TelemetryFilterState};
use super::kind::{kind_label, status_label};
use crate::components::count::Count;
use crate::data::list_rows::HasId;
use crate::data::paged_list::PagedList;
use latchkey_ui::search::Search;
use latchkey_ui::select::{Choice, Select, SelectPlace};
use latchkey_ui::switch::Switch;

/// The option for all.
const ANY: &str = "";
/// Levels that most applications have.
const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];
/// The most levels to choose from: an application may have a word of its own for each line.
const MOST_LEVELS: usize = 20;

const TOOLBAR: &str = "mb-3 flex flex-wrap items-center gap-2";

/// The filters of the traces.
#[component]
pub fn TraceToolbar(
    /// The filter of the page.
    filter: TelemetryFilterState,
    /// The traces that it leaves.
    list: PagedList<IngestedTrace>,
) -> impl IntoView {
    let root = Signal::derive(move || filter.now.with(|filter| filter.root));
    view! {
        <div role="search" aria-label="Traces" class=TOOLBAR>
            <Text filter label="Search traces" placeholder="Search name, URL or attributes"/>
            <TraceId filter/>
            <div class="flex gap-2 max-md:w-full">
                <div class="w-32 max-md:w-auto max-md:grow max-md:basis-0"><KindSelect filter/></div>
                <div class="w-28 max-md:w-auto max-md:grow max-md:basis-0"><StatusSelect filter/></div>
            </div>
            <Switch on=root on_change=move |on| filter.change(|it| it.root = on)>"Root spans only"</Switch>
            <NarrowCount filter list one="trace" several="traces"/>
        </div>
    }
}

/// The filters of the logs.
#[component]
pub fn LogToolbar(
    /// The filter of the page.
    filter: TelemetryFilterState,
    /// The lines that it leaves.
    list: PagedList<IngestedLog>,
) -> impl IntoView {
    view! {
        <div role="search" aria-label="Logs" class=TOOLBAR>
            <Text filter label="Search logs" placeholder="Search message or attributes"/>
            <TraceId filter/>
            <div class="w-32 max-md:w-full"><LevelSelect filter list/></div>
            <NarrowCount filter list one="line" several="lines"/>
        </div>
    }
}

#[component]
fn Text(
    filter: TelemetryFilterState,
    label: &'static str,
    placeholder: &'static str,
) -> impl IntoView {
    let value = Signal::derive(move || filter.now.with(|filter| filter.q.clone()));
    let on_search = move |q| filter.change(|filter| filter.q = q);
    view! { <Search label placeholder value on_search shortcut=true/> }
}

#[component]
fn TraceId(filter: TelemetryFilterState) -> impl IntoView {
    let value = Signal::derive(move || filter.now.with(|filter| filter.trace_id.clone()));
    let on_search = move |id| filter.change(|filter| filter.trace_id = id);
    view! { <Search label="Trace id" placeholder="Trace id" value on_search/> }
}

#[component]
fn KindSelect(filter: TelemetryFilterState) -> impl IntoView {
    let kinds = SpanKind::ALL.into_iter().skip(1).chain([SpanKind::Unspecified]);
    let choices = kinds.map(|kind| Choice::new(kind.as_str(), kind_label(kind)));
    let options: Vec<_> = std::iter::once(Choice::new(ANY, "Any kind")).chain(choices).collect();
    let value = Signal::derive(move || {
        filter.now.with(|filter| filter.kind.map_or(ANY, SpanKind::as_str).to_owned())
    });
    let choose = move |chosen: String| {
        let kind = SpanKind::ALL.into_iter().find(|kind| kind.as_str() == chosen);
        filter.change(|filter| filter.kind = kind);
    };
    view! {
        <Select
            name="span-kind"
            label="Kind"
            options=Signal::stored(options)
            value
            on_change=choose
            place=SelectPlace::Toolbar
        />
    }
}

#[component]
fn StatusSelect(filter: TelemetryFilterState) -> impl IntoView {
    let statuses = [SpanStatus::Ok, SpanStatus::Error, SpanStatus::Unset];
    let choices = statuses.map(|status| Choice::new(status.as_str(), status_label(status)));
    let options: Vec<_> = std::iter::once(Choice::new(ANY, "Any status")).chain(choices).collect();
    let value = Signal::derive(move || {
        filter.now.with(|filter| filter.status.map_or(ANY, SpanStatus::as_str).to_owned())
    });
    let choose = move |chosen: String| {
        let status = SpanStatus::ALL.into_iter().find(|status| status.as_str() == chosen);
        filter.change(|filter| filter.status = status);
    };
    view! {
        <Select
            name="span-status"
            label="Status of the span"
            options=Signal::stored(options)
            value
            on_change=choose
            place=SelectPlace::Toolbar
        />
    }
}

/// The usual levels, those that were seen, and the one that the address names.
#[component]
fn LevelSelect(filter: TelemetryFilterState, list: PagedList<IngestedLog>) -> impl IntoView {
    let value = Signal::derive(move || filter.now.with(|filter| filter.level.to_lowercase()));
    let known = Memo::new(move |before: Option<&Vec<String>>| {
        let mut known = before.cloned().unwrap_or_else(|| LEVELS.map(str::to_owned).to_vec());
        let seen = list.rows().into_iter().map(|log| log.entry.level.to_lowercase());
        add_levels(&mut known, seen);
        known
    });
    let options = Signal::derive(move || {
        let mut levels = known.get();
        let value = value.get();
        if !value.is_empty() && !levels.contains(&value) {
            levels.push(value);
        }
        let any = std::iter::once(Choice::new(ANY, "Any level"));
        any.chain(levels.into_iter().map(|level| Choice::new(level.clone(), level))).collect()
    });
    let choose = move |chosen: String| filter.change(|filter| filter.level = chosen);
    view! { <Select name="log-level" label="Level" options value on_change=choose place=SelectPlace::Toolbar/> }
}

fn add_levels(known: &mut Vec<String>, seen: impl Iterator<Item = String>) {
    for level in seen {
        if known.len() < MOST_LEVELS && !level.is_empty() && !known.contains(&level) {
            known.push(level);
        }
    }
}

/// The number of rows of a filtered list. An unfiltered list grows all the time and has none.
#[component]
fn NarrowCount<T: HasId + Clone + Send + Sync + 'static>(
    filter: TelemetryFilterState,
    list: PagedList<T>,
    one: &'static str,
    several: &'static str,
) -> impl IntoView {
    let said = Signal::derive(move || filter.now.with(TelemetryFilter::is_narrow));
    view! { <div class="ml-auto"><Count list one several said/></div> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_offered_once_and_not_without_end() {
        let mut known = LEVELS.map(str::to_owned).to_vec();
        add_levels(&mut known, ["warn", "notice", "", "notice"].map(str::to_owned).into_iter());
        assert_eq!(known, ["error", "warn", "info", "debug", "notice"]);
        add_levels(&mut known, (0..1_000).map(|number| number.to_string()));
        assert_eq!(known.len(), MOST_LEVELS);
    }
}
