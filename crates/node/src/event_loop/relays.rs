//! Reservations on the relays that a client is connected to.
//!
//! A reservation's listener is never removed while its connection lives: libp2p-relay 0.22 panics when a
//! request is accepted whose listener has gone (`priv_client.rs`, "Relay connection exist"), the first one as well as any
//! renewal, and whether one is under way cannot be asked. The end of the connection ends the listener.

use std::collections::{HashMap, HashSet, VecDeque};

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId, multiaddr::Protocol};
use web_time::Instant;

use super::{EventLoop, backoff::backoff};
use crate::{
    Role,
    limits::{
        RELAY_BACKOFF, RELAY_BACKOFF_MAX, RELAY_EARLY_RENEWALS, RELAY_RENEWAL_MIN, RELAY_STABLE,
        RELAYS_BARRED,
    },
    types::{Direction, Path, RelayStatus},
};

/// A connected peer that relays.
#[derive(Debug)]
struct Relay {
    /// Where the reservation is listened on, or asked for; this takes one of the places.
    listener: Option<ListenerId>,
    /// When the reservation was made that the listener has.
    reserved_at: Option<Instant>,
    /// When it was last made or renewed.
    accepted_at: Option<Instant>,
    /// Renewals in a row that came too early.
    early: u32,
    /// Attempts in a row of which no reservation came that lasted.
    failures: u32,
    /// Why the last one ended.
    cause: Option<String>,
    /// Has there been a reservation?
    served: bool,
    /// Without a listener: not asked before.
    due: Instant,
}

/// The relays that this node has a reservation on, or could have. Only connected peers are in here.
#[derive(Debug)]
pub(super) struct Relays {
    limit: usize,
    relays: HashMap<PeerId, Relay>,
    /// Peers whose connection nobody wants any more: a reservation is no reason to keep it open.
    released: HashSet<PeerId>,
    /// Those that misbehaved, oldest first; they are not asked again.
    barred: VecDeque<PeerId>,
}

impl Relays {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            relays: HashMap::new(),
            released: HashSet::new(),
            barred: VecDeque::new(),
        }
    }

    /// Is this peer connected for the sake of its reservation?
    pub(super) fn is_used(&self, peer: &PeerId) -> bool {
        !self.released.contains(peer)
            && self
                .relays
                .get(peer)
                .is_some_and(|relay| relay.listener.is_some())
    }

    /// Has this peer, which is connected and wanted, made this node reachable?
    pub(super) fn has_served(&self, peer: &PeerId) -> bool {
        !self.released.contains(peer) && self.relays.get(peer).is_some_and(|relay| relay.served)
    }

    /// How it stands with each of the connected relays.
    pub(super) fn list(&self, now: Instant) -> Vec<RelayStatus> {
        let mut list: Vec<_> = self
            .relays
            .iter()
            .map(|(peer, relay)| RelayStatus {
                peer: *peer,
                reserved: relay.reserved_at.is_some(),
                failures: relay.failures,
                cause: relay.cause.clone(),
                retry_in: (relay.listener.is_none() && relay.failures > 0)
                    .then(|| relay.due.saturating_duration_since(now)),
            })
            .collect();
        list.sort_by_key(|status| status.peer);
        list
    }

    /// When a free place is to be taken.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.next().map(|(_, due)| due)
    }

    /// The relay to ask next, and when; none while every place is taken.
    fn next(&self) -> Option<(PeerId, Instant)> {
        let taken = self
            .relays
            .values()
            .filter(|relay| relay.listener.is_some())
            .count();
        if taken >= self.limit {
            return None;
        }
        self.relays
            .iter()
            .filter(|(peer, relay)| relay.listener.is_none() && !self.released.contains(peer))
            .map(|(peer, relay)| (*peer, relay.due))
            .min_by_key(|(_, due)| *due)
    }

    /// The place is free for another, and this relay is asked again later.
    fn failed(&mut self, peer: &PeerId, cause: Option<String>, now: Instant) {
        let Some(relay) = self.relays.get_mut(peer) else {
            return;
        };
        let lasted = relay
            .reserved_at
            .is_some_and(|at| now.saturating_duration_since(at) >= RELAY_STABLE);
        // A relay that takes reservations and drops them at once has failed, too.
        relay.failures = if lasted {
            1
        } else {
            relay.failures.saturating_add(1)
        };
        let doublings = relay.failures.saturating_sub(1);
        let pause = backoff(RELAY_BACKOFF, RELAY_BACKOFF_MAX, doublings);
        let what = cause.as_deref().unwrap_or("it ended");
        tracing::info!(%peer, cause = what, retry_in = ?pause, "no reservation on the relay");
        relay.cause = cause;
        relay.due = now.checked_add(pause).unwrap_or(now);
        relay.listener = None;
        relay.reserved_at = None;
        relay.accepted_at = None;
        relay.early = 0;
    }

    /// A reservation was made or renewed; false when the relay makes the node renew without a pause.
    fn accepted(&mut self, peer: &PeerId, now: Instant) -> bool {
        let Some(relay) = self.relays.get_mut(peer) else {
            return true;
        };
        relay.reserved_at.get_or_insert(now);
        relay.served = true;
        relay.cause = None;
        let early = relay
            .accepted_at
            .replace(now)
            .is_some_and(|at| now.saturating_duration_since(at) < RELAY_RENEWAL_MIN);
        relay.early = if early {
            relay.early.saturating_add(1)
        } else {
            0
        };
        relay.early < RELAY_EARLY_RENEWALS
    }

    fn bar(&mut self, peer: PeerId) {
        if self.barred.contains(&peer) {
            return;
        }
        if self.barred.len() >= RELAYS_BARRED {
            self.barred.pop_front();
        }
        self.barred.push_back(peer);
    }
}

