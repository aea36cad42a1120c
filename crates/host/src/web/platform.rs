//! The platform as the host page gives it.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use futures_timer::Delay;
use js_sys::Promise;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use super::value::from_js;
use crate::{About, Area, Platform, PlatformError, Value, error::millis};

#[wasm_bindgen]
extern "C" {
    /// The host page's `Platform`.
    #[wasm_bindgen(typescript_type = "Platform")]
    pub type JsPlatform;

    #[wasm_bindgen(method, getter, js_name = extensionOrigin)]
    fn extension_origin(this: &JsPlatform) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn product(this: &JsPlatform) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn version(this: &JsPlatform) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn browser(this: &JsPlatform) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn storage(this: &JsPlatform) -> JsStore;
    #[wasm_bindgen(method, getter)]
    fn session(this: &JsPlatform) -> JsStore;
    #[wasm_bindgen(method, catch, js_name = openPrompt)]
    fn open_prompt(this: &JsPlatform, id: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = closePrompt)]
    fn close_prompt(this: &JsPlatform, id: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = setBadge)]
    fn set_badge(this: &JsPlatform, state: &str, connections: u32) -> Result<(), JsValue>;

    /// A part of its storage.
    pub type JsStore;

    #[wasm_bindgen(method, catch)]
    fn get(this: &JsStore, key: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn set(this: &JsStore, key: &str, value: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn remove(this: &JsStore, key: &str) -> Result<JsValue, JsValue>;
}

/// A [`Platform`] over the host page's.
pub(super) struct WebPlatform {
    js: JsPlatform,
    about: About,
    start: Instant,
}

impl WebPlatform {
    pub(super) fn new(js: JsPlatform) -> Self {
        let text = |value: JsValue| value.as_string().unwrap_or_default();
        let about = About {
            extension_origin: text(js.extension_origin()),
            product: text(js.product()),
            version: text(js.version()),
            browser: text(js.browser()),
        };
        WebPlatform {
            js,
            about,
            start: Instant::now(),
        }
    }

    fn store(&self, area: Area) -> JsStore {
        match area {
            Area::Storage => self.js.storage(),
            Area::Session => self.js.session(),
        }
    }
}

/// Waits for what a call gave, a promise or not.
async fn settle(called: Result<JsValue, JsValue>) -> Result<JsValue, PlatformError> {
    let promise = called.map_err(|error| failure(&error))?;
    JsFuture::from(Promise::resolve(&promise))
        .await
        .map_err(|error| failure(&error))
}

/// The message of an error, or what kind of thing was thrown.
fn failure(error: &JsValue) -> PlatformError {
    let message = js_sys::Reflect::get(error, &JsValue::from_str("message"))
        .ok()
        .and_then(|message| message.as_string())
        .or_else(|| error.as_string());
    PlatformError(message.unwrap_or_else(|| "something that is no error was thrown".into()))
}

#[async_trait::async_trait(?Send)]
impl Platform for WebPlatform {
    fn about(&self) -> &About {
        &self.about
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        wasm_bindgen_futures::spawn_local(task);
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(Delay::new(duration))
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, millis)
    }

    async fn get(&self, area: Area, key: &str) -> Result<Option<Value>, PlatformError> {
        let value = settle(self.store(area).get(key)).await?;
        Ok(Some(from_js(&value)))
    }

    async fn set(&self, area: Area, key: &str, value: &str) -> Result<(), PlatformError> {
        settle(self.store(area).set(key, value)).await.map(drop)
    }

    async fn remove(&self, area: Area, key: &str) -> Result<(), PlatformError> {
        settle(self.store(area).remove(key)).await.map(drop)
    }

    async fn open_prompt(&self, id: &str) -> Result<(), PlatformError> {
        settle(self.js.open_prompt(id)).await.map(drop)
    }

    async fn close_prompt(&self, id: &str) -> Result<(), PlatformError> {
        settle(self.js.close_prompt(id)).await.map(drop)
    }

    fn set_badge(&self, state: &str, connections: u32) {
        if let Err(error) = self.js.set_badge(state, connections) {
            tracing::debug!(error = %failure(&error), "the badge was not set");
        }
    }
}
