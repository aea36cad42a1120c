//! Requests for a circuit that have no answer yet.
//!
//! libp2p-relay 0.22 forwards ten requests at once to a peer, and forgets any more: they are never answered, and each takes the place of a
//! circuit until its connection closes. So requests are noted when they arrive, and whoever has one that is overdue is disconnected,
//! which gives the place back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use libp2p::PeerId;
use web_time::Instant;

/// As many as there are streams on which somebody waits.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    waiting: HashMap<u64, (PeerId, Instant)>,
}

impl Unanswered {
    /// A peer has asked. When it is answered or gives up, the result is dropped.
    pub(crate) fn asked(self: &Arc<Self>, peer: PeerId, now: Instant) -> Waiting {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next = id.wrapping_add(1);
        inner.waiting.insert(id, (peer, now));
        Waiting {
            list: Arc::clone(self),
            id,
        }
    }

    /// Who has waited for so long. Each request is told of once.
    pub(super) fn overdue(&self, patience: Duration, now: Instant) -> Vec<PeerId> {
        let mut peers = Vec::new();
        self.lock().waiting.retain(|_, (peer, since)| {
            let overdue = now.saturating_duration_since(*since) >= patience;
            if overdue && !peers.contains(peer) {
                peers.push(*peer);
            }
            !overdue
        });
        peers
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    list: Arc<Unanswered>,
    id: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.list.lock().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_those_who_wait_too_long_once() {
        let list = Arc::new(Unanswered::default());
        let start = Instant::now();
        let [slow, quick] = [PeerId::random(), PeerId::random()];
        let first = list.asked(slow, start);
        let second = list.asked(slow, start);
        drop(list.asked(quick, start));
        let patience = Duration::from_secs(5);
        assert!(list.overdue(patience, start).is_empty());
        let late = list.asked(quick, start + Duration::from_secs(1));
        assert_eq!(list.overdue(patience, start + patience), [slow]);
        assert!(list.overdue(patience, start + patience).is_empty());
        drop((first, second, late));
        assert!(list.lock().waiting.is_empty());
    }
}
