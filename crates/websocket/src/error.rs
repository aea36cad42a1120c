//! What can go wrong.

use std::io;

use crate::limits::CONNECT_TIMEOUT;

/// Why a connection could not be made, or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no `WebSocket` here.
    #[error("there is no WebSocket here")]
    Unavailable,
    /// The browser did not even try; the name of its exception, such as `SecurityError`.
    #[error("the browser refused: {0}")]
    Refused(String),
    /// It does not say why, so that pages cannot explore networks.
    #[error("could not connect")]
    ConnectFailed,
    /// No opening handshake within the time limit.
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout,
    /// The connection was lost, or closed with another code than a good end's (RFC 6455, section 7.4.1; 1006: lost).
    #[error("closed with code {0}")]
    Closed(u16),
    /// The remote sends without regard to the multiplexer's windows.
    #[error("the remote sent more than may wait to be read")]
    Overflow,
    /// libp2p's messages are binary.
    #[error("the remote sent text")]
    Text,
    /// Written to after it was closed here.
    #[error("closed here")]
    ClosedHere,
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Unavailable => io::ErrorKind::Unsupported,
            Error::Refused(_) => io::ErrorKind::PermissionDenied,
            Error::ConnectFailed => io::ErrorKind::ConnectionRefused,
            Error::ConnectTimeout => io::ErrorKind::TimedOut,
            Error::Closed(_) => io::ErrorKind::ConnectionReset,
            Error::Overflow | Error::Text => io::ErrorKind::InvalidData,
            Error::ClosedHere => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}
