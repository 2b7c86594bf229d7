//! The attributes of the key.

use latchkey_domain::api::ListedKey;
use latchkey_domain::key::KeyStatus;
use leptos::prelude::*;

use crate::keys::KeysPageState;
use crate::keys::attribute_form::Attributes;
use crate::keys::attribute_view::AttributeList;
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::icon::Glyph;

/// Card with the key's attributes.
#[component]
pub fn AttributesCard(
    /// State of the page's dialogs.
    page: KeysPageState,
    /// The key as it is now.
    now: Memo<ListedKey>,
) -> impl IntoView {
    let may = Memo::new(move |_| {
        page.may_write()
            && now.with(|now| now.key.status != KeyStatus::Revoked && !now.key.archived)
    });
    // The list is replaced only when an attribute changes, so that a copy button keeps its focus.
    let shown = Memo::new(move |_| now.with(|now| Attributes::of(&now.key)));
    view! {
        <section class="rounded-lg border border-line bg-surface px-4 pb-1" aria-labelledby="attributes-title">
            <div class="flex min-h-12 items-center justify-between gap-3">
                <h2 id="attributes-title" class="text-heading font-semibold">"Attributes"</h2>
                <Show when=move || may.get()>
                    <Button
                        variant=Variant::Ghost
                        size=Size::Compact
                        glyph=Glyph::Pencil
                        on_press=move |()| page.editing.set(Some(now.get_untracked()))
                    >
                        "Edit" <span class="sr-only">" attributes"</span>
                    </Button>
                </Show>
            </div>
            {move || {
                // Tracking alone does not run a memo that was never read.
                shown.with(|_| ());
                view! { <AttributeList key=now.with_untracked(|now| now.key.clone())/> }
            }}
        </section>
    }
}
