//! The browser's entry: brings the pages that the server rendered to life.

use wasm_bindgen::prelude::wasm_bindgen;

/// Hydrates the page. The document's script calls it once the wasm is there.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(latchkey_app::App);
}
