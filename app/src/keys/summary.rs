//! Which key a dialog is about.

use latchkey_domain::api::ListedKey;
use latchkey_domain::key::KeyKind;
use leptos::prelude::*;

use super::KeyScope;
use latchkey_ui::environment_tag::EnvironmentTag;
use latchkey_ui::masked_key::MaskedKey;

/// The key's name, environment, masked form and what it is for, in a box.
#[component]
pub fn KeySummary(
    /// Key that the row or dialog shows.
    listed: ListedKey,
    /// Whose key it is.
    scope: Signal<KeyScope>,
    /// What else there is to know about it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let key = listed.key;
    let place = move || match key.kind {
        KeyKind::Service => "Service key".to_owned(),
        KeyKind::Inference => "Inference key".to_owned(),
        KeyKind::Api => scope.with(|scope| scope.application_name(key.application_id)),
    };
    view! {
        <div class="rounded-md border border-line bg-subtle p-3.5">
            <div class="flex items-center justify-between gap-3">
                <span class="min-w-0 font-medium break-words">{key.name}</span>
                <EnvironmentTag environment=key.environment/>
            </div>
            <div class="mt-1 flex flex-wrap items-center justify-between gap-x-3">
                <MaskedKey hint=key.masked/>
                <span class="min-w-0 truncate text-caption text-ink-3">{place}</span>
            </div>
            {key
                .external_id
                .map(|id| {
                    view! {
                        <p class="mt-1 truncate text-caption text-ink-3">
                            "External ID " <span class="font-mono text-[11.5px]">{id.to_string()}</span>
                        </p>
                    }
                })}
            {children.map(|children| view! { <div class="mt-3 border-t border-line pt-3">{children()}</div> })}
        </div>
    }
}
