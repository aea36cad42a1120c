//! Peers that are connected here and answer no lookups themselves, as browsers are: nobody's routing table has them, so whoever
//! looks for one is told of it by those that it is connected to, as go-libp2p's servers do.

use std::collections::{HashMap, VecDeque};

use libp2p::{
    Multiaddr, PeerId,
    kad::{ConnectionType, K_VALUE, KadPeer},
    swarm::ConnectionId,
};

use super::{ToHandler, filter::dialable};
use crate::Scope;

/// Who is here, and who was asked for.
#[derive(Default)]
pub(super) struct Guests {
    /// What connected peers said of themselves.
    addresses: HashMap<PeerId, Vec<Multiaddr>>,
    /// The peers that were asked for, in the order in which libp2p answers; it does so with its next poll.
    wanted: VecDeque<(PeerId, ConnectionId, Option<PeerId>)>,
}

impl Guests {
    /// A connected peer has said where it listens.
    pub(super) fn said(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let addresses = dialable(addresses, Scope::PRIVATE);
        if addresses.is_empty() {
            self.addresses.remove(&peer);
        } else {
            self.addresses.insert(peer, addresses);
        }
    }

    /// Its last connection is closed.
    pub(super) fn left(&mut self, peer: &PeerId) {
        self.addresses.remove(peer);
    }

    /// A peer asks for what is closest to a key.
    pub(super) fn asked(&mut self, peer: PeerId, connection: ConnectionId, key: &[u8]) {
        // Nobody is told about itself.
        let wanted = PeerId::from_bytes(key).ok().filter(|it| *it != peer);
        self.wanted.push_back((peer, connection, wanted));
    }

    /// The answer to it, with whom it asked for.
    pub(super) fn complete(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: ToHandler,
    ) -> ToHandler {
        let ToHandler::FindNodeRes {
            mut closer_peers,
            request_id,
        } = event
        else {
            return event;
        };
        let asked = self
            .wanted
            .iter()
            .position(|(by, over, _)| (*by, *over) == (peer, connection));
        let wanted = asked.and_then(|place| self.wanted.remove(place)?.2);
        if let Some(wanted) = wanted
            && let Some(addresses) = self.addresses.get(&wanted)
            && closer_peers.iter().all(|it| it.node_id != wanted)
        {
            closer_peers.truncate(K_VALUE.get().saturating_sub(1));
            let guest = KadPeer {
                node_id: wanted,
                multiaddrs: addresses.clone(),
                connection_ty: ConnectionType::Connected,
            };
            closer_peers.insert(0, guest);
        }
        ToHandler::FindNodeRes {
            closer_peers,
            request_id,
        }
    }
}
