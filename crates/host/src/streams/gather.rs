//! Bytes of a busy stream wait a moment for those that come next: a message costs the same, however little it holds, and a data
//! channel hands over 16 KiB at a time.

use std::{
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future::LocalBoxFuture};

use crate::{
    Platform,
    limits::{GATHER, GATHER_BUSY, GATHER_PAUSE_MAX, GATHER_PAUSE_MIN},
};

/// Decides whether what a page could be told waits.
pub(super) struct Gather {
    clock: Rc<dyn Clock>,
    /// When the page was told bytes last.
    told: Option<Duration>,
    waiting: Option<Waiting>,
    /// Messages that do not wait, because one has waited in vain.
    pause: u32,
    next_pause: u32,
}

struct Waiting {
    over: LocalBoxFuture<'static, ()>,
    length: usize,
}

/// What it needs to know of time.
pub(super) trait Clock {
    fn now(&self) -> Duration;
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()>;
}

/// The host's.
pub(super) struct PlatformClock(pub(super) Rc<dyn Platform>);

impl Clock for PlatformClock {
    fn now(&self) -> Duration {
        self.0.uptime()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

impl Gather {
    pub(super) fn new(clock: Rc<dyn Clock>) -> Self {
        Gather {
            clock,
            told: None,
            waiting: None,
            pause: 0,
            next_pause: GATHER_PAUSE_MIN,
        }
    }

    /// Whether what there is to tell waits on. `bytes`: how many there are, if more could go with them and nothing else is to be
    /// told.
    pub(super) fn waits(&mut self, cx: &mut Context<'_>, bytes: Option<usize>) -> bool {
        let Some(length) = bytes else {
            return false;
        };
        if self.waiting.is_none() {
            let busy = self
                .told
                .is_some_and(|told| self.clock.now().saturating_sub(told) < GATHER_BUSY);
            if !busy || self.pause > 0 {
                return false;
            }
        }
        let clock = &self.clock;
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            over: clock.sleep(GATHER),
            length,
        });
        if waiting.over.poll_unpin(cx) == Poll::Pending {
            return true;
        }
        if waiting.length == length {
            // Somebody who answers each of these would be slowed down for nothing.
            self.pause = self.next_pause;
            self.next_pause = self.next_pause.saturating_mul(2).min(GATHER_PAUSE_MAX);
            self.waiting = None;
        }
        false
    }

    /// The page is told bytes.
    pub(super) fn told(&mut self) {
        if self.waiting.take().is_some() {
            self.next_pause = GATHER_PAUSE_MIN;
        }
        self.pause = self.pause.saturating_sub(1);
        self.told = Some(self.clock.now());
    }
}
