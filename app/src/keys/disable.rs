//! Disables a key, after a dialog has said what that means, and enables it again.

use latchkey_domain::api::{KeyPatch, ListedKey};
use latchkey_domain::id::KeyId;
use latchkey_domain::key::{KeyKind, KeyStatus};
use latchkey_domain::problem::ErrorCode;
use leptos::prelude::*;

use super::KeysPageState;
use super::summary::KeySummary;
use crate::api::update_key;
use latchkey_ui::button::Button;
use latchkey_ui::callout::{Callout, Tone};
use latchkey_ui::confirm_dialog::ConfirmDialog;
use latchkey_ui::consequence::Consequence;
use latchkey_ui::icon::Glyph;
use latchkey_ui::toast::ToastAction;

/// Enables or disables a key and shows the result, even if the user has left the page.
fn set_disabled(page: &KeysPageState, id: KeyId, disabled: bool) {
    let page = *page;
    let busy = page.disabling_busy;
    _ = busy.try_set(true);
    leptos::task::spawn_local(async move {
        let patch = KeyPatch { disabled: Some(disabled), ..KeyPatch::default() };
        let answer = update_key(id, patch).await;
        _ = busy.try_set(false);
        _ = page.disabling.try_set(None);
        match answer {
            Ok(changed) => {
                page.keys.change(id, |row| row.key = changed);
                page.toasts.success(if disabled { "Key disabled" } else { "Key enabled" });
                page.refresh();
            }
            Err(error) => {
                if error.is(ErrorCode::Conflict) {
                    page.refresh();
                }
                let verb = if disabled { "disable" } else { "enable" };
                let again = ToastAction::new("Retry", move || set_disabled(&page, id, disabled));
                page.toasts.failure(format!("Couldn’t {verb} the key."), Some(again));
            }
        }
    });
}

/// Enables a key, without a dialog: it undoes what disabling did, and nothing else.
pub fn enable(page: KeysPageState, id: KeyId) {
    if !page.disabling_busy.get_untracked() {
        set_disabled(&page, id, false);
    }
}

/// The dialog, while a key is to be disabled.
#[component]
pub fn DisableDialog(
    /// State of the page's dialogs.
    page: KeysPageState,
) -> impl IntoView {
    let target = page.disabling;
    move || {
        target.get().map(|listed| {
            let title = format!("Disable “{}”?", listed.key.name);
            let id = listed.key.id;
            let takes_a_slot = listed.key.kind != KeyKind::Service;
            view! {
                <ConfirmDialog
                    title
                    action="Disable key"
                    busy_label="Disabling…"
                    glyph=Glyph::CirclePause
                    busy=page.disabling_busy
                    on_close=move |()| target.set(None)
                    on_confirm=move |()| set_disabled(&page, id, true)
                >
                    <KeySummary listed scope=page.scope/>
                    <Consequences takes_a_slot/>
                </ConfirmDialog>
            }
        })
    }
}

#[component]
fn Consequences(takes_a_slot: bool) -> impl IntoView {
    view! {
        <ul class="mt-4 flex flex-col gap-2 text-ink-2">
            <Consequence glyph=Glyph::Ban>
                "Calls with this key are refused from now on, on every node. They get "
                <code class="font-mono text-code text-ink">"401"</code> "."
            </Consequence>
            {takes_a_slot
                .then(|| {
                    view! {
                        <Consequence glyph=Glyph::Gauge>"It still takes a slot of the plan."</Consequence>
                    }
                })}
            <Consequence glyph=Glyph::CirclePlay>"Enable it at any time."</Consequence>
        </ul>
    }
}

/// Says on a disabled key's page what that means, and offers to enable it.
#[component]
pub fn DisabledNote(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let is_disabled = Memo::new(move |_| now.with(|now| now.key.status == KeyStatus::Disabled));
    let id = now.with_untracked(|now| now.key.id);
    view! {
        <Show when=move || is_disabled.get()>
            <div class="mb-5">
                <Callout tone=Tone::Info glyph=Glyph::CirclePause>
                    <p>
                        <span class="font-medium">"This key is disabled."</span>
                        " Calls with it are refused on every node. It still takes a slot of the plan, and can be \
                        edited and rotated."
                    </p>
                    <Show when=move || page.may_write()>
                        <div class="mt-2">
                            <Button
                                glyph=Glyph::CirclePlay
                                busy=page.disabling_busy
                                busy_label="Enabling…"
                                on_press=move |()| enable(page, id)
                            >
                                "Enable key"
                            </Button>
                        </div>
                    </Show>
                </Callout>
            </div>
        </Show>
    }
}
