//! A choice of two to five short options, all visible.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// An option of a segmented control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Value of the option.
    pub value: &'static str,
    /// Label of the option.
    pub label: &'static str,
    /// Shown before the label.
    pub mark: Mark,
}

impl Segment {
    /// An option with only a label.
    pub const fn new(value: &'static str, label: &'static str) -> Self {
        Self { value, label, mark: Mark::None }
    }

    /// The same option with `mark` before its label.
    #[must_use]
    pub const fn marked(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }
}

/// Shown before an option's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// No icon beside the label.
    None,
    /// An icon beside the label.
    Icon(Glyph),
    /// The filled dot of live.
    Live,
    /// The dashed ring of test.
    Test,
}

/// How high the control is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Track {
    /// 28, in a menu, whose up and down arrows lead past it.
    Menu,
    /// 32 px high, for toolbars.
    Toolbar,
    /// 36, in forms, as wide as the form.
    #[default]
    Form,
}

impl Track {
    const fn class(self) -> &'static str {
        match self {
            Self::Menu => "flex h-7 text-caption max-md:h-11",
            Self::Toolbar => "inline-flex h-8 text-table max-md:h-11",
            Self::Form => "flex h-9 text-table max-md:h-11",
        }
    }

    /// What an option keeps free beside its label. Four of them have to fit into 320 pixels.
    const fn room(self) -> &'static str {
        match self {
            Self::Menu => "px-3",
            Self::Toolbar => "px-3 max-md:px-4",
            Self::Form => "px-3 max-md:px-1.5",
        }
    }
}

/// The control: a radio group with one tab stop, whose arrows move and select.
#[component]
pub fn Segmented(
    /// What is chosen here, for screen readers.
    #[prop(into)]
    label: String,
    /// The options, two to five.
    options: &'static [Segment],
    /// The chosen option's value.
    #[prop(into)]
    value: Signal<&'static str>,
    /// Called with the value that a person chooses.
    #[prop(into)]
    on_change: Callback<&'static str>,
    /// How high it is.
    #[prop(optional)]
    track: Track,
    /// Whether a dialog's focus starts here.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    let in_menu = track == Track::Menu;
    let (group_role, option_role) =
        if in_menu { ("group", "menuitemradio") } else { ("radiogroup", "radio") };
    let group = NodeRef::new();
    let choose = move |index: usize| {
        on_change.run(options[index].value);
        let group: Option<web_sys::HtmlDivElement> = group.get_untracked();
        let button =
            group.and_then(|group| group.children().item(u32::try_from(index).unwrap_or_default()));
        super::focus(button);
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let chosen = value.get_untracked();
        let now = options.iter().position(|option| option.value == chosen).unwrap_or_default();
        let last = options.len() - 1;
        let to = match event.key().as_str() {
            "ArrowRight" => (now + 1) % options.len(),
            "ArrowLeft" => now.checked_sub(1).unwrap_or(last),
            "ArrowDown" if !in_menu => (now + 1) % options.len(),
            "ArrowUp" if !in_menu => now.checked_sub(1).unwrap_or(last),
            "Home" if !in_menu => 0,
            "End" if !in_menu => last,
            _ => return,
        };
        event.prevent_default();
        choose(to);
    };
    view! {
        <div
            role=group_role
            aria-label=label
            class=format!(
                "max-w-full rounded-sm border border-line-strong bg-subtle p-px {}",
                track.class(),
            )
            node_ref=group
            on:keydown=on_key
        >
            {options
                .iter()
                .enumerate()
                .map(|(index, option)| {
                    let chosen = Signal::derive(move || value.get() == option.value);
                    view! {
                        <button
                            type="button"
                            role=option_role
                            class=format!("{} inline-flex min-w-0 grow basis-0 cursor-pointer items-center justify-center gap-1.5 rounded-[5px] border whitespace-nowrap transition-colors duration-[120ms]", track.room())
                            class=(["border-line-strong", "bg-thumb", "font-medium", "text-ink", "shadow-xs"], chosen)
                            class=(["border-transparent", "text-ink-2", "hover:text-ink"], move || !chosen.get())
                            aria-checked=move || chosen.get().to_string()
                            tabindex=move || if chosen.get() { "0" } else { "-1" }
                            autofocus=autofocus && chosen.get_untracked()
                            on:click=move |_| choose(index)
                        >
                            {mark(option.mark)}
                            {option.label}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

fn mark(mark: Mark) -> Option<AnyView> {
    match mark {
        Mark::None => None,
        Mark::Icon(glyph) => Some(view! { <Icon glyph size=14/> }.into_any()),
        Mark::Live => {
            Some(view! { <span class="size-1.5 rounded-full bg-accent"></span> }.into_any())
        }
        Mark::Test => Some(
            view! { <span class="size-[7px] rounded-full border border-test-ink"></span> }
                .into_any(),
        ),
    }
}
