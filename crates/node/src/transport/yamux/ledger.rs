//! Which streams the remote has ended in good order, read from the frames as they come in.
//!
//! Frame: version (1 byte), type (1), flags (2), stream id (4), length (4), all big-endian; only
//! data frames (type 0) have a body of that length.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};

use crate::limits::YAMUX_STREAMS;

const HEADER: usize = 12;
const DATA: u8 = 0;
const SYN: u16 = 1;
const FIN: u16 = 4;

/// Streams and whether the remote has ended them. Bounded: a stream that has no place in it reads
/// every end as a reset, which is the safe side.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<HashMap<u32, bool>>);

/// Twice what can be open: a remote may open new streams before old ones are dropped.
const ENTRIES: usize = YAMUX_STREAMS.saturating_mul(2);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins; its end may have been seen before it was handed out.
    pub(super) fn open(&self, id: u32) {
        let mut streams = self.lock();
        if streams.len() < ENTRIES {
            streams.entry(id).or_insert(false);
        }
    }

    fn end(&self, id: u32) {
        if let Some(ended) = self.lock().get_mut(&id) {
            *ended = true;
        }
    }

    pub(super) fn has_ended(&self, id: u32) -> bool {
        self.lock().get(&id).copied().unwrap_or(false)
    }

    pub(super) fn forget(&self, id: u32) {
        self.lock().remove(&id);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// What lies under yamux, with its incoming frames entered in the ledger.
pub(super) struct Watched<C> {
    io: C,
    frames: Frames,
}

impl<C> Watched<C> {
    pub(super) fn new(io: C, ledger: Arc<Ledger>) -> Self {
        Self {
            io,
            frames: Frames {
                ledger,
                header: Vec::with_capacity(HEADER),
                body: 0,
                ending: None,
            },
        }
    }
}

/// Where in the sequence of frames the incoming bytes are.
pub(super) struct Frames {
    pub(super) ledger: Arc<Ledger>,
    pub(super) header: Vec<u8>,
    /// Bytes of the present frame's body that have yet to come.
    pub(super) body: usize,
    /// The stream that ends with the present frame: with its last byte, not its first.
    pub(super) ending: Option<u32>,
}

impl Frames {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.body > 0 {
                let (passed, rest) = bytes.split_at(self.body.min(bytes.len()));
                self.body = self.body.saturating_sub(passed.len());
                bytes = rest;
            } else {
                let missing = HEADER.saturating_sub(self.header.len());
                let (part, rest) = bytes.split_at(missing.min(bytes.len()));
                self.header.extend_from_slice(part);
                bytes = rest;
                if self.header.len() < HEADER {
                    return;
                }
                self.on_header();
            }
            if self.body == 0
                && let Some(id) = self.ending.take()
            {
                self.ledger.end(id);
            }
        }
    }

    fn on_header(&mut self) {
        if let [_, kind, f0, f1, i0, i1, i2, i3, l0, l1, l2, l3] = *self.header.as_slice() {
            let flags = u16::from_be_bytes([f0, f1]);
            let id = u32::from_be_bytes([i0, i1, i2, i3]);
            let length = u32::from_be_bytes([l0, l1, l2, l3]);
            if kind == DATA {
                self.body = usize::try_from(length).unwrap_or(usize::MAX);
            }
            if flags & SYN != 0 {
                self.ledger.open(id);
            }
            if flags & FIN != 0 {
                self.ending = Some(id);
            }
        }
        self.header.clear();
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Watched<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        if let Poll::Ready(Ok(count)) = &read {
            this.frames.feed(buf.get(..*count).unwrap_or_default());
        }
        read
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Watched<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}
