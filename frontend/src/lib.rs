//! The browser's entry: brings the pages that the server rendered to life.

use wasm_bindgen::prelude::wasm_bindgen;

/// Hydrates the page. The document's script calls it once the wasm is there.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_lazy(latchkey_app::App);
}

/// Room for `wasm-split`: it aligns each piece's constants anew, which takes a few hundred bytes
/// more than the linker needed, and when they don't fit it leaves all of them in the first piece.
/// Itself it is in none.
#[used]
static SPLIT_SLACK: [u8; 8192] = [0xAA; 8192];
