//! Every message between page, popup, prompt, background and node, in one place.
//!
//! The page's side is the contract in `docs/page-api.md`; the types here are its machine-readable half, and
//! TypeScript is generated from them (`cargo xtask gen`). What the extension's own pages say to the node is
//! internal and may change with any version.
//!
//! This crate holds data and the rules that data alone can decide (is this a method, is that descriptor well
//! formed, does this grant cover that request). It knows neither browser nor network.
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

pub mod descriptor;
pub mod error;
pub mod event;
pub mod jsonrpc;
pub mod limits;
pub mod method;
mod object;
pub mod params;
pub mod popup;
pub mod port;
pub mod prompt;
pub mod results;
pub mod stream_port;
#[cfg(test)]
mod typescript;

pub use descriptor::{Descriptor, DescriptorError, GrantName};
pub use error::{ErrorCode, ErrorData, ErrorObject};
pub use jsonrpc::RequestId;
pub use method::Method;

/// The version of the page API that this build speaks, in every envelope.
pub const VERSION: u32 = 1;
