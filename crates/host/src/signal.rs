//! "Something changed": any number wait, each is woken.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// A counter that can be waited on. Whoever saw count `n` waits until it is another.
#[derive(Default)]
pub(crate) struct Signal {
    count: Cell<u64>,
    /// One for each [`Changed`] that was polled and still waits, so bounded by the tasks there are.
    wakers: RefCell<BTreeMap<u64, Waker>>,
    next: Cell<u64>,
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
        for waker in self.wakers.take().into_values() {
            waker.wake();
        }
    }

    /// Waits until the count is not `seen` any more.
    pub(crate) fn changed(&self, seen: u64) -> Changed<'_> {
        let key = self.next.get();
        self.next.set(key.wrapping_add(1));
        Changed {
            signal: self,
            seen,
            key,
        }
    }
}

/// The future of [`Signal::changed`].
pub(crate) struct Changed<'a> {
    signal: &'a Signal,
    seen: u64,
    key: u64,
}

impl Future for Changed<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.count.get() != self.seen {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        self.signal.wakers.borrow_mut().insert(self.key, waker);
        Poll::Pending
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.signal.wakers.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, executor::block_on, join};

    use super::*;

    #[test]
    fn wakes_everybody_and_keeps_nobody() {
        let signal = Signal::default();
        let seen = signal.seen();
        assert!(signal.changed(seen).now_or_never().is_none());
        assert!(signal.wakers.borrow().is_empty());
        block_on(async {
            join!(signal.changed(seen), signal.changed(seen), async {
                assert_eq!(signal.wakers.borrow().len(), 2);
                signal.notify();
            });
        });
        assert!(signal.wakers.borrow().is_empty());
        assert!(signal.changed(seen).now_or_never().is_some());
        assert!(signal.changed(signal.seen()).now_or_never().is_none());
    }
}
