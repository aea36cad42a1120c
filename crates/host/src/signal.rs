//! "Something changed": any number wait, each is woken.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Poll, Waker},
};

/// A counter that can be waited on. Whoever saw count `n` waits until it is another.
#[derive(Default)]
pub(crate) struct Signal {
    count: Cell<u64>,
    wakers: RefCell<Vec<Waker>>,
}

impl Signal {
    /// The count now.
    pub(crate) fn seen(&self) -> u64 {
        self.count.get()
    }

    /// Counts and wakes everybody.
    pub(crate) fn notify(&self) {
        self.count.set(self.count.get().wrapping_add(1));
        // Taken out first: waking may run code that waits again.
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    /// Waits until the count is not `seen` any more.
    pub(crate) async fn changed(&self, seen: u64) {
        std::future::poll_fn(|cx| self.poll_changed(seen, cx)).await;
    }

    fn poll_changed(&self, seen: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.count.get() != seen {
            return Poll::Ready(());
        }
        let mut wakers = self.wakers.borrow_mut();
        // One entry a task, so that the list grows no longer than there are tasks (bounded by the quotas), however
        // often each is polled.
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, executor::block_on, join};

    use super::*;

    #[test]
    fn wakes_everybody_once() {
        let signal = Signal::default();
        let seen = signal.seen();
        assert!(signal.changed(seen).now_or_never().is_none());
        block_on(async {
            join!(signal.changed(seen), signal.changed(seen), async {
                signal.notify()
            });
        });
        assert!(signal.changed(seen).now_or_never().is_some());
        assert!(signal.changed(signal.seen()).now_or_never().is_none());
    }
}
