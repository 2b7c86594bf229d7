//! Text fields.

use leptos::html::Input;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// A labelled text field. When an error appears, focus goes to the first bad field of the page.
#[component]
pub fn TextField(
    /// Its id and its name in the form.
    name: &'static str,
    /// The label above it.
    label: &'static str,
    /// What is written in it.
    value: RwSignal<String>,
    /// What is worth knowing, below it; an error takes its place.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The unit, at its end.
    #[prop(optional)]
    suffix: Option<&'static str>,
    /// An example of a value.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// The most characters that can be typed.
    #[prop(optional)]
    maxlength: Option<u32>,
    /// Whether a dialog's focus starts here.
    #[prop(optional)]
    autofocus: bool,
    /// Whether it can't be changed now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// The element, for who wants to focus or select it.
    #[prop(optional)]
    node_ref: NodeRef<Input>,
) -> impl IntoView {
    let bad = move || error.with(Option::is_some);
    let about = format!("{name}-about");
    let described = hint.is_some();
    focus_when_bad(error);
    view! {
        <div class="flex flex-col gap-1.5">
            <label for=name class="text-table font-medium">{label}</label>
            <div
                class="field-focus flex h-9 items-center rounded-sm border bg-surface transition-colors duration-[120ms] max-md:h-11"
                class:border-danger=bad
                class:border-control=move || !bad()
            >
                <input
                    id=name
                    name=name
                    type="text"
                    class="h-full min-w-0 grow rounded-sm bg-transparent px-2.5 text-table outline-none disabled:bg-subtle disabled:text-ink-off max-md:text-[1rem]"
                    autocomplete="off"
                    spellcheck="false"
                    autofocus=autofocus
                    placeholder=placeholder
                    maxlength=maxlength.map(|most| most.to_string())
                    disabled=disabled
                    aria-invalid=move || bad().then_some("true")
                    aria-describedby=move || (described || bad()).then(|| format!("{name}-about"))
                    prop:value=value
                    on:input:target=move |event| value.set(event.target().value())
                    node_ref=node_ref
                />
                {suffix.map(|unit| view! { <span class="pr-2.5 text-table text-ink-3">{unit}</span> })}
            </div>
            <div id=about class="text-caption" class:hidden=move || !described && !bad()>
                {move || match error.get() {
                    Some(error) => view! { <FieldError>{error}</FieldError> }.into_any(),
                    None => view! { <p class="text-ink-3">{hint.clone()}</p> }.into_any(),
                }}
            </div>
        </div>
    }
}

/// What is wrong with a field, below it.
#[component]
pub fn FieldError(
    /// The message, a sentence.
    children: Children,
) -> impl IntoView {
    view! {
        <p class="flex items-start gap-1 text-danger-ink">
            <Icon glyph=Glyph::CircleX size=12 class="mt-0.5"/>
            <span>{children()}</span>
        </p>
    }
}

/// Moves focus to the first bad field of the page when `error` appears.
fn focus_when_bad(error: Signal<Option<String>>) {
    Effect::new(move |before: Option<bool>| {
        let bad = error.with(Option::is_some);
        if bad && before == Some(false) {
            request_animation_frame(|| {
                let first = document().query_selector("[aria-invalid=true]").ok().flatten();
                super::focus(first);
            });
        }
        bad
    });
}
