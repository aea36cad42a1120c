//! Attempts under way, so that two nodes that dial each other at the same time end with one connection.
//!
//! Dials of one peer at several addresses take turns, as each would be a connection of its own; most often the first
//! ends them all. And of two nodes, the attempt of the greater peer id goes on, unless it took the other's offer before its own was out. The dialer whose
//! attempt does not go on waits for the other to end, as its connection is the answer to both.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::channel::oneshot;
use libp2p_identity::PeerId;

use crate::limits::{MAX_OFFERS_PER_PEER, MAX_SIGNALLED_DIALS};

/// Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<PeerId, Peer>>>);

/// A peer's attempts and ours to it.
#[derive(Debug, Default)]
struct Peer {
    dials: usize,
    /// Of these, those whose offer is out.
    offered: usize,
    /// Dials that wait for the one under way; bounded by the dials there are.
    turns: VecDeque<oneshot::Sender<()>>,
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
    /// What a dial waits for; `None` when it has its turn.
    turn: Option<oneshot::Receiver<()>>,
    /// Whether a dial's offer is out.
    offered: bool,
}

impl Attempt {
    /// Our offer is about to go out. `false`: the peer's was taken first, and goes on instead. Only the greater id gives way so:
    /// the other's stream may have been opened for an offer that gives way itself, and then nobody would offer.
    pub(super) fn begin_offer(&mut self, local: PeerId) -> bool {
        let mut peers = self.attempts.lock();
        let Some(entry) = peers.get_mut(&self.peer) else {
            return false;
        };
        if entry.offers > 0 && local > self.peer {
            return false;
        }
        if !self.offered {
            self.offered = true;
            entry.offered = entry.offered.saturating_add(1);
        }
        true
    }

    /// Waits until no other dial of the peer is under way.
    pub(super) async fn turn(&mut self) {
        if let Some(turn) = &mut self.turn {
            let _ = turn.await;
            self.turn = None;
        }
    }

    fn has_turn(&mut self) -> bool {
        self.turn
            .as_mut()
            .is_none_or(|turn| matches!(turn.try_recv(), Ok(Some(()))))
    }
}

impl Attempts {
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// We dial a peer. `None`: too many dials are under way.
    pub(super) fn dial(&self, peer: PeerId) -> Option<Attempt> {
        let mut peers = self.lock();
        let dials = peers.values().map(|entry| entry.dials).sum::<usize>();
        if dials >= MAX_SIGNALLED_DIALS {
            return None;
        }
        let entry = peers.entry(peer).or_default();
        let turn = (entry.dials > 0).then(|| {
            let (sender, receiver) = oneshot::channel();
            entry.turns.push_back(sender);
            receiver
        });
        entry.dials = entry.dials.saturating_add(1);
        Some(self.attempt(peer, Kind::Dial, turn))
    }

    /// A peer offers. `None`: it has enough attempts, or ours goes on instead.
    pub(super) fn offer(&self, peer: PeerId, local: PeerId) -> Option<Attempt> {
        let mut peers = self.lock();
        let entry = peers.entry(peer).or_default();
        let ours_goes_on = entry.offered > 0 && local > peer;
        if ours_goes_on || entry.offers >= MAX_OFFERS_PER_PEER {
            forget_if_empty(&mut peers, &peer);
            return None;
        }
        entry.offers = entry.offers.saturating_add(1);
        Some(self.attempt(peer, Kind::Offer, None))
    }

    /// Resolves when no offer of this peer is left. `None`: there is none.
    pub(super) fn offers_end(&self, peer: &PeerId) -> Option<oneshot::Receiver<()>> {
        let mut peers = self.lock();
        let entry = peers.get_mut(peer).filter(|entry| entry.offers > 0)?;
        let (sender, receiver) = oneshot::channel();
        // Bounded by our own dials under way to this peer.
        entry.waiting.retain(|waiting| !waiting.is_canceled());
        entry.waiting.push(sender);
        Some(receiver)
    }

