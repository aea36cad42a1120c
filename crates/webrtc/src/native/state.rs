//! One connection's streams over its session, without input or output.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;

use super::limits;
use super::session::{ChannelId, End, Event, HANDSHAKE_CHANNEL, Session};
use crate::Loss;
use crate::core::budget::Budget;
use crate::core::stream::{self, Failure, Output};
use crate::limits::{MAX_PENDING_INBOUND, MAX_STREAMS};
use receive::Intake;

mod receive;
mod send;
#[cfg(test)]
mod tests;

/// Identifies a stream for the life of a connection, unlike its channel, whose id is used again.
pub(crate) type Key = u64;

/// The stream of the Noise handshake.
pub(crate) const HANDSHAKE: Key = 0;

/// What has to be done outside the lock.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) datagrams: Vec<Bytes>,
    pub(crate) wakers: Vec<Waker>,
}

impl Effects {
    fn wake(&mut self, waker: &mut Option<Waker>) {
        self.wakers.extend(waker.take());
    }
}

pub(crate) struct Entry {
    pub(crate) stream: stream::Stream,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
    channel: Option<ChannelId>,
    /// Frames that SCTP has not got yet.
    pending: VecDeque<Bytes>,
    pending_bytes: usize,
    /// In [`State::turns`].
    queued: bool,
    /// In [`State::touched`].
    touched: bool,
    /// SCTP may hold messages for it.
    readable: bool,
    /// Its messages stay in SCTP: the reader is slow, or the memory is used up.
    held: bool,
    /// When its reader last took something, or last had nothing to take.
    progress: Instant,
    /// The channel is to be closed after the pending frames.
    closing: bool,
    timer: Option<Instant>,
}

impl Entry {
    /// Takes what the stream wants sent. Nobody is left to be woken.
    fn collect(&mut self) {
        while let Some(output) = self.stream.poll_output() {
            match output {
                Output::Send(frame) => self.push(frame),
                Output::WakeReader | Output::WakeWriter => {}
                Output::CloseChannel => self.closing = true,
            }
        }
    }

    fn push(&mut self, frame: Bytes) {
        self.pending_bytes = self.pending_bytes.saturating_add(frame.len());
        self.pending.push_back(frame);
    }
}

/// How far a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// DTLS and SCTP are being set up.
    Connecting,
    /// Streams work.
    Connected,
    /// We are closing it; what is written goes out first, until the given time.
    Closing(Instant),
    /// Over, for this reason.
    Ended(Loss),
}

pub(crate) struct State {
    session: Session,
    shared: stream::Shared,
    intake: Intake,
    phase: Phase,
    /// Why the session failed, where there is more to say than a [`Loss`].
    end: Option<End>,
    entries: HashMap<Key, Entry>,
    channels: HashMap<ChannelId, Key>,
    next_key: Key,
    /// Streams that something happened to.
    touched: VecDeque<Key>,
    /// Streams with pending frames, in the order of their turns.
    turns: VecDeque<Key>,
    /// Channels with unacknowledged bytes.
    in_flight: HashMap<ChannelId, usize>,
    timers: BTreeSet<(Instant, Key)>,
    inbound: VecDeque<Key>,
    last_seen: Instant,
    /// Waits for [`Phase::Connected`], an inbound stream, room for an outbound one, or the end.
    pub(crate) muxer: Option<Waker>,
    /// An outbound stream was asked for when there was no room.
    waits_to_open: bool,
    /// Waits for the end.
    pub(crate) closer: Option<Waker>,
}

