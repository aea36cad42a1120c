//! Commands of the handle: each is answered here, or its responder is parked.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use super::EventLoop;
use crate::{
    Error, Events, Listeners,
    handle::{Command, Reply},
    limits::MAX_TIMEOUT,
    types::{ListenerEvent, OpenStream, OpenedStream, Owner},
};

impl EventLoop {
    pub(super) fn on_command(&mut self, command: Command) {
        // A caller that has gone needs no answer: sending to it changes nothing.
        match command {
            Command::Addresses(reply) => {
                let _ = reply.send(Ok(self.own_addresses()));
            }
            Command::Listeners(reply) => {
                let now: Vec<ListenerEvent> = self
                    .swarm
                    .listeners()
                    .map(|address| ListenerEvent::New(self.full_address(address)))
                    .collect();
                let _ = reply.send(self.listeners.subscribe(now).map(Listeners));
            }
            Command::Dial(request, direct, reply) => self.dial(request, direct, reply),
            Command::Effort(request, reply) => {
                let _ = reply.send(self.effort(request));
            }
            Command::Peers(reply) => {
                let peers = self.peers.list(|peer| self.connections.is_connected(peer));
                let _ = reply.send(Ok(peers));
            }
            Command::Connections(reply) => {
                let mut connections: Vec<_> = self
                    .connections
                    .ids()
                    .iter()
                    .filter_map(|id| self.snapshot(id))
                    .collect();
                connections.sort_by(|a, b| {
                    a.opened_at_ms
                        .cmp(&b.opened_at_ms)
                        .then_with(|| a.id.cmp(&b.id))
                });
                let _ = reply.send(Ok(connections));
            }
            Command::Relays(reply) => {
                let _ = reply.send(Ok(self.relays.list(Instant::now())));
            }
            Command::KnownPeers(reply) => {
                let connections = &self.connections;
                let known = self.known.snapshot(|peer| connections.is_connected(peer));
                let _ = reply.send(Ok(known));
            }
            Command::Release(peer, owner, reply) => {
                self.release(&peer, &owner);
                let _ = reply.send(Ok(()));
            }
            Command::ReleaseAll(owner, reply) => {
                for peer in self.interests.of_owner(&owner) {
                    self.release(&peer, &owner);
                }
                self.network.release_all(&owner);
                self.upgrades.release_all(&owner);
                let _ = reply.send(Ok(()));
            }
            Command::Disconnect(peer, reply) => {
                self.network.forget(&peer);
                self.upgrades.forget(&peer);
                let result = self
                    .swarm
                    .disconnect_peer_id(peer)
                    .map_err(|()| Error::NotConnected);
                let _ = reply.send(result);
            }
            Command::OpenStream(request, reply) => self.open_stream(request, reply),
            Command::Accept(protocols, reply) => {
                let _ = reply.send(self.swarm.behaviour().streams.accept(protocols));
            }
            Command::Events(reply) => {
                let _ = reply.send(self.events.subscribe([]).map(Events));
            }
            Command::Topics(command) => self.on_topics_command(command),
            Command::SetPaused(paused, reply) => {
                self.set_paused(paused);
                let _ = reply.send(Ok(()));
            }
            Command::SetPrivateStreams(taken, reply) => {
                self.gate.set_private_streams(taken);
                self.end_private_visits();
                let _ = reply.send(Ok(()));
            }
            Command::SetNetwork(available, reply) => {
                self.set_network(available);
                let _ = reply.send(Ok(()));
            }
            Command::Dht(command) => self.on_dht_command(command),
            Command::Measured(peer, rtt) => self.on_measured(peer, rtt),
            // The loop takes it before it comes here.
            Command::Shutdown(reply) => {
                let _ = reply.send(Err(Error::Stopped));
            }
        }
    }

    fn own_addresses(&self) -> Vec<Multiaddr> {
        let mut addresses = Vec::new();
        for address in self
            .swarm
            .listeners()
            .chain(self.swarm.external_addresses())
        {
            let address = self.full_address(address);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn release(&mut self, peer: &PeerId, owner: &Owner) {
        self.upgrades.released(peer, owner);
        self.network.release(peer, owner);
        if self.interests.remove(peer, owner) {
            if !self.interests.is_wanted(peer) {
                self.on_relay_released(*peer);
            }
            self.update_wanted(peer);
        }
    }

    fn open_stream(&mut self, request: OpenStream, reply: Reply<OpenedStream>) {
        let Some(connection) = self.connections.best(&request.peer, request.allow_relayed) else {
            let _ = reply.send(Err(Error::NotConnected));
            return;
        };
        self.swarm.behaviour_mut().streams.open(
            request.peer,
            connection,
            request.protocols,
            request.timeout.min(MAX_TIMEOUT),
            reply,
        );
    }

    /// Nobody takes streams over private addresses any more, perhaps: closes what peers made to us over such, unless
    /// somebody who may reach them wants the peer.
    fn end_private_visits(&mut self) {
        for (id, peer) in self.connections.private_inbound() {
            if !self.gate.reaches_privately(&peer) && self.upgrades.private(&peer).is_empty() {
                self.swarm.close_connection(id);
            }
        }
    }

    fn set_paused(&mut self, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        self.gate.set_paused(paused);
        if paused {
            self.dials.fail_all(&Error::Paused);
            self.fail_lookups(&Error::Paused);
            self.upgrades.clear();
            self.network.forget_all();
            self.disconnect_all();
        } else {
            self.bootstrap_now();
        }
    }

    fn on_measured(&mut self, peer: PeerId, rtt: Duration) {
        if let Some(id) = self.connections.best(&peer, true) {
            self.connections.measured(&id, rtt);
            self.peers.measured(peer, rtt);
        }
    }
}
