//! Revoking a key: what it means, then the deed.

use latchkey_domain::api::ListedKey;
use latchkey_domain::id::KeyId;
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use crate::api::revoke_key;
use crate::components::button::{Button, Variant};
use crate::components::dialog::{Dialog, DialogWidth};
use crate::components::environment_tag::EnvironmentTag;
use crate::components::icon::{Glyph, Icon};
use crate::components::masked_key::MaskedKey;
use crate::components::relative_time::{Clock, browser_time, date, exact, is_recent, relative};
use crate::components::toast::{ToastAction, Toasts};
use crate::pages::feed::Feed;

/// The key that a person is about to revoke, and how far that got.
#[derive(Clone, Copy)]
pub struct Revocation {
    /// The key in question.
    pub asked: RwSignal<Option<ListedKey>>,
    busy: RwSignal<bool>,
    keys: Feed<ListedKey>,
    on_revoked: Callback<()>,
    toasts: Toasts,
}

impl Revocation {
    /// For the keys of one list. `on_revoked` is called after each.
    pub fn new(keys: Feed<ListedKey>, on_revoked: Callback<()>) -> Self {
        Self {
            asked: RwSignal::new(None),
            busy: RwSignal::new(false),
            keys,
            on_revoked,
            toasts: expect_context::<Toasts>(),
        }
    }

    /// Revokes a key, closes the dialog and says how it went, even to who has left the page by then.
    fn revoke(self, id: KeyId) {
        _ = self.busy.try_set(true);
        leptos::task::spawn_local(async move {
            let answer = revoke_key(id).await;
            _ = self.busy.try_set(false);
            _ = self.asked.try_set(None);
            if answer.is_ok() {
                self.keys.change(id, |row| {
                    row.key.status = KeyStatus::Revoked;
                    row.key.revoked_at = browser_time();
                });
                self.toasts.success("Key revoked");
                _ = self.on_revoked.try_run(());
            } else {
                let again = ToastAction::new("Retry", move || self.revoke(id));
                self.toasts.failure("Couldn’t revoke the key.", Some(again));
            }
        });
    }
}

/// The confirm, for as long as a key is asked about.
#[component]
pub fn RevokeDialog(
    /// What is asked.
    revocation: Revocation,
    /// The name of the keys' application.
    application: Signal<String>,
) -> impl IntoView {
    let Revocation { asked, busy, .. } = revocation;
    move || {
        asked.get().map(|listed| {
            let title = format!("Revoke “{}”?", listed.key.name);
            let frees_a_slot = listed.key.status == KeyStatus::Active;
            let id = listed.key.id;
            let buttons = move || {
                view! {
                    <Button autofocus=true disabled=busy on_press=move |()| asked.set(None)>
                        "Cancel"
                    </Button>
                    <Button
                        variant=Variant::Danger
                        glyph=Glyph::Trash2
                        busy
                        busy_label="Revoking…"
                        on_press=move |()| revocation.revoke(id)
                    >
                        "Revoke key"
                    </Button>
                }
            };
            view! {
                <Dialog
                    title
                    width=DialogWidth::Confirm
                    confirm=true
                    busy
                    on_close=move |()| asked.set(None)
                    footer=buttons
                >
                    <Summary listed=listed.clone() application/>
                    <Consequences frees_a_slot/>
                </Dialog>
            }
        })
    }
}

/// Which key it is, and when it was last used.
#[component]
fn Summary(listed: ListedKey, application: Signal<String>) -> impl IntoView {
    let key = listed.key.clone();
    view! {
        <div class="rounded-md border border-line bg-subtle p-3.5">
            <div class="flex items-center justify-between gap-3">
                <span class="min-w-0 font-medium break-words">{key.name.clone()}</span>
                <EnvironmentTag environment=key.environment/>
            </div>
            <div class="mt-1 flex flex-wrap items-center justify-between gap-x-3">
                <MaskedKey hint=key.masked.clone()/>
                <span class="min-w-0 truncate text-caption text-ink-3">{application}</span>
            </div>
            <div class="mt-3 border-t border-line pt-3">
                <LastUse listed/>
            </div>
        </div>
    }
}

#[component]
fn LastUse(listed: ListedKey) -> impl IntoView {
    let Some(time) = listed.key.last_used_at else {
        return view! { <p class="text-ink-2">"Never used"</p> }.into_any();
    };
    let clock = use_context::<Clock>();
    let now = move || clock.and_then(Clock::get).or_else(browser_time);
    let recent = move || now().is_some_and(|now| is_recent(time, now));
    let words = move || match now().filter(|_| recent()) {
        Some(now) => format!("Used {}", relative(time, now)),
        None => format!("Last used {}", date(time)),
    };
    let from = listed.last_used_ip;
    view! {
        <p
            class="flex items-center gap-2"
            class=("text-warn-ink", recent)
            class=("text-ink-2", move || !recent())
            title=exact(time)
        >
            {move || recent().then(|| view! { <Icon glyph=Glyph::TriangleAlert/> })}
            <span>
                {words}
                {from.map(|ip| view! { " from " <span class="font-mono text-code break-all">{ip}</span> })}
            </span>
        </p>
    }
    .into_any()
}

#[component]
fn Consequences(frees_a_slot: bool) -> impl IntoView {
    let history = if frees_a_slot {
        "Frees one key slot. Its history stays in the audit log."
    } else {
        "Its history stays in the audit log."
    };
    view! {
        <ul class="mt-4 flex flex-col gap-2 text-ink-2">
            <li class="flex gap-2.5">
                <Icon glyph=Glyph::Ban class="mt-px text-danger-ink"/>
                <span>
                    "Requests with this key get " <code class="font-mono text-code text-ink">"401"</code>
                    " immediately."
                </span>
            </li>
            <li class="flex gap-2.5">
                <Icon glyph=Glyph::Undo2 class="mt-px text-ink-3"/>
                "A revoked key can’t be restored."
            </li>
            <li class="flex gap-2.5">
                <Icon glyph=Glyph::CircleCheck class="mt-px text-ink-3"/>
                {history}
            </li>
        </ul>
    }
}
