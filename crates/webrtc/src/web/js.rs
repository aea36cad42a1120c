//! Calls into the browser that can throw, and what web-sys does not know or would let trap.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RtcDataChannel, RtcDataChannelInit, RtcPeerConnection};

use crate::Error;

/// An exception as our error. Its text is for people.
pub(super) fn error(operation: &'static str, exception: &JsValue) -> Error {
    let message = exception
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.to_string()))
        .or_else(|| exception.as_string())
        .unwrap_or_else(|| format!("{exception:?}"));
    Error::Platform { operation, message }
}

/// Awaits a promise.
pub(super) async fn promise(operation: &'static str, promise: Promise) -> Result<JsValue, Error> {
    JsFuture::from(promise)
        .await
        .map_err(|exception| error(operation, &exception))
}

/// `object[name]` if it is neither undefined nor null; also when reading it throws.
pub(super) fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(object, &JsValue::from_str(name)).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// `RTCPeerConnection.createDataChannel("", init)`. web-sys declares it as never throwing, so that
/// an exception (no ids left, connection closed) would leave wasm in the middle of a function.
pub(super) fn create_data_channel(
    connection: &RtcPeerConnection,
    init: Option<&RtcDataChannelInit>,
) -> Result<RtcDataChannel, Error> {
    create_labelled_channel(connection, "", init)
}

/// The same with a label.
pub(super) fn create_labelled_channel(
    connection: &RtcPeerConnection,
    label: &str,
    init: Option<&RtcDataChannelInit>,
) -> Result<RtcDataChannel, Error> {
    const OPERATION: &str = "createDataChannel";
    let method = get(connection, OPERATION)
        .and_then(|method| method.dyn_into::<Function>().ok())
        .ok_or(Error::Unavailable)?;
    let arguments = Array::of1(&JsValue::from_str(label));
    if let Some(init) = init {
        arguments.push(init);
    }
    Reflect::apply(&method, connection, &arguments)
        .map_err(|exception| error(OPERATION, &exception))?
        .dyn_into()
        .map_err(|other| error(OPERATION, &other))
}

/// `RTCPeerConnection.addIceCandidate({ candidate, sdpMid })`.
pub(super) async fn add_ice_candidate(
    connection: &RtcPeerConnection,
    candidate: &str,
    mid: &str,
) -> Result<(), Error> {
    const OPERATION: &str = "addIceCandidate";
    let method = get(connection, OPERATION)
        .and_then(|method| method.dyn_into::<Function>().ok())
        .ok_or(Error::Unavailable)?;
    let init = Object::new();
    for (name, value) in [("candidate", candidate), ("sdpMid", mid)] {
        Reflect::set(&init, &name.into(), &value.into())
            .map_err(|exception| error(OPERATION, &exception))?;
    }
    let added = Reflect::apply(&method, connection, &Array::of1(&init))
        .map_err(|exception| error(OPERATION, &exception))?;
    promise(OPERATION, Promise::resolve(&added)).await?;
    Ok(())
}

/// Sets or clears the handler for changes of what [`association_ended`] looks at.
pub(super) fn on_association_change(connection: &RtcPeerConnection, handler: Option<&Function>) {
    let handler = handler.map_or(JsValue::NULL, JsValue::from);
    let name = JsValue::from_str("onstatechange");
    if let Some(sctp) = get(connection, "sctp") {
        let _ = Reflect::set(&sctp, &name, &handler);
        if let Some(dtls) = get(&sctp, "transport") {
            let _ = Reflect::set(&dtls, &name, &handler);
        }
    }
}

/// Whether the SCTP association, or the DTLS transport below it, has ended. That is how a browser
/// shows that the remote closed the connection; `connectionState` stays `connected` until ICE
/// notices, many seconds later.
pub(super) fn association_ended(connection: &RtcPeerConnection) -> bool {
    let Some(sctp) = get(connection, "sctp") else {
        return false;
    };
    let ended = |transport: &JsValue| {
        get(transport, "state")
            .and_then(|state| state.as_string())
            .is_some_and(|state| state == "closed" || state == "failed")
    };
    ended(&sctp) || get(&sctp, "transport").is_some_and(|dtls| ended(&dtls))
}
