//! From a circuit to a direct connection, and back when that dies.
//!
//! Who dialed the circuit dials `/webrtc` over it when the peer turns out to speak that. The circuit is left alone until the direct
//! connection stands; then new streams go direct, and the circuit closes when its last stream has ended. When a
//! direct connection dies under its owners, the node dials again, over the relay, with growing pauses.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId, identify,
    swarm::{
        ConnectionError, ConnectionId, StreamProtocol,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use mooring_webrtc::{
    Loss,
    core::signalling::{PROTOCOL, address::signalled_over},
};
use web_time::Instant;

use super::{EventLoop, backoff::backoff};
use crate::{
    address_policy::{Approval, PeerApproval},
    limits::{
        CIRCUIT_KEEP, OWNERS_PER_PEER, UPGRADE_ATTEMPTS, UPGRADE_BACKOFF, UPGRADE_STABLE, UPGRADES,
    },
    types::{Connection, Direction, Owner, Path, TransportKind},
};

/// One peer that is, or was, reached over a circuit.
#[derive(Debug, Default)]
struct Upgrade {
    /// Who wants the peer and may reach private addresses: while there is one, they may be used.
    private: BTreeSet<Owner>,
    attempt: Option<Attempt>,
    /// Attempts in a row of which no connection came that lasted.
    attempts: u32,
    retry_at: Option<Instant>,
    /// Since when there is a direct connection.
    direct_since: Option<Instant>,
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Attempt {
    id: ConnectionId,
    /// `None`: nobody may reach private addresses for it, or not any more.
    approvals: Option<(Approval, PeerApproval)>,
}

impl Upgrade {
    /// An attempt failed, or what came of it did not last. Whether there may be another one.
    fn failed(&mut self, now: Instant) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        let again = self.attempts < UPGRADE_ATTEMPTS;
        self.retry_at = now.checked_add(pause(self.attempts)).filter(|_| again);
        again
    }

    /// The direct connection has ended. Whether it had lasted.
    fn ended(&mut self, now: Instant) -> bool {
        let lasted = self
            .direct_since
            .take()
            .is_some_and(|at| now.saturating_duration_since(at) >= UPGRADE_STABLE);
        if lasted {
            self.attempts = 0;
        }
        lasted
    }

    fn release(&mut self, owner: &Owner) {
        self.private.remove(owner);
        if self.private.is_empty()
            && let Some(attempt) = &mut self.attempt
        {
            // The swarm cannot be told to end it, but it finds no private address any more.
            attempt.approvals = None;
        }
    }
}

/// A connection that died under its owners.
#[derive(Debug)]
struct Lost {
    address: Multiaddr,
    owners: Vec<Owner>,
    pinned: bool,
}

/// The upgrades under way and to come.
#[derive(Debug, Default)]
pub(super) struct Upgrades {
    peers: HashMap<PeerId, Upgrade>,
}

impl Upgrades {
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.peers
            .values()
            .filter_map(|upgrade| upgrade.retry_at)
            .min()
    }

    /// The requests of these owners, which may reach private addresses, led to the peer.
    pub(super) fn requested(&mut self, peer: PeerId, private: impl IntoIterator<Item = Owner>) {
        if let Some(upgrade) = self.entry(peer) {
            for owner in private {
                if upgrade.private.len() < OWNERS_PER_PEER {
                    upgrade.private.insert(owner);
                }
            }
        }
    }

    /// Who wants the peer and may reach private addresses.
    pub(super) fn private(&self, peer: &PeerId) -> BTreeSet<Owner> {
        self.peers
            .get(peer)
            .map(|upgrade| upgrade.private.clone())
            .unwrap_or_default()
    }

    /// The network is there again: what is still to be tried is tried at once.
    pub(super) fn network_is_back(&mut self, now: Instant) {
        for upgrade in self.peers.values_mut() {
            if upgrade.retry_at.is_some() {
                upgrade.attempts = 0;
                upgrade.retry_at = Some(now);
            }
        }
    }

    /// Was there an attempt that came to nothing? Then only time leads to another: a peer may say what it speaks as often as
    /// it likes.
    fn tried(&self, peer: &PeerId) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|upgrade| upgrade.attempts > 0)
    }

    fn entry(&mut self, peer: PeerId) -> Option<&mut Upgrade> {
        let room = self.peers.len() < UPGRADES || self.peers.contains_key(&peer);
        room.then(|| self.peers.entry(peer).or_default())
    }

    /// Forgets everything: the node is paused.
    pub(super) fn clear(&mut self) {
        self.peers.clear();
    }

    /// An owner does not want the peer any more.
    pub(super) fn released(&mut self, peer: &PeerId, owner: &Owner) {
        let Some(upgrade) = self.peers.get_mut(peer) else {
            return;
        };
        upgrade.release(owner);
        if let Some(lost) = &mut upgrade.lost {
            lost.owners.retain(|known| known != owner);
            if lost.owners.is_empty() && !lost.pinned {
                self.peers.remove(peer);
            }
        }
    }

    /// An owner does not want any peer any more.
    pub(super) fn release_all(&mut self, owner: &Owner) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.released(&peer, owner);
        }
    }

    /// The user wants this peer gone.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// An attempt that was ours failed; there will be another one. `false`: it was not ours.
    pub(super) fn failed(&mut self, id: ConnectionId, now: Instant) -> bool {
        let ours = |upgrade: &Upgrade| upgrade.attempt.as_ref().is_some_and(|it| it.id == id);
        let Some((peer, upgrade)) = self.peers.iter_mut().find(|(_, it)| ours(it)) else {
            return false;
        };
        upgrade.attempt = None;
        if !upgrade.failed(now) {
            tracing::debug!(%peer, "no direct connection, and no further attempt");
            if upgrade.lost.is_some() {
                let peer = *peer;
                self.peers.remove(&peer);
            }
        }
        true
    }
}

