//! Readers of what happens. One that falls behind loses its stream rather than growing memory.

use futures::channel::mpsc;

use crate::{
    Error,
    limits::{EVENTS, RETRY_AFTER, SUBSCRIBERS},
};

#[derive(Debug)]
pub(super) struct Subscribers<T>(Vec<mpsc::Sender<T>>);

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Subscribers<T> {
    /// One more reader, who begins with these.
    pub(super) fn subscribe(
        &mut self,
        first: impl IntoIterator<Item = T>,
    ) -> Result<mpsc::Receiver<T>, Error> {
        self.0.retain(|reader| !reader.is_closed());
        if self.0.len() >= SUBSCRIBERS {
            return Err(Error::LimitExceeded {
                what: "subscribers",
                retry_after: RETRY_AFTER,
            });
        }
        let (mut sender, receiver) = mpsc::channel(EVENTS);
        for item in first {
            if sender.try_send(item).is_err() {
                break;
            }
        }
        self.0.push(sender);
        Ok(receiver)
    }

    pub(super) fn emit(&mut self, item: &T) {
        self.0
            .retain_mut(|reader| reader.try_send(item.clone()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, executor::block_on};

    use super::*;

    #[test]
    fn a_slow_reader_loses_its_stream_and_nobody_else_does() {
        let mut subscribers = Subscribers::default();
        let mut slow = subscribers.subscribe([]).unwrap();
        let mut quick = subscribers.subscribe([]).unwrap();
        let count = EVENTS * 2;
        for n in 0..count {
            subscribers.emit(&n);
            assert_eq!(block_on(quick.next()), Some(n));
        }
        let mut seen = 0;
        while let Some(n) = block_on(slow.next()) {
            assert_eq!(n, seen);
            seen += 1;
        }
        assert!((EVENTS..count).contains(&seen), "{seen}");
    }

    #[test]
    fn readers_are_bounded_and_leave_room_when_they_go() {
        let mut subscribers = Subscribers::<u8>::default();
        let readers: Vec<_> = (0..SUBSCRIBERS)
            .map(|_| subscribers.subscribe([]).unwrap())
            .collect();
        assert!(matches!(
            subscribers.subscribe([]),
            Err(Error::LimitExceeded { .. })
        ));
        drop(readers);
        assert!(subscribers.subscribe([]).is_ok());
    }
}
