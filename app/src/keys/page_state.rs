//! Which of a page's dialogs about keys is open, and what happens to the list after it.

use latchkey_domain::api::{CreatedKey, ListedKey};
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::KeyScope;
use super::create::CreateKey;
use super::create_service::CreateServiceKey;
use super::created::KeyCreated;
use super::edit::EditKey;
use super::revoke::{Revocation, RevokeDialog};
use super::rotate::RotateKey;
use crate::data::paged_list::PagedList;
use latchkey_ui::toast::Toasts;

/// A secret that was just made. It is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// The key, with the only copy of its secret.
    pub created: CreatedKey,
    /// Whether the key had another secret before.
    pub rotated: bool,
}

/// The dialogs of a page with keys. Set a signal to open one.
#[derive(Clone, Copy)]
pub struct KeysPageState {
    /// The keys that are listed.
    pub keys: PagedList<ListedKey>,
    /// Whose keys they are.
    pub scope: Signal<KeyScope>,
    /// Whether a key is being made.
    pub creating: RwSignal<bool>,
    /// The new secret, for as long as it is shown.
    pub revealed: RwSignal<Option<NewSecret>>,
    /// The key that is being rotated.
    pub rotating: RwSignal<Option<ListedKey>>,
    /// The key that is being changed.
    pub editing: RwSignal<Option<ListedKey>>,
    /// The key that is being revoked.
    pub revocation: Revocation,
    /// Where it is said how something went.
    pub toasts: Toasts,
    counted: Callback<()>,
}

impl KeysPageState {
    /// For the keys of one list. `counted` fetches what the number of active keys is part of.
    pub fn new(
        keys: PagedList<ListedKey>,
        scope: Signal<KeyScope>,
        creating: RwSignal<bool>,
        counted: Callback<()>,
    ) -> Self {
        Self {
            keys,
            scope,
            creating,
            revealed: RwSignal::new(None),
            rotating: RwSignal::new(None),
            editing: RwSignal::new(None),
            revocation: Revocation::new(keys, counted),
            toasts: expect_context::<Toasts>(),
            counted,
        }
    }

    /// Whether the person may make and change keys, tracked.
    pub fn may_write(self) -> bool {
        self.scope.with(KeyScope::may_write)
    }

    /// Fetches the list and the count again, if the page is still there.
    pub fn refresh(self) {
        self.keys.refresh();
        self.count();
    }

    /// Fetches the count of active keys again, if the page is still there.
    pub fn count(self) {
        _ = self.counted.try_run(());
    }
}

/// All dialogs of a [`KeysPageState`].
#[component]
pub fn KeyDialogs(
    /// State of the page's dialogs.
    page: KeysPageState,
) -> impl IntoView {
    let KeysPageState { creating, revealed, rotating, editing, .. } = page;
    let reveal = move |secret| {
        creating.set(false);
        rotating.set(None);
        revealed.set(Some(secret));
    };
    // A request that seemed to fail may have done its work, so what is shown is fetched again in
    // any case.
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
        <Show when=move || revealed.with(Option::is_some)>
            <KeyCreated revealed scope=page.scope on_closed=refresh/>
        </Show>
        <RevokeDialog
            revocation=page.revocation
            scope=page.scope
            on_rotate=move |listed| rotating.set(Some(listed))
        />
    }
}
