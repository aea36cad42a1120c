//! How the room of a service is shared out.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use libp2p::PeerId;

/// So many at once, of which a peer may have no more than it leaves free for others: half of them when it is alone, and
/// there is always one for a newcomer until very many peers have each taken what they could.
#[derive(Debug)]
pub(super) struct Shares {
    limit: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    per_peer: HashMap<PeerId, usize>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Share<'a> {
    shares: &'a Shares,
    peer: PeerId,
}

impl Shares {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: Mutex::default(),
        }
    }

    // Nothing in here can leave the counts half-written.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a peer, if it may have one more.
    pub(super) fn take(&self, peer: PeerId) -> Option<Share<'_>> {
        let mut taken = self.lock();
        let free = self.limit.saturating_sub(taken.all);
        let own = taken.per_peer.get(&peer).copied().unwrap_or_default();
        if own >= free {
            return None;
        }
        taken.all = taken.all.saturating_add(1);
        taken.per_peer.insert(peer, own.saturating_add(1));
        Some(Share { shares: self, peer })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.per_peer.get_mut(&self.peer) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.per_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_leaves_half_and_each_other_half_of_the_rest() {
        let shares = Shares::new(64);
        let mut held = Vec::new();
        for most in [32, 16, 8, 4, 2, 1] {
            let peer = PeerId::random();
            let mine: Vec<_> = std::iter::from_fn(|| shares.take(peer)).collect();
            assert_eq!(mine.len(), most);
            held.extend(mine);
        }
        assert_eq!(held.len(), 63);
        assert!(shares.take(PeerId::random()).is_some());
    }

    #[test]
    fn places_come_back_and_nothing_is_left_behind() {
        let shares = Shares::new(4);
        let peer = PeerId::random();
        for _ in 0..10 {
            let held: Vec<_> = std::iter::from_fn(|| shares.take(peer)).collect();
            assert_eq!(held.len(), 2);
        }
        let taken = shares.lock();
        assert_eq!((taken.all, taken.per_peer.len()), (0, 0));
    }
}
