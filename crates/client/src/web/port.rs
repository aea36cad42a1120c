//! Message ports, each one end of a stream.

use std::{cell::RefCell, rc::Rc};

use js_sys::{Array, Object, Uint8Array};
use mooring_api::{params::Bytes, stream_port::StreamMessage};
use wasm_bindgen::prelude::*;

use super::window::{MessageEvent, member, set};
use crate::core::channel::{Channel, Port};

#[wasm_bindgen]
extern "C" {
    #[derive(Clone)]
    pub type MessagePort;
    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &MessagePort, message: &JsValue, transfer: &Array)
    -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn close(this: &MessagePort);
    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &MessagePort, listener: &JsValue);
    #[wasm_bindgen(method, setter)]
    fn set_onclose(this: &MessagePort, listener: &JsValue);
}

/// A stream's port that nobody has taken yet. Dropped, it ends the stream.
pub struct Unclaimed(Option<MessagePort>);

impl Unclaimed {
    pub fn new(port: MessagePort) -> Self {
        Unclaimed(Some(port))
    }

    /// The stream, with a window of that many bytes.
    pub fn open(mut self, window: u32) -> Option<Rc<Channel>> {
        self.0.take().map(|port| open(port, window))
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(port) = self.0.take() {
            send(
                &port,
                StreamMessage::Reset {
                    reason: "nobody takes this stream".to_owned(),
                },
            );
            port.close();
        }
    }
}

type Listeners = Rc<RefCell<Vec<Closure<dyn FnMut(MessageEvent)>>>>;

/// Its listeners hold the channel, and the channel holds them until it is closed.
struct Wired {
    port: MessagePort,
    listeners: Listeners,
}

impl Port for Wired {
    fn send(&self, message: StreamMessage) {
        send(&self.port, message);
    }

    fn close(&self) {
        self.port.set_onmessage(&JsValue::NULL);
        self.port.set_onclose(&JsValue::NULL);
        self.port.close();
        // Perhaps from within one of them, which ends before it goes.
        self.listeners.take();
    }
}

fn open(port: MessagePort, window: u32) -> Rc<Channel> {
    let listeners = Listeners::default();
    let wired = Wired {
        port: port.clone(),
        listeners: Rc::clone(&listeners),
    };
    let channel = Channel::new(wired, window);
    let hearing = Rc::clone(&channel);
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        if let Some(message) = parse(&event.data()) {
            hearing.receive(message);
        }
    });
    let closing = Rc::clone(&channel);
    // Where the browser says so: whoever held the other end is gone.
    let closed =
        Closure::<dyn FnMut(MessageEvent)>::new(move |_| closing.receive(StreamMessage::Closed));
    port.set_onclose(closed.as_ref());
    listeners.borrow_mut().push(closed);
    // Last: it starts the port.
    port.set_onmessage(heard.as_ref());
    listeners.borrow_mut().push(heard);
    channel
}

/// A message of the node; none when it is of a kind that a newer one knows.
fn parse(data: &JsValue) -> Option<StreamMessage> {
    let kind = member(data, "type")?.as_string()?;
    Some(match kind.as_str() {
        "data" => StreamMessage::Data {
            bytes: Bytes::from(
                member(data, "bytes")?
                    .dyn_into::<Uint8Array>()
                    .ok()?
                    .to_vec(),
            ),
        },
        "credit" => StreamMessage::Credit {
            bytes: whole(member(data, "bytes")?.as_f64()?)?,
        },
        "closeWrite" => StreamMessage::CloseWrite,
        "stopReading" => StreamMessage::StopReading,
        "reset" => StreamMessage::Reset {
            reason: member(data, "reason")
                .and_then(|reason| reason.as_string())
                .unwrap_or_default(),
        },
        "closed" => StreamMessage::Closed,
        _ => return None,
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked
fn whole(number: f64) -> Option<u64> {
    (0.0..=js_sys::Number::MAX_SAFE_INTEGER)
        .contains(&number)
        .then_some(number as u64)
}

fn send(port: &MessagePort, message: StreamMessage) {
    let object = Object::new();
    let transfer = Array::new();
    let kind = match message {
        StreamMessage::Data { bytes } => {
            // A copy out of wasm's memory, which is given away.
            let bytes = Uint8Array::from(bytes.as_slice());
            transfer.push(&bytes.buffer());
            set(&object, "bytes", &bytes);
            "data"
        }
        StreamMessage::Credit { bytes } => {
            #[allow(clippy::cast_precision_loss)] // 16 MiB at most
            set(&object, "bytes", &JsValue::from_f64(bytes as f64));
            "credit"
        }
        StreamMessage::CloseWrite => "closeWrite",
        StreamMessage::StopReading => "stopReading",
        StreamMessage::Reset { reason } => {
            set(&object, "reason", &reason.into());
            "reset"
        }
        StreamMessage::Closed => "closed",
    };
    set(&object, "type", &kind.into());
    // A port takes whatever can be cloned; one that is closed takes it too, and drops it.
    let _ = port.post_message(&object, &transfer);
}
