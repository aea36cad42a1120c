//! The border to JavaScript: [`Host`](crate::Host), ports and platform as wasm-bindgen sees them. Nothing is decided
//! here; values are carried over, and nothing that JavaScript does may panic.

mod log;
mod platform;
#[cfg(debug_assertions)]
mod trap;
mod value;

use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;

use self::platform::{JsPlatform, WebPlatform};
use crate::{Host, Outlet, PortEnd, Sender, Value};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What the host needs of the browser. */
export interface Platform {
  readonly extensionOrigin: string;
  readonly product: string;
  readonly version: string;
  readonly browser: "chrome" | "firefox";
  readonly storage: Store;
  readonly session: Store;
  openPrompt(id: string): Promise<void>;
  closePrompt(id: string): Promise<void>;
  setBadge(state: string, connections: number): void;
}
/** A part of the extension's storage; a missing key gives undefined or null. */
export interface Store {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
  remove(key: string): Promise<void>;
}
/** What the browser vouches for about the other end of a port. */
export interface Sender {
  name: string;
  origin?: string;
  url?: string;
  tabId?: number;
  frameId?: number;
  documentId?: string;
  lifecycle?: string;
  extension: boolean;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// A `Sender`, read like any other value.
    #[wasm_bindgen(typescript_type = "Sender")]
    pub type JsSender;
}

/// Sets the log and the panic message up, once.
#[wasm_bindgen(start)]
pub fn begin() {
    log::start();
    #[cfg(debug_assertions)]
    trap::offer();
}

/// The node host.
#[wasm_bindgen(js_name = Host)]
pub struct JsHost(Host);

#[wasm_bindgen(js_class = Host)]
impl JsHost {
    /// Starts the host; the node comes up afterwards.
    pub async fn start(platform: JsPlatform) -> JsHost {
        JsHost(Host::start(Rc::new(WebPlatform::new(platform))).await)
    }

    /// Takes a port. `post` sends to the other end, `close` disconnects it.
    pub fn connect(&self, sender: &JsSender, post: Function, close: Function) -> PortHandle {
        let sender = read_sender(&value::from_js(sender));
        let outlet = Rc::new(JsOutlet { post, close });
        PortHandle(self.0.connect(&sender, outlet))
    }

    /// The machine's network is lost, or is there again.
    #[wasm_bindgen(js_name = setNetwork)]
    pub fn set_network(&self, available: bool) {
        self.0.set_network(available);
    }

    /// Ends the node and all sessions.
    pub fn shutdown(&self) -> Promise {
        let host = self.0.clone();
        future_to_promise(async move {
            host.shutdown().await;
            Ok(JsValue::UNDEFINED)
        })
    }
}

/// The host's end of a port. Freeing it is the same as `closed`.
#[wasm_bindgen]
pub struct PortHandle(PortEnd);

#[wasm_bindgen]
impl PortHandle {
    /// A message came.
    pub fn receive(&self, message: &JsValue) {
        self.0.receive(value::from_js(message));
    }

    /// The other end is gone.
    pub fn closed(&self) {
        self.0.closed();
    }
}

struct JsOutlet {
    post: Function,
    close: Function,
}

impl Outlet for JsOutlet {
    fn post(&self, message: Value) {
        // A port that is gone throws, and says so through `closed` as well.
        let _ = self.post.call1(&JsValue::UNDEFINED, &value::to_js(message));
    }

    fn close(&self) {
        let _ = self.close.call0(&JsValue::UNDEFINED);
    }
}

fn read_sender(sender: &Value) -> Sender {
    let text = |key| sender.get(key).and_then(Value::as_text).map(str::to_owned);
    let number = |key| match sender.get(key) {
        #[allow(clippy::cast_possible_truncation)] // whole, and cast saturates
        Some(Value::Number(number)) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    };
    Sender {
        name: text("name").unwrap_or_default(),
        origin: text("origin"),
        url: text("url"),
        tab_id: number("tabId"),
        frame_id: number("frameId"),
        document_id: text("documentId"),
        lifecycle: text("lifecycle"),
        extension: sender.get("extension") == Some(&Value::Bool(true)),
    }
}
