//! Streams of pages and services: opened with protocols in order of preference, accepted for
//! registered protocols, counted while they live. Why not `libp2p-stream`: docs/adr/0005.

mod behaviour;
mod handler;
mod protocol;
mod registry;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

pub(crate) use behaviour::{Behaviour, Idle};
use futures::{AsyncRead, channel::mpsc};
use registry::{AcceptorGuard, Permit};

use crate::{forward::forward_write, types::IncomingStream};

/// A stream that counts against the node's limits until it is dropped. Dropping it resets it
/// unless both directions have ended; `poll_close` half-closes it.
#[derive(Debug)]
pub struct Stream {
    inner: libp2p::Stream,
    _permit: Permit,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

forward_write!(Stream);

/// Streams that remotes open for the accepted protocols. Dropping it stops accepting, and resets
/// those that were not taken.
#[derive(Debug)]
pub struct IncomingStreams {
    // Before the receiver: nothing may be delivered any more when the queue is dropped.
    _guard: AcceptorGuard,
    receiver: mpsc::Receiver<IncomingStream>,
}

impl futures::Stream for IncomingStreams {
    type Item = IncomingStream;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.receiver).poll_next(cx)
    }
}
