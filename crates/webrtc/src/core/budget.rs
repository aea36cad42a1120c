//! Memory that many holders share: the streams of a connection, and all connections of a process.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// A number of bytes that may be in use at once. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicUsize,
    limit: AtomicUsize,
    overdraft: usize,
    parent: Option<Parent>,
}

/// What a budget takes from a larger one.
#[derive(Debug)]
struct Parent {
    budget: Budget,
    /// Bytes that are not charged, so that a full parent stops nobody altogether.
    free: usize,
    share: Mutex<Share>,
}

impl Parent {
    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pays for what is used by now: read under the lock, so that the last one to come pays for all.
    fn charge(&self, used: &AtomicUsize) -> bool {
        let mut share = self.share();
        share.resize(used.load(Ordering::Relaxed).saturating_sub(self.free))
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self::make(limit, 0, None)
    }

    /// The same for holders who look at [`Budget::room`] before they take what comes next, and learn only
    /// then how large it is: up to `overdraft` bytes more are granted.
    pub fn with_overdraft(limit: usize, overdraft: usize) -> Self {
        Self::make(limit, overdraft, None)
    }

    /// A budget of its own within this one. Its first `free` bytes cost this one nothing.
    pub fn part(&self, limit: usize, overdraft: usize, free: usize) -> Self {
        let parent = Parent {
            budget: self.clone(),
            free,
            share: Mutex::new(self.share()),
        };
        Self::make(limit, overdraft, Some(parent))
    }

    fn make(limit: usize, overdraft: usize, parent: Option<Parent>) -> Self {
        Self(Arc::new(Inner {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            overdraft,
            parent,
        }))
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Changes the limit. What is above it stays until it is given back.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that are left here and in what this is a part of, overdraft not counted.
    pub fn room(&self) -> usize {
        let used = self.used();
        let own = self.0.limit.load(Ordering::Relaxed).saturating_sub(used);
        match &self.0.parent {
            None => own,
            Some(parent) => {
                let free = parent.free.saturating_sub(used);
                own.min(free.saturating_add(parent.budget.room()))
            }
        }
    }

    /// A share of it, empty at first.
    pub fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            taken: 0,
        }
    }

    /// Replaces `taken` bytes in use by `bytes`.
    fn replace(&self, taken: usize, bytes: usize) -> bool {
        let limit = self
            .0
            .limit
            .load(Ordering::Relaxed)
            .saturating_add(self.0.overdraft);
        let change = |used: usize| {
            let total = used.saturating_sub(taken).saturating_add(bytes);
            (total <= limit || bytes <= taken).then_some(total)
        };
        let used = &self.0.used;
        if used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_err()
        {
            return false;
        }
        let Some(parent) = &self.0.parent else {
            return true;
        };
        if parent.charge(used) || bytes <= taken {
            return true;
        }
        used.fetch_sub(bytes.saturating_sub(taken), Ordering::Relaxed);
        false
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
        if bytes == self.taken {
            return true;
        }
        let resized = self.budget.replace(self.taken, bytes);
        if resized {
            self.taken = bytes;
        }
        resized
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
        assert_eq!((budget.used(), budget.room()), (10, 0));
        assert!(a.resize(2));
        assert!(b.resize(8));
        drop(a);
        assert_eq!(budget.used(), 8);
        drop(b);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn parts_share_what_is_above_their_free_bytes() {
        let whole = Budget::new(100);
        let (one, other) = (whole.part(90, 0, 10), whole.part(90, 0, 10));
        let (mut a, mut b) = (one.share(), other.share());
        assert!(a.resize(10));
        assert_eq!(whole.used(), 0);
        assert!(!a.resize(91), "its own limit");
        assert!(a.resize(90));
        assert_eq!((whole.used(), one.room(), other.room()), (80, 0, 30));
        assert!(!b.resize(31));
        assert_eq!(other.used(), 0);
        assert!(b.resize(30));
        assert_eq!((whole.room(), other.room()), (0, 0));
        // A full whole leaves everybody the free bytes.
        let third = whole.part(90, 0, 10);
        assert_eq!(third.room(), 10);
        assert!(third.share().resize(10) && !third.share().resize(11));
        drop(a);
        assert_eq!((whole.used(), one.used()), (20, 0));
        drop((b, other));
        assert_eq!(whole.used(), 0);
    }

    #[test]
    fn an_overdraft_is_granted_once_the_room_is_gone() {
        let whole = Budget::with_overdraft(100, 20);
        let part = whole.part(50, 10, 0);
        let mut a = part.share();
        assert!(a.resize(49) && part.room() == 1);
        assert!(a.resize(60) && part.room() == 0);
        assert!(!a.resize(61));
        part.set_limit(10);
        assert!(a.resize(40), "shrinking always works");
        assert!(!a.resize(41));
    }
}
