//! The open connections.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, multiaddr::Protocol, swarm::ConnectionId};
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use super::EventLoop;
use crate::{
    Role,
    limits::{CROSSED_MS, HOUSEKEEPING, IDLE_TIMEOUT, PING_FAILURES},
    types::{Connection, Direction, Path, TransportKind},
};

#[derive(Debug)]
pub(super) struct Entry {
    /// Without owners: these are the peer's.
    connection: Connection,
    /// The relay that it runs through.
    relay: Option<PeerId>,
    /// Counts up, so that the newest is known within one millisecond.
    serial: u64,
    pub(super) ping_failures: u32,
    /// When it closes unless a stream uses it; never while it is wanted.
    closes: Option<Instant>,
    /// Another connection to the peer is there instead.
    superseded: bool,
}

/// The open connections, by id and by peer.
#[derive(Debug, Default)]
pub(super) struct Connections {
    entries: HashMap<ConnectionId, Entry>,
    by_peer: HashMap<PeerId, HashSet<ConnectionId>>,
    serial: u64,
}

impl Connections {
    pub(super) fn insert(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        endpoint: &ConnectedPoint,
        private: bool,
    ) {
        let remote_address = endpoint.get_remote_address().clone();
        let path = Path::of(endpoint);
        let transport = match path {
            // An inbound circuit's remote address is just the peer.
            Path::Relayed => TransportKind::Relay,
            Path::Direct => TransportKind::of(&remote_address)
                .or_else(|| match endpoint {
                    ConnectedPoint::Listener { local_addr, .. } => TransportKind::of(local_addr),
                    ConnectedPoint::Dialer { .. } => None,
                })
                // `/dnsaddr` names no transport, and resolves to TCP in what this node has.
                .unwrap_or(TransportKind::Tcp),
        };
        self.serial = self.serial.wrapping_add(1);
        let connection = Connection {
            id: id.to_string(),
            peer,
            remote_address,
            direction: if endpoint.is_dialer() {
                Direction::Outbound
            } else {
                Direction::Inbound
            },
            path,
            transport,
            private,
            opened_at_ms: now_ms(),
            rtt: None,
            owners: Vec::new(),
        };
        self.entries.insert(
            id,
            Entry {
                connection,
                relay: relay_of(endpoint),
                serial: self.serial,
                ping_failures: 0,
                closes: None,
                superseded: false,
            },
        );
        self.by_peer.entry(peer).or_default().insert(id);
    }

