//! The limits of the key.

use latchkey_domain::api::{BudgetState, ListedKey};
use latchkey_domain::key::KeyStatus;
use latchkey_domain::limit::{AllowList, Cidr, DEFAULT_MAX_PARALLEL, Limit};
use leptos::prelude::*;

use crate::components::limit_rows::{LimitLine, LimitRows, NONE, list, number};
use crate::keys::KeysPageState;
use latchkey_ui::budget::limit_in_words;
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::icon::Glyph;
use latchkey_ui::relative_time::date;

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
            <LimitRows rows/>
        </section>
    }
}

fn rows_of(listed: &ListedKey) -> Vec<LimitLine> {
    let key = &listed.key;
    let budget = |state: &BudgetState| limit_in_words(state.unit, state.limit, state.period);
    let networks = key.allowed_cidrs.iter().flat_map(AllowList::as_slice);
    let calls = key.max_parallel.map_or(DEFAULT_MAX_PARALLEL, Limit::get);
    vec![
        ("Requests per minute", number(key.rpm.map(Limit::get))),
        ("Tokens per minute", number(key.tpm.map(Limit::get))),
        ("Calls at a time", number(Some(calls))),
        ("Budgets", list(key.budgets.iter().map(budget), NONE)),
        ("Allowed addresses", list(networks.map(Cidr::to_string), "Any")),
        ("Expires", key.expires_at.map_or_else(|| "Never".to_owned(), date)),
    ]
}
