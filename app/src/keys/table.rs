//! The list of keys: loading, failed, empty, or the table.

use latchkey_domain::id::KeyId;
use latchkey_domain::key::{KeyKind, KeyStatus};
use leptos::children::ViewFn;
use leptos::prelude::*;

use super::KeysPageState;
use super::activity::Activity;
use super::inference_row::InferenceKeyRow;
use super::labels::KeyLabels;
use super::row::KeyRow;
use crate::components::list_view::ListView;
use crate::components::load_more::LoadMoreRows;
use crate::data::paged_list::ListState;
use crate::data::polling::poll_while_visible;
use latchkey_ui::status_badge::KeyState;
use latchkey_ui::table::{Column, Table};

/// The first to go where there is no room: it takes the most.
const REQUESTS: Column =
    Column::new("Requests, 24 h").class("whitespace-nowrap max-[88rem]:hidden");

/// The columns of a project's keys. On narrower screens, the application is below the name.
const OF_PROJECT: &[Column] = &[
    Column::new("Name"),
    Column::new("Key"),
    Column::new("Env"),
    Column::new("Application").class("max-xl:hidden"),
    Column::new("Last used"),
    REQUESTS,
    Column::new("Expires"),
    Column::new("Status"),
    Column::actions(),
];

/// The columns of a project's inference keys. On narrower screens, the limits are below the secret.
const OF_INFERENCE: &[Column] = &[
    Column::new("Name"),
    Column::new("Key"),
    Column::new("rpm").class("text-right max-[88rem]:hidden"),
    Column::new("tpm").class("text-right max-[88rem]:hidden"),
    Column::new("Budget").class("whitespace-nowrap"),
    Column::new("Allowed models").class("whitespace-nowrap max-xl:hidden"),
    Column::new("Expires").class("max-[88rem]:hidden"),
    Column::new("Status"),
    Column::actions(),
];

/// The columns of one application's keys.
const OF_APPLICATION: &[Column] = &[
    Column::new("Name"),
    Column::new("Key"),
    Column::new("Env"),
    Column::new("Last used"),
    REQUESTS,
    Column::new("Expires"),
    Column::new("Status"),
    Column::actions(),
];

/// The list. A viewer sees it without its actions.
#[component]
pub fn KeyList(
    /// The keys, and the dialogs about them.
    page: KeysPageState,
    /// State of the list.
    shown: Memo<ListState>,
    /// Whether to say which application each key is for.
    #[prop(optional)]
    names_application: bool,
    /// Whether the list stays as it is for a while.
    #[prop(optional, into)]
    paused: Signal<bool>,
    /// Shown in place of an empty list.
    #[prop(into)]
    empty: ViewFn,
) -> impl IntoView {
    let keys = page.keys;
    // The last use of a key matters before it is revoked, so keep it current.
    poll_while_visible(move || {
        if keys.is_ready_untracked() && !paused.get_untracked() {
            keys.refresh();
        }
    });
    follow_expiry(&page);
    let (project, kind) = page.scope.with_untracked(|scope| (scope.project.id, scope.kind));
    // Rows of inference keys show budgets instead.
    let activity = Activity::of(
        keys,
        project,
        Signal::derive(move || paused.get() || kind == KeyKind::Inference),
    );
    let label = KeyLabels::of(kind).title;
    let columns = match kind {
        KeyKind::Inference => OF_INFERENCE,
        _ if names_application => OF_PROJECT,
        _ => OF_APPLICATION,
    };
    let rows = move || view! { <KeyTable page kind activity columns names_application/> };
    view! {
        <ListView
            state=shown
            label
            columns
            failed="Couldn’t load keys"
            reassurance="Your keys keep working."
            on_retry=move |()| keys.retry()
            empty
        >
            {rows()}
        </ListView>
    }
}

/// A key that expires while somebody looks, or that another tab revokes, leaves a slot free.
fn follow_expiry(page: &KeysPageState) {
    let page = *page;
    Effect::new(move |before: Option<Vec<(KeyId, KeyStatus)>>| {
        let keys = page.keys.rows().into_iter();
        let now: Vec<_> = keys.map(|listed| (listed.key.id, listed.key.status)).collect();
        let was = |id: KeyId| {
            let before = before.as_ref()?.iter().find(|(other, _)| *other == id)?;
            Some(before.1)
        };
        if now.iter().any(|(id, status)| was(*id).is_some_and(|was| was != *status)) {
            page.count();
        }
        now
    });
}

#[component]
fn KeyTable(
    page: KeysPageState,
    kind: KeyKind,
    activity: Activity,
    columns: &'static [Column],
    names_application: bool,
) -> impl IntoView {
    let keys = page.keys;
    let rows = move || {
        let mut rows = keys.rows();
        // The sort is stable: within each group the server's order stays.
        rows.sort_by_key(|row| {
            matches!(KeyState::of(row, None), KeyState::Revoked | KeyState::Archived)
        });
        rows
    };
    view! {
        <Table label=KeyLabels::of(kind).title columns>
            <For each=rows key=|row| row.key.id let(listed)>
                {if kind == KeyKind::Inference {
                    view! { <InferenceKeyRow page listed/> }.into_any()
                } else {
                    view! { <KeyRow page activity listed names_application/> }.into_any()
                }}
            </For>
        </Table>
        <LoadMoreRows list=keys/>
        <p class="mt-3 text-caption text-ink-2">
            {if kind == KeyKind::Inference {
                view! { <InferenceNote/> }.into_any()
            } else {
                "Only active keys count toward the limit. Revoked, expired and archived keys don’t.".into_any()
            }}
        </p>
    }
}

#[component]
fn InferenceNote() -> impl IntoView {
    view! {
        "A key over its rpm, tpm or budget gets " <code class="font-mono text-ink">"429"</code> " with a "
        <code class="font-mono text-ink">"Retry-After"</code>
        " header, or " <code class="font-mono text-ink">"402"</code>
        " where it frees later than in a minute. Test keys are answered by the sandbox and don’t count toward your plan’s quota."
    }
}
