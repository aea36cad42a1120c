//! How much the peer may have waiting in SCTP.
//!
//! sctp-proto (0.10.8) bounds what it keeps by its user data alone. Thus a peer could have a million chunks of one byte
//! kept, each a few hundred bytes in truth and looked through for every further one; and a listener would keep a window
//! full for strangers. So what arrives is counted before SCTP sees it, and DATA for which there is no room is taken out of
//! its packet: to the peer it is lost, as to a full window, and it sends it again.

use bytes::Bytes;

use super::packet::{self, Chunk};
use crate::native::limits;

/// What may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// DATA chunks, between the last that was read and the latest that is taken.
    pub(crate) chunks: u32,
    /// Bytes of user data.
    pub(crate) bytes: usize,
    /// Channels that the peer has begun.
    pub(crate) channels: usize,
}

impl Bounds {
    /// Until Noise has shown who the peer is.
    pub(crate) const STRANGER: Self = Self {
        chunks: limits::STRANGER_CHUNKS,
        bytes: limits::STRANGER_WINDOW,
        channels: limits::STRANGER_CHANNELS,
    };
    /// Afterwards: SCTP's own window.
    pub(crate) const PEER: Self = Self {
        chunks: limits::MAX_WAITING_CHUNKS,
        bytes: usize::MAX,
        channels: limits::MAX_CHANNELS,
    };
    /// While the memory for all connections is used up.
    pub(crate) const SHORT: Self = Self {
        bytes: limits::SHORT_WINDOW,
        ..Self::PEER
    };
}

/// What to do with a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    /// Without its DATA.
    Instead(Option<Bytes>),
    /// RFC 9260, section 6.2: the association is to be aborted.
    NoUserData,
}

#[derive(Debug)]
pub(super) struct Inflow {
    pub(super) bounds: Bounds,
    /// The TSN that all chunks were read up to if they were read in order: one further for each that was. Known from the
    /// first acknowledgement on.
    read_to: Option<u32>,
    /// Until then: chunks that arrived, and how many of them were read.
    first: (u32, u32),
    /// The highest TSN taken.
    highest: Option<u32>,
    /// What the last acknowledgement said has arrived in sequence.
    cumulative: u32,
    /// The window it announced.
    announced: u32,
    /// Unread bytes as of then, and how many came and went since.
    waiting: usize,
    came: usize,
    went: usize,
    /// The last packet taken that held DATA.
    last: Option<Bytes>,
}

/// Whether `a` comes after `b` (RFC 1982).
fn after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

impl Inflow {
    pub(super) fn new() -> Self {
        Self {
            bounds: Bounds::STRANGER,
            read_to: None,
            first: (0, 0),
            highest: None,
            cumulative: 0,
            announced: limits::SCTP_RECEIVE_BUFFER,
            waiting: 0,
            came: 0,
            went: 0,
            last: None,
        }
    }

    /// Bytes that wait to be read. Too high, rather than too low, until the next acknowledgement, as it counts what came twice.
    pub(super) fn unread(&self) -> usize {
        self.waiting
            .saturating_add(self.came)
            .saturating_sub(self.went)
    }

    /// Whether so much waits that the peer is, or soon will be, held back on all of its channels.
    pub(super) fn is_tight(&self) -> bool {
        self.unread() >= limits::TIGHT_WINDOW || self.chunks() >= self.bounds.chunks / 2
    }

    /// Chunks between the last that was read and the latest that was taken.
    fn chunks(&self) -> u32 {
        match (self.highest, self.read_to) {
            (Some(highest), Some(read_to)) if after(highest, read_to) => {
                highest.wrapping_sub(read_to)
            }
            (Some(_), Some(_)) | (None, _) => 0,
            (Some(_), None) => self.first.0.saturating_sub(self.first.1),
        }
    }

    /// A packet came from the peer.
    pub(super) fn arrives(&mut self, packet: &Bytes) -> Verdict {
        let (mut count, mut bytes, mut fits) = (0_u32, 0_usize, true);
        let mut highest = self.highest;
        for chunk in packet::chunks(packet) {
            let Chunk::Data { tsn, length } = chunk else {
                continue;
            };
            if length == 0 {
                return Verdict::NoUserData;
            }
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(length);
            // What fills a gap has to be taken, or what waits behind it could never be read.
            let fills = self.highest.is_some_and(|highest| !after(tsn, highest));
            let in_reach = self.read_to.is_none_or(|read_to| {
                !after(tsn, read_to) || tsn.wrapping_sub(read_to) <= self.bounds.chunks
            });
            fits &= in_reach && (fills || self.unread().saturating_add(bytes) <= self.bounds.bytes);
            if highest.is_none_or(|highest| after(tsn, highest)) {
                highest = Some(tsn);
            }
        }
        if count == 0 {
            return Verdict::Take;
        }
        if self.read_to.is_none() {
            fits &= self.first.0.saturating_add(count) <= self.bounds.chunks;
        }
        if !fits {
            return Verdict::Instead(packet::without_data(packet));
        }
        self.first.0 = self.first.0.saturating_add(count);
        self.highest = highest;
        self.came = self.came.saturating_add(bytes);
        self.last = Some(packet.clone());
        Verdict::Take
    }

    /// A message was read.
    pub(super) fn read(&mut self, chunks: usize, bytes: usize) {
        let chunks = u32::try_from(chunks).unwrap_or(u32::MAX);
        self.went = self.went.saturating_add(bytes);
        match &mut self.read_to {
            Some(read_to) => *read_to = read_to.wrapping_add(chunks),
            None => self.first.1 = self.first.1.saturating_add(chunks),
        }
        self.correct();
    }

    /// A packet goes out to the peer.
    pub(super) fn leaves(&mut self, packet: &[u8]) {
        for chunk in packet::chunks(packet) {
            let Chunk::Sack { cumulative, window } = chunk else {
                continue;
            };
            self.cumulative = cumulative;
            self.announced = window;
            let waiting = limits::SCTP_RECEIVE_BUFFER.saturating_sub(window);
            self.waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
            (self.came, self.went) = (0, 0);
            if self.read_to.is_none() {
                let (arrived, read) = self.first;
                self.read_to = Some(cumulative.wrapping_sub(arrived).wrapping_add(read));
            }
            self.correct();
        }
    }

    /// Chunks also go unread, with their channel. But each that waits has a byte, so of those up to the last
    /// acknowledgement no more wait than bytes do.
    fn correct(&mut self) {
        let unread = u32::try_from(self.unread()).unwrap_or(u32::MAX);
        let at_least = self.cumulative.wrapping_sub(unread);
        if let Some(read_to) = &mut self.read_to
            && after(at_least, *read_to)
        {
            *read_to = at_least;
        }
    }

    /// The window has opened again, and the peer does not know: a packet to take a second time, twice, which has SCTP
    /// announce it. sctp-proto does not by itself, and the peer would ask only after a wait that doubles each time, up
    /// to a minute.
    pub(super) fn reopens(&mut self) -> Option<Bytes> {
        let closed = self.announced < limits::CLOSED_WINDOW;
        let open = self.unread() < limits::TIGHT_WINDOW;
        if !(closed && open) {
            return None;
        }
        // Once: the acknowledgement will say how it is.
        self.announced = limits::CLOSED_WINDOW;
        packet::only_data(self.last.as_ref()?)
    }
}
