//! A switch that takes effect at once.

use leptos::prelude::*;

/// A switch. Its whole label can be clicked.
#[component]
pub fn Switch(
    /// Whether it is on.
    #[prop(into)]
    on: Signal<bool>,
    /// Called with what a person wants it to be.
    #[prop(into)]
    on_change: Callback<bool>,
    /// Its label.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="button"
            role="switch"
            class="inline-flex min-h-8 cursor-pointer items-center gap-2 rounded-sm text-table text-ink-2 max-md:min-h-11"
            aria-checked=move || on.get().to_string()
            on:click=move |_| on_change.run(!on.get_untracked())
        >
            <span
                class="flex h-4 w-7 shrink-0 items-center rounded-full border px-px transition-colors duration-[120ms]"
                class=(["border-accent", "bg-accent", "justify-end"], on)
                class=(["border-control", "bg-control"], move || !on.get())
                aria-hidden="true"
            >
                <span class="size-3 rounded-full bg-surface"></span>
            </span>
            <span>{children()}</span>
        </button>
    }
}