fn pause(attempts: u32) -> Duration {
    // There are few attempts, so the pauses need no other bound.
    backoff(UPGRADE_BACKOFF, Duration::MAX, attempts.saturating_sub(1))
}

impl EventLoop {
    /// A peer has said what it speaks.
    pub(super) fn on_upgrade_possible(&mut self, peer: PeerId, info: &identify::Info) {
        if !self.upgrades.tried(&peer) && info.protocols.contains(&StreamProtocol::new(PROTOCOL)) {
            self.upgrade(peer);
        }
    }

    /// A request for a direct connection ended with a circuit: there will be another attempt.
    pub(super) fn upgrade_later(&mut self, peer: PeerId, private: impl IntoIterator<Item = Owner>) {
        self.upgrades.requested(peer, private);
        if let Some(upgrade) = self.upgrades.entry(peer) {
            upgrade.failed(Instant::now());
        }
    }

    /// Dials a peer directly that we have a circuit to, unless that is under way.
    fn upgrade(&mut self, peer: PeerId) {
        let wanted = self.interests.is_wanted(&peer) && !self.paused;
        if !wanted || self.connections.has_path(&peer, Path::Direct) || self.dials.signals(&peer) {
            return;
        }
        let Some(address) = self
            .connections
            .best(&peer, true)
            .and_then(|id| self.snapshot(&id))
            .filter(|circuit| circuit.direction == Direction::Outbound)
            .and_then(|circuit| signalled_over(&circuit.remote_address))
        else {
            return;
        };
        self.attempt_upgrade(peer, address);
    }

