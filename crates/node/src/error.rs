//! The crate's one error type. Every variant has one code in the page API.

use std::time::Duration;

use libp2p::Multiaddr;

/// Why a request to the node was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an address this node could ever dial (5006).
    #[error("{address} cannot be dialed by this node: {reason}")]
    BadAddress {
        /// The address as it was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address class or the protocol id is denied by policy (5007).
    #[error("refused: {reason}")]
    Refused {
        /// What was refused, and by which rule.
        reason: String,
    },
    /// Every address failed (5001).
    #[error("dial failed: {}", causes.join("; "))]
    DialFailed {
        /// One short sentence per attempt.
        causes: Vec<String>,
    },
    /// The time limit of the request passed (5002).
    #[error("time limit passed")]
    Timeout,
    /// Nothing is known under that name (5004).
    #[error("not found")]
    NotFound,
    /// There is no connection to the peer that the request could use, and it may not dial (5001).
    #[error("not connected")]
    NotConnected,
    /// A named bound is used up (5005).
    #[error("limit exceeded: {what}")]
    LimitExceeded {
        /// Which bound; the field's name in [`Limits`](crate::Limits) where it has one.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// Larger than the node passes on, now or later (5005).
    #[error("too large: {what} has at most {most} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its most bytes.
        most: usize,
    },
    /// The remote speaks none of the protocols asked for (5010).
    #[error("protocol not supported by the remote")]
    ProtocolNotSupported,
    /// The stream or its connection ended abruptly (5003).
    #[error("stream reset")]
    StreamReset,
    /// Nobody to ask or to store with (5009).
    #[error("no peers")]
    NoPeers,
    /// Not in this build or on this platform (4200).
    #[error("unsupported: {0}")]
    Unsupported(&'static str),
    /// The node has ended (4900).
    #[error("the node has stopped")]
    Stopped,
    /// The user has paused the node (5001; the state is `offline`).
    #[error("the node is paused")]
    Paused,
    /// A listen address could not be used; only from [`new`](crate::new).
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address from [`Config::listen`](crate::Config::listen).
        address: Multiaddr,
        /// The transport's reason.
        cause: String,
    },
    /// A value in [`Config`](crate::Config) cannot be used; only from [`new`](crate::new).
    #[error("bad configuration: {0}")]
    Config(String),
}
