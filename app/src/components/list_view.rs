//! A list in each of its states: loading, failed, empty, filled.

use leptos::children::ViewFn;
use leptos::prelude::*;

use super::error_state::ErrorState;
use crate::data::paged_list::ListState;
use latchkey_ui::table::{Card, Column, LoadingTable};

/// The rows are its children.
#[component]
pub fn ListView(
    /// What there is to show.
    state: Memo<ListState>,
    /// What the table lists.
    label: &'static str,
    /// Columns of the table.
    columns: &'static [Column],
    /// What failed: “Couldn’t load keys”.
    failed: &'static str,
    /// What still works: “Your keys keep working.”
    #[prop(optional)]
    reassurance: &'static str,
    /// Called to load again.
    #[prop(into)]
    on_retry: Callback<()>,
    /// Shown in place of an empty list.
    #[prop(into)]
    empty: ViewFn,
    /// Table of the rows.
    children: ChildrenFn,
) -> impl IntoView {
    move || match state.get() {
        ListState::Skeleton => view! { <LoadingTable label columns/> }.into_any(),
        ListState::Failed(error) => view! {
            <Card>
                <ErrorState title=failed error reassurance on_retry/>
            </Card>
        }
        .into_any(),
        ListState::Empty => empty.run(),
        ListState::Rows => children(),
    }
}
