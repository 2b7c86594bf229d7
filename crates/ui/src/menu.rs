//! A button that opens a short list of actions.

use leptos::children::ViewFnOnce;
use leptos::ev::{FocusEvent, KeyboardEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Element, Node};

use super::icon::{Glyph, Icon};
use super::popover::{Edge, POPOVER_CLASS, show_popover};

/// Lets the items of a menu close it.
#[derive(Clone, Copy)]
pub struct MenuState {
    open: RwSignal<bool>,
    button: NodeRef<html::Button>,
}

impl MenuState {
    /// Closes the menu and gives focus back to its button.
    pub fn close(self) {
        self.open.set(false);
        super::focus(self.button.get_untracked().map(Into::into));
    }
}

/// Where a menu opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MenuPlace {
    /// Below the button, as wide as it.
    Below,
    /// Below the button, its right edge under the button's.
    #[default]
    BelowEnd,
}

impl MenuPlace {
    const fn class(self) -> &'static str {
        match self {
            Self::Below => "",
            Self::BelowEnd => "min-w-40",
        }
    }

    const fn edge(self) -> Edge {
        match self {
            Self::Below => Edge::Start,
            Self::BelowEnd => Edge::End,
        }
    }
}

/// A menu: a button, and what it opens. Arrows, Home and End move, Esc closes.
#[component]
pub fn Menu(
    /// What the button is called, for screen readers.
    #[prop(into)]
    label: Signal<String>,
    /// What the button shows.
    #[prop(into)]
    trigger: ViewFnOnce,
    /// Classes of the button that opens the menu.
    #[prop(into)]
    trigger_class: String,
    /// Where the menu opens.
    #[prop(optional)]
    place: MenuPlace,
    /// The items: `MenuItem`, `MenuDivider`, and what else belongs there.
    children: ChildrenFn,
) -> impl IntoView {
    let state = MenuState { open: RwSignal::new(false), button: NodeRef::new() };
    let MenuState { open, button } = state;
    let root = NodeRef::<html::Div>::new();
    close_on_press_outside(state, root);
    focus_first_item(state, root);
    let leave = move |event: FocusEvent| {
        let inside = event.related_target().is_none_or(|to| contains(root, &to));
        if !inside {
            open.set(false);
        }
    };
    view! {
        <div class="relative" node_ref=root on:keydown=move |event| on_key(&event, state, root) on:focusout=leave>
            <button
                type="button"
                class=trigger_class
                aria-label=label
                aria-haspopup="menu"
                aria-expanded=move || open.get().to_string()
                node_ref=button
                on:click=move |_| open.update(|open| *open = !*open)
            >
                {trigger.run()}
            </button>
            <Show when=move || open.get()>
                <Panel state root label place items=children.clone()/>
            </Show>
        </div>
    }
}

/// What a menu opens.
#[component]
fn Panel(
    state: MenuState,
    root: NodeRef<html::Div>,
    label: Signal<String>,
    place: MenuPlace,
    items: ChildrenFn,
) -> impl IntoView {
    let element = NodeRef::<html::Div>::new();
    show_popover(root, element, place.edge());
    // Here, where no other menu is: around the button, the last menu of the page would be
    // everybody's.
    provide_context(state);
    view! {
        <div
            role="menu"
            popover="manual"
            aria-label=label
            class=format!("{POPOVER_CLASS} {}", place.class())
            node_ref=element
        >
            {items()}
        </div>
    }
}

const ITEM: &str = "flex h-8 w-full cursor-pointer items-center gap-2.5 rounded-xs px-2.5 text-left \
    outline-offset-[-2px] transition-colors duration-[120ms] max-md:h-11 max-md:text-body";

/// An action of a menu. A verb that a dialog follows ends in “…”.
#[component]
pub fn MenuItem(
    /// Icon that is shown.
    #[prop(optional, into)]
    glyph: Option<Glyph>,
    /// Whether it is destructive; such an item is last, after a divider.
    #[prop(optional)]
    danger: bool,
    /// What it does, after the menu has closed.
    #[prop(into)]
    on_press: Callback<()>,
    /// Label of the menu item.
    children: Children,
) -> impl IntoView {
    let menu = expect_context::<MenuState>();
    let look = if danger {
        "text-danger-ink hover:bg-danger-soft focus-visible:bg-danger-soft"
    } else {
        "text-ink-2 hover:bg-hover hover:text-ink focus-visible:bg-hover focus-visible:text-ink"
    };
    view! {
        <button
            type="button"
            role="menuitem"
            tabindex="-1"
            class=format!("{ITEM} {look}")
            on:click=move |_| {
                menu.close();
                on_press.run(());
            }
        >
            {glyph.map(|glyph| view! { <Icon glyph/> })}
            {children()}
        </button>
    }
}

