//! Which of several connections to a peer counts.

use libp2p::core::{Endpoint, transport::PortUse};

use super::*;

const RELAY: &str =
    "/ip4/9.9.9.9/tcp/9/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const KEEP: Duration = Duration::from_secs(6);

fn dialed(address: &str) -> ConnectedPoint {
    ConnectedPoint::Dialer {
        address: address.parse().unwrap(),
        role_override: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    }
}

fn accepted(local: PeerId, peer: PeerId) -> ConnectedPoint {
    let named = |peer| Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer));
    ConnectedPoint::Listener {
        local_addr: named(local),
        send_back_addr: named(peer),
    }
}

struct World {
    connections: Connections,
    local: PeerId,
    peer: PeerId,
}

impl World {
    fn new(local_is_greater: bool) -> Self {
        let (a, b) = (PeerId::random(), PeerId::random());
        let (local, peer) = match local_is_greater {
            true => (a.max(b), a.min(b)),
            false => (a.min(b), a.max(b)),
        };
        Self {
            connections: Connections::default(),
            local,
            peer,
        }
    }

    fn open(&mut self, number: usize, endpoint: &ConnectedPoint) -> ConnectionId {
        let id = ConnectionId::new_unchecked(number);
        self.connections.insert(id, self.peer, endpoint, false);
        if Path::of(endpoint) == Path::Direct {
            self.connections.supersede(&self.peer, self.local, KEEP);
        }
        id
    }

    fn best(&self) -> Option<ConnectionId> {
        self.connections.best(&self.peer, true)
    }
}

#[test]
fn a_circuit_counts_again_when_what_replaced_it_is_gone() {
    let mut world = World::new(true);
    let peer = world.peer;
    let circuit = world.open(1, &dialed(&format!("{RELAY}/p2p-circuit/p2p/{peer}")));
    let direct = world.open(
        2,
        &dialed(&format!("{RELAY}/p2p-circuit/webrtc/p2p/{peer}")),
    );
    assert_eq!(world.best(), Some(direct));
    assert!(
        world.connections.next_deadline().is_some(),
        "it is to close"
    );
    world.connections.remove(&direct);
    assert!(world.connections.reinstate(&peer));
    assert_eq!(world.best(), Some(circuit));
    assert_eq!(world.connections.next_deadline(), None);
    assert!(!world.connections.reinstate(&peer), "it does already");
}

#[test]
fn of_two_that_crossed_the_one_that_stays_is_used_whichever_is_newer() {
    for (local_is_greater, dialed_first) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        let mut world = World::new(local_is_greater);
        let (local, peer) = (world.local, world.peer);
        let ours = dialed(&format!("{RELAY}/p2p-circuit/webrtc/p2p/{peer}"));
        let theirs = accepted(local, peer);
        let (ours, theirs) = if dialed_first {
            let ours = world.open(1, &ours);
            (ours, world.open(2, &theirs))
        } else {
            let theirs = world.open(1, &theirs);
            (world.open(2, &ours), theirs)
        };
        let (stays, goes) = match local_is_greater {
            true => (ours, theirs),
            false => (theirs, ours),
        };
        assert_eq!(world.best(), Some(stays));
        world.connections.remove(&stays);
        assert!(world.connections.reinstate(&peer));
        assert_eq!(world.best(), Some(goes));
        assert_eq!(world.connections.next_deadline(), None);
    }
}

#[test]
fn an_address_leads_only_to_what_was_dialed_at_it() {
    let mut world = World::new(true);
    let peer = world.peer;
    let found =
        |world: &World, address: &str| world.connections.dialed_at(&address.parse().unwrap());
    world.open(
        1,
        &dialed(&format!("{RELAY}/p2p-circuit/webrtc/p2p/{peer}")),
    );
    assert_eq!(found(&world, "/ip4/9.9.9.9/tcp/9/ws"), None);
    let plain = world.open(2, &dialed(&format!("/ip4/9.9.9.9/tcp/9/ws/p2p/{peer}")));
    assert_eq!(found(&world, "/ip4/9.9.9.9/tcp/9/ws"), Some((plain, peer)));
    assert_eq!(found(&world, "/ip4/9.9.9.9/tcp/9"), None);
}
