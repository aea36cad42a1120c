//! What `popup.ts` sees: it hands in the page's root and the way out, and then every message of the port.

use leptos::{mount::UnmountHandle, prelude::*};
use mooring_api::popup::ToPopup;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

use crate::{error::Error, state::State, views};

#[wasm_bindgen]
extern "C" {
    /// What only the page around can do: the port and the extension's API are JavaScript's.
    pub type Outside;

    /// Sends a message on the port.
    #[wasm_bindgen(method, catch)]
    fn post(this: &Outside, message: &JsValue) -> Result<(), JsValue>;

    /// Asks for the node at once, not when the next attempt is due.
    #[wasm_bindgen(method)]
    pub fn retry(this: &Outside);

    /// Loads the whole extension anew, this popup included.
    #[wasm_bindgen(method)]
    pub fn reload(this: &Outside);
}

impl Outside {
    /// Sends a command.
    ///
    /// # Errors
    /// [`Error::NotConnected`] when the port is closed, [`Error::Command`] when the command cannot be written down.
    pub fn send(&self, command: &impl Serialize) -> Result<(), Error> {
        // Plain objects, as JSON has them: a Map would arrive as one.
        let message = command
            .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
            .map_err(|error| Error::Command(error.to_string()))?;
        self.post(&message).map_err(|_| Error::NotConnected)
    }
}

/// The dashboard on the page. It lasts as long as the page does.
#[wasm_bindgen]
pub struct Popup {
    state: State,
    // Dropping it would take the dashboard off the page.
    _mounted: Box<dyn std::any::Any>,
}

#[wasm_bindgen]
impl Popup {
    /// Puts the dashboard in the place of what `root` holds.
    #[wasm_bindgen(constructor)]
    pub fn new(root: HtmlElement, outside: Outside) -> Popup {
        console_error_panic_hook::set_once();
        let owner = Owner::new();
        let state = owner.with(|| State::new(outside));
        root.set_text_content(None);
        let mounted: UnmountHandle<_> = mount_to(root, move || views::dashboard(state));
        Popup {
            state,
            _mounted: Box::new((owner, mounted)),
        }
    }

    /// Takes a message from the port.
    ///
    /// # Errors
    /// When it is none that this popup knows; nothing changes then.
    pub fn receive(&self, message: JsValue) -> Result<(), Error> {
        match serde_wasm_bindgen::from_value(message) {
            Ok(ToPopup::Snapshot(snapshot)) => self.state.show(&snapshot),
            Ok(ToPopup::Done { id, error }) => self.state.done(id, error.as_ref()),
            Err(error) => return Err(Error::Message(error.to_string())),
        }
        Ok(())
    }

    /// The port closed, or could not be opened.
    pub fn lost(&self) {
        self.state.lost();
    }
}
