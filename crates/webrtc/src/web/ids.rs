//! Keeps a browser from using the ids of ended channels again; see [`MAX_PARKED_IDS`] for why.
//!
//! A page cannot choose the id of a channel that is announced to the remote: the browser takes the lowest free
//! one. But an id is taken while a *negotiated* channel has it, of which nothing is sent. So the id of each
//! channel of ours that has closed is given to one of those. A channel's close event comes a little after its id became
//! free, so opening a channel waits for those that are closing. (Trying ids earlier does harm: Chromium gives one away
//! before the remote's reset of it has come, which then closes the wrong channel.)

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use js_sys::Function;
use web_sys::{RtcDataChannel, RtcDataChannelInit, RtcPeerConnection};
use web_time::Instant;

use super::js;
use crate::limits::{ID_GRACE, ID_WAIT, MAX_PARKED_IDS};

#[derive(Default)]
pub(super) struct Ids {
    /// Channels of ours that we have closed and whose ids are not free yet, oldest first. Bounded by the
    /// number of ids.
    closing: RefCell<VecDeque<(u16, RtcDataChannel)>>,
    /// Hold an id each.
    parked: RefCell<Vec<RtcDataChannel>>,
    /// When a channel that waits to be opened is opened at the latest.
    wait_until: Cell<Option<Instant>>,
    grace_until: Cell<Option<Instant>>,
}

impl Ids {
    /// A channel of ours is closing, with no handlers set; `closed` is to bring its id to [`Ids::on_closed`].
    pub(super) fn watch(&self, channel: &RtcDataChannel, closed: impl FnOnce(u16) -> Function) {
        // Also when no more are parked: a channel that found no free id waits for one of these.
        // None if it never opened.
        if let Some(id) = channel.id() {
            channel.set_onclose(Some(&closed(id)));
            self.closing.borrow_mut().push_back((id, channel.clone()));
        }
    }

    /// Whether a channel may be opened now. If not, ask again when a channel has closed, or at
    /// [`Ids::deadline`].
    pub(super) fn may_open(&self, now: Instant) -> bool {
        let may = !self.expected()
            || self.grace_until.get().is_some_and(|until| now < until)
            || match self.wait_until.get() {
                None => {
                    self.wait_until.set(now.checked_add(ID_WAIT));
                    return false;
                }
                Some(until) if now < until => return false,
                Some(_) => {
                    self.grace_until.set(now.checked_add(ID_GRACE));
                    true
                }
            };
        self.wait_until.set(None);
        may
    }

    /// When a channel that waits may be opened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.wait_until.get()
    }

    /// Whether ids are about to become free, and to be taken.
    fn expected(&self) -> bool {
        self.parked.borrow().len() < MAX_PARKED_IDS && !self.closing.borrow().is_empty()
    }

    /// An id has become free.
    pub(super) fn on_closed(&self, id: u16, connection: &RtcPeerConnection) {
        self.closing.borrow_mut().retain(|(closing, channel)| {
            let closed = *closing == id;
            if closed {
                channel.set_onclose(None);
            }
            !closed
        });
        if !self.park(id, connection) {
            tracing::trace!(id, "the id is in use again");
        }
    }

    fn park(&self, id: u16, connection: &RtcPeerConnection) -> bool {
        let mut parked = self.parked.borrow_mut();
        if parked.len() >= MAX_PARKED_IDS {
            return false;
        }
        let init = RtcDataChannelInit::new();
        init.set_negotiated(true);
        init.set_id(id);
        // Throws while the id is in use.
        match js::create_data_channel(connection, Some(&init)) {
            Ok(channel) => {
                parked.push(channel);
                true
            }
            Err(_) => false,
        }
    }

    /// No more events.
    pub(super) fn detach(&self) {
        for (_, channel) in self.closing.take() {
            channel.set_onclose(None);
        }
        self.parked.take();
    }
}
