//! Streams to peers.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use mooring_api::{ErrorCode, limits::MAX_CREDIT_FROM_PAGE};

use crate::{Error, core::channel::Channel, web::port::Unclaimed};

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEnd {
    /// Why it was reset, by either side or by the node; `None` when both sides came to their end.
    pub reason: Option<String>,
}

/// A stream to a peer, in both directions: `AsyncRead` and `AsyncWrite` of `futures`.
///
/// What the app does not read slows the remote writer: no more than the window is ever held. A remote that does not read makes writes wait.
///
/// - `close` ends this side's data; the other direction goes on.
/// - A read of 0 bytes is the remote's end, and what came was whole. Anything else is an error of [`io::ErrorKind::ConnectionReset`].
/// - Dropping the stream resets it, unless it was closed and read to its end: then the node sends the rest.
pub struct MooringStream {
    channel: Rc<Channel>,
    protocol: String,
    peer: String,
}

impl MooringStream {
    pub(crate) fn new(
        port: Option<Unclaimed>,
        protocol: String,
        peer: String,
        window: u32,
    ) -> Result<Self, Error> {
        let channel = port.and_then(|port| port.open(window));
        let channel = channel
            .ok_or_else(|| Error::node(ErrorCode::Internal, "The stream came without its port"))?;
        Ok(MooringStream {
            channel,
            protocol,
            peer,
        })
    }

    /// The protocol that both ends agreed on.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The remote's peer id.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Ends the stream at once, in both directions; what is under way is lost. The reason is told to the node, for its log.
    pub fn reset(&self, reason: &str) {
        self.channel.reset(reason);
    }

    /// Waits until nothing will happen any more. It does not borrow the stream; one that is dropped does not end by this.
    pub fn closed(&self) -> impl Future<Output = StreamEnd> + 'static {
        let channel = Rc::clone(&self.channel);
        async move {
            StreamEnd {
                reason: channel.closed().await,
            }
        }
    }
}

impl Drop for MooringStream {
    fn drop(&mut self) {
        self.channel.forget();
    }
}

impl fmt::Debug for MooringStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MooringStream")
            .field("protocol", &self.protocol)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for MooringStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.channel.poll_read(cx, into)
    }
}

impl AsyncWrite for MooringStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.channel.poll_write(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.channel.close_write())
    }
}

/// Fails for a window that the page API does not allow.
pub(crate) fn check_window(window: u32) -> Result<u32, Error> {
    if window == 0 || u64::from(window) > MAX_CREDIT_FROM_PAGE {
        let message = format!("a stream's window is 1 to {MAX_CREDIT_FROM_PAGE} bytes");
        return Err(Error::node(ErrorCode::InvalidParams, message));
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_within_the_contract() {
        let most = u32::try_from(MAX_CREDIT_FROM_PAGE).unwrap();
        assert_eq!(check_window(1), Ok(1));
        assert_eq!(check_window(most), Ok(most));
        assert!(check_window(0).is_err());
        assert!(check_window(most + 1).is_err());
    }
}
