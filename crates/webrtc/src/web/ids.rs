//! The ids of ended channels: what keeps a browser from using one again too early; see [`MAX_PARKED_IDS`] for why.
//!
//! A page cannot choose the id of a channel that is announced to the remote: the browser takes the lowest free
//! one. So an id must not become free too early.
//!
//! A channel of ours whose stream has ended in order is not closed at once, it *rests*. Meanwhile its id is taken, so that the
//! next stream's is another one without anything being waited for, and closing (a call that waits for
//! another thread of the browser) does not stand between two streams. There are two kinds of remotes:
//!
//! - Those that leave closing to us (ours do). Channels that have rested are closed together. Nobody at the other end
//!   still counts them.
//! - Those that close each channel themselves (go-libp2p and js-libp2p do), which go-libp2p does while it still counts
//!   the channel. Such an id is *parked*: taken by a negotiated channel, of which nothing is sent. A channel's
//!   close event comes a little after its id became free, so opening a channel waits for those that are being closed. (Trying
//!   ids earlier does harm: Chromium gives one away before the remote's reset of it has come, which then closes
//!   the wrong channel.)

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

use js_sys::Function;
use web_sys::{RtcDataChannel, RtcDataChannelInit, RtcPeerConnection};
use web_time::Instant;

use super::{channel::Key, js};
use crate::limits::{
    ID_FRESH, ID_GRACE, ID_WAIT, MAX_PARKED_IDS, MAX_RESTING_CHANNELS, REST, REST_CLOSED_TOGETHER,
    REST_LEAST,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nobody has closed it yet.
    Rests,
    /// Closed after that: the remote has had time to forget it, or leaves closing to us.
    Rested,
    /// Closed at once.
    Not,
}

/// A channel whose stream has ended.
struct Ended {
    key: Key,
    channel: RtcDataChannel,
    since: Instant,
    rest: Rest,
}

impl Ended {
    fn rests(&self) -> bool {
        self.rest == Rest::Rests
    }
}

#[derive(Default)]
pub(super) struct Ids {
    /// Channels of ours whose ids are not free yet, oldest first. Bounded by the number of ids.
    ended: RefCell<VecDeque<Ended>>,
    /// Of `ended`, those that rest.
    resting: Cell<usize>,
    /// Hold an id each.
    parked: RefCell<Vec<RtcDataChannel>>,
    /// Whether the remote closes channels that rest; unknown at first.
    remote_closes: Cell<Option<bool>>,
    /// When a channel that waits to be opened is opened at the latest.
    wait_until: Cell<Option<Instant>>,
    grace_until: Cell<Option<Instant>>,
    /// Opening a channel failed for want of an id.
    starved: Cell<bool>,
}

impl Ids {
    /// A stream of ours has ended, and its channel is closing or, if it `rests`, open. It has no handlers set; `closed` is to
    /// bring its key to [`Ids::on_closed`].
    pub(super) fn watch(
        &self,
        key: Key,
        channel: &RtcDataChannel,
        rests: bool,
        now: Instant,
        closed: &Function,
    ) {
        channel.set_onclose(Some(closed));
        self.ended.borrow_mut().push_back(Ended {
            key,
            channel: channel.clone(),
            since: now,
            rest: if rests { Rest::Rests } else { Rest::Not },
        });
        if rests {
            self.resting.set(self.resting.get().saturating_add(1));
            if self.resting.get() > MAX_RESTING_CHANNELS {
                self.close_rested(REST_CLOSED_TOGETHER, |_| true);
            }
        }
    }

    /// Whether a channel may be opened now. If not, ask again when a channel has closed, or at
    /// [`Ids::deadline`].
    pub(super) fn may_open(&self, now: Instant) -> bool {
        let may = !self.expected(now)
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
    fn expected(&self, now: Instant) -> bool {
        if self.parked.borrow().len() >= MAX_PARKED_IDS {
            return false;
        }
        let ended = self.ended.borrow();
        let age = |ended: &Ended| now.saturating_duration_since(ended.since);
        let oldest = ended.iter().find(|ended| ended.rests()).map(age);
        if self.remote_closes.get().is_none() && oldest.is_some_and(|age| age >= ID_WAIT) {
            self.remote_closes.set(Some(false));
        }
        let remote_closes = self.remote_closes.get() != Some(false);
        ended.iter().any(|ended| match ended.rest {
            Rest::Rests => remote_closes && (ID_FRESH..ID_WAIT).contains(&age(ended)),
            Rest::Rested => false,
            Rest::Not => true,
        })
    }

    /// An id has become free. Whether somebody may wait for one.
    pub(super) fn on_closed(&self, key: Key, connection: &RtcPeerConnection) -> bool {
        let found = {
            let mut ended = self.ended.borrow_mut();
            let at = ended.iter().position(|ended| ended.key == key);
            at.and_then(|at| ended.remove(at))
        };
        if let Some(found) = found {
            found.channel.set_onclose(None);
            if found.rests() {
                self.resting.set(self.resting.get().saturating_sub(1));
                self.remote_closes.set(Some(true));
            }
            // None if it never opened.
            if found.rest != Rest::Rested
                && let Some(id) = found.channel.id()
                && !self.park(id, connection)
            {
                tracing::trace!(id, "the id is in use again");
            }
        }
        self.starved.take() || self.wait_until.get().is_some()
    }

    /// Keeps the id of a channel that has closed from being used again.
    pub(super) fn park(&self, id: u16, connection: &RtcPeerConnection) -> bool {
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

    /// Closes channels that have rested, and says when there will be more of them.
    pub(super) fn on_timer(&self, now: Instant) -> Option<Instant> {
        let rested =
            |since: Instant, least: Duration| now.saturating_duration_since(since) >= least;
        let first = || {
            let ended = self.ended.borrow();
            ended
                .iter()
                .find(|ended| ended.rests())
                .map(|ended| ended.since)
        };
        if first().is_some_and(|since| rested(since, REST)) {
            // With them those that soon would be.
            self.close_rested(usize::MAX, |since| rested(since, REST_LEAST));
        }
        first().and_then(|since| since.checked_add(REST))
    }

    /// No id is free: whatever rests is closed.
    pub(super) fn release(&self) {
        self.starved.set(true);
        self.close_rested(usize::MAX, |_| true);
    }

    /// Closes the oldest that rest. Nobody waits for them to have closed, nor do their ids need parking.
    fn close_rested(&self, most: usize, may: impl Fn(Instant) -> bool) {
        let mut closed = 0_usize;
        for ended in self.ended.borrow_mut().iter_mut() {
            if closed < most && ended.rests() && may(ended.since) {
                closed = closed.saturating_add(1);
                ended.rest = Rest::Rested;
                ended.channel.close();
            }
        }
        self.resting.set(self.resting.get().saturating_sub(closed));
    }

    /// No more events.
    pub(super) fn detach(&self) {
        for ended in self.ended.take() {
            ended.channel.set_onclose(None);
        }
        self.resting.set(0);
        self.parked.take();
    }
}
