//! Copies text to the clipboard, and explains what to do when the browser refuses.
//!
//! Browsers offer the clipboard only to pages on https or localhost, and may ask the user first.
//! When it is refused, the text is selected instead, so that one keystroke copies it.

use std::time::Duration;

use leptos::html::Code;
use leptos::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Element;

/// How long “Copied” stays where it does not stay for good.
const SHOWN_FOR: Duration = Duration::from_secs(2);

/// What became of the last attempt to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// There was none, or it was a while ago.
    NotYet,
    /// The text is on the clipboard.
    Yes,
    /// The browser refused; the text is selected.
    Refused,
}

/// The state of one copy button.
#[derive(Clone, Copy)]
pub struct Copier {
    /// The element that shows what is copied; it is selected when copying is refused.
    pub shown: NodeRef<Code>,
    state: RwSignal<Copied>,
    stays: bool,
}

impl Copier {
    /// A button that says “Copied” for two seconds.
    pub fn new() -> Self {
        Self { shown: NodeRef::new(), state: RwSignal::new(Copied::NotYet), stays: false }
    }

    /// A button that says “Copied” for as long as it is there.
    pub fn that_stays() -> Self {
        Self { stays: true, ..Self::new() }
    }

    /// What became of the last attempt, tracked.
    pub fn state(self) -> Copied {
        self.state.get()
    }

    /// Copies `text`; if that is refused, selects what is shown of it.
    pub fn copy(self, text: String) {
        let shown: Option<Element> = self.shown.get_untracked().map(Into::into);
        leptos::task::spawn_local(async move {
            let copied = write(&text).await;
            drop(text);
            // The button and its signal may be gone by now.
            _ = self.state.try_set(if copied { Copied::Yes } else { Copied::Refused });
            if !copied && let Some(shown) = shown {
                select(&shown);
            }
            if copied && !self.stays {
                set_timeout(
                    move || {
                        _ = self.state.try_set(Copied::NotYet);
                    },
                    SHOWN_FOR,
                );
            }
        });
    }

    /// What to tell a person about the last attempt, tracked; empty if there is nothing to tell.
    pub fn words(self) -> &'static str {
        match self.state.get() {
            Copied::NotYet => "",
            Copied::Yes => "Copied",
            Copied::Refused if on_a_mac() => "Press ⌘C to copy",
            Copied::Refused => "Press Ctrl+C to copy",
        }
    }
}

impl Default for Copier {
    fn default() -> Self {
        Self::new()
    }
}

async fn write(text: &str) -> bool {
    let navigator = window().navigator();
    // Absent outside secure contexts, whatever the bindings promise.
    let there = js_sys::Reflect::get(&navigator, &"clipboard".into())
        .is_ok_and(|clipboard| !clipboard.is_undefined());
    there && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

fn select(element: &Element) {
    if let Ok(Some(selection)) = window().get_selection() {
        // Selection fails only for a detached element, which nobody sees.
        _ = selection.select_all_children(element);
    }
}

fn on_a_mac() -> bool {
    window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"))
}
