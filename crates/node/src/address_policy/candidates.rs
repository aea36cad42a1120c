//! Which ICE candidates the node uses and tells.
//!
//! A peer's candidate makes this machine send to an address of the peer's choice, and telling ours shows the peer what the
//! networks around this machine look like. So what is not globally reachable needs a reason: the node's own
//! scope, a dial to this peer with a scope that allows it, a peer that the user or the node keeps, or somebody with such
//! a scope who takes streams from anybody.

use std::net::IpAddr;

use libp2p::PeerId;
use mooring_webrtc::core::signalling::{Address, Policy};
use web_time::Instant;

use super::{Gate, ip};

impl Policy for Gate {
    fn allows(&self, peer: &PeerId, address: &Address) -> bool {
        let global = match address {
            Address::Ip(IpAddr::V4(address)) => ip::is_global_v4(*address),
            Address::Ip(IpAddr::V6(address)) => ip::is_global_v6(*address),
            // It stands for a local address.
            Address::Mdns(_) => false,
        };
        if global {
            return true;
        }
        let open = self.reaches_privately(peer);
        if open {
            self.note_private(peer, Instant::now());
        }
        open
    }

    fn expects(&self, peer: &PeerId) -> bool {
        self.is_wanted(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Scope,
        limits::{ATTEMPT, MET_PRIVATELY},
    };

    fn ip(text: &str) -> Address {
        Address::Ip(text.parse().unwrap())
    }

    #[test]
    fn what_met_privately_is_known_for_the_time_of_an_attempt() {
        let gate = Gate::new(Scope::GLOBAL);
        let (peer, other) = (PeerId::random(), PeerId::random());
        assert!(!gate.allows(&peer, &ip("10.0.0.1")) && gate.allows(&peer, &ip("9.9.9.9")));
        let approval = gate.approve_peer(peer);
        assert!(gate.allows(&peer, &ip("9.9.9.9")) && !gate.met_privately(&peer));
        assert!(gate.allows(&peer, &ip("10.0.0.1")));
        drop(approval);
        assert!(gate.met_privately(&peer) && !gate.met_privately(&other));
        let long_ago = Instant::now().checked_sub(ATTEMPT * 2).unwrap();
        gate.note_private(&peer, long_ago);
        assert!(!gate.met_privately(&peer));
        // Who finds no room is not taken for one that met in public.
        for _ in 0..=MET_PRIVATELY {
            gate.note_private(&PeerId::random(), Instant::now());
        }
        assert!(gate.met_privately(&other));
    }

    #[test]
    fn private_candidates_need_a_reason() {
        let gate = Gate::new(Scope::GLOBAL);
        let (peer, other) = (PeerId::random(), PeerId::random());
        let private = [
            ip("10.0.0.1"),
            ip("127.0.0.1"),
            ip("fe80::1"),
            ip("::ffff:10.0.0.1"),
            Address::Mdns("a.local".into()),
        ];
        assert!(gate.allows(&peer, &ip("9.9.9.9")) && gate.allows(&peer, &ip("2620:fe::9")));
        let none = |peer| private.iter().all(|address| !gate.allows(peer, address));
        let all = |peer| private.iter().all(|address| gate.allows(peer, address));
        assert!(none(&peer));
        let (first, second) = (gate.approve_peer(peer), gate.approve_peer(peer));
        assert!(all(&peer) && none(&other));
        drop(first);
        assert!(all(&peer));
        drop(second);
        assert!(none(&peer));
        gate.set_private_streams(true);
        assert!(all(&peer) && all(&other));
        gate.set_private_streams(false);
        assert!(none(&peer));
        assert!(Gate::new(Scope::PRIVATE).allows(&peer, &ip("10.0.0.1")));
    }
}
