//! Who wants which peer connected.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use libp2p::PeerId;

use crate::{
    Error,
    address_policy::{Gate, PeerApproval},
    limits::{OWNERS_PER_PEER, RETRY_AFTER},
    types::Owner,
};

#[derive(Debug, Default)]
struct Interest {
    owners: BTreeSet<Owner>,
    /// The node itself wants it: bootstrap, or a dial without an owner.
    pinned: bool,
    /// While the user wants it: its private addresses may be used.
    approval: Option<PeerApproval>,
}

/// Who wants which peer connected. Only connected peers are in here.
#[derive(Debug)]
pub(crate) struct Interests {
    gate: Arc<Gate>,
    peers: HashMap<PeerId, Interest>,
}

impl Interests {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            peers: HashMap::new(),
        }
    }

    /// Adds an owner, or the node itself.
    pub(crate) fn add(&mut self, peer: PeerId, owner: Option<Owner>) -> Result<(), Error> {
        let interest = self.peers.entry(peer).or_default();
        match owner {
            None => interest.pinned = true,
            Some(owner) => {
                let full = interest.owners.len() >= OWNERS_PER_PEER;
                if full && !interest.owners.contains(&owner) {
                    return Err(Error::LimitExceeded {
                        what: "owners of one connection",
                        retry_after: RETRY_AFTER,
                    });
                }
                if owner == Owner::user() {
                    interest
                        .approval
                        .get_or_insert_with(|| self.gate.approve_peer(peer));
                }
                interest.owners.insert(owner);
            }
        }
        self.gate.set_wanted(peer, true);
        Ok(())
    }

    /// Takes an owner away; true when it was one.
    pub(crate) fn remove(&mut self, peer: &PeerId, owner: &Owner) -> bool {
        let Some(interest) = self.peers.get_mut(peer) else {
            return false;
        };
        let was = interest.owners.remove(owner);
        if *owner == Owner::user() {
            interest.approval = None;
        }
        if interest.owners.is_empty() && !interest.pinned {
            self.peers.remove(peer);
            self.gate.set_wanted(*peer, false);
        }
        was
    }

    /// Forgets a peer that is no longer connected.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.gate.set_wanted(*peer, false);
        self.peers.remove(peer);
    }

    /// The peers that an owner wants.
    pub(crate) fn of_owner(&self, owner: &Owner) -> Vec<PeerId> {
        self.peers
            .iter()
            .filter(|(_, interest)| interest.owners.contains(owner))
            .map(|(peer, _)| *peer)
            .collect()
    }

    pub(crate) fn owners(&self, peer: &PeerId) -> Vec<Owner> {
        self.peers
            .get(peer)
            .map(|interest| interest.owners.iter().cloned().collect())
            .unwrap_or_default()
    }

    pub(crate) fn is_wanted(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    pub(crate) fn is_pinned(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|interest| interest.pinned)
    }
}

#[cfg(test)]
mod tests {
    use mooring_webrtc::core::signalling::{Address, Policy};

    use super::*;
    use crate::Scope;

    #[test]
    fn the_users_peers_are_met_at_private_addresses_and_nobody_elses() {
        let gate = Gate::new(Scope::GLOBAL);
        let mut interests = Interests::new(Arc::clone(&gate));
        let peer = PeerId::random();
        let expected = || gate.expects(&peer);
        assert!(!expected());
        let open = || gate.allows(&peer, &Address::Ip([10, 0, 0, 1].into()));
        interests.add(peer, None).unwrap();
        assert!(expected());
        interests
            .add(peer, Some(Owner::new("https://a.example")))
            .unwrap();
        assert!(!open());
        interests.add(peer, Some(Owner::user())).unwrap();
        interests.add(peer, Some(Owner::user())).unwrap();
        assert!(open());
        interests.remove(&peer, &Owner::user());
        assert!(!open());
        interests.add(peer, Some(Owner::user())).unwrap();
        interests.forget(&peer);
        assert!(!open() && !expected());
    }
}
