//! Shown instead of an empty list of keys: how to create the first key, show archived ones, or
//! clear the filters.

use latchkey_domain::id::ProjectId;
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::filter::{KeysFilter, KeysFilterState};
use crate::api::{ApiError, list_project_keys};
use crate::keys::KeysPageState;
use crate::keys::first_key::FirstKey;
use crate::keys::labels::KeyLabels;
use latchkey_ui::button::{Button, Variant};
use latchkey_ui::empty_state::EmptyState;
use latchkey_ui::icon::Glyph;
use latchkey_ui::skeleton::SkeletonRows;
use latchkey_ui::table::Card;

/// Whether the project has keys at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysPresence {
    /// Not loaded yet.
    Unknown,
    /// The project never had a key.
    None,
    /// There are keys, listed or hidden.
    Some,
}

/// Shown in place of an empty list.
#[component]
pub fn NoKeys(
    /// Project that has no keys.
    project: ProjectId,
    /// Filter of the list.
    filter: KeysFilterState,
    /// State of the page's dialogs.
    page: KeysPageState,
    /// Learns whether there are keys at all.
    presence: RwSignal<KeysPresence>,
) -> impl IntoView {
    move || {
        let now = filter.now.get();
        if now.is_narrow() {
            presence.set(KeysPresence::Some);
            view! { <NoMatch filter/> }.into_any()
        } else if now.archived {
            view! { <First page presence/> }.into_any()
        } else {
            view! { <Hidden project filter page presence/> }.into_any()
        }
    }
}

#[component]
fn First(page: KeysPageState, presence: RwSignal<KeysPresence>) -> impl IntoView {
    presence.set(KeysPresence::None);
    let kind = page.scope.with_untracked(|scope| scope.kind);
    if kind == KeyKind::Inference {
        view! { <FirstInferenceKey page/> }.into_any()
    } else {
        view! { <FirstKey page action=KeyLabels::of(kind).create/> }.into_any()
    }
}

#[component]
fn FirstInferenceKey(page: KeysPageState) -> impl IntoView {
    view! {
        <Card>
            <EmptyState
                glyph=Glyph::Cpu
                title="Create your first inference key"
                text="Give an application access to models, with limits you set."
            >
                <CreateButton page/>
            </EmptyState>
        </Card>
    }
}

/// The create button, for users with the permission.
#[component]
fn CreateButton(page: KeysPageState) -> impl IntoView {
    let words = page.scope.with_untracked(|scope| KeyLabels::of(scope.kind));
    view! {
        <Show when=move || page.may_write()>
            <Button variant=Variant::Primary glyph=Glyph::Plus on_press=move |()| page.creating.set(true)>
                {words.create}
            </Button>
        </Show>
    }
}

#[component]
fn NoMatch(filter: KeysFilterState) -> impl IntoView {
    let q = filter.now.with_untracked(|filter| filter.q.clone());
    let (title, text) = if q.is_empty() {
        (
            "No keys match these filters".to_owned(),
            "Clear the filters to see the project’s other keys.",
        )
    } else {
        (format!("No keys match “{q}”"), "Search looks at names, ids and the last four characters.")
    };
    view! {
        <Card>
            <EmptyState glyph=Glyph::Search title text>
                <Button on_press=move |()| filter.clear()>"Clear filters"</Button>
            </EmptyState>
        </Card>
    }
}

/// How many keys are archived: as many as a page has, and whether there are more.
async fn count_archived(project: ProjectId, kind: KeyKind) -> Result<(usize, bool), ApiError> {
    let all = KeysFilter { archived: true, ..KeysFilter::default() };
    let page = list_project_keys(project, all.for_server(kind), None).await?;
    Ok((page.data.len(), page.next_cursor.is_some()))
}

/// Checks for archived keys before it says that there are none.
#[component]
fn Hidden(
    project: ProjectId,
    filter: KeysFilterState,
    page: KeysPageState,
    presence: RwSignal<KeysPresence>,
) -> impl IntoView {
    let kind = page.scope.with_untracked(|scope| scope.kind);
    let archived = LocalResource::new(move || count_archived(project, kind));
    move || match archived.get() {
        None => view! { <Card><div aria-busy="true"><SkeletonRows/></div></Card> }.into_any(),
        // If the request failed, offering the first key does no harm.
        Some(Ok((0, _)) | Err(_)) => view! { <First page presence/> }.into_any(),
        Some(Ok((count, more))) => {
            presence.set(KeysPresence::Some);
            view! { <NoneActive filter page count more/> }.into_any()
        }
    }
}

#[component]
fn NoneActive(
    filter: KeysFilterState,
    page: KeysPageState,
    count: usize,
    more: bool,
) -> impl IntoView {
    let text = match (count, more) {
        (1, false) => "This project has 1 revoked or archived key.".to_owned(),
        (count, false) => format!("This project has {count} revoked or archived keys."),
        (count, true) => format!("This project has more than {count} revoked or archived keys."),
    };
    view! {
        <Card>
            <EmptyState glyph=Glyph::Archive title="No active keys" text>
                <Button on_press=move |()| filter.change(|filter| filter.archived = true)>"Show archived"</Button>
                <CreateButton page/>
            </EmptyState>
        </Card>
    }
}
