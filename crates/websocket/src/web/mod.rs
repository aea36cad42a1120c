//! The browser's `WebSocket` as a libp2p transport.

mod connection;
mod socket;
mod transport;

pub use connection::Connection;
pub use transport::Transport;
