//! Attempts under way, so that two nodes that dial each other at the same time end with one connection.
//!
//! Both see both attempts; the one of the greater peer id goes on. The other's dialer waits for it to end, as its
//! connection is the answer to both.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::channel::oneshot;
use libp2p_identity::PeerId;

use crate::limits::MAX_OFFERS_PER_PEER;

/// Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<PeerId, Peer>>>);

/// A peer's attempts and ours to it.
#[derive(Debug, Default)]
struct Peer {
    dials: usize,
    offers: usize,
    /// Told when no offer is left.
    waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Dial,
    Offer,
}

/// One attempt; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    attempts: Attempts,
    peer: PeerId,
    kind: Kind,
}

impl Attempts {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// We dial a peer.
    pub(super) fn dial(&self, peer: PeerId) -> Attempt {
        let mut peers = self.lock();
        let entry = peers.entry(peer).or_default();
        entry.dials = entry.dials.saturating_add(1);
        self.attempt(peer, Kind::Dial)
    }

    /// A peer offers. `None`: it has enough attempts, or ours goes on instead.
    pub(super) fn offer(&self, peer: PeerId, local: PeerId) -> Option<Attempt> {
        let mut peers = self.lock();
        let entry = peers.entry(peer).or_default();
        let ours_goes_on = entry.dials > 0 && local > peer;
        if ours_goes_on || entry.offers >= MAX_OFFERS_PER_PEER {
            forget_if_empty(&mut peers, &peer);
            return None;
        }
        entry.offers = entry.offers.saturating_add(1);
        Some(self.attempt(peer, Kind::Offer))
    }

    /// Resolves when no offer of this peer is left. `None`: there is none.
    pub(super) fn offers_end(&self, peer: &PeerId) -> Option<oneshot::Receiver<()>> {
        let mut peers = self.lock();
        let entry = peers.get_mut(peer).filter(|entry| entry.offers > 0)?;
        let (sender, receiver) = oneshot::channel();
        // Bounded by our own dials to this peer.
        entry.waiting.push(sender);
        Some(receiver)
    }

    fn attempt(&self, peer: PeerId, kind: Kind) -> Attempt {
        Attempt {
            attempts: self.clone(),
            peer,
            kind,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut peers = self.attempts.lock();
        let Some(entry) = peers.get_mut(&self.peer) else {
            return;
        };
        match self.kind {
            Kind::Dial => entry.dials = entry.dials.saturating_sub(1),
            Kind::Offer => entry.offers = entry.offers.saturating_sub(1),
        }
        let waiting = if entry.offers == 0 {
            std::mem::take(&mut entry.waiting)
        } else {
            Vec::new()
        };
        forget_if_empty(&mut peers, &self.peer);
        drop(peers);
        for waiter in waiting {
            let _ = waiter.send(());
        }
    }
}

fn forget_if_empty(peers: &mut HashMap<PeerId, Peer>, peer: &PeerId) {
    if peers
        .get(peer)
        .is_some_and(|entry| entry.dials == 0 && entry.offers == 0)
    {
        peers.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers() -> (PeerId, PeerId) {
        let (a, b) = (PeerId::random(), PeerId::random());
        (a.min(b), a.max(b))
    }

    #[test]
    fn of_two_attempts_that_cross_the_greater_ids_goes_on() {
        let (small, great) = peers();
        let (at_small, at_great) = (Attempts::default(), Attempts::default());
        let (dial_s, dial_g) = (at_small.dial(great), at_great.dial(small));
        assert!(at_great.offer(small, great).is_none());
        let offer = at_small.offer(great, small).unwrap();
        let mut end = at_small.offers_end(&great).unwrap();
        assert_eq!(end.try_recv(), Ok(None));
        drop(offer);
        assert_eq!(end.try_recv(), Ok(Some(())));
        assert!(at_small.offers_end(&great).is_none());
        drop((dial_s, dial_g));
        assert!(at_great.offer(small, great).is_some());
        assert!(at_small.lock().is_empty() && at_great.lock().is_empty());
    }

    #[test]
    fn a_peer_has_few_offers_at_once() {
        let (small, great) = peers();
        let attempts = Attempts::default();
        let held: Vec<_> = std::iter::from_fn(|| attempts.offer(small, great)).collect();
        assert_eq!(held.len(), MAX_OFFERS_PER_PEER);
        drop(held);
        assert!(attempts.lock().is_empty());
    }
}
