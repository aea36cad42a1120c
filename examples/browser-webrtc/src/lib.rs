//! A plain page with a libp2p swarm of its own that pings a server over webrtc-direct: no
//! extension, no permission, and gone with its tab.
//!
//! It is written against `libp2p-webrtc-websys` and does not know which crate that is: the
//! dependency line of `Cargo.toml` says so. The interoperability tests build it with both.
#![cfg(target_arch = "wasm32")]

use std::{error::Error, time::Duration};

use futures::StreamExt as _;
use js_sys::Function;
use libp2p::{
    Multiaddr, Swarm,
    identity::Keypair,
    ping,
    swarm::{self, SwarmEvent},
};
use libp2p_webrtc_websys as webrtc_websys;
use wasm_bindgen::prelude::*;

/// How often the page pings.
const INTERVAL: Duration = Duration::from_millis(500);

/// Without a ping in the works a connection is kept this long.
const IDLE: Duration = Duration::from_secs(60);

/// Dials the server and pings it until the connection ends; `on_ping` gets each round trip in
/// milliseconds.
///
/// # Errors
/// Why the dial failed, a ping was not answered, or the connection ended.
#[wasm_bindgen]
pub async fn run(address: String, on_ping: Function) -> Result<(), JsError> {
    console_error_panic_hook::set_once();
    let address: Multiaddr = address.parse()?;
    let mut swarm = swarm();
    swarm.dial(address)?;
    while let Some(event) = swarm.next().await {
        match event {
            SwarmEvent::Behaviour(ping::Event { result, .. }) => {
                let milliseconds = result.map_err(|error| explain(&error))?.as_secs_f64() * 1000.0;
                // What the page does with it is the page's own affair, exceptions included.
                let _ = on_ping.call1(&JsValue::UNDEFINED, &milliseconds.into());
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(explain(&error)),
            SwarmEvent::ConnectionClosed { cause, .. } => {
                return Err(cause.map_or_else(
                    || JsError::new("the server closed the connection"),
                    |cause| explain(&cause),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn swarm() -> Swarm<ping::Behaviour> {
    let identity = Keypair::generate_ed25519();
    let config = webrtc_websys::Config::new(&identity);
    Swarm::new(
        webrtc_websys::Transport::new(config).boxed(),
        ping::Behaviour::new(ping::Config::new().with_interval(INTERVAL)),
        identity.public().to_peer_id(),
        swarm::Config::with_wasm_executor().with_idle_connection_timeout(IDLE),
    )
}

/// An error with all its causes.
fn explain(error: &dyn Error) -> JsError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    JsError::new(&text)
}
