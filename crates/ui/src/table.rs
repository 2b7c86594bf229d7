//! Tables that become a column of cards on narrow screens.
//!
//! A card is the same row, laid out as a grid. Browsers drop the semantics of a table that is not
//! laid out as one, so every part has an explicit role.

use leptos::prelude::*;

use super::skeleton::SkeletonRows;

/// The classes of a row. A card's four grid columns: tag, fluid, badge, actions.
pub const ROW: &str = "border-line bg-surface transition-colors duration-120 hover:bg-hover md:border-t \
    max-md:grid max-md:grid-cols-[auto_1fr_auto_auto] max-md:items-center max-md:gap-x-2 max-md:gap-y-1.5 \
    max-md:rounded-lg max-md:border max-md:p-4";

/// The classes of a cell in a row of two lines.
pub const CELL: &str = "md:h-14 md:px-3 md:first:pl-4 md:last:pr-4";

/// The classes of a cell in a row of one line.
pub const LOW_CELL: &str = "md:h-12 md:px-3 md:first:pl-4 md:last:pr-4";

/// The classes of the cell with a row's actions, beside those of its height. In a table that is
/// wider than its box, the actions stay in view: nobody looks for a button behind a scroll bar.
pub const ACTIONS_CELL: &str = "text-right md:sticky md:right-0 md:bg-inherit";

/// The classes of a text that gives way: the column may become narrower than the text, which then
/// ends in dots. Its whole belongs into the tooltip, and to where the row leads.
pub const ONE_LINE: &str = "line-clamp-1 break-all";

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    label: &'static str,
    spoken: bool,
    class: &'static str,
}

impl Column {
    /// A column with this head.
    pub const fn new(label: &'static str) -> Self {
        Self { label, spoken: false, class: "" }
    }

    /// A column whose head only screen readers hear.
    pub const fn spoken(label: &'static str) -> Self {
        Self { label, spoken: true, class: "" }
    }

    /// The column of a row's actions, see [`ACTIONS_CELL`].
    pub const fn actions() -> Self {
        Self::spoken("Actions").class("md:sticky md:right-0 md:bg-sidebar")
    }

    /// The same column with more classes on its head.
    #[must_use]
    pub const fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }
}

/// A table with its head. Rows are its children: `<tr role="row" class=ROW>`.
#[component]
pub fn Table(
    /// What the table lists.
    label: &'static str,
    /// Columns of the table.
    columns: &'static [Column],
    /// Rows of the table.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let head = |column: &'static Column| {
        view! {
            <th
                role="columnheader"
                scope="col"
                class=format!("h-9 px-3 text-left text-caption font-medium text-ink-3 first:pl-4 last:pr-4 {}", column.class)
            >
                <span class:sr-only=column.spoken>{column.label}</span>
            </th>
        }
    };
    view! {
        <div class="md:overflow-x-auto md:rounded-lg md:border md:border-line md:bg-surface">
            <table role="table" aria-label=label class="w-full border-collapse text-table max-md:block">
                <thead role="rowgroup" class="bg-sidebar max-md:sr-only">
                    <tr role="row">{columns.iter().map(head).collect_view()}</tr>
                </thead>
                <tbody role="rowgroup" class="max-md:flex max-md:flex-col max-md:gap-2.5">{children.map(|children| children())}</tbody>
            </table>
        </div>
    }
}

/// A box in a table's place or in its shape.
#[component]
pub fn Card(
    /// Content of the card.
    children: Children,
) -> impl IntoView {
    view! { <div class="rounded-lg border border-line bg-surface">{children()}</div> }
}

/// Placeholder for a table: its head, and grey rows.
#[component]
pub fn LoadingTable(
    /// What the table lists.
    label: &'static str,
    /// Columns of the table.
    columns: &'static [Column],
) -> impl IntoView {
    view! {
        <div aria-busy="true">
            <Table label columns/>
            <div class="rounded-lg border border-line bg-surface md:-mt-px md:rounded-t-none">
                <SkeletonRows/>
            </div>
        </div>
    }
}

/// An empty cell: a dash for the eye, a word for the ear.
#[component]
pub fn EmptyCell() -> impl IntoView {
    view! {
        <span aria-hidden="true" class="text-ink-3">"–"</span>
        <span class="sr-only">"None"</span>
    }
}
