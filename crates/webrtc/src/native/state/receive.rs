//! What streams receive: how much is held for their readers, and what happens to one that stands still.
//!
//! A stream takes its messages out of SCTP until its reader is behind by [`limits::STREAM_RECEIVE_BUFFER`]; what comes then
//! stays in SCTP, whose window holds the peer back. But that window is the connection's. So a peer that knows windows
//! (`core/stream/window.rs`) is told one by then, keeps to it, and SCTP is left alone: what was on its way is taken. With
//! other peers, when SCTP fills up, streams take more, each up to [`limits::STREAM_RECEIVE_LIMIT`]; and when it stays filled,
//! those whose readers have stood still for [`limits::STALL_TIMEOUT`] are reset, and no others.

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;

use super::{Entry, Key, State};
use crate::core::budget::{Budget, Share};
use crate::core::stream::Failure;
use crate::limits::MAX_RECEIVED_FRAME;
use crate::native::limits;
use crate::native::session::{Bounds, Session};

/// A connection's part in the memory for all of them.
pub(super) struct Intake {
    budget: Budget,
    /// Pays for what waits in SCTP.
    waiting: Share,
    bounds: Bounds,
    /// Streams whose messages stay in SCTP.
    held: BTreeSet<Key>,
    /// Some were held for want of memory.
    short: bool,
    /// SCTP was filling up when last looked at.
    was_tight: bool,
}

impl Intake {
    pub(super) fn new(process: &Budget) -> Self {
        let budget = process.part(
            limits::STRANGER_RECEIVE_BUFFER,
            MAX_RECEIVED_FRAME,
            limits::FREE_RECEIVE_BUFFER,
        );
        Self {
            waiting: budget.share(),
            budget,
            bounds: Bounds::STRANGER,
            held: BTreeSet::new(),
            short: false,
            was_tight: false,
        }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether a stream takes its next message.
    pub(super) fn takes(&mut self, entry: &mut Entry, session: &Session) -> bool {
        let room = self.budget.room() > 0;
        self.short |= !room;
        let takes = room && entry.stream.unread() < limit(entry, session);
        entry.held = !takes;
        takes
    }

    /// Remembers whether a stream is held.
    pub(super) fn note(&mut self, key: Key, entry: &mut Entry) {
        if entry.channel.is_none() || !entry.readable {
            entry.held = false;
        }
        if entry.held {
            self.held.insert(key);
        } else {
            self.held.remove(&key);
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.held.remove(&key);
    }
}

/// Unread bytes beyond which a stream takes no more.
fn limit(entry: &Entry, session: &Session) -> usize {
    if entry.stream.is_windowed() {
        limits::WINDOWED_RECEIVE_LIMIT
    } else if session.is_tight() {
        limits::STREAM_RECEIVE_LIMIT
    } else {
        limits::STREAM_RECEIVE_BUFFER
    }
}

impl Entry {
    pub(super) fn receive(&mut self, message: Bytes, now: Instant) {
        if self.stream.readable() == 0 {
            self.progress = now;
        }
        self.stream.on_owned_message(message, now);
    }

    /// When it counts as standing still, if it has anything to read.
    fn stalls_at(&self) -> Option<Instant> {
        (self.stream.readable() > 0)
            .then(|| self.progress.checked_add(limits::STALL_TIMEOUT))
            .flatten()
    }
}

impl State {
    /// Noise has shown who the peer is: from now on it may have more waiting.
    pub(crate) fn authenticated(&mut self) {
        self.intake
            .budget
            .set_limit(limits::CONNECTION_RECEIVE_BUFFER);
        self.bound(Bounds::PEER);
    }

    /// The application reads. Second: the connection's task has something to do.
    pub(crate) fn read(
        &mut self,
        key: Key,
        buffer: &mut [u8],
        now: Instant,
    ) -> Option<(Poll<Result<usize, Failure>>, bool)> {
        let entry = self.entries.get_mut(&key)?;
        let read = entry.stream.read(buffer);
        if matches!(read, Poll::Ready(Ok(count)) if count > 0) {
            entry.progress = now;
        }
        // Not for every message that fits again: it wakes the connection's task.
        let room = limit(entry, &self.session).saturating_sub(entry.stream.unread());
        let resumes = entry.held && room >= limits::RESUME_ROOM;
        // The peer may send more, and is to know.
        let tells = entry.stream.has_to_send();
        // Others wait for memory, and this has given some back.
        let releases = self.intake.short && read.is_ready();
        if resumes || tells {
            self.touch(key);
        }
        Some((read, resumes || tells || releases))
    }

    fn bound(&mut self, bounds: Bounds) {
        self.intake.bounds = bounds;
        self.session.bound(bounds);
    }

    /// Looks after the memory for what is not read.
    pub(super) fn make_room(&mut self, now: Instant) {
        let fits = self.intake.waiting.resize(self.session.unread());
        match (fits, self.intake.bounds) {
            (false, Bounds::PEER) => self.bound(Bounds::SHORT),
            (true, Bounds::SHORT) => self.bound(Bounds::PEER),
            _ => {}
        }
        let has_room = self.intake.budget.room() > 0;
        let tight = self.session.is_tight();
        let was_tight = std::mem::replace(&mut self.intake.was_tight, tight);
        let was_short = std::mem::replace(&mut self.intake.short, !has_room);
        if (tight && !was_tight) || (was_short && has_room) {
            for key in self.intake.held.clone() {
                self.touch(key);
            }
        }
        if !has_room {
            // Also those of which nothing more waits in SCTP: what they hold is what others lack.
            let stalled: Vec<Key> = self.entries.keys().copied().collect();
            self.reset_stalled(&stalled, now);
        } else if tight {
            let held: Vec<Key> = self.intake.held.iter().copied().collect();
            self.reset_stalled(&held, now);
        }
    }

    fn reset_stalled(&mut self, keys: &[Key], now: Instant) {
        for key in keys {
            if let Some(entry) = self.entries.get_mut(key)
                && entry.stalls_at().is_some_and(|at| at <= now)
            {
                tracing::debug!(key, "reset a stream whose reader stands still");
                entry.stream.on_stalled();
                self.touch(*key);
            }
        }
    }

    /// When [`State::make_room`] is due next.
    pub(super) fn intake_timeout(&self, now: Instant) -> Option<Instant> {
        let retry = (self.intake.short || self.intake.bounds == Bounds::SHORT)
            .then(|| now.checked_add(limits::SHORT_RETRY))
            .flatten();
        let stalled = self
            .session
            .is_tight()
            .then(|| {
                let held = self.intake.held.iter();
                held.filter_map(|key| self.entries.get(key)?.stalls_at())
                    .min()
            })
            .flatten();
        [retry, stalled].into_iter().flatten().min()
    }
}
