//! The limits of a key, a project or an organization as a list: what each is called, and what it
//! is.

use leptos::prelude::*;

use latchkey_ui::thousands;

/// A limit and what it is.
pub type LimitLine = (&'static str, String);

/// What a limit is that is not set.
pub const NONE: &str = "None";

/// A limit as a number.
pub fn number(limit: Option<u64>) -> String {
    limit.map_or_else(|| NONE.to_owned(), thousands)
}

/// These items, or what it means that there are none.
pub fn list(items: impl Iterator<Item = String>, empty: &str) -> String {
    let items = items.collect::<Vec<_>>().join(", ");
    if items.is_empty() { empty.to_owned() } else { items }
}

/// The list. It follows the limits.
#[component]
pub fn LimitRows(
    /// The limits in their order.
    #[prop(into)]
    rows: Signal<Vec<LimitLine>>,
) -> impl IntoView {
    let row = |(label, value): LimitLine| {
        let quiet = value == NONE;
        view! {
            <div class="flex min-h-9 items-center justify-between gap-4 border-t border-line py-1.5">
                <dt class="text-ink-2">{label}</dt>
                <dd class="num min-w-0 text-right break-words" class=("font-medium", !quiet) class=("text-ink-3", quiet)>
                    {value}
                </dd>
            </div>
        }
    };
    view! { <dl class="text-table">{move || rows.get().into_iter().map(row).collect_view()}</dl> }
}
