//! The dialogs of a page with keys, and what happens to the list after each.

use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::create::CreateKey;
use super::create_service::CreateServiceKey;
use super::created::KeyCreated;
use super::details::KeyDetails;
use super::disable::DisableDialog;
use super::edit::EditKey;
use super::page_state::{KeysPageState, NewSecret};
use super::revoke::RevokeDialog;
use super::rotate::RotateKey;

/// All dialogs of a [`KeysPageState`].
#[component]
pub fn KeyDialogs(
    /// State of the page's dialogs.
    page: KeysPageState,
) -> impl IntoView {
    let KeysPageState { creating, revealed, rotating, editing, viewing, .. } = page;
    let reveal = move |secret| {
        creating.set(false);
        rotating.set(None);
        revealed.set(Some(secret));
    };
    // A request that seemed to fail may have succeeded, so always load the list again.
    let refresh = Callback::new(move |()| page.refresh());
    let stop_creating = Callback::new(move |()| {
        creating.set(false);
        page.refresh();
    });
    let on_created = Callback::new(move |created| reveal(NewSecret { created, rotated: false }));
    let on_rotated = Callback::new(move |created| reveal(NewSecret { created, rotated: true }));
    view! {
        <Show when=move || creating.get()>
            {move || match page.scope.with_untracked(|scope| scope.kind) {
                KeyKind::Service => view! { <CreateServiceKey page on_close=stop_creating on_created/> }.into_any(),
                KeyKind::Api | KeyKind::Inference => {
                    view! { <CreateKey page on_close=stop_creating on_created/> }.into_any()
                }
            }}
        </Show>
        {move || {
            let close = move |()| {
                rotating.set(None);
                page.refresh();
            };
            rotating.get().map(|listed| view! { <RotateKey page listed on_close=close on_rotated/> })
        }}
        {move || editing.get().map(|listed| view! { <EditKey page listed/> })}
        {move || viewing.get().map(|listed| view! { <KeyDetails page listed/> })}
        <Show when=move || revealed.with(Option::is_some)>
            <KeyCreated revealed scope=page.scope on_closed=refresh/>
        </Show>
        <DisableDialog page/>
        <RevokeDialog
            revocation=page.revocation
            scope=page.scope
            on_rotate=move |listed| rotating.set(Some(listed))
        />
    }
}
