//! Memory that the streams of one connection share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of bytes that may be in use at once. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A share of it, empty at first.
    pub fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            taken: 0,
        }
    }
}

/// One holder's share of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    taken: usize,
}

impl Share {
    /// Makes this share `bytes` large. False, and unchanged, if the budget does not allow it;
    /// shrinking always works.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        let (taken, limit) = (self.taken, self.budget.limit);
        let resized = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let total = used.saturating_sub(taken).saturating_add(bytes);
                (total <= limit || bytes <= taken).then_some(total)
            });
        if resized.is_ok() {
            self.taken = bytes;
        }
        resized.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_budget_and_return_what_they_took() {
        let budget = Budget::new(10);
        let mut a = budget.share();
        let mut b = budget.share();
        assert!(a.resize(6));
        assert!(!b.resize(5));
        assert!(b.resize(4));
        assert_eq!(budget.used(), 10);
        assert!(a.resize(2));
        assert!(b.resize(8));
        drop(a);
        assert_eq!(budget.used(), 8);
        drop(b);
        assert_eq!(budget.used(), 0);
    }
}
