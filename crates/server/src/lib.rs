//! The node as a native server: webrtc-direct, ws and tcp listeners, circuit relay, identify,
//! ping, a Kademlia server and gossipsub. A self-signed certificate is all it needs: browsers
//! check the hash in its address.
//!
//! The binary is `mooring-server`; an application can have the same inside itself:
//!
//! ```no_run
//! use mooring_server::{Config, Server};
//!
//! # async fn example() -> Result<(), mooring_server::Error> {
//! let mut config = Config::new("data");
//! config.listen = vec!["/ip4/127.0.0.1/udp/0/webrtc-direct".parse().expect("a multiaddr")];
//! let server = Server::start(config).await?;
//! for address in server.addresses().await? {
//!     println!("{address}");
//! }
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

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

mod atomic_file;
mod bounds;
mod certificate;
mod config;
mod data_dir;
mod error;
mod identity;
mod journal;
mod known_peers;
mod limits;
mod metrics;
mod server;

pub mod address;

pub use bounds::{BOUNDS, Bound};
pub use config::{Config, DEFAULT_PORT, DEFAULT_WS_PORT};
pub use data_dir::default_data_dir;
pub use error::Error;
pub use server::Server;

/// What the server is made of: its handle, services and errors.
pub use mooring_node as node;
