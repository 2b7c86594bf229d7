//! The logo: a key whose stem and bit draw an L. Never recoloured.

use leptos::prelude::*;

/// Logo without the product's name.
#[component]
pub fn Logo(
    /// Its edge in pixels: 22 in the sidebar, 28 on the login page.
    #[prop(default = 22)]
    size: u8,
) -> impl IntoView {
    view! {
        <svg
            class="shrink-0 text-on-primary"
            width=size.to_string()
            height=size.to_string()
            viewBox="0 0 24 24"
            fill="none"
            stroke="currentColor"
            stroke-width="2"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
        >
            <rect class="fill-primary stroke-none" width="24" height="24" rx="6"></rect>
            <circle cx="9" cy="8" r="2.75"></circle>
            <path d="M9 10.75V18h7.25M13.25 18v-2.75"></path>
        </svg>
    }
}

/// The mark with the name beside it.
#[component]
pub fn Wordmark() -> impl IntoView {
    view! {
        <span class="inline-flex items-center gap-2">
            <Logo/>
            <span class="text-heading font-semibold">"Latchkey"</span>
        </span>
    }
}
