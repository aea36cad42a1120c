//! Reservations on the relays that a client is connected to.

use std::collections::{HashMap, HashSet};

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, multiaddr::Protocol, relay};
use web_time::Instant;

use super::EventLoop;
use crate::{
    Role,
    limits::{RELAY_ATTEMPTS, RELAY_BACKOFF},
    types::{Direction, Path},
};

#[derive(Debug)]
struct Relay {
    /// Where circuits through it are listened for: `<relay>/p2p-circuit`.
    address: Multiaddr,
    listener: Option<ListenerId>,
    attempts: u32,
    retry_at: Option<Instant>,
}

/// The relays that this node has a reservation on, or tries to. Only connected peers are in here.
#[derive(Debug)]
pub(super) struct Relays {
    limit: usize,
    relays: HashMap<PeerId, Relay>,
    /// Relays whose connection nobody wants any more: a reservation would hold it open.
    released: HashSet<PeerId>,
}

impl Relays {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            relays: HashMap::new(),
            released: HashSet::new(),
        }
    }

    pub(super) fn is_reserved(&self, peer: &PeerId) -> bool {
        self.relays
            .get(peer)
            .is_some_and(|relay| relay.listener.is_some())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.relays
            .values()
            .filter_map(|relay| relay.retry_at)
            .min()
    }

    /// A listener ended; when it was a reservation's, there will be another attempt.
    pub(super) fn on_listener_closed(&mut self, listener: ListenerId, now: Instant) {
        let Some(relay) = self
            .relays
            .values_mut()
            .find(|relay| relay.listener == Some(listener))
        else {
            return;
        };
        relay.listener = None;
        if relay.attempts < RELAY_ATTEMPTS {
            let factor = 1_u32.checked_shl(relay.attempts).unwrap_or(u32::MAX);
            relay.retry_at = now.checked_add(RELAY_BACKOFF.saturating_mul(factor));
        }
    }

    /// A reservation was made: later failures begin a new count.
    pub(super) fn on_reserved(&mut self, peer: &PeerId) {
        if let Some(relay) = self.relays.get_mut(peer) {
            relay.attempts = 0;
        }
    }
}

impl EventLoop {
    /// A peer has said that it relays.
    pub(super) fn on_relay_found(&mut self, peer: PeerId) {
        if self.role != Role::Client
            || self.paused
            || self.relays.released.contains(&peer)
            || self.relays.relays.contains_key(&peer)
            || self.relays.relays.len() >= self.relays.limit
        {
            return;
        }
        // A relay behind a relay would not be reachable for others.
        let Some(connection) = self
            .connections
            .best(&peer, false)
            .and_then(|id| self.snapshot(&id))
            .filter(|c| c.path == Path::Direct && c.direction == Direction::Outbound)
        else {
            return;
        };
        let mut address = connection.remote_address;
        if let Some(Protocol::P2p(_)) = address.iter().last() {
            address.pop();
        }
        let address = address.with(Protocol::P2p(peer)).with(Protocol::P2pCircuit);
        self.relays.relays.insert(
            peer,
            Relay {
                address,
                listener: None,
                attempts: 0,
                retry_at: None,
            },
        );
        self.reserve(peer);
    }

    /// Nobody wants a relay any more: without its reservation it closes when no circuit uses it.
    pub(super) fn on_relay_released(&mut self, peer: PeerId) {
        self.remove_relay(&peer);
        if self.connections.is_connected(&peer) {
            self.relays.released.insert(peer);
        }
    }

    /// Somebody wants a peer (again); if it relays, it is of use for that, too.
    pub(super) fn on_relay_wanted(&mut self, peer: PeerId) {
        if self.relays.released.remove(&peer)
            && self.peers.speaks(&peer, relay::HOP_PROTOCOL_NAME.as_ref())
        {
            self.on_relay_found(peer);
        }
    }

    /// A peer is no longer connected.
    pub(super) fn on_relay_gone(&mut self, peer: &PeerId) {
        self.relays.released.remove(peer);
        self.remove_relay(peer);
    }

    fn remove_relay(&mut self, peer: &PeerId) {
        if let Some(relay) = self.relays.relays.remove(peer)
            && let Some(listener) = relay.listener
        {
            self.swarm.remove_listener(listener);
        }
    }

    pub(super) fn tick_relays(&mut self, now: Instant) {
        let due: Vec<PeerId> = self
            .relays
            .relays
            .iter()
            .filter(|(_, relay)| relay.retry_at.is_some_and(|at| at <= now))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            self.reserve(peer);
        }
    }

    fn reserve(&mut self, peer: PeerId) {
        let Some(relay) = self.relays.relays.get_mut(&peer) else {
            return;
        };
        relay.retry_at = None;
        relay.attempts = relay.attempts.saturating_add(1);
        match self.swarm.listen_on(relay.address.clone()) {
            Ok(listener) => relay.listener = Some(listener),
            Err(error) => tracing::debug!(%peer, %error, "cannot reserve on the relay"),
        }
    }
}
