//! Popovers beside a button: menus, and lists of options.
//!
//! A popover is in the browser's top layer, so that no table or dialog around the button clips it.
//! Its position is computed here: not all browsers that we support know CSS anchor positioning.

use leptos::ev;
use leptos::html::{Div, ElementType};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::closure::Closure;
use web_sys::{Event, HtmlElement};

/// The classes of a popover, beside its own. It needs `popover="manual"` too.
pub const POPOVER_CLASS: &str = "fixed inset-auto z-40 max-w-[min(24rem,calc(100vw-1rem))] animate-fade-in \
    rounded-md bg-raised p-1 text-table text-ink shadow-menu";

/// Edge at which the popover is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The left edges are aligned. The popover is at least as wide as its anchor.
    Start,
    /// The right edges are aligned.
    End,
}

/// Distance from the anchor, and from the edge of the window, in pixels.
const GAP: f64 = 4.0;
const MARGIN: f64 = 8.0;

/// From one edge to the opposite one, in pixels of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    from: f64,
    to: f64,
}

/// Shows `popover` below `anchor` for as long as it is mounted, or above it where there is no room
/// below. It follows the anchor when something scrolls.
pub fn show_popover<E>(anchor: NodeRef<Div>, popover: NodeRef<E>, edge: Edge)
where
    E: ElementType,
    E::Output: JsCast + Clone + 'static,
{
    Effect::new(move |_| {
        let Some(popover) = popover.get() else { return };
        let popover: HtmlElement = popover.unchecked_into();
        // Browsers without popover support show it too, but below positioned elements.
        _ = popover.show_popover();
        let position = move || {
            if let Some(anchor) = anchor.get_untracked() {
                place(&anchor, &popover, edge);
            }
        };
        position();
        keep_positioned(position);
    });
}

/// Calls `put` whenever the window changes its size or something in it scrolls, until the effect
/// ends.
fn keep_positioned(position: impl Fn() + Clone + 'static) {
    let resized = {
        let position = position.clone();
        window_event_listener(ev::resize, move |_| position())
    };
    // Scroll events don't bubble: the window sees those of a box only in the capture phase.
    let scrolled = Closure::<dyn Fn(Event)>::new(move |_| position());
    let target = window();
    _ = target.add_event_listener_with_callback_and_bool(
        "scroll",
        scrolled.as_ref().unchecked_ref(),
        true,
    );
    let scrolled = StoredValue::new_local(scrolled);
    on_cleanup(move || {
        resized.remove();
        _ = scrolled.try_with_value(|scrolled| {
            window().remove_event_listener_with_callback_and_bool(
                "scroll",
                scrolled.as_ref().unchecked_ref(),
                true,
            )
        });
    });
}

fn place(anchor: &HtmlElement, popover: &HtmlElement, edge: Edge) {
    let area = anchor.get_bounding_client_rect();
    let style = popover.style();
    if edge == Edge::Start {
        _ = style.set_property("min-width", &format!("max({}px, 11rem)", area.width()));
    }
    let root = document().document_element();
    let (width, height) = root.map_or((0, 0), |root| (root.client_width(), root.client_height()));
    let left = left_edge(
        Span { from: area.left(), to: area.right() },
        f64::from(popover.offset_width()),
        f64::from(width),
        edge,
    );
    let top = top_edge(
        Span { from: area.top(), to: area.bottom() },
        f64::from(popover.offset_height()),
        f64::from(height),
    );
    _ = style.set_property("left", &format!("{left}px"));
    _ = style.set_property("top", &format!("{top}px"));
}

/// The left edge of a popover of that width: at the anchor's edge, but inside the window.
fn left_edge(anchor: Span, width: f64, window: f64, edge: Edge) -> f64 {
    let wanted = match edge {
        Edge::Start => anchor.from,
        Edge::End => anchor.to - width,
    };
    wanted.min(window - MARGIN - width).max(MARGIN)
}

/// The top edge of a popover of that height: below the anchor, or above it if there is only room
/// there.
fn top_edge(anchor: Span, height: f64, window: f64) -> f64 {
    let (below, above) = (anchor.to + GAP, anchor.from - GAP - height);
    if below + height > window - MARGIN && above >= MARGIN { above } else { below }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 0.01
    }

    #[test]
    fn a_menu_meets_its_button_and_stays_in_the_window() {
        let button = Span { from: 300.0, to: 340.0 };
        assert!(close(left_edge(button, 160.0, 390.0, Edge::Start), 222.0));
        assert!(close(left_edge(button, 160.0, 1_440.0, Edge::Start), 300.0));
        assert!(close(left_edge(button, 160.0, 390.0, Edge::End), 180.0));
        assert!(close(left_edge(Span { from: 10.0, to: 50.0 }, 160.0, 390.0, Edge::End), 8.0));
    }

    #[test]
    fn a_menu_opens_upwards_where_there_is_no_room_below() {
        let button = Span { from: 800.0, to: 830.0 };
        assert!(close(top_edge(button, 100.0, 844.0), 696.0));
        assert!(close(top_edge(button, 100.0, 2_000.0), 834.0));
        // Room in neither direction: below, where the page can be scrolled to it.
        assert!(close(top_edge(button, 900.0, 844.0), 834.0));
    }
}
