//! The application's end of a stream.

use std::{
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use send_wrapper::SendWrapper;
use web_time::Instant;

use super::channel::Channel;

/// A stream of a [`super::Connection`].
///
/// `poll_close` closes the writing half and waits until the remote has confirmed that it received
/// everything. Dropping a stream whose writing half is not closed resets it. Errors carry
/// a [`crate::core::stream::Failure`].
pub struct Stream(SendWrapper<Rc<Channel>>);

impl Stream {
    pub(super) fn new(channel: Rc<Channel>) -> Self {
        Self(SendWrapper::new(channel))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.set_reader(cx.waker());
        let read = self.0.run(|state| state.read(buffer));
        read.map_err(io::Error::from)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.set_writer(cx.waker());
        // The browser tells only when its queue falls to the low mark from above it. What never rose that far, as with a
        // slow writer, would be counted as queued for ever.
        let buffered = self.0.buffered();
        let written = self.0.run(|state| {
            state.on_buffered_amount(buffered);
            state.write(bytes)
        });
        written.map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.0.run(|state| state.flush());
        Poll::Ready(flushed.map_err(io::Error::from))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.set_writer(cx.waker());
        let closed = self.0.run(|state| state.close(Instant::now()));
        closed.map_err(io::Error::from)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