    pub(super) fn remove(&mut self, id: &ConnectionId) {
        if let Some(entry) = self.entries.remove(id)
            && let Some(ids) = self.by_peer.get_mut(&entry.connection.peer)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.by_peer.remove(&entry.connection.peer);
            }
        }
    }

    pub(super) fn get_mut(&mut self, id: &ConnectionId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    /// Has it answered no pings?
    pub(super) fn is_dead(&self, id: &ConnectionId) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| entry.ping_failures >= PING_FAILURES)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.by_peer.contains_key(peer)
    }

    pub(super) fn peers(&self) -> Vec<PeerId> {
        self.by_peer.keys().copied().collect()
    }

    /// Those that peers made to us over addresses that are not global.
    pub(super) fn private_inbound(&self) -> Vec<(ConnectionId, PeerId)> {
        self.entries
            .iter()
            .filter(|(_, entry)| {
                let connection = &entry.connection;
                connection.private
                    && connection.transport == TransportKind::Webrtc
                    && connection.direction == Direction::Inbound
            })
            .map(|(id, entry)| (*id, entry.connection.peer))
            .collect()
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.entries.keys().copied().collect()
    }

    pub(super) fn of_peer(&self, peer: &PeerId) -> Vec<ConnectionId> {
        self.by_peer
            .get(peer)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Where this peer was reached, the newest connection first: addresses that lead to it by themselves.
    pub(super) fn reached_at(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let mut reached: Vec<_> = self
            .entries_of(peer)
            .filter(|(_, entry)| is_plain(&entry.connection))
            .filter(|(_, entry)| entry.connection.direction == Direction::Outbound)
            .map(|(_, entry)| (entry.serial, entry.connection.remote_address.clone()))
            .collect();
        reached.sort_unstable_by_key(|(serial, _)| std::cmp::Reverse(*serial));
        reached.into_iter().map(|(_, address)| address).collect()
    }

    /// From where this peer has come, without a relay.
    pub(super) fn came_from(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.entries_of(peer)
            .filter(|(_, entry)| is_plain(&entry.connection))
            .filter(|(_, entry)| entry.connection.direction == Direction::Inbound)
            .map(|(_, entry)| entry.connection.remote_address.clone())
            .collect()
    }

    fn entries_of<'a>(
        &'a self,
        peer: &PeerId,
    ) -> impl Iterator<Item = (ConnectionId, &'a Entry)> + 'a {
        self.by_peer
            .get(peer)
            .into_iter()
            .flatten()
            .filter_map(|id| self.entries.get(id).map(|entry| (*id, entry)))
    }

    pub(super) fn has_path(&self, peer: &PeerId, path: Path) -> bool {
        self.entries_of(peer)
            .any(|(_, entry)| entry.connection.path == path)
    }

    /// The one to use: direct before relayed, then one that is to stay, then the newest.
    pub(super) fn best(&self, peer: &PeerId, allow_relayed: bool) -> Option<ConnectionId> {
        self.entries_of(peer)
            .filter(|(_, entry)| allow_relayed || entry.connection.path == Path::Direct)
            .max_by_key(|(_, entry)| {
                let direct = entry.connection.path == Path::Direct;
                (direct, !entry.superseded, entry.serial)
            })
            .map(|(id, _)| id)
    }

    /// An outbound connection that was dialed at this address; what it names and the address does not is at most the peer.
    pub(super) fn dialed_at(&self, address: &Multiaddr) -> Option<(ConnectionId, PeerId)> {
        self.entries
            .iter()
            .find(|(_, entry)| {
                let connection = &entry.connection;
                let mut parts = connection.remote_address.iter();
                let begins = address.iter().all(|part| parts.next() == Some(part));
                // Not what was signalled over a circuit through the host that is asked for.
                let ends = matches!(
                    (parts.next(), parts.next()),
                    (None | Some(Protocol::P2p(_)), None)
                );
                let direct = connection.path == Path::Direct;
                connection.direction == Direction::Outbound && direct && begins && ends
            })
            .map(|(id, entry)| (*id, entry.connection.peer))
    }

    /// A direct connection stands: circuits to the peer close after `keep`, when no stream uses them. Of two that both
    /// sides dialed by `/webrtc` at the same time, the one that the smaller peer id dialed goes, too.
    pub(super) fn supersede(&mut self, peer: &PeerId, local: PeerId, keep: Duration) {
        let signalled = |direction| {
            self.entries_of(peer)
                .filter(move |(_, entry)| {
                    let connection = &entry.connection;
                    connection.transport == TransportKind::Webrtc
                        && connection.direction == direction
                })
                .map(|(_, entry)| entry.connection.opened_at_ms)
                .max()
        };
        let crossed = signalled(Direction::Inbound)
            .zip(signalled(Direction::Outbound))
            .is_some_and(|(a, b)| a.abs_diff(b) < CROSSED_MS);
        let surplus = if local > *peer {
            Direction::Inbound
        } else {
            Direction::Outbound
        };
        let closes = Instant::now().checked_add(keep);
        for id in self.of_peer(peer) {
            if let Some(entry) = self.entries.get_mut(&id) {
                let connection = &entry.connection;
                let twin = connection.transport == TransportKind::Webrtc
                    && connection.direction == surplus;
                if connection.path == Path::Relayed || (crossed && twin) {
                    entry.superseded = true;
                    entry.closes = closes;
                }
            }
        }
    }

    /// One of a peer's connections is gone. What had been superseded counts again if nothing else is left; whether it does.
    pub(super) fn reinstate(&mut self, peer: &PeerId) -> bool {
        if self.entries_of(peer).any(|(_, entry)| !entry.superseded) {
            return false;
        }
        let direct = self.has_path(peer, Path::Direct);
        for id in self.of_peer(peer) {
            if let Some(entry) = self.entries.get_mut(&id)
                && (entry.connection.path == Path::Direct) == direct
            {
                entry.superseded = false;
                entry.closes = None;
            }
        }
        true
    }

    /// It closes after this time, unless a stream uses it by then; `None`: it stays.
    pub(super) fn close_after(&mut self, id: &ConnectionId, time: Option<Duration>) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.closes = time.and_then(|time| Instant::now().checked_add(time));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.closes).min()
    }

    /// Does a circuit run through this peer?
    fn relays_circuit(&self, peer: &PeerId) -> bool {
        self.entries
            .values()
            .any(|entry| entry.relay == Some(*peer))
    }

    pub(super) fn measured(&mut self, id: &ConnectionId, rtt: Duration) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.connection.rtt = Some(rtt);
            entry.ping_failures = 0;
        }
    }
}

