//! The state machine of one stream on one data channel (libp2p/specs webrtc/README.md).
//!
//! It does no I/O and knows no clock. A backend feeds it what happens and carries out what it says:
//!
//! | what happened | call |
//! |---|---|
//! | the channel opened | [`Stream::on_open`] |
//! | a channel message arrived | [`Stream::on_message`] |
//! | the channel's send queue changed | [`Stream::on_buffered_amount`] |
//! | the channel closed, failed, or the connection went | [`Stream::on_closed`] |
//! | [`Stream::deadline`] passed | [`Stream::on_buffered_amount`], then [`Stream::on_timer`] |
//! | the application reads, writes, closes, drops | [`Stream::read`], [`Stream::write`], [`Stream::close`], [`Stream::abandon`] |
//!
//! After **every** call: take [`Stream::poll_output`] until `None` and carry it out in that order, and look at
//! [`Stream::deadline`] again. While [`Stream::may_wait`] says so, [`Stream::poll_wake`] will do until the end of the
//! turn: what is written until then goes in fewer messages. Wakers belong to the backend; `WakeReader` and `WakeWriter` only say
//! whom to wake (spurious wakes are fine), and must be acted on after any borrow has ended.
//!
//! How a stream ends. Each half ends by itself: ours by FIN that FIN_ACK answers, theirs by their
//! FIN, which we answer. When both have ended the channel is closed. FIN_ACK is awaited with a
//! time limit, because peers older than the flag never send it; STOP_SENDING ends our half without
//! it, because such a remote may not read our FIN any more. RESET, a malformed frame, a full
//! receive buffer, or a channel that closes without FIN, end both halves with a [`Failure`].
//! Data is either delivered whole, up to the end of the stream, or followed by the failure; what
//! arrived before it is still delivered first.

use std::{collections::VecDeque, task::Poll};

use bytes::Bytes;
use web_time::Instant;

use super::{
    budget::Share,
    frame::{self, Decoder, Flag, Frame, FrameError},
};
use crate::limits;

mod failure;
mod pace;
mod receive;
mod shared;
#[cfg(test)]
mod tests;
mod window;

pub use failure::Failure;
use pace::Pace;
use receive::ReceiveBuffer;
pub use shared::Shared;
use window::{Allowance, Grants};

/// What a backend has to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this frame, or these small ones together, cut by [`messages`](crate::core::frame::messages). Only
    /// ever given while the channel is open.
    Send(Bytes),
    /// Wake whoever waits to read.
    WakeReader,
    /// Wake whoever waits to write or close.
    WakeWriter,
    /// Close the channel once all messages given before have been sent. Given once, last of all:
    /// the stream is then [done](Stream::is_done) and wants no further events.
    CloseChannel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Opening,
    Open,
    /// `CloseChannel` is due as the last output.
    Closing,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    Open,
    /// We asked the remote to stop; its FIN is still awaited.
    Discarding,
    /// FIN received: everything is here.
    Finished,
    Failed(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    /// FIN sent, FIN_ACK awaited.
    FinSent,
    /// The remote reads no more, and the application has not closed yet.
    Stopped,
    /// Closed by the application and by whatever confirms or replaces the FIN_ACK.
    Done,
    Failed(Failure),
}

/// The state of one stream. See the [module](self).
#[derive(Debug)]
pub struct Stream {
    channel: Channel,
    receiving: Receiving,
    sending: Sending,
    shared: Shared,
    decoder: Decoder,
    received: ReceiveBuffer,
    /// Pays for `received` and for the decoder's unfinished frame.
    share: Share,
    outbox: VecDeque<Bytes>,
    outbox_bytes: usize,
    grants: Grants,
    allowance: Allowance,
    /// What the channel holds: its last report, plus what was given to it since.
    buffered: usize,
    pace: Pace,
    writer_blocked: bool,
    fin_ack_sent: bool,
    abandoned: bool,
    wake_reader: bool,
    wake_writer: bool,
    deadline: Option<Instant>,
    /// `buffered` when the deadline for FIN_ACK was set, to tell progress from silence.
    buffered_at_deadline: usize,
}

