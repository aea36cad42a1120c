//! From a circuit to a direct connection, and back when that dies.
//!
//! Who dialed the circuit dials `/webrtc` over it when the peer turns out to speak that. The circuit is left alone until the direct
//! connection stands; then new streams go direct, and the circuit closes when its last stream has ended. When a
//! direct connection dies under its owners, the node dials again, over the relay, with growing pauses.

mod run;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};
use web_time::Instant;

use super::backoff::backoff;
use crate::{
    address_policy::{Approval, PeerApproval},
    limits::{OWNERS_PER_PEER, UPGRADE_ATTEMPTS, UPGRADE_BACKOFF, UPGRADE_STABLE, UPGRADES},
    types::Owner,
};

/// One peer that is, or was, reached over a circuit.
#[derive(Debug, Default)]
struct Upgrade {
    /// Who wants the peer and may reach private addresses: while there is one, they may be used.
    private: BTreeSet<Owner>,
    attempt: Option<Attempt>,
    /// Attempts in a row of which no connection came that lasted.
    attempts: u32,
    retry_at: Option<Instant>,
    /// Since when there is a direct connection.
    direct_since: Option<Instant>,
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Attempt {
    id: ConnectionId,
    /// `None`: nobody may reach private addresses for it, or not any more.
    approvals: Option<(Approval, PeerApproval)>,
}

impl Upgrade {
    /// An attempt failed, or what came of it did not last. Whether there may be another one.
    fn failed(&mut self, now: Instant) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        let again = self.attempts < UPGRADE_ATTEMPTS;
        self.retry_at = now.checked_add(pause(self.attempts)).filter(|_| again);
        again
    }

    /// The direct connection has ended. Whether it had lasted.
    fn ended(&mut self, now: Instant) -> bool {
        let lasted = self
            .direct_since
            .take()
            .is_some_and(|at| now.saturating_duration_since(at) >= UPGRADE_STABLE);
        if lasted {
            self.attempts = 0;
        }
        lasted
    }

    fn release(&mut self, owner: &Owner) {
        self.private.remove(owner);
        if self.private.is_empty()
            && let Some(attempt) = &mut self.attempt
        {
            // The swarm cannot be told to end it, but it finds no private address any more.
            attempt.approvals = None;
        }
    }
}

/// A connection that died under its owners.
#[derive(Debug)]
struct Lost {
    address: Multiaddr,
    owners: Vec<Owner>,
    pinned: bool,
}

/// The upgrades under way and to come.
#[derive(Debug, Default)]
pub(super) struct Upgrades {
    peers: HashMap<PeerId, Upgrade>,
}

impl Upgrades {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.peers
            .values()
            .filter_map(|upgrade| upgrade.retry_at)
            .min()
    }

    /// The requests of these owners, which may reach private addresses, led to the peer.
    pub(super) fn requested(&mut self, peer: PeerId, private: impl IntoIterator<Item = Owner>) {
        if let Some(upgrade) = self.entry(peer) {
            for owner in private {
                if upgrade.private.len() < OWNERS_PER_PEER {
                    upgrade.private.insert(owner);
                }
            }
        }
    }

    /// Who wants the peer and may reach private addresses.
    pub(super) fn private(&self, peer: &PeerId) -> BTreeSet<Owner> {
        self.peers
            .get(peer)
            .map(|upgrade| upgrade.private.clone())
            .unwrap_or_default()
    }

    /// The network is there again: what is still to be tried is tried at once.
    pub(super) fn network_is_back(&mut self, now: Instant) {
        for upgrade in self.peers.values_mut() {
            if upgrade.retry_at.is_some() {
                upgrade.attempts = 0;
                upgrade.retry_at = Some(now);
            }
        }
    }

    /// Was there an attempt that came to nothing? Then only time leads to another: a peer may say what it speaks as often as
    /// it likes.
    fn tried(&self, peer: &PeerId) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|upgrade| upgrade.attempts > 0)
    }

    fn entry(&mut self, peer: PeerId) -> Option<&mut Upgrade> {
        let room = self.peers.len() < UPGRADES || self.peers.contains_key(&peer);
        room.then(|| self.peers.entry(peer).or_default())
    }

    /// Forgets everything: the node is paused.
    pub(super) fn clear(&mut self) {
        self.peers.clear();
    }

    /// An owner does not want the peer any more.
    pub(super) fn released(&mut self, peer: &PeerId, owner: &Owner) {
        let Some(upgrade) = self.peers.get_mut(peer) else {
            return;
        };
        upgrade.release(owner);
        if let Some(lost) = &mut upgrade.lost {
            lost.owners.retain(|known| known != owner);
            if lost.owners.is_empty() && !lost.pinned {
                self.peers.remove(peer);
            }
        }
    }

    /// An owner does not want any peer any more.
    pub(super) fn release_all(&mut self, owner: &Owner) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.released(&peer, owner);
        }
    }

    /// The user wants this peer gone.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// An attempt that was ours failed; there will be another one. `false`: it was not ours.
    pub(super) fn failed(&mut self, id: ConnectionId, now: Instant) -> bool {
        let ours = |upgrade: &Upgrade| upgrade.attempt.as_ref().is_some_and(|it| it.id == id);
        let Some((peer, upgrade)) = self.peers.iter_mut().find(|(_, it)| ours(it)) else {
            return false;
        };
        upgrade.attempt = None;
        if !upgrade.failed(now) {
            tracing::debug!(%peer, "no direct connection, and no further attempt");
            if upgrade.lost.is_some() {
                let peer = *peer;
                self.peers.remove(&peer);
            }
        }
        true
    }
}

fn pause(attempts: u32) -> Duration {
    // There are few attempts, so the pauses need no other bound.
    backoff(UPGRADE_BACKOFF, Duration::MAX, attempts.saturating_sub(1))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
