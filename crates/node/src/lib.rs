//! The libp2p node, the same code in the browser and on a server.
//!
//! [`new`] composes the platform's transports and the node's behaviour, and gives back a cloneable
//! [`Handle`] and the [`EventLoop`] to run. Every call of the handle is answered once, in bounded
//! time; every table of the loop is bounded ([`limits`]).

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

pub mod address_policy;
mod behaviour;
mod config;
mod dht;
mod error;
mod event_loop;
mod forward;
mod handle;
mod interests;
mod known_peers;
pub mod limits;
mod meter;
mod peer_store;
mod ping;
mod pong;
mod relay_server;
mod services;
mod streams;
mod transport;
mod types;

pub use config::{Config, DEFAULT_KAD_PROTOCOL, Role, Services};
pub use dht::DhtKey;
pub use error::Error;
pub use event_loop::{EventLoop, new};
pub use handle::{
    Events, Handle, Listeners,
    topics::{Published, Received, TopicMessage, TopicMessages},
};
pub use known_peers::{BadKnownPeers, KnownPeer, KnownPeers};
pub use limits::{Limits, RelayLimits};
pub use meter::{Measure, Meter, Refusal, Toward};
pub use mooring_webrtc::signalled::{IceServer, IceServers};
pub use streams::{IncomingStreams, Stream};
pub use types::{
    Connection, DialRequest, Direction, Effort, Event, FoundPeer, IncomingStream, ListenerEvent,
    LookupOptions, OpenStream, OpenedStream, Owner, Path, Peer, RelayStatus, Scope, TransportKind,
};