impl Stream {
    /// The stream of a channel that is still opening, with its time limit running. For a channel
    /// that is open already (an inbound one), call [`Stream::on_open`] at once.
    pub fn new(shared: &Shared, now: Instant) -> Self {
        Self {
            channel: Channel::Opening,
            receiving: Receiving::Open,
            sending: Sending::Open,
            shared: shared.clone(),
            decoder: Decoder::default(),
            received: ReceiveBuffer::default(),
            share: shared.budget.share(),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            grants: Grants::new(shared.window),
            allowance: Allowance::new(shared.window.is_some()),
            buffered: 0,
            pace: Pace::fixed(),
            writer_blocked: false,
            fin_ack_sent: false,
            abandoned: false,
            wake_reader: false,
            wake_writer: false,
            deadline: now.checked_add(limits::OPEN_TIMEOUT),
            buffered_at_deadline: 0,
        }
    }

    // --- The channel ------------------------------------------------------------------------

    /// The channel is open and takes messages.
    pub fn on_open(&mut self, now: Instant) {
        if self.channel != Channel::Opening {
            return;
        }
        self.channel = Channel::Open;
        self.deadline = None;
        self.wake_writer = true;
        self.rearm(now);
        self.grant();
        self.settle();
    }

    /// A channel message arrived. Browsers may deliver some before they announce the channel as
    /// open; answers then wait for [`Stream::on_open`].
    pub fn on_message(&mut self, bytes: &[u8], now: Instant) {
        if self.is_done() {
            return;
        }
        self.decoder.push(bytes);
        let first = self.decoder.next_frame();
        self.on_frames(first, now);
    }

    /// The same without a copy of the payload, where the message is the backend's to give away.
    pub fn on_owned_message(&mut self, bytes: Bytes, now: Instant) {
        if self.is_done() {
            return;
        }
        let first = self.decoder.push_owned(bytes);
        self.on_frames(first, now);
    }

    fn on_frames(&mut self, first: Result<Option<Frame>, FrameError>, now: Instant) {
        let mut next = first;
        loop {
            match next {
                Ok(Some(frame)) => self.on_frame(frame, now),
                Ok(None) => break,
                Err(_) => self.fail(Failure::Protocol, true),
            }
            if self.is_done() {
                // Whatever follows is nobody's business any more.
                self.decoder = Decoder::default();
                self.account();
                return;
            }
            next = self.decoder.next_frame();
        }
        if !self.account() {
            self.fail(Failure::Overflow, true);
        }
        self.grant();
    }

    /// A channel message arrived that holds no bytes (browsers also know text messages).
    pub fn on_malformed(&mut self) {
        if !self.is_done() {
            self.fail(Failure::Protocol, true);
        }
    }

    /// The channel closed, or with [`Failure::ConnectionLost`] all of the connection.
    pub fn on_closed(&mut self, failure: Failure) {
        // The remote finished its half and closed: it has seen all that it wanted of ours.
        if self.sending == Sending::FinSent && self.receiving == Receiving::Finished {
            self.sending = Sending::Done;
        }
        if !self.is_done() {
            self.fail(failure, false);
        }
        self.outbox.clear();
        self.outbox_bytes = 0;
        self.channel = Channel::Closed;
    }

    /// When [`Stream::on_timer`] wants to be called, if at all.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The deadline may have passed.
    pub fn on_timer(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        if self.channel == Channel::Opening {
            self.fail(Failure::OpenTimeout, false);
        } else if self.sending == Sending::FinSent {
            let queued = self.queued();
            if queued > 0 && queued < self.buffered_at_deadline {
                // A slow link is still taking what came before the FIN.
                self.rearm(now);
                return;
            }
            self.shared.missed_fin_ack();
            self.sending = Sending::Done;
            self.wake_writer = true;
            if self.abandoned {
                self.finish_channel();
            }
        } else if self.abandoned {
            self.finish_channel();
        }
        self.settle();
    }

