//! The button below a list that loads its older rows.

use leptos::prelude::*;

use crate::data::list_rows::HasId;
use crate::data::paged_list::PagedList;
use latchkey_ui::pager::LoadMore;

/// The button, for as long as the list has older rows.
#[component]
pub fn LoadMoreRows<T: HasId + Clone + Send + Sync + 'static>(
    /// List that gets the rows.
    list: PagedList<T>,
    /// Label of the button.
    #[prop(default = "Load more")]
    label: &'static str,
) -> impl IntoView {
    view! {
        <LoadMore
            label
            there=Signal::derive(move || list.has_older())
            state=Signal::derive(move || list.older())
            on_press=move |()| list.load_older()
        />
    }
}
