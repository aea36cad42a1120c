//! The native backend: listens and dials webrtc-direct on tokio, and makes `/webrtc` connections.
//!
//! From the wire upwards:
//! - `socket`, `stun`, `path` (the dialer's ICE), `listener` with `table` and `admission` (many connections on one socket)
//! - `ice`: the checks of `/webrtc`, where neither side can be dialed
//! - `session`: DTLS, SCTP and data channels, without input or output; the only part that knows the stack
//! - `state`: a connection's streams over its session, also without input or output
//! - `driver`: the task that gives a `state` its datagrams and time
//! - `connection`, `stream`, `handshake`, `transport`: what libp2p sees
//! - `signalled`: what `/webrtc` needs of all that

mod admission;
mod certificate;
mod connection;
mod driver;
mod handshake;
mod ice;
mod limits;
mod listener;
mod path;
mod session;
mod signalled;
mod socket;
mod state;
mod stream;
mod stun;
mod table;
mod transport;

pub use crate::core::ufrag::Version;
pub use certificate::{Certificate, CertificateError};
pub use connection::Connection;
pub(crate) use signalled::{Agent, Upgrade, check, upgrade};
pub use stream::Stream;
pub use table::Counters;
pub use transport::{Config, Transport};
