//! Token buckets and counters that give back what they took.

use std::{cell::Cell, rc::Rc, time::Duration};

use mooring_api::{ErrorCode, ErrorObject};

use crate::error::{error, millis};

/// A token bucket: holds `burst`, and gets one token each `every`. What is refused takes nothing, so the first call
/// after a flood is served as soon as one token is there.
pub(crate) struct Bucket {
    burst: u32,
    every: Duration,
    /// When the bucket would be full.
    full_at: Cell<Duration>,
}

impl Bucket {
    /// A full bucket that gets `per_second` tokens a second.
    pub(crate) fn per_second(burst: u32, per_second: u32) -> Self {
        Bucket::every(
            burst,
            Duration::from_secs(1)
                .checked_div(per_second)
                .unwrap_or_default(),
        )
    }

    /// A full bucket that gets a token each `every`.
    pub(crate) fn every(burst: u32, every: Duration) -> Self {
        Bucket {
            burst,
            every,
            full_at: Cell::new(Duration::ZERO),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&self, now: Duration) -> Result<(), Duration> {
        self.take_many(now, 1)
    }

    /// Takes so many tokens, or none.
    ///
    /// # Errors
    /// How long until there are as many; more than the bucket holds there never are.
    pub(crate) fn take_many(&self, now: Duration, count: u32) -> Result<(), Duration> {
        let cost = self.every.saturating_mul(count);
        let full_at = self.full_at.get().max(now).saturating_add(cost);
        let capacity = self.every.saturating_mul(self.burst);
        let over = full_at.saturating_sub(now).saturating_sub(capacity);
        if over > Duration::ZERO {
            return Err(over);
        }
        self.full_at.set(full_at);
        Ok(())
    }
}

/// 5005 for what `what` bounds.
pub(crate) fn exceeded(what: &str, retry_after: Duration) -> ErrorObject {
    error(
        ErrorCode::LimitExceeded,
        format!("Too much at once: {what}."),
    )
    .with_detail(what)
    // Never 0: the caller is to wait.
    .with_retry_after(millis(retry_after).max(1))
}

/// One of a bounded number; gives itself back when dropped.
pub(crate) struct Slot(Rc<Cell<u32>>);

impl Slot {
    /// Takes one, if fewer than `limit` are taken.
    pub(crate) fn take(counter: &Rc<Cell<u32>>, limit: u32) -> Option<Slot> {
        let taken = counter.get();
        if taken >= limit {
            return None;
        }
        counter.set(taken.saturating_add(1));
        Some(Slot(counter.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let bucket = Bucket::per_second(10, 5);
        let start = Duration::from_secs(100);
        for _ in 0..10 {
            bucket.take(start).unwrap();
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(200)));
        // Asking in vain costs nothing.
        for _ in 0..1000 {
            assert!(bucket.take(start).is_err());
        }
        bucket.take(start + Duration::from_millis(200)).unwrap();
        assert!(bucket.take(start + Duration::from_millis(201)).is_err());
        let later = start + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| bucket.take(later).is_ok()).count(), 10);
    }

    #[test]
    fn many_tokens_are_taken_together_or_not_at_all() {
        let bucket = Bucket::per_second(100, 10);
        let start = Duration::from_secs(100);
        bucket.take_many(start, 60).unwrap();
        assert_eq!(bucket.take_many(start, 60), Err(Duration::from_secs(2)));
        bucket.take_many(start, 40).unwrap();
        let later = start + Duration::from_secs(6);
        assert_eq!(bucket.take_many(later, 61), Err(Duration::from_millis(100)));
        bucket.take_many(later, 60).unwrap();
    }

    #[test]
    fn slots_come_back() {
        let counter = Rc::new(Cell::new(0));
        let one = Slot::take(&counter, 2).unwrap();
        let _two = Slot::take(&counter, 2).unwrap();
        assert!(Slot::take(&counter, 2).is_none());
        drop(one);
        assert!(Slot::take(&counter, 2).is_some());
    }
}
