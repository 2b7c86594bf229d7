//! Shown in place of data that could not be loaded.

use leptos::prelude::*;

use crate::api::ApiError;
use latchkey_ui::button::Button;
use latchkey_ui::icon::{Glyph, Icon};

/// What failed, why, under which request id, and a button to try again.
#[component]
pub fn ErrorState(
    /// What failed: “Couldn’t load keys”.
    #[prop(into)]
    title: String,
    /// Error that occurred while loading.
    error: ApiError,
    /// What is still fine: “Your keys keep working.”
    #[prop(optional)]
    reassurance: &'static str,
    /// Called to load again.
    #[prop(into)]
    on_retry: Callback<()>,
) -> impl IntoView {
    let why = error.to_string();
    let request_id = error.into_request_id();
    view! {
        <div role="alert" class="flex flex-col items-center px-6 py-6 text-center">
            <span class="flex size-9 items-center justify-center rounded-md border border-line bg-subtle text-ink-2">
                <Icon glyph=Glyph::TriangleAlert/>
            </span>
            <h3 class="mt-3 text-heading font-semibold">{title}</h3>
            <p class="mt-1 max-w-[24rem] text-table text-ink-2">
                {why} " " {reassurance} " "
                {request_id.map(|id| view! { <code class="font-mono text-caption break-all text-ink-3">{id}</code> })}
            </p>
            <div class="mt-4">
                <Button glyph=Glyph::RefreshCw on_press=on_retry>"Try again"</Button>
            </div>
        </div>
    }
}