/// An item that opens another page.
#[component]
pub fn MenuLink(
    /// Path that the link leads to.
    #[prop(into)]
    href: Signal<String>,
    /// Whether that is where the person is.
    #[prop(optional, into)]
    current: Signal<bool>,
    /// Label of the menu item.
    children: Children,
) -> impl IntoView {
    let menu = expect_context::<MenuState>();
    view! {
        <a
            href=href
            role="menuitem"
            tabindex="-1"
            class=format!("{ITEM} text-ink-2 hover:bg-hover hover:text-ink focus-visible:bg-hover")
            class=(["bg-hover", "text-ink"], current)
            aria-current=move || current.get().then_some("true")
            on:click=move |_| menu.close()
        >
            {children()}
        </a>
    }
}

/// Something that is on or off. Choosing it leaves the menu open.
#[component]
pub fn MenuCheck(
    /// Whether it is on.
    #[prop(into)]
    checked: Signal<bool>,
    /// Called with what a person wants it to be.
    #[prop(into)]
    on_change: Callback<bool>,
    /// More classes, for its place.
    #[prop(optional)]
    class: &'static str,
    /// Label of the menu item.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="button"
            role="menuitemcheckbox"
            tabindex="-1"
            class=format!(
                "{ITEM} text-ink-2 hover:bg-hover hover:text-ink focus-visible:bg-hover focus-visible:text-ink {class}",
            )
            aria-checked=move || checked.get().to_string()
            on:click=move |_| on_change.run(!checked.get_untracked())
        >
            <span class="inline-flex w-4 shrink-0 text-accent">
                {move || checked.get().then(|| view! { <Icon glyph=Glyph::Check/> })}
            </span>
            {children()}
        </button>
    }
}

/// A line between items.
#[component]
pub fn MenuDivider() -> impl IntoView {
    view! { <div role="separator" class="mx-1.5 my-1 h-px bg-line"></div> }
}

fn contains(root: NodeRef<html::Div>, target: &web_sys::EventTarget) -> bool {
    let root = root.get_untracked();
    root.is_some_and(|root| root.contains(target.dyn_ref::<Node>()))
}

fn close_on_press_outside(state: MenuState, root: NodeRef<html::Div>) {
    Effect::new(move |_| {
        let handle = window_event_listener(leptos::ev::mousedown, move |event| {
            if state.open.get_untracked()
                && !event.target().is_some_and(|target| contains(root, &target))
            {
                state.open.set(false);
            }
        });
        on_cleanup(move || handle.remove());
    });
}

/// The items that focus can go to, in order.
fn items(root: NodeRef<html::Div>) -> Vec<Element> {
    let Some(root) = root.get_untracked() else {
        return Vec::new();
    };
    let focusable = "[role=menuitem], [role=menuitemcheckbox], [role=menuitemradio][tabindex='0']";
    let Ok(found) = root.query_selector_all(focusable) else {
        return Vec::new();
    };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}

fn focus_first_item(state: MenuState, root: NodeRef<html::Div>) {
    Effect::new(move |_| {
        if state.open.get() {
            request_animation_frame(move || super::focus(items(root).into_iter().next()));
        }
    });
}

fn on_key(event: &KeyboardEvent, state: MenuState, root: NodeRef<html::Div>) {
    if !state.open.get_untracked() {
        return;
    }
    let items = items(root);
    let now = items.iter().position(|item| document().active_element().as_ref() == Some(item));
    let to = match event.key().as_str() {
        "Escape" => {
            event.prevent_default();
            state.close();
            return;
        }
        "ArrowDown" => now.map_or(0, |now| (now + 1) % items.len()),
        "ArrowUp" => {
            now.and_then(|now| now.checked_sub(1)).unwrap_or(items.len().saturating_sub(1))
        }
        "Home" => 0,
        "End" => items.len().saturating_sub(1),
        _ => return,
    };
    event.prevent_default();
    super::focus(items.into_iter().nth(to));
}