    /// What to do next; `None` when all is done for now.
    pub fn poll_output(&mut self) -> Option<Output> {
        if matches!(self.channel, Channel::Open | Channel::Closing)
            && let Some(frames) = frame::join(&mut self.outbox)
        {
            self.outbox_bytes = self.outbox_bytes.saturating_sub(frames.len());
            self.buffered = self.buffered.saturating_add(frames.len());
            return Some(Output::Send(frames));
        }
        if let Some(wake) = self.poll_wake() {
            return Some(wake);
        }
        if self.channel == Channel::Closing {
            self.channel = Channel::Closed;
            return Some(Output::CloseChannel);
        }
        None
    }

    /// Whom to wake; `None` when nobody is left. [`Stream::poll_output`] has it all.
    pub fn poll_wake(&mut self) -> Option<Output> {
        if std::mem::take(&mut self.wake_reader) {
            return Some(Output::WakeReader);
        }
        if std::mem::take(&mut self.wake_writer) {
            return Some(Output::WakeWriter);
        }
        None
    }

    /// Bytes held that the application has not read: a backend that can hold the remote back does
    /// so by this.
    pub fn unread(&self) -> usize {
        self.received.len().saturating_add(self.decoder.buffered())
    }

    /// Bytes that the application can read now.
    pub fn readable(&self) -> usize {
        self.received.len()
    }

    /// Gives the stream up because its reader stands still and others need the room.
    pub fn on_stalled(&mut self) {
        if !self.is_done() {
            self.fail(Failure::Overflow, true);
        }
    }

    /// Whether both halves have ended and the channel is, or is about to be, closed. What was
    /// received before can still be read.
    pub fn is_done(&self) -> bool {
        matches!(self.channel, Channel::Closing | Channel::Closed)
    }

    /// Whether both sides have ended it by FIN, so that the remote wants the channel closed as we do.
    pub fn ended_in_order(&self) -> bool {
        self.receiving == Receiving::Finished && self.sending == Sending::Done
    }

    /// Whether [`Stream::abandon`] was called.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    // --- The application --------------------------------------------------------------------

