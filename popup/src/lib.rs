//! The dashboard in the extension's popup: how the node is, whom it is connected to and for whom, and the switches.
//!
//! It holds one port to the node host and shows what the host says ([`mooring_api::popup`]). Everything that can be
//! decided without a browser is pure and natively tested: [`format`] and [`words`] make text, [`link`] and [`pending`]
//! follow the port and the commands on it, [`rows`] keeps lists calm. [`state`] joins them to signals, `views` to the
//! page. It links no networking: what it opens with must load in a blink.
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

pub mod connection;
pub mod entry;
pub mod error;
pub mod format;
pub mod limits;
pub mod link;
pub mod pending;
pub mod preferences;
pub mod relay;
pub mod rows;
pub mod site;
pub mod state;
pub mod status;
mod views;
pub mod words;