impl EventLoop {
    /// A peer has said that it relays.
    pub(super) fn on_relay_found(&mut self, peer: PeerId) {
        if self.role != Role::Client
            || !self.connections.is_connected(&peer)
            || self.relays.relays.contains_key(&peer)
            || self.relays.barred.contains(&peer)
        {
            return;
        }
        let now = Instant::now();
        self.relays.relays.insert(
            peer,
            Relay {
                listener: None,
                reserved_at: None,
                accepted_at: None,
                early: 0,
                failures: 0,
                cause: None,
                served: false,
                due: now,
            },
        );
        self.tick_relays(now);
    }

    /// Nobody wants a peer any more: if it relays, it closes when no stream and no circuit uses it.
    pub(super) fn on_relay_released(&mut self, peer: PeerId) {
        if self.connections.is_connected(&peer) {
            self.relays.released.insert(peer);
        }
    }

    /// Somebody wants a peer (again); if it relays, it is of use for that, too.
    pub(super) fn on_relay_wanted(&mut self, peer: &PeerId) {
        if self.relays.released.remove(peer) {
            self.tick_relays(Instant::now());
        }
    }

    /// A peer is no longer connected. Its listener ends with the connection.
    pub(super) fn on_relay_gone(&mut self, peer: &PeerId) {
        self.relays.released.remove(peer);
        self.relays.relays.remove(peer);
        self.tick_relays(Instant::now());
    }

    /// A reservation was made or renewed.
    pub(super) fn on_relay_accepted(&mut self, peer: &PeerId) {
        if self.relays.accepted(peer, Instant::now()) {
            return;
        }
        // libp2p-relay renews when the relay says so, at once if that is what it says.
        tracing::debug!(%peer, "closed: it lets its reservation be renewed over and over");
        self.relays.bar(*peer);
        // An error only says that it has gone by itself.
        let _ = self.swarm.disconnect_peer_id(*peer);
    }

    /// A listener ended; when it was a reservation's, another relay has its place, or this one later.
    pub(super) fn on_relay_listener_closed(&mut self, listener: ListenerId, cause: Option<String>) {
        let relays = &self.relays.relays;
        let found = relays
            .iter()
            .find(|(_, relay)| relay.listener == Some(listener))
            .map(|(peer, _)| *peer);
        if let Some(peer) = found {
            let now = Instant::now();
            self.relays.failed(&peer, cause, now);
            self.tick_relays(now);
        }
    }

    /// Takes the places that are free.
    pub(super) fn tick_relays(&mut self, now: Instant) {
        // Each turn either takes a place or moves a relay's time into the future.
        while let Some((peer, due)) = self.relays.next()
            && due <= now
            && !self.paused
        {
            let listener = self.relay_address(&peer).and_then(|address| {
                self.swarm
                    .listen_on(address)
                    .inspect_err(
                        |error| tracing::debug!(%peer, %error, "cannot reserve on the relay"),
                    )
                    .ok()
            });
            match (listener, self.relays.relays.get_mut(&peer)) {
                (Some(listener), Some(relay)) => relay.listener = Some(listener),
                _ => self.relays.failed(&peer, None, now),
            }
        }
    }

    /// Where circuits through a relay are listened for: `<relay>/p2p-circuit`.
    fn relay_address(&self, peer: &PeerId) -> Option<Multiaddr> {
        // A relay behind a relay would not be reachable for others.
        let connection = self
            .connections
            .best(peer, false)
            .and_then(|id| self.snapshot(&id))
            .filter(|c| c.path == Path::Direct && c.direction == Direction::Outbound)?;
        let mut address = connection.remote_address;
        if let Some(Protocol::P2p(_)) = address.iter().last() {
            address.pop();
        }
        Some(
            address
                .with(Protocol::P2p(*peer))
                .with(Protocol::P2pCircuit),
        )
    }
}
