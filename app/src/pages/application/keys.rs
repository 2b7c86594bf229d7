//! The keys of one application: the table, and the card that stands there before the first one.

use latchkey_domain::api::{ApplicationContext, ListedKey};
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use super::polling::poll_while_visible;
use super::revoke::Revocation;
use crate::components::button::{Button, IconButton, Variant};
use crate::components::code_tabs::CodeTabs;
use crate::components::environment_tag::EnvironmentTag;
use crate::components::error_state::ErrorState;
use crate::components::icon::Glyph;
use crate::components::masked_key::MaskedKey;
use crate::components::pager::LoadMore;
use crate::components::relative_time::{RelativeTime, browser_time};
use crate::components::snippets::report_a_trace;
use crate::components::status_badge::StatusBadge;
use crate::components::table::{CELL, Card, Column, LoadingTable, Nothing, ROW, Table};
use crate::pages::feed::{Feed, Shown};

const COLUMNS: &[Column] = &[
    Column::new("Name"),
    Column::new("Key"),
    Column::new("Env"),
    Column::new("Last used"),
    Column::new("Created").class("max-lg:hidden"),
    Column::new("Status"),
    Column::spoken("Actions"),
];

/// The list. A viewer sees it without its actions.
#[component]
pub fn Keys(
    /// The keys.
    keys: Feed<ListedKey>,
    /// Whose keys they are.
    context: Signal<ApplicationContext>,
    /// Whether the person may make and revoke keys.
    may_write: Signal<bool>,
    /// Asks before it revokes.
    revocation: Revocation,
    /// Opens the dialog that makes a key.
    on_create: Callback<()>,
) -> impl IntoView {
    let shown = keys.shown();
    // When a key was last used is worth knowing before it is revoked.
    poll_while_visible(move || {
        if keys.is_ready_untracked() {
            keys.refresh();
        }
    });
    let list = move || match shown.get() {
        Shown::Skeleton => view! { <LoadingTable label="API keys" columns=COLUMNS/> }.into_any(),
        Shown::Failed(error) => view! {
            <Card>
                <ErrorState
                    title="Couldn’t load keys"
                    error
                    reassurance="Your keys keep working."
                    on_retry=move |()| keys.retry()
                />
            </Card>
        }
        .into_any(),
        Shown::Empty => view! { <FirstKey context may_write on_create/> }.into_any(),
        Shown::Rows => view! { <KeyTable keys may_write revocation/> }.into_any(),
    };
    view! {
        <section aria-labelledby="keys-title">
            <h2 id="keys-title" class="mb-3 text-heading font-semibold">"API keys"</h2>
            {list}
        </section>
    }
}

#[component]
fn KeyTable(
    keys: Feed<ListedKey>,
    may_write: Signal<bool>,
    revocation: Revocation,
) -> impl IntoView {
    let rows = move || {
        let mut rows = keys.rows();
        // Stable: within each part the newest stays first.
        rows.sort_by_key(|row| row.key.status == KeyStatus::Revoked);
        rows
    };
    view! {
        <Table label="API keys" columns=COLUMNS>
            // A key whose status changed is another row. Being used doesn't make it one: focus may be in it.
            <For each=rows key=|row| (row.key.id, row.key.status) let(listed)>
                <KeyRow keys listed may_write revocation/>
            </For>
        </Table>
        <LoadMore
            label="Load more"
            there=Signal::derive(move || keys.has_older())
            state=Signal::derive(move || keys.older())
            on_press=move |()| keys.load_older()
        />
        <p class="mt-3 text-caption text-ink-2">
            "Only active keys count toward the limit. Revoked, expired and archived keys don’t."
        </p>
    }
}

