//! A connection as libp2p sees it.

use std::{
    fmt,
    future::Future as _,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures::{FutureExt as _, future::BoxFuture};
use futures_timer::Delay;
use libp2p_core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p_noise as noise;
use send_wrapper::SendWrapper;
use web_time::Instant;

use super::{peer::Peer, stream::Stream};
use crate::{Error, Loss};

/// An authenticated connection. Dropping it closes the browser's peer connection and fails its
/// streams.
pub struct Connection {
    /// Kept so that its id is not given to another stream; see [`crate::core::noise::server`].
    _handshake: Option<SendWrapper<noise::Output<Stream>>>,
    peer: SendWrapper<Rc<Peer>>,
    timer: Option<(Instant, Delay)>,
    /// Ends the signalling stream beside everything else.
    goodbye: Option<BoxFuture<'static, ()>>,
}

impl Connection {
    pub(super) fn new(peer: Rc<Peer>, handshake: noise::Output<Stream>) -> Self {
        Self {
            _handshake: Some(SendWrapper::new(handshake)),
            peer: SendWrapper::new(peer),
            timer: None,
            goodbye: None,
        }
    }

    /// One whose peer signalling has authenticated; `goodbye` ends that stream.
    pub(super) fn signalled(peer: Rc<Peer>, goodbye: BoxFuture<'static, ()>) -> Self {
        Self {
            _handshake: None,
            peer: SendWrapper::new(peer),
            timer: None,
            goodbye: Some(goodbye),
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        loop {
            let now = Instant::now();
            let Some(at) = self.peer.on_timer(now) else {
                self.timer = None;
                return;
            };
            if self.timer.as_ref().is_none_or(|(set, _)| *set != at) {
                self.timer = Some((at, Delay::new(at.saturating_duration_since(now))));
            }
            let Some((_, delay)) = &mut self.timer else {
                return;
            };
            if Pin::new(delay).poll(cx).is_pending() {
                return;
            }
            // Timers may fire a little early; then a new one is set.
            self.timer = None;
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.peer.set_driver(cx.waker());
        self.peer.poll_inbound().map_ok(Stream::new)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.peer.set_driver(cx.waker());
        let opened = self.peer.poll_open().map_ok(Stream::new);
        if opened.is_pending() {
            // It may have to be tried again at a certain time.
            self.poll_timer(cx);
        }
        opened
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.peer.lose(Loss::ClosedHere);
        Poll::Ready(Ok(()))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        self.peer.set_driver(cx.waker());
        self.poll_timer(cx);
        if self
            .goodbye
            .as_mut()
            .is_some_and(|goodbye| goodbye.poll_unpin(cx).is_ready())
        {
            self.goodbye = None;
        }
        match self.peer.lost() {
            Some(loss) => Poll::Ready(Err(Error::ConnectionLost(loss))),
            None => Poll::Pending,
        }
    }
}
