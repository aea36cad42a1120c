//! Which streams the remote has ended in good order, and how much waits to be read, from the frames as they come in.
//!
//! The `yamux` crate (0.14) bounds what waits by stream alone, and counts bytes: all streams together could hold 320 MiB, and
//! as frames of one byte some twenty times that. So the frames are charged for, and when too much waits no more is read from
//! the connection, until somebody reads.
//!
//! Frame: version (1 byte), type (1), flags (2), stream id (4), length (4), all big-endian; only
//! data frames (type 0) have a body of that length.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};

use crate::limits::{YAMUX_FRAME, YAMUX_RESUME, YAMUX_STREAMS, YAMUX_UNREAD};

const HEADER: usize = 12;
const DATA: u8 = 0;
const SYN: u16 = 1;
const FIN: u16 = 4;

/// Streams and whether the remote has ended them. Bounded: a stream that has no place in it reads
/// every end as a reset, which is the safe side.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    streams: HashMap<u32, Entry>,
    /// What all of them hold.
    charged: usize,
    /// Waits until less is held.
    paused: Option<Waker>,
}

#[derive(Debug, Default)]
struct Entry {
    ended: bool,
    /// Bytes that wait to be read.
    unread: usize,
    /// Those, and what their frames cost besides.
    charged: usize,
}

impl Inner {
    /// A stream holds so much less. Returns who is to be woken.
    fn release(&mut self, charged: usize) -> Option<Waker> {
        self.charged = self.charged.saturating_sub(charged);
        if self.charged <= YAMUX_RESUME {
            self.paused.take()
        } else {
            None
        }
    }
}

/// Twice what can be open: a remote may open new streams before old ones are dropped.
const ENTRIES: usize = YAMUX_STREAMS.saturating_mul(2);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins; its end may have been seen before it was handed out.
    pub(super) fn open(&self, id: u32) {
        let streams = &mut self.lock().streams;
        if streams.len() < ENTRIES {
            streams.entry(id).or_default();
        }
    }

    fn end(&self, id: u32) {
        if let Some(entry) = self.lock().streams.get_mut(&id) {
            entry.ended = true;
        }
    }

    pub(super) fn has_ended(&self, id: u32) -> bool {
        let inner = self.lock();
        inner.streams.get(&id).is_some_and(|entry| entry.ended)
    }

    pub(super) fn forget(&self, id: u32) {
        let mut inner = self.lock();
        let waker = match inner.streams.remove(&id) {
            Some(entry) => inner.release(entry.charged),
            None => None,
        };
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    /// A part of a stream's frame came: so many bytes, at so much besides. yamux drops what comes for a stream that is not
    /// there.
    fn charge(&self, id: u32, bytes: usize, besides: usize) {
        let mut inner = self.lock();
        if let Some(entry) = inner.streams.get_mut(&id) {
            let charge = bytes.saturating_add(besides);
            entry.unread = entry.unread.saturating_add(bytes);
            entry.charged = entry.charged.saturating_add(charge);
            inner.charged = inner.charged.saturating_add(charge);
        }
    }

    /// The application read so many bytes; none: there is nothing to be read.
    pub(super) fn read(&self, id: u32, bytes: usize) {
        let mut inner = self.lock();
        let Some(entry) = inner.streams.get_mut(&id) else {
            return;
        };
        let left = entry.unread.saturating_sub(bytes);
        let charged = if bytes == 0 {
            // Not nothing: of a frame that is on its way, some bytes may have come already.
            left
        } else {
            // Frames are not told apart here: their cost goes with their bytes.
            let share = entry.charged.saturating_mul(left);
            share.checked_div(entry.unread).unwrap_or(0)
        };
        let released = entry.charged.saturating_sub(charged);
        (entry.unread, entry.charged) = (left, charged);
        let waker = inner.release(released);
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Whether too much waits to be read; then wakes when it is less.
    fn is_full(&self, cx: &Context<'_>) -> bool {
        let mut inner = self.lock();
        let full = inner.charged >= YAMUX_UNREAD;
        if full {
            inner.paused = Some(cx.waker().clone());
        }
        full
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().streams.len()
    }

    #[cfg(test)]
    pub(super) fn charged(&self) -> usize {
        self.lock().charged
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
                stream: 0,
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
    /// Whose body comes.
    pub(super) stream: u32,
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
                self.ledger.charge(self.stream, passed.len(), 0);
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
            if flags & SYN != 0 {
                self.ledger.open(id);
            }
            if kind == DATA {
                self.body = usize::try_from(length).unwrap_or(usize::MAX);
                self.stream = id;
                self.ledger.charge(id, 0, YAMUX_FRAME);
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
        if this.frames.ledger.is_full(cx) {
            return Poll::Pending;
        }
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
