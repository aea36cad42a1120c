//! Why streams end abnormally.

use std::io;

/// Why a half of a stream ended abnormally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The remote sent RESET.
    #[error("reset by the remote")]
    ResetByRemote,
    /// The application dropped the stream without closing it.
    #[error("reset here")]
    ResetHere,
    /// The remote sent STOP_SENDING: it does not read any more.
    #[error("the remote stopped reading")]
    StoppedByRemote,
    /// A write after the application closed its half.
    #[error("written after close")]
    WriteAfterClose,
    /// The channel closed without FIN.
    #[error("the channel closed before the stream ended")]
    ChannelClosed,
    /// The connection ended.
    #[error("the connection ended")]
    ConnectionLost,
    /// The channel did not open in [`crate::limits::OPEN_TIMEOUT`].
    #[error("the channel did not open in time")]
    OpenTimeout,
    /// The remote sent what is no frame, or data after FIN.
    #[error("the remote broke the framing protocol")]
    Protocol,
    /// The reader was too slow for [`crate::limits::MAX_RECEIVE_BUFFER_STREAM`] or
    /// [`crate::limits::MAX_RECEIVE_BUFFER_CONNECTION`]; or, where the remote can be held back, it stood still
    /// while others needed the room.
    #[error("receive buffer is full")]
    Overflow,
}

impl Failure {
    /// The kind of the [`io::Error`] that readers and writers see.
    pub fn kind(self) -> io::ErrorKind {
        match self {
            Self::ResetByRemote | Self::ChannelClosed => io::ErrorKind::ConnectionReset,
            Self::ResetHere | Self::ConnectionLost => io::ErrorKind::ConnectionAborted,
            Self::StoppedByRemote | Self::WriteAfterClose => io::ErrorKind::BrokenPipe,
            Self::OpenTimeout => io::ErrorKind::TimedOut,
            Self::Protocol => io::ErrorKind::InvalidData,
            Self::Overflow => io::ErrorKind::OutOfMemory,
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::new(failure.kind(), failure)
    }
}