    fn attempt(&self, peer: PeerId, kind: Kind, turn: Option<oneshot::Receiver<()>>) -> Attempt {
        Attempt {
            attempts: self.clone(),
            peer,
            kind,
            turn,
            offered: false,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let had_turn = self.has_turn();
        let mut peers = self.attempts.lock();
        let Some(entry) = peers.get_mut(&self.peer) else {
            return;
        };
        match self.kind {
            Kind::Dial => {
                entry.dials = entry.dials.saturating_sub(1);
                entry.offered = entry.offered.saturating_sub(usize::from(self.offered));
                if had_turn {
                    // Those that were dropped have no turn any more. No task is polled by this.
                    while entry
                        .turns
                        .pop_front()
                        .is_some_and(|next| next.send(()).is_err())
                    {}
                }
            }
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
    use futures::FutureExt as _;

    use super::*;

    fn peers() -> (PeerId, PeerId) {
        let (a, b) = (PeerId::random(), PeerId::random());
        (a.min(b), a.max(b))
    }

    #[test]
    fn of_two_attempts_that_cross_the_greater_ids_goes_on() {
        let (small, great) = peers();
        let (at_small, at_great) = (Attempts::default(), Attempts::default());
        let mut dial_s = at_small.dial(great).unwrap();
        let mut dial_g = at_great.dial(small).unwrap();
        assert!(dial_s.begin_offer(small) && dial_g.begin_offer(great));
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
    fn a_dial_that_has_not_offered_yet_refuses_nothing() {
        let (small, great) = peers();
        for (local, peer) in [(small, great), (great, small)] {
            let attempts = Attempts::default();
            let (mut first, mut second) =
                (attempts.dial(peer).unwrap(), attempts.dial(peer).unwrap());
            // Ours opens its circuit still, or waits for a turn.
            let offer = attempts.offer(peer, local).unwrap();
            assert_eq!(first.begin_offer(local), local == small);
            drop(offer);
            assert!(first.begin_offer(local) && second.begin_offer(local));
            drop(first);
            assert_eq!(attempts.offer(peer, local).is_none(), local == great);
            drop(second);
            assert!(attempts.offer(peer, local).is_some());
        }
    }

    #[test]
    fn dials_are_bounded() {
        let attempts = Attempts::default();
        let one = PeerId::random();
        let peers = (0_usize..).map(|n| if n % 2 == 0 { one } else { PeerId::random() });
        let mut held: Vec<_> = peers.map_while(|peer| attempts.dial(peer)).collect();
        assert_eq!(held.len(), MAX_SIGNALLED_DIALS);
        held.pop();
        assert!(attempts.dial(one).is_some());
        held.clear();
        assert!(attempts.lock().is_empty());
    }

    #[test]
    fn dials_of_one_peer_take_turns() {
        let attempts = Attempts::default();
        let peer = PeerId::random();
        let mut dials: VecDeque<_> = (0..4).map(|_| attempts.dial(peer).unwrap()).collect();
        let turns = |dials: &mut VecDeque<Attempt>| -> Vec<bool> {
            dials
                .iter_mut()
                .map(|dial| dial.turn().now_or_never().is_some())
                .collect()
        };
        assert_eq!(turns(&mut dials), [true, false, false, false]);
        // One that goes while it waits changes nothing.
        drop(dials.remove(2));
        assert_eq!(turns(&mut dials), [true, false, false]);
        dials.pop_front();
        // Nor does one that goes before it has seen that it is its turn.
        dials.pop_front();
        assert_eq!(turns(&mut dials), [true]);
        dials.clear();
        assert!(attempts.lock().is_empty());
        // Another peer's have nothing to do with it.
        let mut a = attempts.dial(peer).unwrap();
        let mut b = attempts.dial(PeerId::random()).unwrap();
        assert!(a.turn().now_or_never().is_some() && b.turn().now_or_never().is_some());
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
