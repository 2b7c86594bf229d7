//! The page for paths that don't exist, and for those that the user has no access to.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::layout::Workspace;
use latchkey_ui::button::{Size, Variant, button_class};
use latchkey_ui::mark::Wordmark;

/// The message and a link, inside the layout. What no longer exists may still be listed in the
/// workspace, so that is loaded again.
#[component]
pub fn NotFound() -> impl IntoView {
    if let Some(workspace) = use_context::<Workspace>() {
        Effect::new(move || {
            if workspace.is_loaded_untracked() {
                workspace.reload();
            }
        });
    }
    view! {
        <Title text="Not found · Latchkey"/>
        <div class="flex flex-col items-center px-6 py-16 text-center">
            <h1 class="text-title font-semibold outline-none" tabindex="-1">"Not found"</h1>
            <p class="mt-1 mb-4 text-body text-ink-2">
                "This page doesn’t exist, or you don’t have access to it."
            </p>
            <a href="/" class=button_class(Variant::Secondary, Size::Default)>"Go to applications"</a>
        </div>
    }
}

/// The whole page, for paths that no route has.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    view! {
        <header class="px-10 py-6 max-md:px-4">
            <a href="/" class="inline-block rounded-sm"><Wordmark/></a>
        </header>
        <main><NotFound/></main>
    }
}
