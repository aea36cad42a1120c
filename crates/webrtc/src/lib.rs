//! WebRTC transports for libp2p: webrtc-direct, versions 1 and 2, and `/webrtc` between nodes that cannot be dialed,
//! in browsers and native.
//!
//! - [`core`]: framing, stream state machine, addresses, session descriptions, credentials, Noise;
//!   free of I/O, shared by both backends
//! - `web`: the browser's `RTCPeerConnection` (dials)
//! - `native`: listens and dials
//!
//! - [`signalled`]: `/webrtc`, over either backend
//!
//! The backend of the target is re-exported here: `Config`, `Transport`, `Connection`, `Stream`.

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

pub mod core;
mod error;
#[cfg(test)]
mod fuzz;
pub mod limits;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod signalled;
#[cfg(target_arch = "wasm32")]
pub mod web;

#[cfg(target_arch = "wasm32")]
pub use web::{Config, Connection, Stream, Transport};

#[cfg(not(target_arch = "wasm32"))]
use native as imp;
#[cfg(target_arch = "wasm32")]
use web as imp;

pub use error::{Error, Loss, Stage, root_cause};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{Certificate, CertificateError, Config, Connection, Stream, Transport};