    /// Reads into `buffer`; 0 at the end of the stream, or if `buffer` is empty.
    pub fn read(&mut self, buffer: &mut [u8]) -> Poll<Result<usize, Failure>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = self.received.read(buffer);
        if read > 0 {
            self.account();
            self.grant();
            return Poll::Ready(Ok(read));
        }
        match self.receiving {
            Receiving::Open => Poll::Pending,
            Receiving::Finished => Poll::Ready(Ok(0)),
            Receiving::Discarding => Poll::Ready(Err(Failure::ResetHere)),
            Receiving::Failed(failure) => Poll::Ready(Err(failure)),
        }
    }

    /// Takes bytes to send, at most one frame's worth; pending while [`limits::SEND_HIGH_WATER`],
    /// or less of a [paced](Stream::paced) one, are queued, or the remote's window is used up. Empty input is 0 and sends nothing.
    pub fn write(&mut self, bytes: &[u8]) -> Poll<Result<usize, Failure>> {
        match self.sending {
            Sending::Open => {}
            Sending::Stopped => return Poll::Ready(Err(Failure::StoppedByRemote)),
            Sending::Failed(failure) => return Poll::Ready(Err(failure)),
            Sending::FinSent | Sending::Done => {
                return Poll::Ready(Err(Failure::WriteAfterClose));
            }
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let space = self.pace.high_water().saturating_sub(self.queued());
        let allowed = self.allowance.room();
        if space < bytes.len().min(limits::MIN_WRITE) || allowed == 0 {
            self.writer_blocked = true;
            return Poll::Pending;
        }
        let most = space.min(allowed).min(limits::MAX_SENT_PAYLOAD);
        let payload = bytes.get(..most).unwrap_or(bytes);
        let taken = payload.len();
        self.send(None, payload);
        Poll::Ready(Ok(taken))
    }

    /// Whether what was written can still arrive. There is nothing to wait for: what was taken goes
    /// out at the end of the turn without being asked.
    pub fn flush(&self) -> Result<(), Failure> {
        match self.sending {
            Sending::Failed(failure) => Err(failure),
            Sending::Open | Sending::FinSent | Sending::Stopped | Sending::Done => Ok(()),
        }
    }

    /// Closes our half: sends FIN and waits until the remote has confirmed it, stopped reading or reset,
    /// or let [`limits::FIN_ACK_TIMEOUT`] pass. Call it again when woken.
    pub fn close(&mut self, now: Instant) -> Poll<Result<(), Failure>> {
        match self.sending {
            Sending::Open => {
                self.send(Some(Flag::Fin), &[]);
                self.sending = Sending::FinSent;
                if self.channel == Channel::Open {
                    self.rearm(now);
                }
                Poll::Pending
            }
            Sending::Stopped => {
                // Nobody reads it, but it lets the remote end its own record of the stream.
                self.send(Some(Flag::Fin), &[]);
                self.sending = Sending::Done;
                self.rearm(now);
                self.settle();
                Poll::Ready(Ok(()))
            }
            Sending::FinSent => Poll::Pending,
            Sending::Done => Poll::Ready(Ok(())),
            Sending::Failed(failure) => Poll::Ready(Err(failure)),
        }
    }

    /// The application let go of the stream. A half it has not closed is reset; one it has closed
    /// ends in order, and the remote is told to stop sending.
    pub fn abandon(&mut self, now: Instant) {
        if std::mem::replace(&mut self.abandoned, true) {
            return;
        }
        self.received = ReceiveBuffer::default();
        self.account();
        if self.is_done() {
            return;
        }
        match self.sending {
            Sending::Open | Sending::Stopped => {
                // An abrupt end: what waits in line does not matter any more.
                self.outbox.clear();
                self.outbox_bytes = 0;
                self.fail(Failure::ResetHere, true);
            }
            Sending::FinSent | Sending::Done | Sending::Failed(_) => {
                if self.receiving == Receiving::Open {
                    self.receiving = Receiving::Discarding;
                    self.send(Some(Flag::StopSending), &[]);
                }
                if self.deadline.is_none() {
                    self.rearm(now);
                }
                self.settle();
            }
        }
    }

    // --- Inside -----------------------------------------------------------------------------

    fn on_frame(&mut self, frame: Frame, now: Instant) {
        if let Some(window) = frame.window {
            self.on_window(window);
        }
        if !frame.data.is_empty() {
            match self.receiving {
                Receiving::Open => {
                    let length = frame.data.len();
                    self.grants.arrived(length);
                    self.received.push(frame.data);
                    self.wake_reader = true;
                    if !self.account() {
                        self.received.forget_last(length);
                        self.fail(Failure::Overflow, true);
                        return;
                    }
                }
                Receiving::Discarding | Receiving::Failed(_) => {}
                Receiving::Finished => {
                    self.fail(Failure::Protocol, true);
                    return;
                }
            }
        }
        match frame.flag {
            None => {}
            Some(Flag::Fin) => {
                if matches!(self.receiving, Receiving::Open | Receiving::Discarding) {
                    self.receiving = Receiving::Finished;
                    self.wake_reader = true;
                }
                if !std::mem::replace(&mut self.fin_ack_sent, true) {
                    self.send(Some(Flag::FinAck), &[]);
                }
            }
            Some(Flag::FinAck) => {
                self.shared.saw_fin_ack();
                if self.sending == Sending::FinSent {
                    self.sending = Sending::Done;
                    self.wake_writer = true;
                    self.rearm(now);
                }
            }
            Some(Flag::StopSending) => match self.sending {
                Sending::Open => {
                    self.sending = Sending::Stopped;
                    self.wake_writer = true;
                }
                // Such a remote need not read our FIN (go-libp2p does not).
                Sending::FinSent => {
                    self.sending = Sending::Done;
                    self.wake_writer = true;
                    self.rearm(now);
                }
                Sending::Stopped | Sending::Done | Sending::Failed(_) => {}
            },
            Some(Flag::Reset) => {
                // It ends the remote's sending half; ours was closed, and like STOP_SENDING this says that nobody
                // reads it any more. libp2p-identify 0.48 reads what it wants and drops the stream unclosed: its
                // peer's `close` must not depend on whether FIN_ACK or RESET is first.
                if self.sending == Sending::FinSent {
                    self.sending = Sending::Done;
                }
                self.fail(Failure::ResetByRemote, false);
            }
        }
        self.settle();
    }

    /// Ends what has not ended yet, and closes the channel.
    fn fail(&mut self, failure: Failure, tell_remote: bool) {
        if matches!(self.receiving, Receiving::Open | Receiving::Discarding) {
            self.receiving = Receiving::Failed(failure);
        }
        if matches!(
            self.sending,
            Sending::Open | Sending::FinSent | Sending::Stopped
        ) {
            self.sending = Sending::Failed(failure);
        }
        self.wake_reader = true;
        self.wake_writer = true;
        self.decoder = Decoder::default();
        self.account();
        if tell_remote {
            self.send(Some(Flag::Reset), &[]);
        } else {
            self.outbox.clear();
            self.outbox_bytes = 0;
        }
        self.finish_channel();
    }

    /// Closes the channel once both halves have ended, but not before it has opened and carried
    /// what waits to be sent.
    fn settle(&mut self) {
        if self.channel != Channel::Open {
            return;
        }
        let received = matches!(self.receiving, Receiving::Finished | Receiving::Failed(_));
        let sent = matches!(self.sending, Sending::Done | Sending::Failed(_));
        if received && sent {
            self.finish_channel();
        }
    }

    fn finish_channel(&mut self) {
        match self.channel {
            // What waits in the outbox cannot be sent on a channel that is not open; closing an
            // opening channel is how to tell the remote.
            Channel::Opening => {
                self.outbox.clear();
                self.outbox_bytes = 0;
                self.channel = Channel::Closing;
            }
            Channel::Open => self.channel = Channel::Closing,
            Channel::Closing | Channel::Closed => {}
        }
        self.deadline = None;
    }

    /// Sets the time limit that the present state calls for.
    fn rearm(&mut self, now: Instant) {
        let limit = match self.sending {
            _ if self.channel != Channel::Open => return,
            Sending::FinSent => Some(self.shared.fin_ack_timeout()),
            _ if self.abandoned => Some(limits::LINGER_TIMEOUT),
            _ => None,
        };
        self.buffered_at_deadline = self.queued();
        self.deadline = limit.and_then(|limit| now.checked_add(limit));
    }

    fn send(&mut self, flag: Option<Flag>, data: &[u8]) {
        let window = self.allowance.takes(data.len());
        self.send_frame(flag, window, data);
    }

    fn send_frame(&mut self, flag: Option<Flag>, window: Option<u64>, data: &[u8]) {
        // Payloads are cut to fit, so this cannot fail; if it did, the stream could not go on.
        match frame::encode(flag, window, data) {
            Ok(bytes) => {
                self.outbox_bytes = self.outbox_bytes.saturating_add(bytes.len());
                self.outbox.push_back(bytes);
            }
            Err(_) => self.fail(Failure::Protocol, false),
        }
    }

    /// Pays for what is held; false if it is too much.
    fn account(&mut self) -> bool {
        let held = self.received.len().saturating_add(self.decoder.buffered());
        held <= limits::MAX_RECEIVE_BUFFER_STREAM && self.share.resize(held)
    }
}
