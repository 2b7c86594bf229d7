//! A checkbox with its label.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// A checkbox. Its whole label can be clicked.
#[component]
pub fn Checkbox(
    /// Its name in the form.
    name: &'static str,
    /// Whether it is ticked.
    checked: RwSignal<bool>,
    /// Whether a dialog's focus starts here.
    #[prop(optional)]
    autofocus: bool,
    /// Whether something is wrong with it.
    #[prop(optional, into)]
    invalid: Signal<bool>,
    /// ID of the text below it.
    #[prop(optional)]
    described_by: Option<&'static str>,
    /// Its label.
    children: Children,
) -> impl IntoView {
    view! {
        <label class="inline-flex min-h-6 cursor-pointer items-center gap-2 text-table max-md:min-h-11">
            <span class="relative inline-flex size-4 shrink-0">
                <input
                    type="checkbox"
                    name=name
                    autofocus=autofocus
                    aria-invalid=move || invalid.get().then_some("true")
                    aria-describedby=described_by
                    class="peer size-4 cursor-pointer appearance-none rounded-xs border border-control bg-surface checked:border-accent checked:bg-accent"
                    prop:checked=checked
                    on:change:target=move |event| checked.set(event.target().checked())
                />
                <span class="pointer-events-none absolute inset-0 hidden items-center justify-center text-surface peer-checked:flex">
                    <Icon glyph=Glyph::Check size=12/>
                </span>
            </span>
            <span>{children()}</span>
        </label>
    }
}
