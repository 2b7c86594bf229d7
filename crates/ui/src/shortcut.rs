//! Keyboard shortcuts of a page: `/` searches, `C` creates.

use gloo_storage::{LocalStorage, Storage};
use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::Element;

/// Where this browser keeps that a person wants none of them.
const OFF: &str = "latchkey.shortcuts";

/// Calls `act` when `key` is pressed where it types nothing, for as long as the calling component
/// is there.
pub fn on_shortcut(key: &'static str, act: impl Fn() + 'static) {
    Effect::new({
        let act = std::rc::Rc::new(act);
        move || {
            let act = act.clone();
            let handle = window_event_listener(ev::keydown, move |event| {
                if event.key().eq_ignore_ascii_case(key) && is_free(&event) && are_on() {
                    event.prevent_default();
                    act();
                }
            });
            on_cleanup(move || handle.remove());
        }
    });
}

/// Whether the key is meant for nothing else: no field, no dialog, no combination.
fn is_free(event: &KeyboardEvent) -> bool {
    const TAKES_TEXT: &str =
        "input, textarea, select, [role=combobox], [role=menu], [contenteditable]";
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let in_field = target.is_some_and(|target| target.closest(TAKES_TEXT).ok().flatten().is_some());
    let in_dialog = document().query_selector("dialog:modal").ok().flatten().is_some();
    let combined = event.ctrl_key() || event.meta_key() || event.alt_key();
    !(in_field || in_dialog || combined || event.repeat() || event.default_prevented())
}

/// Whether the person at this browser wants shortcuts.
pub fn are_on() -> bool {
    LocalStorage::raw().get_item(OFF).ok().flatten().is_none()
}

/// Turns shortcuts on or off in this browser.
pub fn set_enabled(on: bool) {
    let storage = LocalStorage::raw();
    // If storage is full or forbidden, the setting is just not remembered.
    _ = if on { storage.remove_item(OFF) } else { storage.set_item(OFF, "off") };
}
