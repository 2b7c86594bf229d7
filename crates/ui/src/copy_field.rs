//! The field that shows a new secret once, and copies it.

use leptos::prelude::*;

use super::button::{Size, Variant, button_class};
use super::clipboard::{Copied, Copier};
use super::icon::{Glyph, Icon};

const COPIED: &str = "inline-flex h-8 shrink-0 cursor-pointer items-center justify-center gap-1.5 rounded-sm \
    px-3 text-table font-medium text-ok-ink max-md:h-11";

/// A text and the button that copies it, where a dialog's focus starts. Once copied it says so for
/// as long as it is there.
#[component]
pub fn CopyField(
    /// What the text is, for screen readers.
    label: &'static str,
    /// The text. It is read when it is shown or copied, and kept nowhere.
    #[prop(into)]
    text: Signal<String>,
    /// Label of the button.
    action: &'static str,
    /// The button's state, from [`Copier::that_stays`].
    copier: Copier,
) -> impl IntoView {
    let is_copied = move || copier.state() == Copied::Yes;
    let refused = move || copier.state() == Copied::Refused;
    let copy = move |_| copier.copy(text.get_untracked());
    view! {
        <div
            role="group"
            aria-label=label
            class="flex min-h-11 items-center gap-3 rounded-sm border py-1 pr-1 pl-3.5 max-md:flex-col max-md:items-stretch max-md:p-3.5"
            class=(["border-ok-line", "bg-ok-soft"], is_copied)
            class=(["border-control", "bg-subtle"], move || !is_copied())
        >
            <code
                class="min-w-0 grow font-mono text-[13.5px] leading-5 break-all text-ink select-all"
                node_ref=copier.shown
            >
                {text}
            </code>
            // One button for both states, so that it keeps the focus.
            <button
                type="button"
                class=move || if is_copied() { COPIED.to_owned() } else { button_class(Variant::Primary, Size::Default) }
                autofocus=true
                on:click=copy
            >
                {move || {
                    let glyph = if is_copied() { Glyph::Check } else { Glyph::Copy };
                    view! { <Icon glyph size=14/> }
                }}
                {move || if is_copied() { "Copied" } else { action }}
            </button>
        </div>
        <p class="text-caption text-ink-2" class:sr-only=move || !refused() role="status">
            {move || copier.words()}
        </p>
    }
}
