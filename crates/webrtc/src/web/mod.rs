//! The browser backend: webrtc-direct and `/webrtc` over the browser's `RTCPeerConnection`.
//!
//! Everything here runs on one thread and is driven by JavaScript callbacks. Three rules keep that
//! safe, and each is kept in one place:
//! - A callback never runs foreign code while something is borrowed: it feeds the state machine, and
//!   wakes tasks after the borrow has ended ([`channel::Channel::run`]).
//! - Callbacks belong to the connection, not to a stream, and are detached before they are freed
//!   ([`peer::Peer`]), so none is freed while it runs or called after it was freed.
//! - Whoever owns a [`peer::Peer`] owns the browser's connection: dropping it closes it, also in the
//!   middle of a dial ([`count::Counted`]).
//!
//! No `window` is needed: offscreen documents, background pages, and workers that have
//! `RTCPeerConnection` all do.

mod channel;
mod connection;
mod count;
mod dial;
mod ids;
mod js;
mod peer;
mod signalled;
mod stream;
mod transport;
mod versions;

pub use connection::Connection;
pub(crate) use signalled::{Agent, Upgrade, check, upgrade};
pub use stream::Stream;
pub use transport::{Config, Transport};
