//! What the application sent, as it arrives: traces and logs, newest first.

use latchkey_domain::api::{IngestedLog, IngestedTrace};
use latchkey_domain::id::ApplicationId;
use latchkey_domain::time::Timestamp;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use super::{log_row, trace_row};
use crate::api::{list_logs, list_traces};
use crate::components::code_tabs::CodeTabs;
use crate::components::empty_state::EmptyState;
use crate::components::error_state::ErrorState;
use crate::components::icon::{Glyph, Icon};
use crate::components::pager::LoadMore;
use crate::components::relative_time::browser_time;
use crate::components::snippets::{Snippet, curl_logs, curl_traces};
use crate::components::table::{Card, Column, LoadingTable, Table};
use crate::components::tabs::{Tab, TabList, tab_id};
use crate::pages::feed::{Feed, Shown};
use crate::pages::origin;
use crate::pages::polling::poll_while_visible;
use crate::pages::rows::Identified;

const TRACES: &str = "Traces";
const LOGS: &str = "Logs";
const ID: &str = "telemetry";

/// The two live lists, one in sight at a time; which one stands in the address as `?tab=`.
#[component]
pub fn Telemetry(
    /// Whose telemetry it is.
    application: ApplicationId,
) -> impl IntoView {
    let query = use_query_map();
    let chosen = Memo::new(move |_| {
        let is_logs = query.with(|query| query.get_str("tab") == Some("logs"));
        if is_logs { LOGS } else { TRACES }
    });
    let navigate = use_navigate();
    let choose = Callback::new(move |label: &'static str| {
        let to = if label == LOGS { "?tab=logs" } else { "?tab=traces" };
        navigate(
            to,
            NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() },
        );
    });
    let tabs = vec![Tab::new(TRACES), Tab::new(LOGS)];
    view! {
        <section aria-labelledby="telemetry-title">
            <h2 id="telemetry-title" class="text-heading font-semibold">"Telemetry"</h2>
            <div class="mt-1 mb-3 border-b border-line">
                <TabList id=ID label="Kind of telemetry" tabs chosen on_choose=choose/>
            </div>
            <div id=format!("{ID}-panel") role="tabpanel" aria-labelledby=move || tab_id(ID, chosen.get())>
                {move || {
                    if chosen.get() == LOGS {
                        view! { <Logs application/> }.into_any()
                    } else {
                        view! { <Traces application/> }.into_any()
                    }
                }}
            </div>
        </section>
    }
}

#[component]
fn Traces(application: ApplicationId) -> impl IntoView {
    let feed = Feed::new(move |cursor| list_traces(application, None, cursor));
    let words = Words {
        label: TRACES,
        failed: "Couldn’t load traces",
        empty: "No traces yet",
        command: curl_traces,
        columns: trace_row::COLUMNS,
    };
    live_list(feed, words, |trace: IngestedTrace| trace_row::trace_row(trace).into_any())
}

#[component]
fn Logs(application: ApplicationId) -> impl IntoView {
    let feed = Feed::new(move |cursor| list_logs(application, None, cursor));
    let words = Words {
        label: LOGS,
        failed: "Couldn’t load logs",
        empty: "No logs yet",
        command: curl_logs,
        columns: log_row::COLUMNS,
    };
    live_list(feed, words, |log: IngestedLog| log_row::log_row(log).into_any())
}

/// What one of the lists says and shows.
#[derive(Clone, Copy)]
struct Words {
    label: &'static str,
    failed: &'static str,
    empty: &'static str,
    command: fn(&str, Timestamp) -> Snippet,
    columns: &'static [Column],
}

/// A list that asks for its newest page for as long as somebody looks at it.
fn live_list<T>(feed: Feed<T>, words: Words, row: fn(T) -> AnyView) -> impl IntoView
where
    T: Identified + Clone + PartialEq + Send + Sync + 'static,
{
    poll_while_visible(move || {
        if feed.is_ready_untracked() {
            feed.refresh();
        }
    });
    let shown = feed.shown();
    let content = move || match shown.get() {
        Shown::Skeleton => {
            view! { <LoadingTable label=words.label columns=words.columns/> }.into_any()
        }
        Shown::Failed(error) => view! {
            <Card>
                <ErrorState title=words.failed error on_retry=move |()| feed.retry()/>
            </Card>
        }
        .into_any(),
        Shown::Empty => view! { <Empty words/> }.into_any(),
        Shown::Rows => view! {
            <Table label=words.label columns=words.columns>
                <For each=move || feed.rows() key=Identified::id children=row/>
            </Table>
            <LoadMore
                label="Load older"
                there=Signal::derive(move || feed.has_older())
                state=Signal::derive(move || feed.older())
                on_press=move |()| feed.load_older()
            />
        }
        .into_any(),
    };
    view! {
        <Note shown stale=feed.stale()/>
        {content}
    }
}

/// What happens to the list by itself, told once it happens.
#[component]
fn Note(shown: Memo<Shown>, stale: Signal<bool>) -> impl IntoView {
    let was_empty = RwSignal::new(false);
    Effect::new(move || {
        if shown.get() == Shown::Empty {
            was_empty.set(true);
        }
    });
    let words = move || {
        if stale.get() {
            "Latchkey doesn’t answer. Trying again every few seconds."
        } else if was_empty.get() && shown.get() == Shown::Rows {
            "First request received"
        } else {
            ""
        }
    };
    view! {
        <p class="text-caption text-ink-2" class:mb-2=move || !words().is_empty() role="status">
            {words}
        </p>
    }
}

/// Nothing yet, and the command that changes that.
#[component]
fn Empty(words: Words) -> impl IntoView {
    let now = browser_time();
    let command = now.map(|now| (words.command)(&origin(), now));
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::ScrollText
                title=words.empty
                text="Put a key in LATCHKEY_KEY and send one request. It appears here within seconds."
            >
                <div class="w-[36rem] max-w-full text-left">
                    {command.map(|command| view! { <CodeTabs id="command" snippets=vec![command]/> })}
                    <p class="mt-3 flex items-center gap-2 text-caption text-ink-3">
                        <Icon glyph=Glyph::CircleDashed/>
                        "Waiting for the first request"
                    </p>
                </div>
            </EmptyState>
        </Card>
    }
}
