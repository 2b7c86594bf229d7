//! Signs in as the local developer: by the link that the server logs when it starts, or by typing
//! its code.

use leptos::html::{Form, Input};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::data::session;
use latchkey_ui::button::{Button, Size, Variant};
use latchkey_ui::field::PlainField;

/// Prefix of the part of the link that contains the code.
const CODE: &str = "#code=";

/// The form. With the code in the address it sends itself; it works without scripts too.
#[component]
pub(super) fn Local(
    /// Path that the form is sent to.
    action: Signal<String>,
) -> impl IntoView {
    let (form, field) = (NodeRef::<Form>::new(), NodeRef::<Input>::new());
    let take = move || {
        let (Some(form), Some(field)) = (form.get_untracked(), field.get_untracked()) else {
            return;
        };
        let Some(code) = take_code() else { return };
        if session::token().is_none() {
            field.set_value(&code);
            // It can't fail: there is a form, and nothing in it is invalid.
            _ = form.request_submit();
        }
    };
    Effect::new(move |_| {
        if form.get().is_some() && field.get().is_some() {
            take();
        }
    });
    // The link may be opened on this very page.
    Effect::new(move |_| {
        let handle = window_event_listener(leptos::ev::hashchange, move |_| take());
        on_cleanup(move || handle.remove());
    });
    view! {
        <form method="post" action=action class="flex flex-col gap-4" node_ref=form>
            <PlainField
                name="code"
                label="Code"
                hint="The server’s log shows it as a link when it starts."
                node_ref=field
            />
            <Button variant=Variant::Primary size=Size::Large submit=true>
                "Continue as local developer"
            </Button>
        </form>
        <p class="text-caption text-ink-3">
            "This server is for this computer only, so it needs no account. Set up GitHub sign-in before others use it."
        </p>
    }
}

/// Takes the code out of the address, so that it stays neither there nor in the history.
fn take_code() -> Option<String> {
    let location = window().location();
    let hash = location.hash().ok()?;
    let code = js_sys::decode_uri_component(hash.strip_prefix(CODE)?).ok()?;
    let address = location.pathname().ok()? + &location.search().ok()?;
    let history = window().history().ok()?;
    let state = history.state().unwrap_or(JsValue::NULL);
    _ = history.replace_state_with_url(&state, "", Some(&address));
    Some(code.into())
}
