//! A choice of one of many options.
//!
//! With a mouse it is a button and a listbox of our own, on touch screens the browser's select,
//! which is easier to use with fingers. Both are in the page, and the style sheet shows one of
//! them.

use std::time::Duration;

use latchkey_domain::time::Timestamp;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use super::popover::{Edge, POPOVER_CLASS, show_popover};
use super::relative_time::browser_time;

/// An option of a select field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Value of the option.
    pub value: String,
    /// Label of the option.
    pub label: String,
}

impl Choice {
    /// An option of that value and label.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// Where a select is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelectPlace {
    /// In a form: 36 high and as wide as the form, its label above it.
    #[default]
    Form,
    /// In a toolbar or a table cell: 32 px high, with a label for screen readers only.
    Toolbar,
    /// In a form, beside other fields: as high as they are, with a label for screen readers only.
    Row,
}

impl SelectPlace {
    const fn class(self) -> &'static str {
        match self {
            Self::Form | Self::Row => "h-9 w-full border-control max-md:h-11 max-md:text-[1rem]",
            Self::Toolbar => "h-8 w-full border-line-strong max-md:h-11",
        }
    }
}

const FIELD: &str = "field-focus min-w-0 cursor-pointer rounded-sm border bg-surface px-2.5 text-left text-table text-ink";

/// How long a person may take between two letters of a word that they type to find an option.
const TYPING: Duration = Duration::from_millis(500);

/// The select: arrows, Home, End and letters move, Enter chooses, Esc closes.
#[component]
pub fn Select(
    /// What its ids begin with, and its name in the form.
    #[prop(into)]
    name: String,
    /// What is chosen here.
    #[prop(into)]
    label: Signal<String>,
    /// Options to choose from.
    #[prop(into)]
    options: Signal<Vec<Choice>>,
    /// The chosen option's value.
    #[prop(into)]
    value: Signal<String>,
    /// Called with the value that a person chooses.
    #[prop(into)]
    on_change: Callback<String>,
    /// Where the element is shown.
    #[prop(optional)]
    place: SelectPlace,
    /// ID of the text below it.
    #[prop(optional)]
    described_by: Option<&'static str>,
) -> impl IntoView {
    let label_id = format!("{name}-label");
    let root = NodeRef::<html::Div>::new();
    let list = Listbox {
        name: StoredValue::new(name.clone()),
        options,
        value,
        on_change,
        open: RwSignal::new(false),
        active: RwSignal::new(0),
        typed: StoredValue::new((String::new(), None)),
    };
    let label_class = if place == SelectPlace::Form { "text-table font-medium" } else { "sr-only" };
    let look = place.class();
    view! {
        <div class="flex min-w-0 flex-col gap-1.5">
            <span id=label_id.clone() class=label_class>{label}</span>
            <select
                name=name
                class=format!("{FIELD} {look} pointer-fine:hidden")
                aria-labelledby=label_id
                aria-describedby=described_by
                prop:value=value
                on:change:target=move |event| on_change.run(event.target().value())
            >
                {move || {
                    let chosen = value.get();
                    let option = |Choice { value, label }: Choice| {
                        let selected = value == chosen;
                        view! { <option value=value selected=selected>{label}</option> }
                    };
                    options.get().into_iter().map(option).collect_view()
                }}
            </select>
            <div class="hidden pointer-fine:block" node_ref=root>
                <Opener list look described_by/>
                <Show when=move || list.open.get()>
                    <Options root list/>
                </Show>
            </div>
        </div>
    }
}

/// The options and which of them is where.
#[derive(Clone, Copy)]
struct Listbox {
    /// What the ids of its parts begin with.
    name: StoredValue<String>,
    options: Signal<Vec<Choice>>,
    value: Signal<String>,
    on_change: Callback<String>,
    open: RwSignal<bool>,
    /// The option that Enter would choose.
    active: RwSignal<usize>,
    /// What was typed to find an option, and when last.
    typed: StoredValue<(String, Option<Timestamp>)>,
}

impl Listbox {
    /// The id of a part.
    fn id(self, part: &str) -> String {
        self.name.with_value(|name| format!("{name}-{part}"))
    }

    fn option_id(self, index: usize) -> String {
        self.id(&format!("option-{index}"))
    }

    fn chosen(self) -> usize {
        let value = self.value.get_untracked();
        self.options.with_untracked(|all| all.iter().position(|it| it.value == value)).unwrap_or(0)
    }

    fn show(self) {
        self.active.set(self.chosen());
        self.open.set(true);
    }

    fn choose(self, index: usize) {
        self.open.set(false);
        let chosen = self.options.with_untracked(|all| all.get(index).map(|it| it.value.clone()));
        if let Some(value) = chosen {
            self.on_change.run(value);
        }
    }

    fn on_key(self, event: &KeyboardEvent) {
        let key = event.key();
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if self.open.get_untracked() {
            let last = self.options.with_untracked(Vec::len).saturating_sub(1);
            let active = self.active.get_untracked();
            match key.as_str() {
                "Escape" => {
                    // The dialog around it stays.
                    event.stop_propagation();
                    self.open.set(false);
                }
                "Enter" => self.choose(active),
                " " if !self.is_typing() => self.choose(active),
                "ArrowDown" => self.active.set((active + 1).min(last)),
                "ArrowUp" => self.active.set(active.saturating_sub(1)),
                "Home" => self.active.set(0),
                "End" => self.active.set(last),
                "Tab" => {
                    self.choose(active);
                    return;
                }
                letter if plain && letter.chars().count() == 1 => self.find(letter),
                _ => return,
            }
        } else {
            match key.as_str() {
                "ArrowDown" | "ArrowUp" | "Enter" | " " => self.show(),
                letter if plain && letter.chars().count() == 1 => {
                    self.show();
                    self.find(letter);
                }
                _ => return,
            }
        }
        event.prevent_default();
    }

