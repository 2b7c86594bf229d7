//! Shown in place of an empty list.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// An icon, a heading, one sentence, and one or two buttons.
#[component]
pub fn EmptyState(
    /// Icon that is shown.
    glyph: Glyph,
    /// Title of the empty state.
    #[prop(into)]
    title: String,
    /// Sentence below the title.
    #[prop(into)]
    text: String,
    /// The buttons, or a command to try.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center px-6 py-6 text-center">
            <span class="flex size-9 items-center justify-center rounded-md border border-line bg-subtle text-ink-2">
                <Icon glyph/>
            </span>
            <h3 class="mt-3 text-heading font-semibold">{title}</h3>
            <p class="mt-1 max-w-[24rem] text-table text-ink-2">{text}</p>
            {children
                .map(|children| {
                    view! { <div class="mt-4 flex max-w-full flex-wrap justify-center gap-2">{children()}</div> }
                })}
        </div>
    }
}
