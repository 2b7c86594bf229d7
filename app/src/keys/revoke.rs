//! The dialog that revokes a key, after it has said what that means.

use latchkey_domain::api::ListedKey;
use latchkey_domain::id::KeyId;
use latchkey_domain::key::{KeyKind, KeyStatus};
use leptos::prelude::*;

use super::KeyScope;
use super::summary::KeySummary;
use crate::api::revoke_key;
use crate::data::paged_list::PagedList;
use latchkey_ui::confirm_dialog::ConfirmDialog;
use latchkey_ui::icon::{Glyph, Icon};
use latchkey_ui::relative_time::{Clock, browser_time, date, exact, is_recent, relative};
use latchkey_ui::toast::{ToastAction, Toasts};

/// The key that is about to be revoked, and the progress.
#[derive(Clone, Copy)]
pub struct Revocation {
    /// The key in question.
    pub target: RwSignal<Option<ListedKey>>,
    busy: RwSignal<bool>,
    keys: PagedList<ListedKey>,
    on_revoked: Callback<()>,
    toasts: Toasts,
}

impl Revocation {
    /// For the keys of one list. `on_revoked` is called after each.
    pub fn new(keys: PagedList<ListedKey>, on_revoked: Callback<()>) -> Self {
        Self {
            target: RwSignal::new(None),
            busy: RwSignal::new(false),
            keys,
            on_revoked,
            toasts: expect_context::<Toasts>(),
        }
    }

    /// Revokes a key, closes the dialog and shows the result, even if the user has left the page.
    fn revoke(self, id: KeyId) {
        _ = self.busy.try_set(true);
        leptos::task::spawn_local(async move {
            let answer = revoke_key(id).await;
            _ = self.busy.try_set(false);
            _ = self.target.try_set(None);
            if answer.is_ok() {
                self.keys.change(id, |row| {
                    row.key.status = KeyStatus::Revoked;
                    row.key.revoked_at = browser_time();
                    row.old_secret = None;
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

/// The dialog, while a key is to be revoked.
#[component]
pub fn RevokeDialog(
    /// Key to revoke and why.
    revocation: Revocation,
    /// Whose keys they are.
    scope: Signal<KeyScope>,
    /// Whether it is shown above another dialog.
    #[prop(optional)]
    nested: bool,
    /// Opens the dialog that rotates the key instead, where that helps.
    #[prop(optional, into)]
    on_rotate: Option<Callback<ListedKey>>,
) -> impl IntoView {
    let Revocation { target, busy, .. } = revocation;
    move || {
        target.get().map(|listed| {
            let title = format!("Revoke “{}”?", listed.key.name);
            let id = listed.key.id;
            let is_active = matches!(listed.key.status, KeyStatus::Active | KeyStatus::Disabled);
            let rotate = on_rotate.filter(|_| is_active).map(|on_rotate| {
                let listed = listed.clone();
                Callback::new(move |()| {
                    target.set(None);
                    on_rotate.run(listed.clone());
                })
            });
            let frees_a_slot = is_active && listed.key.kind != KeyKind::Service;
            let last_use = view! { <LastUse listed=listed.clone()/> };
            view! {
                <ConfirmDialog
                    title
                    action="Revoke key"
                    busy_label="Revoking…"
                    glyph=Glyph::Trash2
                    nested
                    busy
                    on_close=move |()| target.set(None)
                    on_confirm=move |()| revocation.revoke(id)
                >
                    <KeySummary listed scope>{last_use}</KeySummary>
                    <Consequences frees_a_slot/>
                    {rotate.map(|rotate| view! { <RotateInstead busy on_press=rotate/> })}
                </ConfirmDialog>
            }
        })
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

/// The alternative for users who only want to replace a key.
#[component]
fn RotateInstead(busy: RwSignal<bool>, on_press: Callback<()>) -> impl IntoView {
    view! {
        <p class="mt-4 text-ink-2">
            "Replacing it? "
            <button
                type="button"
                class="cursor-pointer rounded-xs font-medium text-accent-ink underline decoration-accent-line underline-offset-2 hover:decoration-current"
                disabled=busy
                on:click=move |_| on_press.run(())
            >
                "Rotate it instead"
            </button>
            " to switch without downtime."
        </p>
    }
}
