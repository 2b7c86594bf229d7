//! Telemetry of an application as it arrives: traces and logs, newest first, and one trace as a
//! tree.

pub mod details;
pub mod details_view;
pub mod filter;
pub mod kind;
pub mod list;
pub mod log_row;
pub mod opening;
pub mod toolbar;
pub mod trace;
pub mod trace_row;
pub mod tree;

use latchkey_domain::api::{IngestedLog, IngestedTrace};
use latchkey_domain::id::ApplicationId;
use leptos::html;
use leptos::prelude::*;

use self::filter::{List, TelemetryFilter, TelemetryFilterState};
use self::list::{Words, live_list};
use self::toolbar::{LogToolbar, TraceToolbar};
use self::trace::Trace;
use crate::api::{list_logs, list_traces};
use crate::data::list_rows::{HasId, Order};
use crate::data::paged_list::PagedList;
use latchkey_ui::snippets::{curl_logs, curl_traces};
use latchkey_ui::tabs::{Tab, TabList, tab_id};

const TRACES: &str = "Traces";
const LOGS: &str = "Logs";
const ID: &str = "telemetry";

/// The two live lists, one visible at a time, or one trace. The URL says which.
#[component]
pub fn Telemetry(
    /// Whose telemetry it is.
    application: ApplicationId,
) -> impl IntoView {
    let filter = TelemetryFilterState::of_address();
    let chosen = Memo::new(move |_| match filter.now.with(|filter| filter.list) {
        List::Logs => LOGS,
        List::Traces => TRACES,
    });
    let choose = Callback::new(move |label: &'static str| {
        let list = if label == LOGS { List::Logs } else { List::Traces };
        filter.change(|filter| *filter = filter.switched(list));
    });
    let trace = Memo::new(move |_| filter.now.with(|filter| filter.trace.clone()));
    let panel = NodeRef::<html::Div>::new();
    // The link that was followed is gone from the page, so move focus.
    Effect::new(move |before: Option<Option<_>>| {
        let now = trace.get();
        if before.is_some_and(|before| before != now) {
            request_animation_frame(move || {
                latchkey_ui::focus(panel.get_untracked().map(Into::into));
            });
        }
        now
    });
    let tabs = vec![Tab::new(TRACES), Tab::new(LOGS)];
    view! {
        <section aria-labelledby="telemetry-title">
            <h2 id="telemetry-title" class="text-heading font-semibold">"Telemetry"</h2>
            <div class="mt-1 mb-3 border-b border-line">
                <TabList id=ID label="Kind of telemetry" tabs chosen on_choose=choose/>
            </div>
            <div
                id=format!("{ID}-panel")
                role="tabpanel"
                tabindex="-1"
                class="outline-none"
                aria-labelledby=move || tab_id(ID, chosen.get())
                node_ref=panel
            >
                {move || match (chosen.get(), trace.get()) {
                    (LOGS, _) => view! { <Logs application filter/> }.into_any(),
                    (_, Some(id)) => view! { <Trace application id/> }.into_any(),
                    (_, None) => view! { <Traces application filter/> }.into_any(),
                }}
            </div>
        </section>
    }
}

#[component]
fn Traces(application: ApplicationId, filter: TelemetryFilterState) -> impl IntoView {
    let wanted = Memo::new(move |_| filter.now.with(TelemetryFilter::for_traces));
    let list = PagedList::new(move |cursor| {
        list_traces(application, Some(wanted.get_untracked()), cursor)
    });
    let list = restarting(list, wanted);
    let words = Words {
        label: TRACES,
        failed: "Couldn’t load traces",
        empty: "No traces yet",
        unmatched: "No traces match",
        command: curl_traces,
        columns: trace_row::COLUMNS,
    };
    let toolbar = move || view! { <TraceToolbar filter list/> }.into_any();
    live_list(list, filter, words, toolbar, |it: IngestedTrace| trace_row::trace_row(it).into_any())
}

#[component]
fn Logs(application: ApplicationId, filter: TelemetryFilterState) -> impl IntoView {
    let wanted = Memo::new(move |_| filter.now.with(TelemetryFilter::for_logs));
    let list =
        PagedList::new(move |cursor| list_logs(application, Some(wanted.get_untracked()), cursor));
    let list = restarting(list, wanted);
    let words = Words {
        label: LOGS,
        failed: "Couldn’t load logs",
        empty: "No logs yet",
        unmatched: "No logs match",
        command: curl_logs,
        columns: log_row::COLUMNS,
    };
    let toolbar = move || view! { <LogToolbar filter list/> }.into_any();
    live_list(list, filter, words, toolbar, |it: IngestedLog| log_row::log_row(it).into_any())
}

/// The list, restarted whenever its filter changes.
fn restarting<T, W>(list: PagedList<T>, wanted: Memo<W>) -> PagedList<T>
where
    T: HasId + Clone + Send + Sync + 'static,
    W: Default + Clone + PartialEq + Send + Sync + 'static,
{
    // A filtered page ends where the scan ended, and may be empty.
    let order = |wanted: &W| {
        if *wanted == W::default() { Order::Newest } else { Order::Changing }
    };
    Effect::new(move |before: Option<W>| {
        let now = wanted.get();
        if before.is_some_and(|before| before != now) {
            list.restart(order(&now));
        }
        now
    });
    list.with_order(wanted.with_untracked(order))
}
