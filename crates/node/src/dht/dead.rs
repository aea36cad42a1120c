//! Addresses that led nowhere a moment ago.

use std::collections::{HashSet, VecDeque};

use libp2p::{Multiaddr, swarm::DialError};
use web_time::Instant;

use crate::limits::{ADDRESS_BYTES, LOOKUP_DEAD, LOOKUP_DEAD_ADDRESSES};

/// Addresses with the peer that was not there; so that nobody can have a peer left out by naming false ones.
#[derive(Debug, Default)]
pub(super) struct Dead {
    addresses: HashSet<Multiaddr>,
    /// The oldest first.
    until: VecDeque<(Instant, Multiaddr)>,
}

impl Dead {
    /// A dial failed.
    pub(super) fn note(&mut self, error: &DialError, now: Instant) {
        self.forget(now);
        match error {
            DialError::Transport(failures) => {
                for (address, _) in failures {
                    self.add(address, now);
                }
            }
            DialError::WrongPeerId { .. }
            | DialError::LocalPeerId { .. }
            | DialError::NoAddresses
            | DialError::DialPeerConditionFalse(_)
            | DialError::Aborted
            | DialError::Denied { .. } => {}
        }
    }

    fn add(&mut self, address: &Multiaddr, now: Instant) {
        let Some(until) = now.checked_add(LOOKUP_DEAD) else {
            return;
        };
        if address.len() > ADDRESS_BYTES || !self.addresses.insert(address.clone()) {
            return;
        }
        self.until.push_back((until, address.clone()));
        if self.until.len() > LOOKUP_DEAD_ADDRESSES
            && let Some((_, oldest)) = self.until.pop_front()
        {
            self.addresses.remove(&oldest);
        }
    }

    /// Forgets those whose time is over.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((until, _)) = self.until.front()
            && *until <= now
            && let Some((_, address)) = self.until.pop_front()
        {
            self.addresses.remove(&address);
        }
    }

    /// Somebody was there after all.
    pub(super) fn revive(&mut self, address: &Multiaddr) {
        if self.addresses.remove(address) {
            self.until.retain(|(_, it)| it != address);
        }
    }

    pub(super) fn contains(&self, address: &Multiaddr) -> bool {
        self.addresses.contains(address)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::TransportError;

    use super::*;

    fn failure(address: &Multiaddr) -> DialError {
        let error = TransportError::Other(std::io::Error::other("nobody"));
        DialError::Transport(vec![(address.clone(), error)])
    }

    fn address(port: usize) -> Multiaddr {
        format!("/ip4/9.9.9.9/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn the_dead_are_forgotten_in_time_and_when_there_are_many() {
        let mut dead = Dead::default();
        let now = Instant::now();
        for port in 1..=LOOKUP_DEAD_ADDRESSES + 1 {
            dead.note(&failure(&address(port)), now);
            dead.note(&failure(&address(port)), now);
        }
        assert!(!dead.contains(&address(1)));
        assert!(dead.contains(&address(2)));
        dead.revive(&address(2));
        assert!(!dead.contains(&address(2)));
        assert_eq!(dead.addresses.len(), dead.until.len());
        assert_eq!(dead.addresses.len(), LOOKUP_DEAD_ADDRESSES - 1);
        dead.forget(now + LOOKUP_DEAD);
        assert!(dead.addresses.is_empty() && dead.until.is_empty());
    }
}
