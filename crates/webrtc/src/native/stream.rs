//! A libp2p stream on a data channel.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::{AsyncRead, AsyncWrite};

use super::driver::Shared;
use super::state::Key;
use crate::core::stream::Failure;

/// A stream. Closing it sends FIN and waits for the remote to confirm it; dropping it unclosed resets it.
pub struct Stream {
    shared: Arc<Shared>,
    key: Key,
}

impl Stream {
    pub(crate) fn new(shared: Arc<Shared>, key: Key) -> Self {
        Self { shared, key }
    }
}

const GONE: io::ErrorKind = io::ErrorKind::ConnectionAborted;

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        let Some((read, notify)) = state.read(self.key, buffer, Instant::now()) else {
            return Poll::Ready(Err(GONE.into()));
        };
        if read.is_pending()
            && let Some(entry) = state.entry(self.key)
        {
            entry.reader = Some(cx.waker().clone());
        }
        drop(state);
        if notify {
            self.shared.notify();
        }
        read.map_err(io::Error::from)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        let Some(entry) = state.entry(self.key) else {
            return Poll::Ready(Err(GONE.into()));
        };
        match entry.stream.write(bytes) {
            Poll::Pending => {
                entry.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Ok(written)) => {
                drop(state);
                self.shared.touch(self.key);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(failure)) => Poll::Ready(Err(failure.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Frames are on their way as soon as they are written.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let Some(entry) = state.entry(self.key) else {
            return Poll::Ready(Err(GONE.into()));
        };
        let result = entry.stream.close(Instant::now());
        if result.is_pending() {
            entry.writer = Some(cx.waker().clone());
        }
        state.touch(self.key);
        drop(state);
        self.shared.notify();
        result.map_err(|failure: Failure| failure.into())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.lock().abandon(self.key, Instant::now());
        self.shared.notify();
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
