//! The document's window: what is posted to it, and what it is.

use futures::channel::oneshot;
use js_sys::{Array, Object, Reflect};
use mooring_api::VERSION;
use wasm_bindgen::prelude::*;

use super::port::MessagePort;
use crate::{Code, Error};

#[wasm_bindgen]
extern "C" {
    /// The window, where there is one: a worker has none.
    #[wasm_bindgen(thread_local_v2, js_name = window)]
    static WINDOW: Option<Window>;

    #[derive(Clone, PartialEq)]
    type Window;
    #[wasm_bindgen(method, getter)]
    fn top(this: &Window) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn origin(this: &Window) -> String;
    #[wasm_bindgen(method, getter)]
    fn location(this: &Window) -> Location;
    #[wasm_bindgen(method, getter)]
    fn document(this: &Window) -> EventTarget;
    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &Window, message: &JsValue, origin: &str) -> Result<(), JsValue>;

    type Location;
    #[wasm_bindgen(method, getter)]
    fn protocol(this: &Location) -> String;
    #[wasm_bindgen(method, getter)]
    fn hostname(this: &Location) -> String;

    #[derive(Clone)]
    type EventTarget;
    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &EventTarget, name: &str, listener: &JsValue);
    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &EventTarget, name: &str, listener: &JsValue);

    #[wasm_bindgen(extends = Object)]
    pub type MessageEvent;
    #[wasm_bindgen(method, getter)]
    pub fn data(this: &MessageEvent) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn source(this: &MessageEvent) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn ports(this: &MessageEvent) -> Array;
}

/// A listener of a target, until it is dropped.
pub struct Listening<T: ?Sized + 'static> {
    target: EventTarget,
    name: &'static str,
    closure: Closure<T>,
}

impl<T: ?Sized> Listening<T> {
    fn new(target: EventTarget, name: &'static str, closure: Closure<T>) -> Self {
        target.add_event_listener(name, closure.as_ref());
        Listening {
            target,
            name,
            closure,
        }
    }
}

impl<T: ?Sized> Drop for Listening<T> {
    fn drop(&mut self) {
        self.target
            .remove_event_listener(self.name, self.closure.as_ref());
    }
}

/// What hears the window's messages.
pub type Messages = Listening<dyn FnMut(MessageEvent)>;

fn not_allowed(detail: &str) -> Error {
    Error::new(Code::NotAllowed, "No extension serves this document")
        .with_detail(Some(detail.to_owned()))
}

fn window() -> Result<Window, Error> {
    // Outside of a browser the import would panic.
    if cfg!(not(target_arch = "wasm32")) {
        return Err(not_allowed("it is no web page"));
    }
    WINDOW
        .with(Clone::clone)
        .ok_or_else(|| not_allowed("it is no window"))
}

/// Fails when no extension would talk to this document, whatever its user allows.
pub fn check_served() -> Result<(), Error> {
    let window = window()?;
    if window.top() != *AsRef::<JsValue>::as_ref(&window) {
        return Err(not_allowed("it is a frame"));
    }
    if window.origin() == "null" {
        return Err(not_allowed("its origin is opaque"));
    }
    let location = window.location();
    let local = matches!(
        location.hostname().as_str(),
        "localhost" | "127.0.0.1" | "[::1]"
    );
    match location.protocol().as_str() {
        "https:" => Ok(()),
        "http:" if local => Ok(()),
        _ => Err(not_allowed(
            "its origin is neither https: nor on this machine",
        )),
    }
}

/// Waits until somebody looks at a page that was only guessed at, which meets silence until then.
pub async fn activated() -> Result<(), Error> {
    let document = window()?.document();
    let prerendering = Reflect::get(document.as_ref(), &"prerendering".into());
    if !prerendering.is_ok_and(|flag| flag.is_truthy()) {
        return Ok(());
    }
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let closure = Closure::<dyn FnMut()>::new(move || {
        if let Some(sender) = sender.take() {
            let _ = sender.send(());
        }
    });
    let _listening = Listening::new(document, "prerenderingchange", closure);
    // The sender lives as long as the listener.
    let _ = receiver.await;
    Ok(())
}

/// Posts a JSON-RPC message to the node.
pub fn post(message: &Object) -> Result<(), Error> {
    let window = window()?;
    set(message, "jsonrpc", &"2.0".into());
    let envelope = Object::new();
    set(&envelope, "mooring", &VERSION.into());
    set(&envelope, "to", &"node".into());
    set(&envelope, "message", message);
    window
        .post_message(&envelope, &window.origin())
        // Nothing of ours cannot be cloned: the page has taken `postMessage` away.
        .map_err(|error| {
            Error::node(
                mooring_api::ErrorCode::Internal,
                "The window takes no message",
            )
            .with_detail(Some(format!("{error:?}")))
        })
}

/// Hears every JSON-RPC message of the node, with the port that came along.
pub fn listen(
    mut hear: impl FnMut(JsValue, Option<MessagePort>) + 'static,
) -> Result<Messages, Error> {
    let window = window()?;
    let target = window.clone().unchecked_into::<EventTarget>();
    let closure = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        // Others post to the window too, whatever they like.
        if event.source() != *AsRef::<JsValue>::as_ref(&window) || !data.is_object() {
            return;
        }
        let is = |key: &str, value: JsValue| member(&data, key).is_some_and(|found| found == value);
        if is("mooring", VERSION.into()) && is("to", "page".into()) {
            let port = event.ports().get(0).dyn_into::<MessagePort>().ok();
            if let Some(message) = member(&data, "message").filter(JsValue::is_object) {
                hear(message, port);
            }
        }
    });
    Ok(Listening::new(target, "message", closure))
}

/// A member of an object, unless it is undefined or cannot be had.
pub fn member(object: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(object, &key.into())
        .ok()
        .filter(|value| !value.is_undefined())
}

/// Sets a member of an object that this client has made.
pub fn set(object: &Object, key: &str, value: &JsValue) {
    // Fails for frozen objects only, which this is not.
    let _ = Reflect::set(object, &key.into(), value);
}
