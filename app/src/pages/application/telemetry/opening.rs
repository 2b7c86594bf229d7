//! How a row expands: a button that covers the row, and the details below it.

use leptos::prelude::*;

use super::details::Details;
use super::details_view::DetailsView;
use latchkey_ui::icon::{Glyph, Icon};

/// The button. The row around it is `relative`.
#[component]
pub fn OpenButton(
    /// The id of what it shows.
    id: String,
    /// Name of what is opened.
    label: String,
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="group inline-flex size-7 shrink-0 cursor-pointer items-center justify-center rounded-sm text-ink-3 after:absolute after:inset-0 hover:text-ink max-md:size-6"
            aria-expanded=move || open.get().to_string()
            aria-controls=id
            aria-label=label
            on:click=move |_| open.update(|open| *open = !*open)
        >
            <span class="inline-flex group-aria-expanded:rotate-90">
                <Icon glyph=Glyph::ChevronRight/>
            </span>
        </button>
    }
}

/// What it shows, as a row of the table.
#[component]
pub fn DetailsRow(
    /// ID of the row.
    id: String,
    /// How many columns the table has.
    columns: usize,
    /// Details of the item.
    details: Details,
) -> impl IntoView {
    view! {
        <tr role="row" id=id class="max-md:block">
            <td role="cell" colspan=columns.to_string() class="max-w-0 p-0 max-md:block max-md:max-w-none">
                <DetailsView details/>
            </td>
        </tr>
    }
}
