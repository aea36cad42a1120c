//! What can go wrong in this crate.

use std::io;

use libp2p_identity::PeerId;

use crate::core::{
    certhash::Fingerprint, frame::FrameError, signalling::SignallingError, stream::Failure,
};

/// The crate's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that names `/webrtc-direct` or `/webrtc` but cannot be dialed.
    #[error("bad WebRTC address: {0}")]
    Address(&'static str),
    /// A `/certhash` that is not a SHA-256 multihash.
    #[error("certhash is not a SHA-256 multihash")]
    Certhash,
    /// A session description lacks a line we need, or the line is malformed.
    #[error("session description: {0}")]
    Sdp(&'static str),
    /// A STUN USERNAME or ICE credential that webrtc-direct does not allow.
    #[error("ICE credentials: {0}")]
    IceCredentials(&'static str),
    /// Signalling of a `/webrtc` connection failed.
    #[error("signalling: {0}")]
    Signalling(#[from] SignallingError),
    /// The circuit for signalling could not be opened; in words, for people only.
    #[error("no circuit to the peer: {0}")]
    Circuit(String),
    /// A malformed frame.
    #[error("frame: {0}")]
    Frame(#[from] FrameError),
    /// A stream ended abnormally.
    #[error("stream: {0}")]
    Stream(#[from] Failure),
    /// The Noise handshake failed.
    #[error("noise handshake: {0}")]
    Noise(#[from] libp2p_noise::Error),
    /// The remote proved another identity than the address or the caller named.
    #[error("expected peer {expected}, found {found}")]
    WrongPeer {
        /// Who was dialed.
        expected: Box<PeerId>,
        /// Who answered.
        found: Box<PeerId>,
    },
    /// The remote's certificate is not the one its address names.
    #[error("expected certificate {expected}, found {found}")]
    WrongCertificate {
        /// What the `/certhash` says.
        expected: Fingerprint,
        /// What the remote showed.
        found: Fingerprint,
    },
    /// A stage of a dial took longer than its limit in [`crate::limits`].
    #[error("timed out: {0}")]
    Timeout(Stage),
    /// Both versions of webrtc-direct failed.
    #[error("webrtc-direct v2: {v2}; v1: {v1}")]
    BothVersions {
        /// Why v2 failed.
        v2: Box<Error>,
        /// Why v1 failed.
        v1: Box<Error>,
    },
    /// The connection ended.
    #[error("connection lost: {0}")]
    ConnectionLost(Loss),
    /// The connection has [`crate::limits::MAX_STREAMS`] streams.
    #[error("too many streams on this connection")]
    TooManyStreams,
    /// [`crate::limits::MAX_PEER_CONNECTIONS`] exist.
    #[error("too many peer connections in this browser process, try again later")]
    TooManyPeerConnections,
    /// The platform has no WebRTC here (in a browser: this kind of worker).
    #[error("WebRTC is not available here")]
    Unavailable,
    /// The operation is not supported by this backend, as listening in a browser.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// The platform's WebRTC refused an operation.
    #[error("{operation}: {message}")]
    Platform {
        /// What was tried.
        operation: &'static str,
        /// The platform's words, for people only.
        message: String,
    },
    /// Socket and file errors (native).
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A stage of a dial, each with a time limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stage {
    /// Making and setting the session descriptions.
    #[error("preparing the session descriptions")]
    Descriptions,
    /// ICE and DTLS: nobody answered, or not as we expect.
    #[error("connecting (ICE and DTLS)")]
    Connecting,
    /// The Noise channel did not open.
    #[error("opening the handshake channel")]
    HandshakeChannel,
    /// The Noise handshake.
    #[error("Noise handshake")]
    Noise,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// ICE or DTLS failed: the remote is gone or unreachable.
    #[error("the remote cannot be reached any more")]
    Failed,
    /// The remote closed it.
    #[error("closed by the remote")]
    ClosedByRemote,
    /// Nothing was heard for longer than the limit.
    #[error("nothing was heard from the remote for too long")]
    Silent,
    /// We closed it.
    #[error("closed here")]
    ClosedHere,
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(_) => {
                let Error::Io(inner) = error else {
                    return io::Error::other(error);
                };
                return inner;
            }
            Error::Stream(failure) => failure.kind(),
            Error::ConnectionLost(_) => io::ErrorKind::ConnectionAborted,
            Error::Timeout(_) => io::ErrorKind::TimedOut,
            Error::Frame(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

/// The innermost reason, which is the one that says something.
pub fn root_cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    let mut innermost = error;
    loop {
        // `io::Error` hides what it wraps from `source`.
        let wrapped = innermost
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        match wrapped.or_else(|| innermost.source()) {
            Some(next) => innermost = next,
            None => return innermost,
        }
    }
}
