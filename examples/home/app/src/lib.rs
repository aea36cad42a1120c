//! The page that shows the notes at home: what it says to the program there is in `home-shared`, and how it gets there is
//! `mooring-client`. `session` keeps the connection, `view` shows what `state` holds.

mod session;
mod state;
mod view;

use wasm_bindgen::prelude::wasm_bindgen;

/// Shows the page, for as long as it is open.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(|| view::page(state::State::new()));
}
