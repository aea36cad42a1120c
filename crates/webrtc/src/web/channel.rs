//! One data channel and the state machine of its stream.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    task::Waker,
};

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{RtcDataChannel, RtcDataChannelState, RtcDataChannelType};
use web_time::Instant;

use super::peer::Peer;
use crate::core::{
    frame,
    stream::{self, Failure, Output},
};

/// What a channel is known by to its connection.
pub(super) type Key = u32;

/// Who opened a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    /// The browser chose its id when we asked for it.
    Us,
    /// The remote, or nobody (the handshake channel).
    Remote,
}

/// A data channel. Shared by its connection and, until that is dropped, the [`super::Stream`].
pub(super) struct Channel {
    key: Key,
    js: RtcDataChannel,
    opener: Opener,
    peer: Weak<Peer>,
    state: RefCell<stream::Stream>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
    /// The time limit that the connection knows of.
    scheduled: Cell<Option<Instant>>,
    /// The connection will call [`Channel::end_turn`].
    waits: Cell<bool>,
}

impl Channel {
    /// Wraps a channel whose events the connection will bring here.
    pub(super) fn new(
        key: Key,
        js: RtcDataChannel,
        opener: Opener,
        peer: &Rc<Peer>,
        shared: &stream::Shared,
    ) -> Rc<Self> {
        js.set_binary_type(RtcDataChannelType::Arraybuffer);
        let state = stream::Stream::new(shared, Instant::now()).paced();
        set_low_water(&js, state.low_water());
        Rc::new(Self {
            key,
            js,
            opener,
            peer: Rc::downgrade(peer),
            state: RefCell::new(state),
            reader: Cell::new(None),
            writer: Cell::new(None),
            scheduled: Cell::new(None),
            waits: Cell::new(false),
        })
    }

    pub(super) fn js(&self) -> &RtcDataChannel {
        &self.js
    }

    pub(super) fn opener(&self) -> Opener {
        self.opener
    }

    pub(super) fn is_open(&self) -> bool {
        self.js.ready_state() == RtcDataChannelState::Open
    }

    pub(super) fn set_reader(&self, waker: &Waker) {
        self.reader.set(Some(waker.clone()));
    }

    pub(super) fn set_writer(&self, waker: &Waker) {
        self.writer.set(Some(waker.clone()));
    }

    /// Lets `step` act on the stream, then does what the state machine asks for; a little to be sent waits for the end
    /// of the turn. The borrow ends before a task is woken or the connection is touched.
    pub(super) fn run<R>(&self, step: impl FnOnce(&mut stream::Stream) -> R) -> R {
        self.act(step, true)
    }

    /// The application lets go of the stream.
    pub(super) fn abandon(&self) {
        // What was written before is not to be forgotten with it.
        if !self.state.borrow().is_done() {
            self.end_turn();
        }
        self.run(|state| state.abandon(Instant::now()));
    }

    /// Sends what waits for the end of the turn.
    pub(super) fn end_turn(&self) {
        if self.waits.take() {
            self.act(|_| (), false);
        }
    }

    fn act<R>(&self, step: impl FnOnce(&mut stream::Stream) -> R, may_wait: bool) -> R {
        let (mut reader, mut writer, mut close) = (None, None, false);
        let mut unawaited = false;
        let (result, done, deadline, waits, in_order) = {
            let mut state = self.state.borrow_mut();
            let result = step(&mut state);
            let waits = may_wait && state.may_wait();
            let mut reported = false;
            loop {
                let output = if waits {
                    state.poll_wake()
                } else {
                    state.poll_output()
                };
                match output {
                    Some(Output::Send(frame)) => {
                        let mut messages = frame::messages(frame);
                        if messages.any(|message| self.js.send_with_u8_array(&message).is_err()) {
                            // The channel closed, and its event is still under way.
                            state.on_closed(Failure::ChannelClosed);
                        }
                    }
                    Some(Output::WakeReader) => {
                        reader = self.reader.take();
                        unawaited = reader.is_none();
                    }
                    Some(Output::WakeWriter) => writer = self.writer.take(),
                    Some(Output::CloseChannel) => close = true,
                    // The browser says nothing of a queue that was never full, as that of a stream which is only read.
                    None if state.awaits_report() && !reported => {
                        reported = true;
                        state.on_buffered_amount(self.buffered());
                    }
                    None => break,
                }
            }
            let in_order = state.ended_in_order();
            let done = state.is_done() && !waits;
            (result, done, state.deadline(), waits, in_order)
        };
        let peer = self.peer.upgrade();
        let rests =
            close && in_order && peer.as_ref().is_some_and(|peer| peer.may_rest(self.opener));
        if close && !rests {
            // Sends what is queued first. Its close event may never come, nor is it awaited.
            self.js.close();
        }
        if let Some(peer) = peer {
            if waits && !self.waits.replace(true) {
                peer.at_end_of_turn(self.key);
            }
            let scheduled = self.scheduled.replace(deadline);
            if scheduled != deadline {
                peer.reschedule(self.key, scheduled, deadline);
            }
            if done {
                peer.forget(self.key, rests);
            }
            if unawaited {
                // Some handlers forget to wait for what comes next and live on being polled whenever
                // anything arrives, as other transports do (libp2p-ping 0.48, after it answered a ping).
                peer.wake_driver();
            }
        }
        for waker in [reader, writer].into_iter().flatten() {
            waker.wake();
        }
        result
    }

    // --- Events ---------------------------------------------------------------------------------

    pub(super) fn on_open(&self) {
        self.run(|state| state.on_open(Instant::now()));
    }

    pub(super) fn on_message(&self, data: JsValue) {
        let now = Instant::now();
        match data.dyn_into::<ArrayBuffer>() {
            Ok(buffer) => {
                let bytes = Uint8Array::new(&buffer).to_vec();
                self.run(|state| state.on_message(&bytes, now));
            }
            Err(_) => self.run(stream::Stream::on_malformed),
        }
    }

    pub(super) fn on_buffered_amount_low(&self) {
        let buffered = self.buffered();
        let (before, after) = self.run(|state| {
            let before = state.low_water();
            state.on_low_water(buffered, Instant::now());
            (before, state.low_water())
        });
        if before != after {
            set_low_water(&self.js, after);
            // It may have fallen below the new mark before that was set, of which there is no event.
            let buffered = self.buffered();
            self.run(|state| state.on_buffered_amount(buffered));
        }
    }

    pub(super) fn on_closed(&self, failure: Failure) {
        self.run(|state| state.on_closed(failure));
    }

    pub(super) fn on_timer(&self, now: Instant) {
        let buffered = self.buffered();
        self.run(|state| {
            state.on_buffered_amount(buffered);
            state.on_timer(now);
        });
    }

    /// Bytes that the browser has not sent yet.
    pub(super) fn buffered(&self) -> usize {
        usize::try_from(self.js.buffered_amount()).unwrap_or(usize::MAX)
    }

    /// No more events.
    pub(super) fn detach(&self) {
        self.js.set_onopen(None);
        self.js.set_onmessage(None);
        self.js.set_onclose(None);
        self.js.set_onbufferedamountlow(None);
    }
}

fn set_low_water(js: &RtcDataChannel, bytes: usize) {
    js.set_buffered_amount_low_threshold(u32::try_from(bytes).unwrap_or(u32::MAX));
}