impl EventLoop {
    /// A connection as it is now.
    pub(super) fn snapshot(&self, id: &ConnectionId) -> Option<Connection> {
        let entry = self.connections.entries.get(id)?;
        Some(Connection {
            owners: self.interests.owners(&entry.connection.peer),
            ..entry.connection.clone()
        })
    }

    /// Lets a peer's connections close, or not, after who wants them has changed.
    pub(super) fn update_wanted(&mut self, peer: &PeerId) {
        let wanted = self.interests.is_wanted(peer);
        for id in self.connections.of_peer(peer) {
            let Some(entry) = self.connections.entries.get(&id) else {
                continue;
            };
            if entry.superseded {
                continue;
            }
            let inbound = entry.connection.direction == Direction::Inbound;
            // A remote that connected to us wants its connection itself.
            let time = (!wanted && !inbound).then_some(IDLE_TIMEOUT);
            self.connections.close_after(&id, time);
        }
    }

    /// The last stream with a peer has ended.
    pub(super) fn on_idle(&mut self, peer: &PeerId) {
        for id in self.connections.of_peer(peer) {
            if self
                .connections
                .entries
                .get(&id)
                .is_some_and(|entry| entry.closes.is_some())
            {
                self.connections.close_after(&id, Some(IDLE_TIMEOUT));
            }
        }
    }

    /// Closes what nobody wants and nothing uses.
    pub(super) fn tick_connections(&mut self, now: Instant) {
        let due: Vec<(ConnectionId, PeerId, Path)> = self
            .connections
            .entries
            .iter()
            .filter(|(_, entry)| entry.closes.is_some_and(|at| at <= now))
            .map(|(id, entry)| (*id, entry.connection.peer, entry.connection.path))
            .collect();
        for (id, peer, path) in due {
            let streams = &self.swarm.behaviour().streams;
            let open = match path {
                Path::Direct => streams.open_with(&peer),
                Path::Relayed => streams.relayed_with(&peer),
            };
            let used =
                open > 0 || self.relays.is_used(&peer) || self.connections.relays_circuit(&peer);
            self.connections
                .close_after(&id, used.then_some(HOUSEKEEPING));
            if !used {
                self.swarm.close_connection(id);
            }
        }
    }

    /// Closes the least wanted connection while there are more than the limit.
    pub(super) fn trim_connections(&mut self) {
        let limit = usize::try_from(self.limits.connections).unwrap_or(usize::MAX);
        let excess = self.connections.entries.len().saturating_sub(limit);
        if excess == 0 {
            return;
        }
        let mut ranked: Vec<_> = self
            .connections
            .entries
            .iter()
            .map(|(id, entry)| (self.worth(entry), entry.serial, *id))
            .collect();
        ranked.sort_unstable_by_key(|(worth, serial, _)| match self.role {
            // A client opened them itself: the oldest has served longest.
            Role::Client => (*worth, *serial),
            // On a server a flood of newcomers must not drive out those who were there.
            Role::Server => (*worth, u64::MAX.wrapping_sub(*serial)),
        });
        for (_, _, id) in ranked.into_iter().take(excess) {
            tracing::debug!(connection = %id, "closed over the limit of connections");
            self.swarm.close_connection(id);
        }
    }

    /// How much a connection is wanted.
    fn worth(&self, entry: &Entry) -> u8 {
        let peer = &entry.connection.peer;
        let has_streams = self.swarm.behaviour().streams.open_with(peer) > 0;
        if self.interests.is_pinned(peer) {
            5
        } else if self.interests.is_wanted(peer) {
            if has_streams { 4 } else { 3 }
        } else if self.relays.is_used(peer) {
            2
        } else {
            u8::from(has_streams)
        }
    }
}

/// Is it neither relayed nor signalled over a relay?
fn is_plain(connection: &Connection) -> bool {
    connection.path == Path::Direct && connection.transport != TransportKind::Webrtc
}

/// The relay of a circuit: the last peer that its address names before `/p2p-circuit`.
fn relay_of(endpoint: &ConnectedPoint) -> Option<PeerId> {
    if Path::of(endpoint) == Path::Direct {
        return None;
    }
    let address = match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    };
    let mut last = None;
    for protocol in address {
        match protocol {
            Protocol::P2p(peer) => last = Some(peer),
            Protocol::P2pCircuit => return last,
            _ => {}
        }
    }
    None
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| {
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
        })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
