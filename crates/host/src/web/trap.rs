//! A real trap, for the tests of what follows one. In builds with debug assertions only; `cargo xtask build --release`
//! refuses a module that has it.

use js_sys::Reflect;
use wasm_bindgen::{JsValue, closure::Closure};

/// Its name on the host page's global object.
const NAME: &str = "mooringTrap";

/// Puts a function on the global object that makes a task of this instance panic, as a fault in the node would.
#[allow(
    clippy::panic,
    reason = "what it is for; no build that ships has this module"
)]
pub(super) fn offer() {
    let trap = Closure::<dyn Fn()>::new(|| {
        wasm_bindgen_futures::spawn_local(async {
            panic!("the trap that a test asked for");
        });
    });
    // Without it only the tests fail.
    let _ = Reflect::set(
        &js_sys::global(),
        &JsValue::from_str(NAME),
        &trap.into_js_value(),
    );
}
