//! Signalling of `/webrtc` (libp2p/specs webrtc/webrtc.md): how two nodes that a relay connects agree on a direct
//! connection. Offer, answer and candidates go over a stream of the relayed connection.
//!
//! - [`message`]: what goes over the stream
//! - [`candidate`]: one ICE candidate, as typed fields
//! - [`description`]: a session description, as typed fields
//! - [`negotiation`]: who says what when, with time limits and bounds
//!
//! What a peer says is read into typed fields and written anew: nothing of its text reaches a WebRTC implementation,
//! nor does ours reach the peer. There is no Noise handshake on the direct connection, as the relayed one's authenticates the
//! certificates in offer and answer.

pub mod candidate;
pub mod description;
pub mod message;
pub mod negotiation;
mod policy;

pub use candidate::{Address, Candidate};
pub use description::Description;
pub use negotiation::{Negotiation, Output, Role};
pub use policy::{AllowAll, Policy};

/// The protocol of the signalling stream.
pub const PROTOCOL: &str = "/webrtc-signaling/0.0.1";

/// Label of the channel that gives the offer something to describe. It carries no data; the dialer closes it.
pub const INIT_CHANNEL: &str = "init";

/// Why signalling failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignallingError {
    /// A message is longer than [`crate::limits::MAX_SIGNALLING_MESSAGE`].
    #[error("a message is too long")]
    TooLong,
    /// A message's length prefix or body is malformed.
    #[error("a message is malformed")]
    Malformed,
    /// A message came out of turn.
    #[error("a message came out of turn")]
    OutOfTurn,
    /// The peer sent more than [`crate::limits::MAX_SIGNALLING_MESSAGES`] messages.
    #[error("the peer sends too many messages")]
    TooManyMessages,
    /// A candidate that is none.
    #[error("candidate: {0}")]
    Candidate(&'static str),
    /// The peer ended the stream before the exchange was complete.
    #[error("the peer ended signalling early")]
    Ended,
    /// The offer or the answer did not come in time.
    #[error("the peer did not describe its session in time")]
    NoDescription,
    /// Descriptions were exchanged, but no direct path was found in time.
    #[error("no direct path was found in time")]
    NoPath,
    /// The peer dials us at the same time, and its attempt goes on instead.
    #[error("the peer's own attempt goes on instead")]
    Superseded,
}