    fn attempt_upgrade(&mut self, peer: PeerId, address: Multiaddr) {
        let Some(upgrade) = self.upgrades.entry(peer) else {
            return;
        };
        if upgrade.attempt.is_some() {
            return;
        }
        upgrade.retry_at = None;
        let approvals = (!upgrade.private.is_empty()).then(|| {
            let address = std::slice::from_ref(&address);
            (self.gate.approve(address), self.gate.approve_peer(peer))
        });
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(vec![address])
            .build();
        let id = options.connection_id();
        upgrade.attempt = Some(Attempt { id, approvals });
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%peer, %error, "no attempt at a direct connection");
            self.upgrades.failed(id, Instant::now());
        }
    }

    /// A connection opened.
    pub(super) fn on_upgrade_connected(&mut self, peer: PeerId, path: Path) {
        if let Some(upgrade) = self.upgrades.peers.get_mut(&peer) {
            if let Some(lost) = upgrade.lost.take() {
                // Owners were counted when they came; one too many now only is not written down again.
                for owner in lost.owners {
                    let _ = self.interests.add(peer, Some(owner));
                }
                if lost.pinned {
                    let _ = self.interests.add(peer, None);
                }
            }
            if path == Path::Direct {
                upgrade.attempt = None;
                upgrade.retry_at = None;
                upgrade.direct_since.get_or_insert_with(Instant::now);
            }
        }
        if path == Path::Direct {
            self.connections
                .supersede(&peer, *self.swarm.local_peer_id(), CIRCUIT_KEEP);
        }
    }

    /// A connection has closed, and `gone`, with it the peer. Call while its owners are known. Whether it will be dialed again.
    pub(super) fn on_upgrade_closed(
        &mut self,
        connection: &Connection,
        gone: bool,
        cause: Option<&ConnectionError>,
    ) -> bool {
        let peer = connection.peer;
        let now = Instant::now();
        let wanted = self.interests.is_wanted(&peer) && !self.paused;
        if connection.path == Path::Direct && !self.connections.has_path(&peer, Path::Direct) {
            let died = connection.transport == TransportKind::Webrtc && died(cause);
            self.on_direct_ended(&peer, died && wanted, now);
        }
        if gone && wanted {
            self.note_lost(connection, cause);
        }
        let lost = self
            .upgrades
            .peers
            .get(&peer)
            .is_some_and(|upgrade| upgrade.lost.is_some());
        if gone && !lost {
            self.upgrades.peers.remove(&peer);
        }
        lost
    }

    /// There is no direct connection to a peer any more; `again`: there is to be one.
    fn on_direct_ended(&mut self, peer: &PeerId, again: bool, now: Instant) {
        let Some(upgrade) = self.upgrades.peers.get_mut(peer) else {
            return;
        };
        if upgrade.ended(now) {
            if again && upgrade.attempt.is_none() {
                // At once: most often a network has changed, and the relay is still there.
                upgrade.retry_at = Some(now);
            }
        } else {
            // A peer that drops each connection as soon as it stands must not have us make them without a pause.
            upgrade.failed(now);
            if !again {
                upgrade.retry_at = None;
            }
        }
    }

    /// The last connection to a wanted peer has closed: remembers what is to be dialed again.
    fn note_lost(&mut self, connection: &Connection, cause: Option<&ConnectionError>) {
        if connection.direction != Direction::Outbound {
            return;
        }
        let Some(upgrade) = self.upgrades.peers.get_mut(&connection.peer) else {
            return;
        };
        let address = match connection.path {
            Path::Direct if upgrade.retry_at.is_some() => connection.remote_address.clone(),
            // The relay fails while signalling is under way, or through: its outcome is for whoever wanted the circuit.
            Path::Relayed
                if upgrade.attempt.is_some() && matches!(cause, Some(ConnectionError::IO(_))) =>
            {
                match signalled_over(&connection.remote_address) {
                    Some(address) => address,
                    None => return,
                }
            }
            _ => return,
        };
        upgrade.lost = Some(Lost {
            address,
            owners: connection.owners.clone(),
            pinned: self.interests.is_pinned(&connection.peer),
        });
    }

    pub(super) fn tick_upgrades(&mut self, now: Instant) {
        if self.network.is_away() {
            return;
        }
        let due: Vec<(PeerId, Option<Multiaddr>)> = self
            .upgrades
            .peers
            .iter_mut()
            .filter(|(_, upgrade)| upgrade.retry_at.is_some_and(|at| at <= now))
            .map(|(peer, upgrade)| {
                upgrade.retry_at = None;
                let lost = upgrade.lost.as_ref();
                (*peer, lost.map(|lost| lost.address.clone()))
            })
            .collect();
        for (peer, lost) in due {
            match lost {
                Some(address) => self.attempt_upgrade(peer, address),
                None => self.upgrade(peer),
            }
        }
    }
}

/// Whether a connection ended although nobody closed it.
fn died(cause: Option<&ConnectionError>) -> bool {
    let Some(ConnectionError::IO(error)) = cause else {
        return false;
    };
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(mooring_webrtc::Error::ConnectionLost(loss)) = error.downcast_ref() {
            return matches!(loss, Loss::Failed | Loss::Silent);
        }
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|inner| inner as &(dyn std::error::Error + 'static));
        next = wrapped.or_else(|| error.source());
    }
    false
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
