//! What came for the app and was not taken yet.

use std::{
    cell::RefCell,
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

/// A bounded queue with one reader. When it is full the oldest goes, and is counted.
#[derive(Debug)]
pub struct Mailbox<T> {
    most: usize,
    most_weight: usize,
    state: RefCell<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// With what each weighs.
    items: VecDeque<(T, usize)>,
    weight: usize,
    dropped: u64,
    reader: Option<Waker>,
}

impl<T> Mailbox<T> {
    /// Keeps so many, and no more than they may weigh together.
    pub fn new(most: usize, most_weight: usize) -> Self {
        Mailbox {
            most,
            most_weight,
            state: RefCell::new(State {
                items: VecDeque::new(),
                weight: 0,
                dropped: 0,
                reader: None,
            }),
        }
    }

    /// Puts one in. `lost` were lost before it came here.
    pub fn put(&self, item: T, weight: usize, lost: u32) {
        let mut state = self.state.borrow_mut();
        state.dropped = state.dropped.saturating_add(u64::from(lost));
        state.weight = state.weight.saturating_add(weight);
        state.items.push_back((item, weight));
        let mut gone = Vec::new();
        while state.items.len() > self.most || state.weight > self.most_weight {
            let Some((item, weight)) = state.items.pop_front() else {
                break;
            };
            state.weight = state.weight.saturating_sub(weight);
            state.dropped = state.dropped.saturating_add(1);
            gone.push(item);
        }
        let reader = state.reader.take();
        drop(state);
        // Outside: what an item does when it goes is its own affair.
        drop(gone);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The oldest, or whoever asks is woken when there is one.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.state.borrow_mut();
        match state.items.pop_front() {
            Some((item, weight)) => {
                state.weight = state.weight.saturating_sub(weight);
                Poll::Ready(item)
            }
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// How many were lost, here or before.
    pub fn dropped(&self) -> u64 {
        self.state.borrow().dropped
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::{FutureExt, executor::block_on, future::join};

    use super::*;

    #[test]
    fn the_oldest_goes_first_and_is_the_first_to_go() {
        let mailbox = Mailbox::new(3, 10);
        let take = || poll_fn(|cx| mailbox.poll_take(cx)).now_or_never();
        for item in 1..=4 {
            mailbox.put(item, 1, 0);
        }
        assert_eq!((take(), mailbox.dropped()), (Some(2), 1));
        mailbox.put(5, 9, 7);
        // 3 and 4 with it would weigh 11.
        assert_eq!((take(), take(), mailbox.dropped()), (Some(4), Some(5), 9));
        mailbox.put(6, 11, 0);
        assert_eq!((take(), mailbox.dropped()), (None, 10));
        mailbox.put(7, 10, 0);
        assert_eq!(take(), Some(7));
    }

    #[test]
    fn a_reader_that_waits_is_woken() {
        let mailbox = Mailbox::new(1, 1);
        let take = poll_fn(|cx| mailbox.poll_take(cx));
        assert_eq!(block_on(join(take, async { mailbox.put(1, 0, 0) })).0, 1);
    }
}
