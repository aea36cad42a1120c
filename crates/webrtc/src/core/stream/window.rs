//! How a slow reader slows the remote's writer: windows, an extension of the protocol (docs/adr/0009-stream-windows.md).
//!
//! A frame may carry, beside or instead of data, how many bytes the remote may send on the stream in all, as QUIC's
//! MAX_STREAM_DATA does (RFC 9000, section 4.1). Unlike there, no window means no bound:
//!
//! - The first data frame of each half carries the value 0, which bounds nothing. It says that its sender will keep to windows.
//! - A receiver tells the first window when its reader has fallen behind, and the next ones as the reader goes on. It
//!   tells those alone that have announced that they keep to it: upstream's Rust crates (libp2p-webrtc-utils 0.5) take a frame
//!   that has no data for the stream's end.
//! - A sender stops where the highest window ends. FIN and the other flags need none.
//!
//! Nobody waits for ever because of it. A window ends at least a quarter of its size beyond all that was read or sent by the
//! time it is told; so whoever is stopped by one has sent what the reader does not have, or the next one is due. Windows are
//! taken and told whatever the other half waits for. And whatever ends a stream, or its reading, wakes the writer.

use super::{Channel, Receiving, Stream};
use crate::limits;

/// One part in so many of a window: unread, it makes the window known; read, it makes the window move.
const STEP: u64 = 4;

/// What the remote may send.
#[derive(Debug)]
pub(super) struct Grants {
    /// The largest window; none: none is told.
    largest: Option<u64>,
    /// The remote keeps to windows.
    kept_to: bool,
    arrived: u64,
    /// The window that was told last.
    told: Option<u64>,
    /// One is due, and waits for room in the send queue.
    waits: bool,
}

impl Grants {
    pub(super) fn new(largest: Option<u64>) -> Self {
        Self {
            largest,
            kept_to: false,
            arrived: 0,
            told: None,
            waits: false,
        }
    }

    /// So many bytes came.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.arrived = self.arrived.saturating_add(wide(bytes));
    }

    /// The window to be told now, if one is due. `unread` and `unfinished`: bytes of data, and of the frame that is still coming.
    /// `room`: what the connection can hold besides.
    fn due(&self, unread: usize, unfinished: usize, room: usize) -> Option<u64> {
        let largest = self.largest.filter(|_| self.kept_to)?;
        let (unread, unfinished) = (wide(unread), wide(unfinished));
        let part = wide(room)
            .saturating_add(unread)
            .checked_div(limits::WINDOW_PART);
        let size = part.unwrap_or(0).max(limits::MIN_WINDOW).min(largest);
        let step = size.checked_div(STEP).unwrap_or(0);
        let read = self.arrived.saturating_sub(unread);
        let window = read.saturating_add(size);
        let due = match self.told {
            // A backend that leaves messages where they are does so by both.
            None => unread.saturating_add(unfinished) >= step,
            Some(told) => window.saturating_sub(told) >= step,
        };
        (due && step > 0).then_some(window)
    }
}

/// What we may send.
#[derive(Debug)]
pub(super) struct Allowance {
    /// We keep to windows.
    keeps: bool,
    announced: bool,
    taken: u64,
    /// The highest window so far.
    window: Option<u64>,
}

impl Allowance {
    pub(super) fn new(keeps: bool) -> Self {
        Self {
            keeps,
            announced: false,
            taken: 0,
            window: None,
        }
    }

    /// Bytes that may be sent now. The last ones are used too, however few: nothing more may be granted before they came.
    pub(super) fn room(&self) -> usize {
        self.window.map_or(usize::MAX, |window| {
            usize::try_from(window.saturating_sub(self.taken)).unwrap_or(usize::MAX)
        })
    }

    /// A frame with so many bytes of data goes out; gives what its window field says.
    pub(super) fn takes(&mut self, bytes: usize) -> Option<u64> {
        self.taken = self.taken.saturating_add(wide(bytes));
        let announces = self.keeps && bytes > 0 && !std::mem::replace(&mut self.announced, true);
        announces.then_some(0)
    }

    /// The remote told a window. They only ever grow: one that is lower was overtaken, or is nonsense.
    fn hear(&mut self, window: u64) {
        if self.keeps && window > 0 {
            self.window = Some(self.window.map_or(window, |known| known.max(window)));
        }
    }
}

impl Stream {
    /// A frame had this window.
    pub(super) fn on_window(&mut self, window: u64) {
        self.grants.kept_to = true;
        self.allowance.hear(window);
        if self.writer_blocked && self.allowance.room() > 0 {
            self.writer_blocked = false;
            self.wake_writer = true;
        }
    }

    /// The send queue has changed. A writer that waits for the window as well is not woken: it would ask again, and in a backend
    /// that reports the queue each time be woken again, for ever.
    pub(super) fn unblock_writer(&mut self) {
        // The little that may wait for the end of the turn is nothing that the channel will tell of.
        let waits = if self.may_wait() {
            self.outbox_bytes
        } else {
            0
        };
        let low = self.queued().saturating_sub(waits) <= self.pace.low_water();
        if self.writer_blocked && low && self.allowance.room() > 0 {
            self.writer_blocked = false;
            self.wake_writer = true;
        }
    }

    /// Tells the remote how much it may send, if it should know.
    pub(super) fn grant(&mut self) {
        self.grants.waits = false;
        if self.channel != Channel::Open || self.receiving != Receiving::Open {
            return;
        }
        let room = self.shared.budget.room();
        let Some(window) = self
            .grants
            .due(self.received.len(), self.decoder.buffered(), room)
        else {
            return;
        };
        let most = limits::SEND_HIGH_WATER.saturating_add(limits::WINDOW_QUEUE);
        if self.queued() >= most {
            // By the time there is room for it, it may say more.
            self.grants.waits = true;
            return;
        }
        self.grants.told = Some(window);
        self.send_frame(None, Some(window), &[]);
    }

    /// The send queue has changed.
    pub(super) fn grant_late(&mut self) {
        if self.grants.waits {
            self.grant();
        }
    }

    /// Whether [`Stream::on_buffered_amount`] would let something go on that waits for room in the channel.
    pub fn awaits_report(&self) -> bool {
        self.grants.waits
    }

    /// Whether [`Stream::poll_output`] has something to be sent.
    pub fn has_to_send(&self) -> bool {
        self.channel == Channel::Open && !self.outbox.is_empty()
    }

    /// Whether the remote has been told a window, which it keeps to: what it sends nevertheless was on its way, and is bounded.
    pub fn is_windowed(&self) -> bool {
        self.grants.told.is_some()
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
