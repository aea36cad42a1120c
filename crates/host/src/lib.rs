//! The node host: takes the extension's ports with the browser's word for who is at the other end, holds sessions,
//! grants, storage and identity, and drives the node through its handle.
//!
//! Everything but `web` is portable and tested natively: a [`Host`] needs a [`Platform`] (storage, prompts, time)
//! and is spoken to through [`Value`]s. `web` is the thin layer that makes both out of JavaScript. The core runs on
//! one thread, as a browser does, and holds no borrow while it calls out (docs/adr/0006-host-core.md).

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

mod announce;
mod error;
mod grants;
mod host;
mod ice_servers;
mod identity;
mod known_peers;
pub mod limits;
mod platform;
mod popup;
mod private_streams;
mod prompt;
mod quota;
mod session;
mod signal;
mod slots;
mod streams;
mod supervisor;
mod topics;
mod value;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use host::{Host, PortEnd};
pub use platform::{About, Area, Outlet, Platform, PlatformError, Sender};
pub use value::{Opaque, Value, ValueError, from_value, to_value};
