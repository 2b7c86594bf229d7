//! The components that Latchkey's pages are built of: buttons, dialogs, tables, charts.
//!
//! They show what they are given and report what a user does. None of them calls the server: pages
//! decide what is loaded, and any page can use any component.

#![expect(unreachable_pub, reason = "Leptos’ component macro makes every component public")]

pub mod avatar;
pub mod bar_meter;
pub mod budget;
pub mod button;
pub mod callout;
pub mod chart;
pub mod checkbox;
pub mod chip_field;
pub mod clipboard;
pub mod code_tabs;
pub mod confirm_dialog;
pub mod consequence;
pub mod copy_field;
pub mod decision_trace;
pub mod dialog;
pub mod empty_state;
pub mod environment_tag;
pub mod field;
pub mod icon;
pub mod mark;
pub mod masked_key;
pub mod menu;
pub mod pager;
pub mod popover;
pub mod relative_time;
pub mod search;
pub mod segmented;
pub mod select;
pub mod shortcut;
pub mod skeleton;
pub mod slot_meter;
pub mod snippets;
pub mod sparkline;
pub mod status_badge;
pub mod switch;
pub mod table;
pub mod tabs;
pub mod toast;

pub use latchkey_domain::number::thousands;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// Gives keyboard focus to an element, if it is there and takes it.
pub fn focus(element: Option<Element>) {
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        _ = element.focus();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in
            [(1, "1"), (999, "999"), (1_000, "1,000"), (1_000_000_000, "1,000,000,000")]
        {
            assert_eq!(thousands(number), text);
        }
    }
}
