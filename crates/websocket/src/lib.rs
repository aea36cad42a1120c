//! WebSocket transport for libp2p in a browser: bytes over the browser's own `WebSocket`, to be upgraded with Noise and a
//! multiplexer. It dials; a browser cannot listen. Why not `libp2p-websocket-websys`: docs/adr/0007.
//!
//! - [`address`]: from a multiaddr to a URL
//! - [`state`]: what has arrived and how it ended; free of I/O
//! - `web`: the transport and its connections, on wasm32 only

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod address;
mod error;
pub mod limits;
pub mod state;
#[cfg(target_arch = "wasm32")]
mod web;

pub use error::Error;
#[cfg(target_arch = "wasm32")]
pub use web::{Connection, Transport};
