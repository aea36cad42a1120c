//! What the swarm reports.

use libp2p::{
    PeerId,
    core::ConnectedPoint,
    identify, ping, relay,
    swarm::{ConnectionError, ConnectionId, DialError, SwarmEvent},
};
use web_time::Instant;

use super::{
    EventLoop,
    dials::{causes, root_cause},
};
use crate::{
    Scope,
    address_policy::is_refused,
    behaviour::BehaviourEvent,
    limits::{EXTERNAL_ADDRESSES, IDLE_TIMEOUT, PING_FAILURES, UPKEEP_KEEP},
    meter::Measure,
    streams::Idle,
    types::{Event, ListenerEvent, Path, TransportKind},
};

impl EventLoop {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.on_connected(connection_id, peer_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                self.on_closed(connection_id, peer_id, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                peer_id,
                error,
            } => {
                if let Some(peer) = peer_id {
                    self.note_unreached(peer, &error);
                }
                if let (Some(peer), DialError::WrongPeerId { .. }) = (peer_id, &error) {
                    // Somebody else is there now: a relay with a new key is another relay.
                    self.network.forget(&peer);
                }
                let causes = causes(&error);
                let own = self.relay_dials.failed(&connection_id, &causes)
                    || self.upgrades.failed(connection_id, Instant::now());
                if !own {
                    self.on_dial_failed(connection_id, causes);
                }
                // It may have been theirs; they have others to try, or to wait until then.
                let now = Instant::now();
                self.tick_bootstrap(now);
                self.tick_network(now);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                let room = self.swarm.external_addresses().count() < EXTERNAL_ADDRESSES;
                if self.announce_listeners && room {
                    self.swarm.add_external_address(address.clone());
                }
                self.listeners
                    .emit(&ListenerEvent::New(self.full_address(&address)));
                self.events.emit(&Event::AddressesChanged);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                if self.announce_listeners {
                    self.swarm.remove_external_address(&address);
                }
                self.listeners
                    .emit(&ListenerEvent::Expired(self.full_address(&address)));
                self.events.emit(&Event::AddressesChanged);
            }
            SwarmEvent::ListenerClosed {
                listener_id,
                addresses,
                reason,
            } => {
                let cause = reason.as_ref().err().map(|error| root_cause(error));
                if let Some(cause) = &cause {
                    tracing::debug!(cause, "a listener ended");
                }
                self.on_relay_listener_closed(listener_id, cause);
                for address in addresses {
                    self.listeners
                        .emit(&ListenerEvent::Expired(self.full_address(&address)));
                }
                self.events.emit(&Event::AddressesChanged);
            }
            SwarmEvent::ExternalAddrConfirmed { .. } | SwarmEvent::ExternalAddrExpired { .. } => {
                self.provides.moved(Instant::now());
                self.events.emit(&Event::AddressesChanged);
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, id: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) {
        let path = Path::of(endpoint);
        let first = !self.connections.is_connected(&peer);
        let upgraded = path == Path::Direct
            && self.connections.has_path(&peer, Path::Relayed)
            && !self.connections.has_path(&peer, Path::Direct);
        let had_same_path = self.connections.has_path(&peer, path);
        let address = endpoint.get_remote_address();
        let private = match TransportKind::of(address) {
            Some(TransportKind::Webrtc) if path == Path::Direct => self.gate.met_privately(&peer),
            _ => is_refused(address, Scope::GLOBAL),
        };
        self.connections.insert(id, peer, endpoint, private);

        if path == Path::Direct {
            self.relay_dials.connected(&peer);
        }
        self.relay_dials.ended(&id);
        let settled = self.dials.settle(id, peer, path);
        if !settled.private.is_empty()
            || TransportKind::of(endpoint.get_remote_address()) == Some(TransportKind::Webrtc)
        {
            self.upgrades.requested(peer, settled.private);
        }
        self.on_upgrade_connected(peer, path);
        if self.paused {
            self.swarm.close_connection(id);
        }
        let mut waiters = Vec::new();
        for waiter in settled.waiters {
            match self.interests.add(peer, waiter.owner.clone()) {
                Ok(()) => waiters.push(waiter),
                Err(error) => {
                    let _ = waiter.reply.send(Err(error));
                }
            }
        }
        if endpoint.is_dialer() {
            self.peers.reached(peer, endpoint.get_remote_address());
            // A request's connection that nobody waits for any more was too late, or another
            // attempt was quicker; what the DHT opened may be of use to it again.
            let surplus = settled.requested && waiters.is_empty();
            let wanted = !waiters.is_empty() || self.interests.is_wanted(&peer);
            let closes = if surplus && (had_same_path || !wanted) {
                Some(IDLE_TIMEOUT)
            } else if wanted {
                None
            } else {
                Some(UPKEEP_KEEP)
            };
            self.connections.close_after(&id, closes);
        }
        if first {
            self.events.emit(&Event::PeerConnected { peer });
        }
        if let Some(connection) = self.snapshot(&id) {
            self.record(Measure::ConnectionOpened {
                transport: connection.transport,
                direction: connection.direction,
            });
            self.events.emit(&Event::ConnectionOpened {
                connection: connection.clone(),
            });
            if upgraded {
                self.events.emit(&Event::ConnectionUpgraded {
                    connection: connection.clone(),
                    from: Path::Relayed,
                    to: Path::Direct,
                });
            }
            for waiter in waiters {
                let _ = waiter.reply.send(Ok(connection.clone()));
            }
        }
        self.trim_connections();
    }

    fn on_closed(&mut self, id: ConnectionId, peer: PeerId, cause: Option<&ConnectionError>) {
        let reason = match cause {
            None | Some(ConnectionError::KeepAliveTimeout) => None,
            Some(ConnectionError::IO(error)) => Some(root_cause(error)),
        };
        let connection = self.snapshot(&id);
        // What this node closed itself has no cause, unless it closed it as dead.
        let broke = matches!(cause, Some(ConnectionError::IO(_))) || self.connections.is_dead(&id);
        self.connections.remove(&id);
        if self.connections.reinstate(&peer) {
            self.update_wanted(&peer);
        }
        let gone = !self.connections.is_connected(&peer);
        let private = self.upgrades.private(&peer);
        let again = connection
            .as_ref()
            .is_some_and(|connection| self.on_upgrade_closed(connection, gone, cause));
        if gone {
            if broke
                && !again
                && let Some(connection) = &connection
            {
                let relay = self.relays.has_served(&peer);
                self.network
                    .on_lost(connection, &private, relay, Instant::now());
            }
            self.known.parted(&peer);
            self.interests.forget(&peer);
            self.on_relay_gone(&peer);
            self.bootstrap.on_disconnected(&peer, Instant::now());
        }
        if let Some(connection) = connection {
            self.record(Measure::ConnectionClosed {
                transport: connection.transport,
                direction: connection.direction,
            });
            self.events
                .emit(&Event::ConnectionClosed { connection, reason });
        }
        if gone {
            self.events.emit(&Event::PeerDisconnected { peer });
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(Idle(peer)) => self.on_idle(&peer),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, &info);
            }
            BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result,
            }) => match result {
                Ok(rtt) => {
                    self.record(Measure::Ping(Some(rtt)));
                    tracing::debug!(%peer, %connection, ?rtt, "ping");
                    self.connections.measured(&connection, rtt);
                    self.peers.measured(peer, rtt);
                }
                Err(ping::Failure::Timeout) => {
                    self.record(Measure::Ping(None));
                    self.on_ping_timeout(connection);
                }
                // Not spoken, or its stream was taken over by a newer one: the connection lives.
                Err(_) => {}
            },
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                ..
            }) => self.on_relay_accepted(&relay_peer_id),
            BehaviourEvent::Kad(event) => self.on_dht_event(event),
            BehaviourEvent::Gossipsub(event) => self.on_topics_event(event),
            _ => {}
        }
    }

    fn on_identified(&mut self, peer: PeerId, info: &identify::Info) {
        self.peers.identified(peer, info);
        self.peers.trim(|peer| self.connections.is_connected(peer));
        self.note_known(peer, info);
        let kad = &mut self.swarm.behaviour_mut().kad;
        kad.learned(peer, &info.listen_addrs, &info.protocols);
        self.tick_lookups(Instant::now());
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            self.on_relay_found(peer);
        }
        self.on_upgrade_possible(peer, info);
    }

    fn on_ping_timeout(&mut self, id: ConnectionId) {
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        entry.ping_failures = entry.ping_failures.saturating_add(1);
        if entry.ping_failures >= PING_FAILURES {
            tracing::debug!(connection = %id, "closed after unanswered pings");
            self.swarm.close_connection(id);
        }
    }
}
