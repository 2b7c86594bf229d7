//! The limits of the key.

use latchkey_domain::api::{BudgetState, ListedKey};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::limit::{Cidr, DEFAULT_MAX_PARALLEL, Limit};
use leptos::prelude::*;

use crate::keys::KeysPageState;
use latchkey_ui::budget::limit_in_words;
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::date;
use latchkey_ui::thousands;

/// A limit and what it is.
type Row = (&'static str, String);

/// Card with the key's limits.
#[component]
pub fn LimitsCard(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let rows = Memo::new(move |_| now.with(rows_of));
    let may = Memo::new(move |_| {
        page.may_write()
            && now.with(|now| now.key.status != KeyStatus::Revoked && !now.key.archived)
    });
    let row = |(label, value): Row| {
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
    view! {
        <section class="rounded-lg border border-line bg-surface px-4 pb-1" aria-labelledby="limits-title">
            <div class="flex min-h-12 items-center justify-between gap-3">
                <h2 id="limits-title" class="text-heading font-semibold">"Limits"</h2>
                <Show when=move || may.get()>
                    <Button
                        variant=Variant::Ghost
                        size=Size::Compact
                        glyph=Glyph::Pencil
                        on_press=move |()| page.editing.set(Some(now.get_untracked()))
                    >
                        "Edit"
                    </Button>
                </Show>
            </div>
            <dl class="text-table">{move || rows.get().into_iter().map(row).collect_view()}</dl>
        </section>
    }
}

const NONE: &str = "None";

fn rows_of(listed: &ListedKey) -> Vec<Row> {
    let key = &listed.key;
    let number = |limit: Option<u64>| limit.map_or_else(|| NONE.to_owned(), thousands);
    let budget = |state: &BudgetState| limit_in_words(state.unit, state.limit, state.period);
    let budgets = match key.budgets.as_slice() {
        [] => NONE.to_owned(),
        some => some.iter().map(budget).collect::<Vec<_>>().join(", "),
    };
    let networks = match &key.allowed_cidrs {
        Some(list) => list.as_slice().iter().map(Cidr::to_string).collect::<Vec<_>>().join(", "),
        None => "Any".to_owned(),
    };
    vec![
        ("Requests per minute", number(key.rpm.map(Limit::get))),
        ("Tokens per minute", number(key.tpm.map(Limit::get))),
        ("Calls at a time", thousands(key.max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get))),
        ("Budgets", budgets),
        ("Allowed addresses", networks),
        ("Expires", key.expires_at.map_or_else(|| "Never".to_owned(), date)),
    ]
}
