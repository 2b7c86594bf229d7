//! The button below a list that loads more rows.

use leptos::prelude::*;

use super::button::Button;

/// How the last request for more rows went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// None is under way.
    Idle,
    /// The next page is loading.
    Loading,
    /// It failed and can be retried.
    Failed,
}

/// The button, for as long as there is more.
#[component]
pub fn LoadMore(
    /// Label of the button.
    label: &'static str,
    /// Whether there is more.
    there: Signal<bool>,
    /// How the last request went.
    state: Signal<More>,
    /// Called to load the next page.
    #[prop(into)]
    on_press: Callback<()>,
) -> impl IntoView {
    let busy = Signal::derive(move || state.get() == More::Loading);
    view! {
        <Show when=move || there.get()>
            <div class="mt-3 flex flex-col items-center gap-2">
                <Button busy busy_label="Loading…" on_press>{label}</Button>
                <p class="text-table text-danger-ink" role="status">
                    {move || (state.get() == More::Failed).then_some("Couldn’t load more. Try again.")}
                </p>
            </div>
        </Show>
    }
}
