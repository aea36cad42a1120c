//! A `WebSocket` with its callbacks, which end with it.

use std::{
    cell::{Cell, RefCell, RefMut},
    rc::Rc,
    task::Waker,
};

use js_sys::{ArrayBuffer, Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::{Error, state::State};

/// The only code of a good end that a page may give.
const NORMAL_CLOSURE: u16 = 1000;

/// What the callbacks write to. They hold no socket, so that nothing holds itself.
#[derive(Default)]
struct Shared {
    state: RefCell<State>,
    open: Cell<bool>,
    /// Whoever waits for the opening or for bytes.
    reader: Cell<Option<Waker>>,
    /// Whoever waits for room or for the end.
    writer: Cell<Option<Waker>>,
}

impl Shared {
    fn wake_all(&self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

/// A `WebSocket`. Dropping it closes it, also while it connects.
pub(super) struct Socket {
    js: WebSocket,
    shared: Rc<Shared>,
    _callbacks: Callbacks,
}

struct Callbacks {
    open: Closure<dyn Fn()>,
    message: Closure<dyn Fn(MessageEvent)>,
    close: Closure<dyn Fn(CloseEvent)>,
}

impl Socket {
    /// Begins to connect.
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let exists = Reflect::has(&js_sys::global(), &JsValue::from_str("WebSocket"));
        if !exists.unwrap_or(false) {
            return Err(Error::Unavailable);
        }
        let js = WebSocket::new(url).map_err(|exception| Error::Refused(name_of(&exception)))?;
        js.set_binary_type(BinaryType::Arraybuffer);
        let shared = Rc::<Shared>::default();
        let callbacks = Callbacks::new(&shared);
        js.set_onopen(Some(function(callbacks.open.as_ref())));
        js.set_onmessage(Some(function(callbacks.message.as_ref())));
        // No `onerror`: it says nothing, and `onclose` follows it (WHATWG WebSockets, section 4).
        js.set_onclose(Some(function(callbacks.close.as_ref())));
        Ok(Self {
            js,
            shared,
            _callbacks: callbacks,
        })
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.shared.state.borrow_mut()
    }

    pub(super) fn is_open(&self) -> bool {
        self.shared.open.get()
    }

    pub(super) fn set_reader(&self, waker: &Waker) {
        self.shared.reader.set(Some(waker.clone()));
    }

    pub(super) fn set_writer(&self, waker: &Waker) {
        self.shared.writer.set(Some(waker.clone()));
    }

    /// Bytes that the browser has not handed to the network.
    pub(super) fn buffered(&self) -> usize {
        usize::try_from(self.js.buffered_amount()).unwrap_or(usize::MAX)
    }

    /// Sends a message. Once the socket closes, the browser takes it and drops it.
    pub(super) fn send(&self, message: &[u8]) -> Result<(), Error> {
        self.js
            .send_with_u8_array(message)
            .map_err(|exception| Error::Refused(name_of(&exception)))
    }

    /// Closes, behind all that was sent.
    pub(super) fn close(&self) {
        // It throws for codes that pages may not use, which this is not.
        let _ = self.js.close_with_code(NORMAL_CLOSURE);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The callbacks are gone in a moment, and a call of one that is gone throws.
        self.js.set_onopen(None);
        self.js.set_onmessage(None);
        self.js.set_onclose(None);
        self.close();
    }
}

impl Callbacks {
    fn new(shared: &Rc<Shared>) -> Self {
        let opened = Rc::clone(shared);
        let arrived = Rc::clone(shared);
        let ended = Rc::clone(shared);
        Self {
            open: Closure::new(move || {
                opened.open.set(true);
                opened.wake_all();
            }),
            message: Closure::new(move |event: MessageEvent| {
                let going = {
                    let mut state = arrived.state.borrow_mut();
                    match event.data().dyn_into::<ArrayBuffer>() {
                        Ok(buffer) => state.on_message(Uint8Array::new(&buffer).to_vec()),
                        Err(_) => {
                            state.fail(Error::Text);
                            false
                        }
                    }
                };
                if going {
                    if let Some(reader) = arrived.reader.take() {
                        reader.wake();
                    }
                } else {
                    tracing::debug!("WebSocket given up: the remote breaks the rules");
                    if let Some(socket) = event
                        .target()
                        .and_then(|target| target.dyn_into::<WebSocket>().ok())
                    {
                        let _ = socket.close_with_code(NORMAL_CLOSURE);
                    }
                    arrived.wake_all();
                }
            }),
            close: Closure::new(move |event: CloseEvent| {
                ended
                    .state
                    .borrow_mut()
                    .on_close(event.code(), event.was_clean());
                ended.wake_all();
            }),
        }
    }
}

fn function(closure: &JsValue) -> &Function {
    closure.unchecked_ref()
}

/// The name of an exception, which says what kind it is; its text may have the URL in it.
fn name_of(exception: &JsValue) -> String {
    Reflect::get(exception, &JsValue::from_str("name"))
        .ok()
        .and_then(|name| name.as_string())
        .unwrap_or_else(|| "unknown".to_owned())
}
