//! A libp2p connection: many streams over one WebRTC session.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use libp2p_core::muxing::{StreamMuxer, StreamMuxerEvent};

use super::driver::Shared;
use super::state::{Phase, State};
use super::stream::Stream;
use crate::{Error, Loss};

/// An authenticated connection. Dropping it closes it.
pub struct Connection {
    shared: Arc<Shared>,
    /// The Noise handshake's stream. It stays open: were its channel closed, a browser would use id 0 for one of its
    /// next streams, which other implementations then ignore.
    handshake: Option<Box<dyn Send>>,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            handshake: None,
        }
    }

    pub(crate) fn keep(&mut self, handshake: impl Send + 'static) {
        self.handshake = Some(Box::new(handshake));
    }

    fn start_closing(&mut self) {
        self.shared.lock().close(Instant::now());
        self.shared.notify();
    }
}

fn loss(state: &State) -> Option<Loss> {
    match state.phase() {
        Phase::Ended(loss) => Some(*loss),
        Phase::Closing(_) => Some(Loss::ClosedHere),
        Phase::Connecting | Phase::Connected => None,
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = Error;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let mut state = self.shared.lock();
        if let Some(key) = state.accept() {
            return Poll::Ready(Ok(Stream::new(self.shared.clone(), key)));
        }
        if let Some(loss) = loss(&state) {
            return Poll::Ready(Err(Error::ConnectionLost(loss)));
        }
        state.muxer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let mut state = self.shared.lock();
        if let Some(loss) = loss(&state) {
            return Poll::Ready(Err(Error::ConnectionLost(loss)));
        }
        // An error would end the connection, so with too many streams it waits.
        let Some(key) = state.open(Instant::now()) else {
            state.muxer = Some(cx.waker().clone());
            return Poll::Pending;
        };
        drop(state);
        self.shared.notify();
        Poll::Ready(Ok(Stream::new(self.shared.clone(), key)))
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Error>> {
        let mut state = self.shared.lock();
        if let Some(loss) = loss(&state) {
            return Poll::Ready(Err(Error::ConnectionLost(loss)));
        }
        state.muxer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if matches!(
            self.shared.lock().phase(),
            Phase::Connecting | Phase::Connected
        ) {
            self.start_closing();
        }
        let mut state = self.shared.lock();
        if matches!(state.phase(), Phase::Ended(_)) {
            return Poll::Ready(Ok(()));
        }
        state.closer = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.start_closing();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
