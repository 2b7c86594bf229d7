//! The theme: light, dark, or that of the system.
//!
//! The choice is a cookie, so that the server can write it into the document before the first
//! paint.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::HtmlDocument;

use crate::context::ThemeChoice;

/// The choice, from `expect_context::<Theme>()`.
#[derive(Clone, Copy)]
pub struct Theme(RwSignal<ThemeChoice>);

impl Theme {
    /// Makes the choice available below the calling component. The browser reads what the server
    /// wrote.
    pub fn provide() {
        let theme = Self(RwSignal::new(ThemeChoice::Auto));
        provide_context(theme);
        Effect::new(move |_| {
            let root = document().document_element();
            let name = root.and_then(|root| root.get_attribute("data-theme"));
            theme.0.set(name.map(|name| ThemeChoice::from_name(&name)).unwrap_or_default());
        });
    }

    /// The theme, tracked as a signal.
    pub fn get(self) -> ThemeChoice {
        self.0.get()
    }

    /// Chooses, for this page and for the next ones.
    pub fn set(self, choice: ThemeChoice) {
        self.0.set(choice);
        if let Some(root) = document().document_element() {
            _ = match choice.attribute() {
                Some(name) => root.set_attribute("data-theme", name),
                None => root.remove_attribute("data-theme"),
            };
        }
        let secure = if window().location().protocol().is_ok_and(|it| it == "https:") {
            "; Secure"
        } else {
            ""
        };
        let cookie = format!(
            "{}={}; Path=/; Max-Age=31536000; SameSite=Lax{secure}",
            ThemeChoice::COOKIE,
            choice.as_str()
        );
        if let Ok(document) = document().dyn_into::<HtmlDocument>() {
            _ = document.set_cookie(&cookie);
        }
    }

    /// From what is seen now to the other of light and dark.
    pub fn toggle(self) {
        let dark = match self.0.get_untracked() {
            ThemeChoice::Light => false,
            ThemeChoice::Dark => true,
            ThemeChoice::Auto => system_is_dark(),
        };
        self.set(if dark { ThemeChoice::Light } else { ThemeChoice::Dark });
    }
}

fn system_is_dark() -> bool {
    let query = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
    query.is_some_and(|query| query.matches())
}
