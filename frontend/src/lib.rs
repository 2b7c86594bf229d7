//! The browser's entry: brings the pages that the server rendered to life.

use wasm_bindgen::prelude::wasm_bindgen;

/// Hydrates the page. The document's script calls it once the wasm is there.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_lazy(latchkey_app::App);
}

/// Reserve for `wasm-split`. It aligns the constants of each piece again, which needs more space
/// than they had: 8 KiB were too few for the dev build. If they don't fit, it leaves all constants
/// in the first piece, a fifth of what the login page loads. No piece contains the reserve itself.
#[used]
static SPLIT_SLACK: [u8; 65_536] = [0xAA; 65_536];
