//! The state of a page with keys: the list, and which of its dialogs is open.

use latchkey_domain::api::{CreatedKey, ListedKey};
use leptos::prelude::*;

use super::KeyScope;
use super::revoke::Revocation;
use crate::data::paged_list::PagedList;
use latchkey_ui::toast::Toasts;

/// A new secret. It is shown once.
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
    /// Whether the create dialog is open.
    pub creating: RwSignal<bool>,
    /// The new secret, for as long as it is shown.
    pub revealed: RwSignal<Option<NewSecret>>,
    /// The key that is being rotated.
    pub rotating: RwSignal<Option<ListedKey>>,
    /// The key that is being changed.
    pub editing: RwSignal<Option<ListedKey>>,
    /// The key whose attributes are shown.
    pub viewing: RwSignal<Option<ListedKey>>,
    /// The key that is about to be disabled.
    pub disabling: RwSignal<Option<ListedKey>>,
    /// Whether a key is being disabled or enabled.
    pub disabling_busy: RwSignal<bool>,
    /// The key that is being revoked.
    pub revocation: Revocation,
    /// Shows the results of actions.
    pub toasts: Toasts,
    on_count_change: Callback<()>,
}

impl KeysPageState {
    /// For the keys of one list. `counted` fetches what the number of active keys is part of.
    pub fn new(
        keys: PagedList<ListedKey>,
        scope: Signal<KeyScope>,
        creating: RwSignal<bool>,
        on_count_change: Callback<()>,
    ) -> Self {
        Self {
            keys,
            scope,
            creating,
            revealed: RwSignal::new(None),
            rotating: RwSignal::new(None),
            editing: RwSignal::new(None),
            viewing: RwSignal::new(None),
            disabling: RwSignal::new(None),
            disabling_busy: RwSignal::new(false),
            revocation: Revocation::new(keys, on_count_change),
            toasts: expect_context::<Toasts>(),
            on_count_change,
        }
    }

    /// Whether the user may create and change keys, tracked.
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
        _ = self.on_count_change.try_run(());
    }
}
