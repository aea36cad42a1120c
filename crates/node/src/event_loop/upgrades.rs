//! From a circuit to a direct connection, and back when that dies.
//!
//! Who dialed the circuit dials `/webrtc` over it when the peer turns out to speak that. The circuit is left alone until the direct
//! connection stands; then new streams go direct, and the circuit closes when its last stream has ended. When a
//! direct connection dies under its owners, the node dials again, over the relay, with growing pauses.

use std::{collections::HashMap, time::Duration};

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

use super::EventLoop;
use crate::{
    address_policy::{Approval, PeerApproval},
    limits::{CIRCUIT_KEEP, UPGRADE_ATTEMPTS, UPGRADE_BACKOFF, UPGRADES},
    types::{Connection, Direction, Owner, Path, TransportKind},
};

/// One peer that is, or was, reached over a circuit.
#[derive(Debug, Default)]
struct Upgrade {
    /// May private addresses be used? As the request that the circuit was dialed for.
    private: bool,
    attempt: Option<Attempt>,
    attempts: u32,
    retry_at: Option<Instant>,
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Attempt {
    id: ConnectionId,
    _approvals: (Approval, Option<PeerApproval>),
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

    /// A request with this scope led to the peer.
    pub(super) fn requested(&mut self, peer: PeerId, private: bool) {
        if let Some(upgrade) = self.entry(peer) {
            upgrade.private |= private;
        }
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
        if let Some(upgrade) = self.peers.get_mut(peer)
            && let Some(lost) = &mut upgrade.lost
        {
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
        upgrade.attempts = upgrade.attempts.saturating_add(1);
        if upgrade.attempts >= UPGRADE_ATTEMPTS {
            tracing::debug!(%peer, "no direct connection, and no further attempt");
            upgrade.retry_at = None;
            if upgrade.lost.is_some() {
                let peer = *peer;
                self.peers.remove(&peer);
            }
            return true;
        }
        upgrade.retry_at = now.checked_add(pause(upgrade.attempts));
        true
    }
}

fn pause(attempts: u32) -> Duration {
    let factor = 1_u32
        .checked_shl(attempts.saturating_sub(1))
        .unwrap_or(u32::MAX);
    UPGRADE_BACKOFF.saturating_mul(factor)
}

impl EventLoop {
    /// A peer has said what it speaks.
    pub(super) fn on_upgrade_possible(&mut self, peer: PeerId, info: &identify::Info) {
        if info.protocols.contains(&StreamProtocol::new(PROTOCOL)) {
            self.upgrade(peer);
        }
    }

    /// A request for a direct connection ended with a circuit: there will be another attempt.
    pub(super) fn upgrade_later(&mut self, peer: PeerId, private: bool) {
        if let Some(upgrade) = self.upgrades.entry(peer) {
            upgrade.private |= private;
            upgrade.attempts = upgrade.attempts.saturating_add(1);
            upgrade.retry_at = Instant::now().checked_add(pause(upgrade.attempts));
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
        let approved: &[Multiaddr] = if upgrade.private {
            std::slice::from_ref(&address)
        } else {
            &[]
        };
        let approvals = (
            self.gate.approve(approved),
            upgrade.private.then(|| self.gate.approve_peer(peer)),
        );
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(vec![address])
            .build();
        let id = options.connection_id();
        upgrade.attempt = Some(Attempt {
            id,
            _approvals: approvals,
        });
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
                upgrade.attempts = 0;
                upgrade.retry_at = None;
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
        let died = connection.transport == TransportKind::Webrtc && died(cause) && !self.paused;
        if died && self.interests.is_wanted(&peer) {
            if connection.direction == Direction::Outbound
                && gone
                && let Some(upgrade) = self.upgrades.entry(peer)
            {
                upgrade.lost = Some(Lost {
                    address: connection.remote_address.clone(),
                    owners: connection.owners.clone(),
                    pinned: self.interests.is_pinned(&peer),
                });
            }
            if let Some(upgrade) = self.upgrades.peers.get_mut(&peer)
                && upgrade.attempt.is_none()
            {
                // At once: most often a network has changed, and the relay is still there.
                upgrade.retry_at = Some(Instant::now());
            }
        } else if gone
            && self
                .upgrades
                .peers
                .get(&peer)
                .is_some_and(|upgrade| upgrade.lost.is_none())
        {
            self.upgrades.peers.remove(&peer);
        }
        self.upgrades
            .peers
            .get(&peer)
            .is_some_and(|upgrade| upgrade.lost.is_some())
    }

    pub(super) fn tick_upgrades(&mut self, now: Instant) {
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
