//! Text fields.

use leptos::html::Input;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};

const BOX: &str =
    "field-focus flex rounded-sm border bg-surface transition-colors duration-[120ms]";

const INPUT: &str = "min-w-0 grow rounded-sm bg-transparent px-2.5 text-table outline-none \
    disabled:bg-subtle disabled:text-ink-off max-md:text-[1rem]";

/// A labelled text field. When an error appears, focus goes to the first bad field of the page.
#[component]
pub fn TextField(
    /// Its id and its name in the form.
    name: &'static str,
    /// The label above it.
    label: &'static str,
    /// What is written in it.
    value: RwSignal<String>,
    /// What kind of text it takes, as HTML names it.
    #[prop(default = "text")]
    kind: &'static str,
    /// What is worth knowing, below it; an error takes its place.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The unit, at its end.
    #[prop(optional)]
    suffix: Option<&'static str>,
    /// Which keys a touch keyboard shows, as HTML names it.
    #[prop(optional)]
    keyboard: Option<&'static str>,
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
    /// Whether it is in a grid row of fields: only screen readers hear its label, and what is wrong
    /// is below the whole row.
    #[prop(optional)]
    in_row: bool,
    /// The element, for callers that focus or select it.
    #[prop(optional)]
    node_ref: NodeRef<Input>,
) -> impl IntoView {
    let bad = move || error.with(Option::is_some);
    let input = view! {
        <div
            class=format!("{BOX} h-9 items-center max-md:h-11")
            class:border-danger=bad
            class:border-control=move || !bad()
        >
            <input
                id=name
                name=name
                type=kind
                class=format!("{INPUT} h-full")
                autocomplete="off"
                spellcheck="false"
                autofocus=autofocus
                inputmode=keyboard
                placeholder=placeholder
                maxlength=maxlength.map(|most| most.to_string())
                disabled=disabled
                aria-invalid=move || bad().then_some("true")
                aria-describedby=described_by(name, hint, error)
                prop:value=value
                on:input:target=move |event| value.set(event.target().value())
                node_ref=node_ref
            />
            {suffix.map(|unit| view! { <span class="pr-2.5 text-table text-ink-3">{unit}</span> })}
        </div>
    };
    view! { <Labelled name label hint error in_row>{input}</Labelled> }
}

/// A labelled text field of a form that the browser sends itself. What is typed before the page's
/// code has arrived stays.
#[component]
pub fn PlainField(
    /// Its id and its name in the form.
    name: &'static str,
    /// The label above it.
    label: &'static str,
    /// What is worth knowing, below it.
    #[prop(into)]
    hint: MaybeProp<String>,
    /// The element, for callers that set its text.
    node_ref: NodeRef<Input>,
) -> impl IntoView {
    let error = Signal::stored(None);
    let input = view! {
        <div class=format!("{BOX} h-11 items-center border-control")>
            <input
                id=name
                name=name
                type="text"
                class=format!("{INPUT} h-full")
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                aria-describedby=described_by(name, hint, error)
                node_ref=node_ref
            />
        </div>
    };
    view! { <Labelled name label hint error>{input}</Labelled> }
}

/// A labelled field of several lines.
#[component]
pub fn TextArea(
    /// Its id and its name in the form.
    name: &'static str,
    /// The label above it.
    label: &'static str,
    /// What is written in it.
    value: RwSignal<String>,
    /// What is worth knowing, below it; an error takes its place.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// An example of a value.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// Whether it takes sentences. Otherwise it takes what programs read.
    #[prop(optional)]
    prose: bool,
) -> impl IntoView {
    let bad = move || error.with(Option::is_some);
    let look = if prose { "" } else { "font-mono" };
    let area = view! {
        <div class=BOX class:border-danger=bad class:border-control=move || !bad()>
            <textarea
                id=name
                name=name
                rows="3"
                class=format!("{INPUT} resize-y py-2 {look}")
                autocomplete="off"
                spellcheck=prose.to_string()
                placeholder=placeholder
                aria-invalid=move || bad().then_some("true")
                aria-describedby=described_by(name, hint, error)
                prop:value=value
                on:input:target=move |event| value.set(event.target().value())
            ></textarea>
        </div>
    };
    view! { <Labelled name label hint error>{area}</Labelled> }
}

