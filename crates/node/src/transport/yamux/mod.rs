//! yamux as a stream muxer that tells an end from a reset.
//!
//! The `yamux` crate reads "end of stream" after a reset and after a lost connection as well as
//! after FIN (its `Stream::poll_read`), and `libp2p-yamux` hands that on: a download cut short
//! would look complete. So the frames are watched on their way in ([`ledger`]), and an end that
//! the remote has not said is an error. They also tell how much waits to be read, which is bounded
//! for the connection.

mod ledger;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    io,
    iter::{Once, once},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};
use ledger::{Ledger, Watched};
use libp2p::core::{
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
};

use crate::{
    forward::forward_write,
    limits::{YAMUX_INBOUND, YAMUX_STREAMS},
};

/// Bytes that a remote may send on a stream before anything is read (yamux specification).
const WINDOW: usize = 256 * 1024;

/// Negotiates `/yamux/1.0.0`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upgrade;

impl UpgradeInfo for Upgrade {
    type Info = &'static str;
    type InfoIter = Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Muxer<C>, io::Error>>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(io, yamux::Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Muxer<C>, io::Error>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(io, yamux::Mode::Client)))
    }
}

/// One yamux connection.
pub(super) struct Muxer<C> {
    connection: yamux::Connection<Watched<C>>,
    ledger: Arc<Ledger>,
    inbound: VecDeque<Stream>,
    inbound_waker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(io: C, mode: yamux::Mode) -> Self {
        let mut config = yamux::Config::default();
        // No less is allowed than every stream's first window; the ledger sees to it that not all of it is used.
        config.set_max_num_streams(YAMUX_STREAMS);
        config.set_max_connection_receive_window(Some(YAMUX_STREAMS.saturating_mul(WINDOW)));
        let ledger = Arc::new(Ledger::default());
        let io = Watched::new(io, Arc::clone(&ledger));
        Self {
            connection: yamux::Connection::new(io, config, mode),
            ledger,
            inbound: VecDeque::new(),
            inbound_waker: None,
        }
    }
}

fn io_error(error: yamux::ConnectionError) -> io::Error {
    match error {
        yamux::ConnectionError::Io(error) => error,
        other => io::Error::other(other),
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, io::Error>> {
        if let Some(stream) = self.inbound.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        // `poll` fills the queue.
        self.inbound_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, io::Error>> {
        let ledger = Arc::clone(&self.ledger);
        self.connection
            .poll_new_outbound(cx)
            .map_ok(|stream| Stream::new(stream, ledger))
            .map_err(io_error)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, io::Error>> {
        match self.connection.poll_next_inbound(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(io_error(error))),
            Poll::Ready(Some(Ok(stream))) => {
                let stream = Stream::new(stream, Arc::clone(&self.ledger));
                if self.inbound.len() < YAMUX_INBOUND {
                    self.inbound.push_back(stream);
                    if let Some(waker) = self.inbound_waker.take() {
                        waker.wake();
                    }
                } else {
                    tracing::debug!("inbound yamux stream reset: too many are waiting");
                }
            }
        }
        // There may be more; let others have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.connection.poll_close(cx).map_err(io_error)
    }
}

/// One yamux stream.
pub(super) struct Stream {
    inner: yamux::Stream,
    id: u32,
    ledger: Arc<Ledger>,
}

impl Stream {
    fn new(inner: yamux::Stream, ledger: Arc<Ledger>) -> Self {
        let id = inner.id().val();
        ledger.open(id);
        Self { inner, id, ledger }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ledger.forget(self.id);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        match read {
            Poll::Ready(Ok(count)) if !buf.is_empty() => self.ledger.read(self.id, count),
            Poll::Ready(_) => {}
            Poll::Pending => self.ledger.read(self.id, 0),
        }
        if let Poll::Ready(Ok(0)) = read
            && !buf.is_empty()
            && !self.ledger.has_ended(self.id)
        {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }
}

forward_write!(Stream);
