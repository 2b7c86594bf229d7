//! A live list with its filters, and what is shown while it is empty.

use latchkey_domain::time::Timestamp;
use leptos::prelude::*;

use super::filter::{TelemetryFilter, TelemetryFilterState};
use crate::components::list_view::ListView;
use crate::components::load_more::LoadMoreRows;
use crate::data::list_rows::HasId;
use crate::data::paged_list::{ListState, PagedList};
use crate::data::polling::poll_while_visible;
use crate::layout::server_url;
use latchkey_ui::button::Button;
use latchkey_ui::code_tabs::CodeTabs;
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::browser_time;
use latchkey_ui::snippets::Snippet;
use latchkey_ui::table::{Card, Column, Table};

/// Texts and columns of one of the lists.
#[derive(Clone, Copy)]
pub struct Words {
    /// Label of the list.
    pub label: &'static str,
    /// Title of the error when loading fails.
    pub failed: &'static str,
    /// That nothing was received yet.
    pub empty: &'static str,
    /// That the filters leave nothing.
    pub unmatched: &'static str,
    /// How to send the first.
    pub command: fn(&str, Timestamp) -> Snippet,
    /// Columns of the table.
    pub columns: &'static [Column],
}

/// A list that asks for its newest page for as long as somebody looks at it.
pub fn live_list<T>(
    list: PagedList<T>,
    filter: TelemetryFilterState,
    words: Words,
    toolbar: impl Fn() -> AnyView + Copy + Send + Sync + 'static,
    row: fn(T) -> AnyView,
) -> impl IntoView
where
    T: HasId + Clone + PartialEq + Send + Sync + 'static,
{
    let is_narrow = Memo::new(move |_| filter.now.with(TelemetryFilter::is_narrow));
    // A filtered page may cost the server a scan of ten thousand rows, so poll half as often.
    let turn = StoredValue::new(false);
    poll_while_visible(move || {
        turn.update_value(|turn| *turn = !*turn);
        if list.is_ready_untracked() && (turn.get_value() || !is_narrow.get_untracked()) {
            list.refresh();
        }
    });
    let shown = list.state();
    // Without any telemetry there is nothing to filter.
    let has_toolbar = Memo::new(move |before: Option<&bool>| {
        before.copied().unwrap_or_default() || is_narrow.get() || shown.get() == ListState::Rows
    });
    let empty = move || {
        if !is_narrow.get() {
            return view! { <Empty words/> }.into_any();
        }
        view! {
            <Unmatched words filter has_older=Signal::derive(move || list.has_older())/>
            <LoadMoreRows list label="Search older"/>
        }
        .into_any()
    };
    view! {
        <Note shown is_narrow stale=list.stale()/>
        <Show when=move || has_toolbar.get()>{toolbar}</Show>
        <ListView
            state=shown
            label=words.label
            columns=words.columns
            failed=words.failed
            on_retry=move |()| list.retry()
            empty
        >
            <Table label=words.label columns=words.columns>
                <For each=move || list.rows() key=HasId::id children=row/>
            </Table>
            <LoadMoreRows list label="Load older"/>
        </ListView>
    }
}

/// Announces changes of the list that the user did not cause.
#[component]
fn Note(shown: Memo<ListState>, is_narrow: Memo<bool>, stale: Signal<bool>) -> impl IntoView {
    let was_empty = RwSignal::new(false);
    Effect::new(move || {
        if is_narrow.get() {
            was_empty.set(false);
        } else if shown.get() == ListState::Empty {
            was_empty.set(true);
        }
    });
    let words = move || {
        if stale.get() {
            "Latchkey isn’t responding. Trying again every few seconds."
        } else if was_empty.get() && shown.get() == ListState::Rows {
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

/// Shown if no row matches, of all or of those that were searched.
#[component]
fn Unmatched(words: Words, filter: TelemetryFilterState, has_older: Signal<bool>) -> impl IntoView {
    move || {
        let text = if has_older.get() {
            "The newest ones were searched. Older ones may match.".to_owned()
        } else {
            format!(
                "Clear the filters to see the application’s other {}.",
                words.label.to_lowercase()
            )
        };
        view! {
            <Card>
                <EmptyState glyph=Glyph::Search title=words.unmatched text>
                    <Button on_press=move |()| filter.clear()>"Clear filters"</Button>
                </EmptyState>
            </Card>
        }
    }
}

/// Shown before the first request, with the command that sends one.
#[component]
fn Empty(words: Words) -> impl IntoView {
    let now = browser_time();
    let command = now.map(|now| (words.command)(&server_url(), now));
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