/// A labelled field for a file. The browser keeps the file: callers read it off the element.
#[component]
pub fn FileField(
    /// Its id and its name in the form.
    name: &'static str,
    /// The label above it.
    label: &'static str,
    /// The kinds of files that are offered first, as HTML lists them.
    accept: &'static str,
    /// What is worth knowing, below it; an error takes its place.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the file.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Called when another file is chosen, or none is any more.
    #[prop(into)]
    on_change: Callback<()>,
    /// The element, which has the file.
    node_ref: NodeRef<Input>,
) -> impl IntoView {
    let bad = move || error.with(Option::is_some);
    // A corrected file has the name of the one before, and the browser would not report it.
    let forget = move |_| {
        if let Some(input) = node_ref.get_untracked() {
            input.set_value("");
            on_change.run(());
        }
    };
    let input = view! {
        <div
            class=format!("{BOX} items-center overflow-hidden")
            class:border-danger=bad
            class:border-control=move || !bad()
        >
            <input
                id=name
                name=name
                type="file"
                class="min-w-0 grow cursor-pointer truncate text-table text-ink-2 outline-none file:mr-3 file:h-9 \
                file:cursor-pointer file:border-r file:border-line-strong file:bg-subtle file:px-3 file:font-medium \
                file:text-ink max-md:text-[1rem] max-md:file:h-11"
                accept=accept
                aria-invalid=move || bad().then_some("true")
                aria-describedby=described_by(name, hint, error)
                on:click=forget
                on:change=move |_| on_change.run(())
                node_ref=node_ref
            />
        </div>
    };
    view! { <Labelled name label hint error>{input}</Labelled> }
}

/// ID of the text below a field, if there is one.
fn described_by(
    name: &'static str,
    hint: MaybeProp<String>,
    error: Signal<Option<String>>,
) -> impl Fn() -> Option<String> + Clone {
    move || {
        let says_something = error.with(Option::is_some) || hint.with(Option::is_some);
        says_something.then(|| format!("{name}-about"))
    }
}

/// The label above a field, and the hint or the error below it.
#[component]
fn Labelled(
    name: &'static str,
    label: &'static str,
    hint: MaybeProp<String>,
    error: Signal<Option<String>>,
    #[prop(optional)] in_row: bool,
    children: Children,
) -> impl IntoView {
    focus_when_bad(error);
    let described = described_by(name, hint, error);
    let (class, label_class, about_class) = if in_row {
        ("contents", "sr-only", "order-last col-span-full text-caption")
    } else {
        ("flex flex-col gap-1.5", "text-table font-medium", "text-caption")
    };
    view! {
        <div class=class>
            <label for=name class=label_class>{label}</label>
            {children()}
            <div id=format!("{name}-about") class=about_class class:hidden=move || described().is_none()>
                <HintOrError hint error/>
            </div>
        </div>
    }
}

/// What is worth knowing about a field, or what is wrong with it.
#[component]
pub fn HintOrError(
    /// What is worth knowing.
    hint: MaybeProp<String>,
    /// What is wrong; it takes the hint's place.
    error: Signal<Option<String>>,
) -> impl IntoView {
    move || match error.get() {
        Some(error) => view! { <FieldError>{error}</FieldError> }.into_any(),
        None => view! { <p class="text-ink-3">{hint.get()}</p> }.into_any(),
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
            focus_first_bad();
        }
        bad
    });
}

/// Moves focus to the first invalid field of the page.
pub fn focus_first_bad() {
    request_animation_frame(|| {
        super::focus(document().query_selector("[aria-invalid=true]").ok().flatten());
    });
}