impl State {
    /// `process` pays for what is not read, together with other connections.
    pub(crate) fn new(session: Session, process: &Budget, now: Instant) -> Self {
        let intake = Intake::new(process);
        let mut state = Self {
            session,
            shared: stream::Shared::new(intake.budget().clone()).with_window(limits::WINDOW),
            intake,
            phase: Phase::Connecting,
            end: None,
            entries: HashMap::new(),
            channels: HashMap::new(),
            next_key: HANDSHAKE,
            touched: VecDeque::new(),
            turns: VecDeque::new(),
            in_flight: HashMap::new(),
            timers: BTreeSet::new(),
            inbound: VecDeque::new(),
            last_seen: now,
            muxer: None,
            waits_to_open: false,
            closer: None,
        };
        if state.session.has_handshake_channel() {
            state.insert(HANDSHAKE_CHANNEL, now);
        } else {
            state.next_key = HANDSHAKE.wrapping_add(1);
        }
        state
    }

    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn entry(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    // --- Input ------------------------------------------------------------------------------

    /// Something verifiable came from the peer.
    pub(crate) fn seen(&mut self, now: Instant) {
        self.last_seen = now;
    }

    /// A DTLS datagram came from the peer.
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8], now: Instant) {
        self.session.handle_datagram(now, datagram);
    }

    /// Opens a stream. `None`: there is no room now; [`State::muxer`] is woken when there is.
    pub(crate) fn open(&mut self, now: Instant) -> Option<Key> {
        let channel = if self.has_room() {
            self.session.open()
        } else {
            None
        };
        self.waits_to_open = channel.is_none();
        let channel = channel?;
        tracing::trace!(channel, "opened a channel");
        let key = self.insert(channel, now);
        if let Some(entry) = self.entries.get_mut(&key) {
            // RFC 8832, section 6: data may follow OPEN without waiting for the ACK.
            entry.stream.on_open(now);
        }
        self.touch(key);
        Some(key)
    }

    fn has_room(&self) -> bool {
        self.phase == Phase::Connected
            && self.entries.len() < MAX_STREAMS
            && self.session.can_open()
    }

    /// The next stream the peer opened.
    pub(crate) fn accept(&mut self) -> Option<Key> {
        self.inbound.pop_front()
    }

    /// The application let go of a stream.
    pub(crate) fn abandon(&mut self, key: Key, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        // What was written and flushed before is still to be sent, which the stream would forget.
        entry.collect();
        entry.reader = None;
        entry.writer = None;
        entry.stream.abandon(now);
        self.touch(key);
    }

    /// The application read, wrote or closed.
    pub(crate) fn touch(&mut self, key: Key) {
        if let Some(entry) = self.entries.get_mut(&key)
            && !std::mem::replace(&mut entry.touched, true)
        {
            self.touched.push_back(key);
        }
    }

    /// Starts closing the connection.
    pub(crate) fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Connecting => self.phase = Phase::Closing(now),
            Phase::Connected => {
                self.phase = Phase::Closing(now.checked_add(limits::CLOSE_TIMEOUT).unwrap_or(now));
            }
            Phase::Closing(_) | Phase::Ended(_) => {}
        }
    }

    // --- Progress ---------------------------------------------------------------------------

    /// Does all that can be done now. Returns when to come back, or `None` when the connection is over.
    pub(crate) fn advance(&mut self, now: Instant, effects: &mut Effects) -> Option<Instant> {
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
        while let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            self.on_timer(key, now);
        }
        self.make_room(now);
        loop {
            self.session.process(now);
            let mut idle = true;
            while let Some(event) = self.session.poll_event() {
                idle = false;
                self.on_event(event, now, effects);
            }
            self.acknowledge();
            while let Some(key) = self.touched.pop_front() {
                idle = false;
                self.service(key, now, effects);
            }
            idle &= !self.take_turns();
            if idle {
                break;
            }
        }
        self.finish(now, effects);
        if self.waits_to_open && self.has_room() {
            self.waits_to_open = false;
            effects.wake(&mut self.muxer);
        }
        while let Some(datagram) = self.session.poll_transmit() {
            effects.datagrams.push(datagram);
        }
        let silence = self.last_seen.checked_add(limits::PEER_SILENCE);
        let closing = match self.phase {
            Phase::Ended(_) => return None,
            Phase::Closing(at) => Some(at),
            Phase::Connecting | Phase::Connected => None,
        };
        let timer = self.timers.first().map(|(at, _)| *at);
        let stalled = self.intake_timeout(now);
        [
            silence,
            closing,
            timer,
            stalled,
            self.session.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_event(&mut self, event: Event, now: Instant, effects: &mut Effects) {
        tracing::trace!(?event);
        match event {
            Event::Connected => {
                if self.phase == Phase::Connecting {
                    self.phase = Phase::Connected;
                }
                if let Some(entry) = self.entries.get_mut(&HANDSHAKE) {
                    entry.stream.on_open(now);
                    self.touch(HANDSHAKE);
                }
                effects.wake(&mut self.muxer);
            }
            Event::Opened(channel) => {
                if self.entries.len() >= MAX_STREAMS || self.inbound.len() >= MAX_PENDING_INBOUND {
                    tracing::debug!(channel, "refused a stream: too many");
                    self.session.refuse(channel);
                    return;
                }
                let key = self.insert(channel, now);
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.stream.on_open(now);
                }
                self.touch(key);
                self.inbound.push_back(key);
                effects.wake(&mut self.muxer);
            }
            Event::Readable(channel) => {
                if let Some(&key) = self.channels.get(&channel) {
                    if let Some(entry) = self.entries.get_mut(&key) {
                        entry.readable = true;
                    }
                    self.touch(key);
                }
            }
            Event::Closed(channel) => {
                if let Some(key) = self.channels.remove(&channel) {
                    if let Some(entry) = self.entries.get_mut(&key) {
                        entry.channel = None;
                        entry.pending.clear();
                        entry.pending_bytes = 0;
                        entry.stream.on_closed(Failure::ChannelClosed);
                    }
                    self.touch(key);
                }
            }
            Event::Ended(end) => {
                let loss = match end {
                    End::Closed => Loss::ClosedByRemote,
                    End::WrongCertificate { .. } | End::Dtls(_) | End::Sctp(_) => Loss::Failed,
                };
                tracing::debug!(?end, "the session ended");

                self.end = Some(end);
                self.lose(loss, now, effects);
            }
        }
    }

    fn on_timer(&mut self, key: Key, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.timer = None;
        let in_flight = entry
            .channel
            .and_then(|channel| self.in_flight.get(&channel))
            .copied()
            .unwrap_or(0);
        entry
            .stream
            .on_buffered_amount(entry.pending_bytes.saturating_add(in_flight));
        entry.stream.on_timer(now);
        self.touch(key);
    }

    /// Carries out what a stream's state machine wants, and feeds it what it has room for.
    fn service(&mut self, key: Key, now: Instant, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.touched = false;
        loop {
            while let Some(output) = entry.stream.poll_output() {
                match output {
                    Output::Send(frame) => entry.push(frame),
                    Output::WakeReader => {
                        // Some handlers forget to wait for what comes next and live on being polled whenever anything
                        // arrives, as other transports do (libp2p-ping 0.48, after it answered a ping).
                        let waits = entry.reader.is_some();
                        effects.wake(if waits {
                            &mut entry.reader
                        } else {
                            &mut self.muxer
                        });
                    }
                    Output::WakeWriter => effects.wake(&mut entry.writer),
                    Output::CloseChannel => entry.closing = true,
                }
            }
            let Some(channel) = entry.channel.filter(|_| entry.readable) else {
                break;
            };
            // What does not fit stays in SCTP, whose window then holds the peer back.
            if !self.intake.takes(entry, &self.session) {
                break;
            }
            match self.session.read(channel) {
                Some(message) => entry.receive(message, now),
                None => entry.readable = false,
            }
        }
        self.intake.note(key, entry);
        let timer = entry.stream.deadline();
        if timer != entry.timer {
            if let Some(at) = entry.timer.take() {
                self.timers.remove(&(at, key));
            }
            if let Some(at) = timer {
                self.timers.insert((at, key));
            }
            entry.timer = timer;
        }
        if entry.channel.is_none() {
            entry.pending.clear();
            entry.pending_bytes = 0;
        } else if (!entry.pending.is_empty() || entry.closing)
            && !std::mem::replace(&mut entry.queued, true)
        {
            self.turns.push_back(key);
        }
        self.forget_if_done(key);
    }

    fn finish(&mut self, now: Instant, effects: &mut Effects) {
        if let Phase::Closing(until) = self.phase {
            let flushed = self.turns.is_empty() && self.in_flight.is_empty();
            if flushed || now >= until {
                self.session.shutdown(now);
                self.lose(Loss::ClosedHere, now, effects);
            }
        }
        if now.saturating_duration_since(self.last_seen) >= limits::PEER_SILENCE {
            self.session.shutdown(now);
            self.lose(Loss::Silent, now, effects);
        }
    }

    /// Ends the connection and everything on it.
    pub(crate) fn lose(&mut self, loss: Loss, now: Instant, effects: &mut Effects) {
        if matches!(self.phase, Phase::Ended(_)) {
            return;
        }
        let loss = if matches!(self.phase, Phase::Closing(_)) {
            Loss::ClosedHere
        } else {
            loss
        };
        self.phase = Phase::Ended(loss);
        self.channels.clear();
        self.in_flight.clear();
        self.turns.clear();
        let keys: Vec<Key> = self.entries.keys().copied().collect();
        for key in keys {
            if let Some(entry) = self.entries.get_mut(&key) {
                // What SCTP still holds arrived before the end.
                while let Some(channel) = entry.channel
                    && self.intake.takes(entry, &self.session)
                    && let Some(message) = self.session.read(channel)
                {
                    entry.receive(message, now);
                }
                entry.channel = None;
                entry.stream.on_closed(Failure::ConnectionLost);
                self.service(key, now, effects);
            }
        }
        effects.wake(&mut self.muxer);
        effects.wake(&mut self.closer);
    }

    fn insert(&mut self, channel: ChannelId, now: Instant) -> Key {
        let key = self.next_key;
        self.next_key = key.wrapping_add(1);
        let entry = Entry {
            stream: stream::Stream::new(&self.shared, now),
            reader: None,
            writer: None,
            channel: Some(channel),
            pending: VecDeque::new(),
            pending_bytes: 0,
            queued: false,
            touched: false,
            readable: false,
            held: false,
            progress: now,
            closing: false,
            timer: None,
        };
        self.entries.insert(key, entry);
        self.channels.insert(channel, key);
        self.touch(key);
        key
    }

    fn forget_if_done(&mut self, key: Key) {
        if let Some(entry) = self.entries.get(&key)
            && entry.channel.is_none()
            && entry.stream.is_done()
            && entry.stream.is_abandoned()
        {
            if let Some(at) = entry.timer {
                self.timers.remove(&(at, key));
            }
            self.intake.forget(key);
            self.entries.remove(&key);
        }
    }
}
