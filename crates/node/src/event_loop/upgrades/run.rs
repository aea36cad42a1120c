//! When an upgrade is tried, and what comes of it.

use libp2p::{
    Multiaddr, PeerId, identify,
    swarm::{
        ConnectionError, StreamProtocol,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use mooring_webrtc::{
    Loss,
    core::signalling::{PROTOCOL, address::signalled_over},
};
use web_time::Instant;

use super::{super::EventLoop, Attempt, Lost};
use crate::{
    limits::CIRCUIT_KEEP,
    types::{Connection, Direction, Owner, Path, TransportKind},
};

impl EventLoop {
    /// A peer has said what it speaks.
    pub(in crate::event_loop) fn on_upgrade_possible(
        &mut self,
        peer: PeerId,
        info: &identify::Info,
    ) {
        if !self.upgrades.tried(&peer) && info.protocols.contains(&StreamProtocol::new(PROTOCOL)) {
            self.upgrade(peer);
        }
    }

    /// A request for a direct connection ended with a circuit: there will be another attempt.
    pub(in crate::event_loop) fn upgrade_later(
        &mut self,
        peer: PeerId,
        private: impl IntoIterator<Item = Owner>,
    ) {
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
    pub(in crate::event_loop) fn on_upgrade_connected(&mut self, peer: PeerId, path: Path) {
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
    pub(in crate::event_loop) fn on_upgrade_closed(
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

    pub(in crate::event_loop) fn tick_upgrades(&mut self, now: Instant) {
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
