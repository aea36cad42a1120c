//! What one lookup may reach, and how much it may learn.

use std::collections::HashSet;

use libp2p::{Multiaddr, PeerId};

use crate::{Scope, limits::LOOKUP_BYTES};

/// What is kept of a lookup beside what libp2p keeps.
#[derive(Debug)]
pub(super) struct Watch {
    /// Which addresses it may dial.
    pub(super) scope: Scope,
    /// The peer that is looked for.
    pub(super) target: Option<PeerId>,
    /// Whom it may ask: what answers named, and whom it began with.
    candidates: HashSet<PeerId>,
    /// What all that costs.
    bytes: usize,
}

/// What a candidate costs besides its addresses: entries of some maps.
const CANDIDATE: usize = 256;

impl Watch {
    pub(super) fn new(scope: Scope, target: Option<PeerId>) -> Self {
        Self {
            scope,
            target,
            candidates: HashSet::new(),
            bytes: 0,
        }
    }

    /// One more to ask, unless the lookup has learned enough.
    pub(super) fn admit(&mut self, peer: PeerId, addresses: &[Multiaddr]) -> bool {
        let length: usize = addresses.iter().map(Multiaddr::len).sum();
        let bytes = self.bytes.saturating_add(CANDIDATE.saturating_add(length));
        if bytes > LOOKUP_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.candidates.insert(peer);
        true
    }

    /// Is it what a private address of this peer may be dialed for?
    pub(super) fn reaches_privately(&self, peer: &PeerId) -> bool {
        self.scope.private_network && self.candidates.contains(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_answers_come_to_an_end() {
        let mut watch = Watch::new(Scope::PRIVATE, None);
        let address: Multiaddr = "/ip4/9.9.9.9/tcp/1".parse().unwrap();
        let first = PeerId::random();
        assert!(watch.admit(first, std::slice::from_ref(&address)));
        let mut admitted = 1;
        while watch.admit(PeerId::random(), std::slice::from_ref(&address)) {
            admitted += 1;
            assert!(admitted <= LOOKUP_BYTES / CANDIDATE);
        }
        assert!(admitted > LOOKUP_BYTES / CANDIDATE / 2);
        assert!(watch.reaches_privately(&first));
        assert!(!watch.reaches_privately(&PeerId::random()));
    }

    #[test]
    fn a_global_lookup_reaches_nobody_privately() {
        let mut watch = Watch::new(Scope::GLOBAL, None);
        let peer = PeerId::random();
        assert!(watch.admit(peer, &[]));
        assert!(!watch.reaches_privately(&peer));
    }
}
