//! The libp2p node in the visitor's browser, for web apps written in Rust: connected before the page loads, kept when it closes. The
//! visitor needs the Mooring extension and decides what the site may do.
//!
//! ```no_run
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use mooring_client::{Descriptor, connect};
//!
//! # async fn example(address: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let node = connect().await?;
//! node.permissions()
//!     .request(&[
//!         Descriptor::Dial { private_network: false },
//!         Descriptor::Streams { protocols: vec!["/chat/1".to_owned()] },
//!     ])
//!     .await?;
//! let connection = node.dial(address).await?;
//! let mut stream = node.open_stream(&connection.peer_id, &["/chat/1"]).await?;
//! stream.write_all(b"hello").await?;
//! stream.close().await?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Handlers, subscriptions and events are streams of `futures`: dropping one ends it in the node. After the extension was reloaded, or the page came
//! back from the back/forward cache, or a request met a node that had crashed, the node is told again what the app wants.
//!
//! It is for `wasm32-unknown-unknown` in a web page's main thread, and compiles elsewhere too: there [`connect`] fails with
//! [`Code::NotAllowed`]. Permissions, methods, limits and errors are those of the page API (`docs/page-api.md`), whose types it shares
//! with the extension (`mooring-api`). For pages in JavaScript there is the npm package of the same name.
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

mod connect;
mod core;
mod error;
mod events;
mod handlers;
mod hub;
pub mod limits;
mod node;
mod pubsub;
mod routing;
mod rpc;
mod stream;
mod web;

pub use connect::{connect, connect_within};
pub use error::{Code, Error};
pub use events::{Event, Events};
pub use handlers::IncomingStreams;
pub use node::{DialTarget, Node, Permissions, StreamOptions};
pub use pubsub::{Pubsub, Subscription};
pub use routing::{Dht, Registration, Rendezvous};
pub use stream::{MooringStream, StreamEnd};

pub use mooring_api::{
    Descriptor, ErrorCode, GrantName,
    descriptor::Revocation,
    event::{ConnectionEvent, ConnectionUpgraded, EventName, PeerEvent, StateChanged},
    params::DhtKey,
    results::{
        Connection, Direction, FoundPeer, Hello, Identity, NodeState, Path, Peer, Published,
        PubsubMessage, Status,
    },
};
