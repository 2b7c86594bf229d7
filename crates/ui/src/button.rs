//! Buttons, and links that look like them.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// How much a button asks for attention. One primary button per view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// The one thing to do here.
    Primary,
    /// Any other action.
    #[default]
    Secondary,
    /// No box until it is pointed at.
    Ghost,
    /// Destroys; only inside a confirm.
    Danger,
    /// Opens the confirm of something that destroys.
    DangerOutline,
}

impl Variant {
    const fn class(self) -> &'static str {
        match self {
            Self::Primary => {
                "border-transparent bg-primary text-on-primary hover:bg-primary-hover active:bg-primary-press"
            }
            Self::Secondary => {
                "border-line-strong bg-raised text-ink shadow-xs hover:bg-hover active:bg-pressed"
            }
            Self::Ghost => {
                "border-transparent text-ink-2 hover:bg-hover hover:text-ink active:bg-pressed"
            }
            Self::Danger => "border-transparent bg-danger text-on-danger hover:bg-danger-hover",
            Self::DangerOutline => {
                "border-line-strong bg-raised text-danger-ink shadow-xs hover:border-danger-line hover:bg-danger-soft"
            }
        }
    }
}

/// How high a button is. On phones all are 44.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// 28, inside rows and cards.
    Compact,
    /// 32 px, the default height.
    #[default]
    Default,
    /// 44 everywhere, on the login page.
    Large,
}

impl Size {
    const fn class(self) -> &'static str {
        match self {
            Self::Compact => "h-7 px-2.5 text-table max-md:h-11 max-md:px-3",
            Self::Default => "h-8 px-3 text-table max-md:h-11 max-md:px-4 max-md:text-body",
            Self::Large => "h-11 px-4 text-body",
        }
    }
}

const SHAPE: &str = "inline-flex shrink-0 cursor-pointer items-center justify-center gap-1.5 \
    rounded-sm border font-medium whitespace-nowrap select-none transition-colors duration-[120ms] \
    disabled:cursor-default disabled:border-line disabled:bg-subtle disabled:text-ink-off disabled:shadow-none";

/// The classes of a button, for an `<a>` that looks like one.
pub fn button_class(variant: Variant, size: Size) -> String {
    format!("{SHAPE} {} {}", variant.class(), size.class())
}

/// A button. While `busy` it shows a spinner and `busy_label`, keeps its width, and ignores
/// presses.
#[component]
pub fn Button(
    /// How much attention it asks for.
    #[prop(optional)]
    variant: Variant,
    /// Height of the button.
    #[prop(optional)]
    size: Size,
    /// An icon before the label.
    #[prop(optional, into)]
    glyph: Option<Glyph>,
    /// Whether what it started is still going on.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// The label while busy, e.g. “Creating…”.
    #[prop(optional)]
    busy_label: &'static str,
    /// Whether it is disabled; the page says nearby why.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether it submits the form around it.
    #[prop(optional)]
    submit: bool,
    /// Whether a dialog's focus starts here.
    #[prop(optional)]
    autofocus: bool,
    /// More classes, for its place.
    #[prop(optional)]
    class: &'static str,
    /// What it does. A submit button needs none.
    #[prop(optional, into)]
    on_press: Option<Callback<()>>,
    /// Label of the button.
    children: Children,
) -> impl IntoView {
    let press = move |event: leptos::ev::MouseEvent| {
        if busy.get_untracked() {
            event.prevent_default();
        } else if let Some(on_press) = on_press {
            on_press.run(());
        }
    };
    view! {
        <button
            type=if submit { "submit" } else { "button" }
            class=format!("{} {class}", button_class(variant, size))
            disabled=disabled
            autofocus=autofocus
            aria-busy=move || busy.get().then_some("true")
            on:click=press
        >
            <span class="grid items-center justify-items-center *:col-start-1 *:row-start-1">
                <span class="inline-flex items-center gap-1.5" class:invisible=busy>
                    {glyph.map(|glyph| view! { <Icon glyph size=14/> })}
                    {children()}
                </span>
                {(!busy_label.is_empty()).then(|| view! { <Waiting busy label=busy_label/> })}
            </span>
        </button>
    }
}

/// Spinner and label of a busy button. They always take their space, so that its width is constant.
#[component]
fn Waiting(busy: Signal<bool>, label: &'static str) -> impl IntoView {
    view! {
        <span class="inline-flex items-center gap-1.5" class:invisible=move || !busy.get()>
            <Spinner/>
            {label}
        </span>
    }
}

/// A spinner. Hidden from users who prefer reduced motion, because the label says the same.
#[component]
pub fn Spinner() -> impl IntoView {
    view! {
        <span
            class="size-3.5 shrink-0 animate-spin rounded-full border-2 border-current border-r-transparent motion-reduce:hidden"
            aria-hidden="true"
        ></span>
    }
}

/// A square button with only an icon.
#[component]
pub fn IconButton(
    /// Icon that is shown.
    glyph: Glyph,
    /// What it does to what, for screen readers: “Revoke Web checkout”.
    #[prop(into)]
    label: Signal<String>,
    /// The verb, shown on hover after a moment.
    #[prop(optional)]
    tooltip: Option<&'static str>,
    /// Whether the action is destructive.
    #[prop(optional)]
    danger: bool,
    /// Whether it can't be pressed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// More classes, for its place.
    #[prop(optional)]
    class: &'static str,
    /// Called when the button is pressed.
    #[prop(into)]
    on_press: Callback<()>,
) -> impl IntoView {
    let look = if danger {
        "hover:bg-danger-soft hover:text-danger-ink"
    } else {
        "hover:bg-hover hover:text-ink"
    };
    view! {
        <button
            type="button"
            class=format!(
                "tooltip inline-flex size-7 shrink-0 cursor-pointer items-center justify-center rounded-sm \
                text-ink-3 transition-colors duration-[120ms] max-md:size-11 disabled:cursor-default \
                disabled:text-ink-off {look} {class}",
            )
            aria-label=label
            data-tip=tooltip
            disabled=disabled
            on:click=move |_| on_press.run(())
        >
            <Icon glyph/>
        </button>
    }
}
