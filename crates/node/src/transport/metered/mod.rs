//! A muxer that sees what a relay carries, and who waits for it.

mod hop;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite};
use hop::Hop;
use libp2p::{
    PeerId,
    core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox},
};
use web_time::Instant;

use crate::{
    meter::{Measure, Meter, Toward},
    relay_server::{Unanswered, Waiting},
};

/// To whom it is told.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub(super) meter: Option<Arc<dyn Meter>>,
    pub(super) unanswered: Arc<Unanswered>,
}

impl Watcher {
    fn record(&self, measure: Measure) {
        if let Some(meter) = &self.meter {
            meter.record(measure);
        }
    }
}

/// A connection whose inbound streams are watched: on one of these somebody asks for a circuit.
pub(super) struct Muxer {
    inner: StreamMuxerBox,
    peer: PeerId,
    watcher: Watcher,
}

impl Muxer {
    pub(super) fn new(inner: StreamMuxerBox, peer: PeerId, watcher: Watcher) -> Self {
        Self {
            inner,
            peer,
            watcher,
        }
    }
}

impl StreamMuxer for Muxer {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, io::Error>> {
        let inner = ready!(Pin::new(&mut self.inner).poll_inbound(cx))?;
        let watch = Some(Watch {
            hop: Hop::default(),
            peer: self.peer,
            watcher: self.watcher.clone(),
            waiting: None,
            circuit: None,
        });
        Poll::Ready(Ok(Stream { inner, watch }))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stream, io::Error>> {
        let inner = ready!(Pin::new(&mut self.inner).poll_outbound(cx))?;
        Poll::Ready(Ok(Stream { inner, watch: None }))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, io::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

/// A stream that may be a circuit.
struct Watch {
    hop: Hop,
    peer: PeerId,
    watcher: Watcher,
    /// While a circuit was asked for and nothing answered.
    waiting: Option<Waiting>,
    /// Since when it is one, and what it has carried.
    circuit: Option<(Instant, u64)>,
}

impl Watch {
    fn read(&mut self, bytes: &[u8]) {
        let carried = self.hop.read(bytes);
        if self.waiting.is_none() && self.hop.is_waiting() {
            let list = &self.watcher.unanswered;
            self.waiting = Some(list.asked(self.peer, Instant::now()));
        }
        self.carried(Toward::Listener, carried);
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let (carried, early) = self.hop.wrote(bytes);
        if !self.hop.is_waiting() {
            self.waiting = None;
        }
        if self.circuit.is_none() && matches!(self.hop, Hop::Circuit) {
            self.circuit = Some((Instant::now(), 0));
            self.watcher.record(Measure::CircuitOpened);
        }
        self.carried(Toward::Dialer, carried);
        self.carried(Toward::Listener, early);
    }

    fn carried(&mut self, toward: Toward, bytes: u64) {
        if let Some((_, total)) = &mut self.circuit
            && bytes > 0
        {
            *total = total.saturating_add(bytes);
            self.watcher.record(Measure::Relayed { toward, bytes });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((since, bytes)) = self.circuit {
            self.watcher.record(Measure::CircuitClosed {
                bytes,
                duration: since.elapsed(),
            });
        }
    }
}

/// One stream of a [`Muxer`].
pub(super) struct Stream {
    inner: SubstreamBox,
    /// As long as it may be a circuit.
    watch: Option<Watch>,
}

impl Stream {
    fn watched(&mut self, see: impl FnOnce(&mut Watch)) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        see(watch);
        if matches!(watch.hop, Hop::Other) {
            self.watch = None;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.watched(|watch| watch.read(buf.get(..count).unwrap_or_default()));
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.watched(|watch| watch.wrote(buf.get(..count).unwrap_or_default()));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
