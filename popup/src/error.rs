//! What can go wrong in the popup itself.

use wasm_bindgen::JsValue;

/// Why something was not done. What the node refuses is not here: that is an answer
/// ([`mooring_api::ErrorObject`]), and is shown in the words of [`crate::words`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A message from the node that this popup cannot read: the two are of different versions.
    #[error("a message from the node could not be read: {0}")]
    Message(String),
    /// A command could not be written down.
    #[error("a command could not be made: {0}")]
    Command(String),
    /// The port to the node is closed.
    #[error("the node is not connected")]
    NotConnected,
    /// Too many commands wait for an answer.
    #[error("too many commands wait for an answer")]
    TooMany,
    /// The clipboard said no.
    #[error("the clipboard refused")]
    Clipboard,
}

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        js_sys::Error::new(&error.to_string()).into()
    }
}