    fn is_typing(self) -> bool {
        let now = browser_time();
        self.typed.with_value(|(_, last)| {
            last.zip(now).is_some_and(|(last, now)| now.since(last) < TYPING)
        })
    }

    /// Moves to the next option that starts with the typed text.
    fn find(self, letter: &str) {
        let before = if self.is_typing() {
            self.typed.with_value(|typed| typed.0.clone())
        } else {
            String::new()
        };
        let word = format!("{before}{}", letter.to_lowercase());
        let found = self.options.with_untracked(|all| {
            starting_with(all, &word, self.active.get_untracked(), before.is_empty())
        });
        self.typed.set_value((word, browser_time()));
        if let Some(found) = found {
            self.active.set(found);
        }
    }
}

/// The first option from `active` on, around the end, whose label begins with `word`. A first
/// letter looks beyond `active`, so that typing it again goes on to the next.
fn starting_with(options: &[Choice], word: &str, active: usize, is_first: bool) -> Option<usize> {
    let from = active + usize::from(is_first);
    (from..from + options.len())
        .map(|index| index % options.len())
        .find(|index| options[*index].label.to_lowercase().starts_with(word))
}

#[component]
fn Opener(list: Listbox, look: &'static str, described_by: Option<&'static str>) -> impl IntoView {
    let chosen = move || {
        let value = list.value.get();
        list.options.with(|all| {
            all.iter().find(|it| it.value == value).map(|it| it.label.clone()).unwrap_or_default()
        })
    };
    let active = move || list.open.get().then(|| list.option_id(list.active.get()));
    view! {
        <button
            type="button"
            role="combobox"
            id=list.name.get_value()
            class=format!("{FIELD} {look} flex items-center gap-2")
            aria-labelledby=format!("{} {}", list.id("label"), list.id("value"))
            aria-describedby=described_by
            aria-haspopup="listbox"
            aria-expanded=move || list.open.get().to_string()
            aria-controls=list.id("list")
            aria-activedescendant=active
            on:click=move |_| if list.open.get_untracked() { list.open.set(false) } else { list.show() }
            on:keydown=move |event| list.on_key(&event)
            on:blur=move |_| list.open.set(false)
        >
            <span id=list.id("value") class="min-w-0 grow truncate">{chosen}</span>
            <Icon glyph=Glyph::ChevronsUpDown size=14 class="text-ink-3"/>
        </button>
    }
}

#[component]
fn Options(root: NodeRef<html::Div>, list: Listbox) -> impl IntoView {
    let element = NodeRef::<html::Ul>::new();
    show_popover(root, element, Edge::Start);
    // Scroll the option that the arrow keys reach into view.
    Effect::new(move || {
        let active = list.active.get();
        let Some(element) = element.get() else { return };
        if let Some(option) = element.children().item(u32::try_from(active).unwrap_or_default()) {
            option.scroll_into_view_with_scroll_into_view_options(&nearest());
        }
    });
    let option = move |(index, Choice { value, label }): (usize, Choice)| {
        let is_chosen = Signal::derive(move || list.value.get() == value);
        let is_active = move || list.active.get() == index;
        view! {
            <li
                role="option"
                id=list.option_id(index)
                class="flex h-8 cursor-pointer items-center gap-2 rounded-xs px-2 text-ink-2"
                class=(["bg-hover", "text-ink"], is_active)
                aria-selected=move || is_chosen.get().to_string()
                // The button keeps the focus.
                on:mousedown=|event| event.prevent_default()
                on:mouseenter=move |_| list.active.set(index)
                on:click=move |_| list.choose(index)
            >
                <span class="inline-flex w-4 shrink-0 text-accent">
                    {move || is_chosen.get().then(|| view! { <Icon glyph=Glyph::Check/> })}
                </span>
                <span class="min-w-0 truncate">{label}</span>
            </li>
        }
    };
    view! {
        <ul
            role="listbox"
            popover="manual"
            id=list.id("list")
            class=format!("{POPOVER_CLASS} max-h-64 overflow-y-auto")
            aria-labelledby=list.id("label")
            node_ref=element
        >
            {move || list.options.get().into_iter().enumerate().map(option).collect_view()}
        </ul>
    }
}

fn nearest() -> web_sys::ScrollIntoViewOptions {
    let options = web_sys::ScrollIntoViewOptions::new();
    options.set_block(web_sys::ScrollLogicalPosition::Nearest);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_find_the_next_option() {
        let options: Vec<Choice> =
            ["All applications", "web", "worker", "admin"].map(|it| Choice::new(it, it)).into();
        assert_eq!(starting_with(&options, "w", 0, true), Some(1));
        assert_eq!(starting_with(&options, "w", 1, true), Some(2));
        assert_eq!(starting_with(&options, "w", 2, true), Some(1));
        assert_eq!(starting_with(&options, "we", 1, false), Some(1));
        assert_eq!(starting_with(&options, "ad", 0, false), Some(3));
        assert_eq!(starting_with(&options, "x", 0, true), None);
        assert_eq!(starting_with(&[], "x", 0, true), None);
    }
}