#[component]
fn KeyRow(
    keys: Feed<ListedKey>,
    listed: ListedKey,
    may_write: Signal<bool>,
    revocation: Revocation,
) -> impl IntoView {
    let key = listed.key.clone();
    let now = Memo::new(move |_| keys.row(key.id).unwrap_or_else(|| listed.clone()));
    let id = key.id.to_string();
    let short_id = id.get(..12).unwrap_or_default().to_owned();
    let revoked = key.status == KeyStatus::Revoked;
    let last_use = move || {
        now.with(|now| now.key.last_used_at).map_or_else(
        || view! { <span class="max-md:hidden"><Nothing/></span> <span class="md:hidden">"Never used"</span> }.into_any(),
        |time| view! { <span class="md:hidden">"Used "</span> <RelativeTime time/> }.into_any(),
    )
    };
    view! {
        <tr role="row" class=ROW>
            <td role="cell" class=format!("{CELL} max-w-72 max-md:col-span-2 max-md:max-w-none max-md:min-w-0")>
                <span class="block truncate font-medium" class=("text-ink-2", key.status != KeyStatus::Active)>
                    {key.name.clone()}
                </span>
                <code class="block font-mono text-[11.5px] leading-4 text-ink-3" title=id>
                    {short_id}
                </code>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-4 max-md:col-span-3")>
                <MaskedKey hint=key.masked.clone() revoked/>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-3")>
                <EnvironmentTag environment=key.environment/>
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-md:order-5 max-md:col-span-4 max-md:text-caption")>
                {last_use}
            </td>
            <td role="cell" class=format!("{CELL} num whitespace-nowrap text-ink-2 max-md:order-6 max-md:col-span-4 max-md:text-caption md:max-lg:hidden")>
                <span class="md:hidden">"Created "</span>
                <RelativeTime time=key.created_at/>
            </td>
            <td role="cell" class=format!("{CELL} max-md:order-1")>
                <StatusBadge status=key.status/>
            </td>
            <td role="cell" class=format!("{CELL} text-right max-md:order-2 max-md:-my-2 max-md:-mr-2")>
                <Actions listed=now may_write revocation/>
            </td>
        </tr>
    }
}

/// What can be done with a key: nothing once it is revoked.
#[component]
fn Actions(
    listed: Memo<ListedKey>,
    may_write: Signal<bool>,
    revocation: Revocation,
) -> impl IntoView {
    let ListedKey { key, .. } = listed.get_untracked();
    let can_revoke = key.status != KeyStatus::Revoked;
    let label = format!("Revoke {}", key.name);
    view! {
        <Show when=move || can_revoke && may_write.get()>
            <IconButton
                glyph=Glyph::Trash2
                label=label.clone()
                tooltip="Revoke"
                danger=true
                on_press=move |()| revocation.asked.set(Some(listed.get_untracked()))
            />
        </Show>
    }
}

/// The first key: what it is for, and how it is tried.
#[component]
fn FirstKey(
    context: Signal<ApplicationContext>,
    may_write: Signal<bool>,
    on_create: Callback<()>,
) -> impl IntoView {
    let snippets = browser_time().map(|now| report_a_trace(&super::origin(), now));
    view! {
        <div class="grid overflow-hidden rounded-lg border border-line bg-surface lg:grid-cols-[1fr_minmax(0,31rem)]">
            <div class="p-10 max-md:p-5">
                <Slots limit=Signal::derive(move || context.get().project.keys_limit)/>
                <h3 class="mt-6 text-title font-semibold">"Create your first key"</h3>
                <p class="mt-1.5 max-w-96 text-body text-ink-2">
                    "A key lets an application call this project. Start with a test key: it runs in the \
                    sandbox, so nothing you send counts toward your plan’s quota."
                </p>
                <Show when=move || may_write.get()>
                    <div class="mt-5">
                        <Button variant=Variant::Primary glyph=Glyph::Plus on_press=on_create>
                            "Generate API key"
                        </Button>
                    </div>
                </Show>
            </div>
            <div class="min-w-0 border-line bg-subtle p-6 max-lg:border-t max-md:p-5 lg:border-l">
                <h3 class="text-table font-semibold">"Then verify it"</h3>
                <p class="mt-0.5 mb-3 text-table text-ink-2">
                    "Put the key in " <code class="font-mono text-code text-ink">"LATCHKEY_KEY"</code>
                    " and send one request."
                </p>
                {snippets.map(|snippets| view! { <CodeTabs id="first" snippets/> })}
            </div>
        </div>
    }
}

/// The project's slots, the next one marked: a drawing, as the meter in the head says the same.
#[component]
fn Slots(limit: Signal<Option<u32>>) -> impl IntoView {
    let slot = |index: u32| {
        let look = if index == 0 {
            "border-dashed border-accent bg-accent-soft"
        } else {
            "border-line-strong"
        };
        view! { <span class=format!("h-7 w-3 rounded-xs border {look}")></span> }
    };
    view! {
        <div class="flex gap-1.5" aria-hidden="true">
            {move || (0..limit.get().unwrap_or(10).min(10)).map(slot).collect_view()}
        </div>
    }
}
