//! The table of a project's key shapes, in each of its states.

use latchkey_domain::import::{KeyShape, ListedKeyShape};
use leptos::prelude::*;

use crate::components::error_state::ErrorState;
use crate::components::import_words::{alphabet_label, length_in_words};
use crate::data::polled_query::{PolledQuery, QueryState};
use crate::pages::audit::people::{People, name_of};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::RelativeTime;
use latchkey_ui::table::{CELL, Card, Column, EmptyCell, LoadingTable, ROW, Table};

const LABEL: &str = "Key shapes";

const COLUMNS: &[Column] = &[
    Column::new("Prefix"),
    Column::new("Length"),
    Column::new("Characters"),
    Column::new("Registered"),
];

/// What imported keys look like, with who registered it and when.
#[component]
pub fn KeyShapes(
    /// The shapes, oldest first.
    shapes: PolledQuery<Vec<ListedKeyShape>>,
    /// Who may have registered them.
    people: People,
) -> impl IntoView {
    let shown = shapes.state();
    let count = Memo::new(move |_| shapes.with(Vec::len).unwrap_or_default());
    let is_full = Memo::new(move |_| count.get() >= KeyShape::MAX_PER_PROJECT);
    let rows = move || {
        let listed = shapes.get().unwrap_or_default();
        listed.into_iter().map(|listed| view! { <Row listed people/> }).collect_view()
    };
    move || {
        match shown.get() {
        QueryState::Skeleton => view! { <LoadingTable label=LABEL columns=COLUMNS/> }.into_any(),
        QueryState::Failed(error) => view! {
            <Card>
                <ErrorState
                    title="Couldn’t load the key shapes"
                    error
                    reassurance="Imported keys keep working."
                    on_retry=move |()| shapes.retry()
                />
            </Card>
        }
        .into_any(),
        QueryState::Loaded if count.get() == 0 => no_shapes().into_any(),
        QueryState::Loaded => view! {
            <Table label=LABEL columns=COLUMNS>{rows}</Table>
            <Show when=move || is_full.get()>
                <p class="mt-3 text-caption text-ink-2">
                    {format!(
                        "This is as many as a project may have: {}. An import that needs another one is refused.",
                        KeyShape::MAX_PER_PROJECT,
                    )}
                </p>
            </Show>
        }
        .into_any(),
    }
    }
}

fn no_shapes() -> impl IntoView {
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::KeyRound
                title="No imported keys"
                text="An import with a preset, or of whole keys, registers what the keys look like."
            />
        </Card>
    }
}

#[component]
fn Row(listed: ListedKeyShape, people: People) -> impl IntoView {
    let ListedKeyShape { shape, created_at, created_by, .. } = listed;
    let prefix = if shape.prefix().is_empty() {
        view! { <EmptyCell/> }.into_any()
    } else {
        let prefix = shape.prefix().to_owned();
        view! { <code class="font-mono text-code break-all">{prefix}</code> }.into_any()
    };
    let id = created_by.to_string();
    let who = move || people.find(&id).map_or_else(|| id.clone(), |member| name_of(&member));
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-md:col-span-4 max-md:min-w-0")>
                <span class="text-ink-3 md:hidden">"Prefix "</span>
                {prefix}
            </td>
            <td role="cell" class=format!("{CELL} num text-ink-2 max-md:col-span-4 max-md:text-caption")>
                {length_in_words(&shape)}
            </td>
            <td role="cell" class=format!("{CELL} text-ink-2 max-md:col-span-4 max-md:text-caption")>
                {alphabet_label(shape.alphabet())}
            </td>
            <td role="cell" class=format!("{CELL} text-ink-2 max-md:col-span-4 max-md:min-w-0 max-md:text-caption")>
                <span class="block [overflow-wrap:anywhere]">{who}</span>
                <span class="num text-caption text-ink-3"><RelativeTime time=created_at/></span>
            </td>
        </tr>
    }
}
