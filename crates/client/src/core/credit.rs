//! Flow control of a stream: each side sends only what the other has said it has room for.

use crate::limits::CREDIT_SHARES;

/// What may still be sent.
#[derive(Debug, Default)]
pub struct SendCredit {
    bytes: u64,
}

impl SendCredit {
    /// The remote has room for that much more.
    pub const fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Takes what there is, at most so much; 0 when there is none.
    pub fn take(&mut self, most: usize) -> usize {
        let taken = usize::try_from(self.bytes).unwrap_or(usize::MAX).min(most);
        self.bytes = self.bytes.saturating_sub(taken as u64);
        taken
    }
}

/// How much the remote may still send, and how much of it is to be granted anew.
#[derive(Debug)]
pub struct ReceiveWindow {
    share: u64,
    outstanding: u64,
    read: u64,
}

impl ReceiveWindow {
    /// The window in bytes, which is granted at once.
    pub fn new(window: u32) -> Self {
        ReceiveWindow {
            share: u64::from((window / CREDIT_SHARES).max(1)),
            outstanding: u64::from(window),
            read: 0,
        }
    }

    /// Data came; false when it was more than granted.
    pub fn received(&mut self, bytes: usize) -> bool {
        match self.outstanding.checked_sub(bytes as u64) {
            Some(left) => {
                self.outstanding = left;
                true
            }
            None => false,
        }
    }

    /// Data was read; what is to be granted now, perhaps nothing yet.
    pub fn read(&mut self, bytes: usize) -> u64 {
        self.read = self.read.saturating_add(bytes as u64);
        if self.read < self.share {
            return 0;
        }
        let grant = std::mem::take(&mut self.read);
        self.outstanding = self.outstanding.saturating_add(grant);
        grant
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credit_is_spent_once() {
        let mut credit = SendCredit::default();
        assert_eq!(credit.take(10), 0);
        credit.add(15);
        assert_eq!(credit.take(10), 10);
        assert_eq!(credit.take(10), 5);
        assert_eq!(credit.take(10), 0);
        credit.add(u64::MAX);
        credit.add(u64::MAX);
        assert_eq!(credit.take(7), 7);
    }

    #[test]
    fn credit_comes_back_in_shares() {
        let mut window = ReceiveWindow::new(400);
        assert!(window.received(400));
        assert!(!window.received(1));
        assert_eq!(window.read(99), 0);
        assert_eq!(window.read(1), 100);
        assert!(window.received(100));
        assert!(!window.received(1));
    }

    #[test]
    fn the_smallest_window_goes_on_too() {
        let mut window = ReceiveWindow::new(1);
        assert!(window.received(1));
        assert_eq!(window.read(1), 1);
        assert!(window.received(1));
    }

    proptest! {
        /// Whatever the sizes: nobody ever waits for ever, and no more than the window is held.
        #[test]
        fn a_sender_that_keeps_to_its_credit_never_breaks_the_rules(window in 1_u32..5_000, steps in prop::collection::vec((1_usize..2_000, 1_usize..2_000), 1..200)) {
            let mut send = SendCredit::default();
            let mut receive = ReceiveWindow::new(window);
            send.add(u64::from(window));
            let mut held = 0;
            for (write, read) in steps {
                let sent = send.take(write);
                prop_assert!(sent == 0 || receive.received(sent));
                held += sent;
                prop_assert!(held <= window as usize);
                let read = read.min(held);
                held -= read;
                send.add(receive.read(read));
            }
            // All read: there is room again.
            send.add(receive.read(held));
            prop_assert!(send.take(1) == 1);
        }
    }
}
