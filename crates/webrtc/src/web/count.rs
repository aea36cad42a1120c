//! `RTCPeerConnection`s, counted.
//!
//! Chromium refuses the 501st that is not garbage-collected yet, closed ones included, and a wasm
//! program makes too little garbage of its own for the collector to come by. So the
//! collector is asked to tell (`FinalizationRegistry`), and a budget kept that fails with a clear error.

use std::cell::Cell;

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{RtcConfiguration, RtcPeerConnection};

use super::js;
use crate::{Error, limits::MAX_PEER_CONNECTIONS};

thread_local! {
    /// Open ones, and closed ones that the collector has not reported.
    static EXISTING: Cell<usize> = const { Cell::new(0) };
    static REGISTRY: Option<Registry> = Registry::new();
}

/// Whether there is WebRTC here.
pub(super) fn available() -> Result<(), Error> {
    match js::get(&js_sys::global(), "RTCPeerConnection") {
        Some(_) => Ok(()),
        None => Err(Error::Unavailable),
    }
}

/// A peer connection that is closed when dropped.
#[derive(Debug)]
pub(super) struct Counted(RtcPeerConnection);

impl Counted {
    /// A new one, while there are fewer than `limit` and the budget allows it.
    pub(super) fn new(configuration: &RtcConfiguration, limit: usize) -> Result<Self, Error> {
        available()?;
        if EXISTING.get() >= limit.min(MAX_PEER_CONNECTIONS) {
            return Err(Error::TooManyPeerConnections);
        }
        let connection = RtcPeerConnection::new_with_configuration(configuration)
            .map_err(|exception| js::error("RTCPeerConnection", &exception))?;
        EXISTING.set(EXISTING.get().saturating_add(1));
        REGISTRY.with(|registry| {
            if let Some(registry) = registry {
                registry.register(&connection);
            }
        });
        Ok(Self(connection))
    }

    pub(super) fn get(&self) -> &RtcPeerConnection {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.close();
        REGISTRY.with(|registry| {
            if registry.is_none() {
                collected();
            }
        });
    }
}

fn collected() {
    EXISTING.set(EXISTING.get().saturating_sub(1));
}

/// A JavaScript `FinalizationRegistry`; it lives as long as the thread.
struct Registry {
    registry: JsValue,
    register: Function,
}

impl Registry {
    fn new() -> Option<Self> {
        let constructor = js::get(&js_sys::global(), "FinalizationRegistry")?
            .dyn_into::<Function>()
            .ok()?;
        let callback = Closure::<dyn Fn(JsValue)>::new(|_| collected()).into_js_value();
        let registry = Reflect::construct(&constructor, &Array::of1(&callback)).ok()?;
        let register = js::get(&registry, "register")?.dyn_into().ok()?;
        Some(Self { registry, register })
    }

    fn register(&self, connection: &RtcPeerConnection) {
        let arguments = Array::of2(connection, &JsValue::UNDEFINED);
        if Reflect::apply(&self.register, &self.registry, &arguments).is_err() {
            tracing::warn!("peer connection is not tracked");
        }
    }
}
