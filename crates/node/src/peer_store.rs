//! What the node knows of peers: bounded in peers, in what is kept of each, and in the length of
//! every claim, because all of it comes from outside.

use std::{collections::HashMap, time::Duration};

use libp2p::{Multiaddr, PeerId, identify, multiaddr::Protocol};
use web_time::Instant;

use crate::{
    address_policy::peer_of,
    limits::{ADDRESS_BYTES, AGENT_CHARS, PEER_ADDRESSES, PEER_PROTOCOLS, PROTOCOL_BYTES},
    types::Peer,
};

#[derive(Debug)]
struct Record {
    /// The last one that worked first.
    addresses: Vec<Multiaddr>,
    protocols: Vec<String>,
    agent: Option<String>,
    rtt: Option<Duration>,
    touched: Instant,
}

/// The peers that the node knows something of.
#[derive(Debug)]
pub(crate) struct PeerStore {
    limit: usize,
    peers: HashMap<PeerId, Record>,
}

impl PeerStore {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            peers: HashMap::new(),
        }
    }

    /// Remembers an address that led to the peer.
    pub(crate) fn reached(&mut self, peer: PeerId, address: &Multiaddr) {
        let Some(address) = usable(address, peer) else {
            return;
        };
        let record = self.record(peer);
        record.addresses.retain(|known| *known != address);
        record.addresses.insert(0, address);
        record.addresses.truncate(PEER_ADDRESSES);
    }

    /// Remembers what a peer says of itself.
    pub(crate) fn identified(&mut self, peer: PeerId, info: &identify::Info) {
        let record = self.record(peer);
        let said = info.listen_addrs.iter().take(PEER_ADDRESSES);
        add_usable(&mut record.addresses, said, peer);
        record.protocols = info
            .protocols
            .iter()
            .map(ToString::to_string)
            .filter(|protocol| protocol.len() <= PROTOCOL_BYTES)
            .take(PEER_PROTOCOLS)
            .collect();
        let agent: String = info
            .agent_version
            .chars()
            .filter(|c| !c.is_control())
            .take(AGENT_CHARS)
            .collect();
        record.agent = Some(agent).filter(|agent| !agent.is_empty());
    }

    /// Has it said what it speaks?
    pub(crate) fn is_identified(&self, peer: &PeerId) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|record| !record.protocols.is_empty())
    }

    pub(crate) fn measured(&mut self, peer: PeerId, rtt: Duration) {
        self.record(peer).rtt = Some(rtt);
    }

    /// Where a peer might be reached.
    pub(crate) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.peers
            .get(peer)
            .map(|record| record.addresses.clone())
            .unwrap_or_default()
    }

    /// Forgets the peers touched longest ago, over the limit, but none that is connected.
    pub(crate) fn trim(&mut self, is_connected: impl Fn(&PeerId) -> bool) {
        let excess = self.peers.len().saturating_sub(self.limit);
        if excess == 0 {
            return;
        }
        let mut idle: Vec<(Instant, PeerId)> = self
            .peers
            .iter()
            .filter(|(peer, _)| !is_connected(peer))
            .map(|(peer, record)| (record.touched, *peer))
            .collect();
        idle.sort_unstable_by_key(|(touched, _)| *touched);
        for (_, peer) in idle.into_iter().take(excess) {
            self.peers.remove(&peer);
        }
    }

    pub(crate) fn list(&self, is_connected: impl Fn(&PeerId) -> bool) -> Vec<Peer> {
        self.peers
            .iter()
            .map(|(peer, record)| Peer {
                peer: *peer,
                addresses: record.addresses.clone(),
                protocols: record.protocols.clone(),
                agent: record.agent.clone(),
                connected: is_connected(peer),
                rtt: record.rtt,
            })
            .collect()
    }

    fn record(&mut self, peer: PeerId) -> &mut Record {
        let record = self.peers.entry(peer).or_insert_with(|| Record {
            addresses: Vec::new(),
            protocols: Vec::new(),
            agent: None,
            rtt: None,
            touched: Instant::now(),
        });
        record.touched = Instant::now();
        record
    }
}

/// What is worth keeping of addresses that somebody says a peer has.
pub(crate) fn usable_all(addresses: &[Multiaddr], peer: PeerId) -> Vec<Multiaddr> {
    let mut all = Vec::new();
    add_usable(&mut all, addresses.iter(), peer);
    all
}

/// Each once, and no more than are kept of a peer.
fn add_usable<'a>(
    all: &mut Vec<Multiaddr>,
    addresses: impl Iterator<Item = &'a Multiaddr>,
    peer: PeerId,
) {
    for address in addresses.filter_map(|it| usable(it, peer)) {
        if all.len() < PEER_ADDRESSES && !all.contains(&address) {
            all.push(address);
        }
    }
}

/// The address without its trailing `/p2p/<peer>`; nothing for one that leads to somebody else or
/// to nowhere.
fn usable(address: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    if address.len() > ADDRESS_BYTES {
        return None;
    }
    let mut address = address.clone();
    match peer_of(&address) {
        Some(named) if named != peer => return None,
        Some(_) => {
            address.pop();
        }
        None => {}
    }
    match address.iter().next() {
        None | Some(Protocol::P2p(_) | Protocol::P2pCircuit) => None,
        Some(_) => Some(address),
    }
}
