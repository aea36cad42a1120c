//! Kademlia, with a policy: libp2p's behaviour dials whatever address an answer names, for whoever asked.
//!
//! This wraps it. Each lookup has a [`Scope`]; what an answer names is judged by it before the lookup hears of it,
//! and when libp2p asks to dial a peer, the addresses are chosen here: those that the node's own scope allows, and
//! private ones only while a lookup that may reach them has that peer among those it may ask. What an answer may cost is bounded here
//! as well, and the addresses of providers, which libp2p does not tell, are taken from here.

mod dead;
mod filter;
mod guests;
mod key;
pub(crate) mod record;
mod store;
mod watch;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{Endpoint, transport::PortUse},
    kad::{self, K_VALUE, KBucketKey, KadPeer, QueryId, store::RecordStore},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use web_time::Instant;

pub use self::key::DhtKey;
use self::{
    dead::Dead,
    filter::{dialable, found, without_private, written_by},
    guests::Guests,
    store::Store,
    watch::Watch,
};
use crate::{
    Config, Error, Role, Scope,
    address_policy::{Approval, Gate, is_refused, judge},
    limits::{self, ANSWER_PEERS, DIAL_ADDRESSES, KAD_RECORD_TTL, LOOKUP_REQUESTS, PROVIDERS},
    types::FoundPeer,
};

type Kademlia = kad::Behaviour<Store>;
type FromHandler = THandlerOutEvent<Kademlia>;
type ToHandler = THandlerInEvent<Kademlia>;

/// What the event loop hears of lookups.
#[derive(Debug)]
pub(crate) enum Event {
    /// libp2p's own.
    Kad(Box<kad::Event>),
    /// An answer named the peer that is looked for, with all its addresses.
    Seen(QueryId, FoundPeer),
    /// An answer named providers, with all their addresses.
    Providers(QueryId, Vec<FoundPeer>),
    /// A peer has taken a record.
    Took(QueryId),
}

/// The DHT of one node.
pub(crate) struct Behaviour {
    kad: Kademlia,
    local: PeerId,
    /// What the node's own upkeep may dial.
    scope: Scope,
    gate: Arc<Gate>,
    /// The connections of each peer, and whether they run over an address that is not global.
    connected: HashMap<PeerId, HashMap<ConnectionId, bool>>,
    /// Those of lookups that are under way, also of libp2p's own.
    watches: HashMap<QueryId, Watch>,
    /// Lookups that were ended before they wrote anything.
    ended: HashSet<QueryId>,
    /// Private addresses that are being dialed for a lookup.
    approvals: HashMap<ConnectionId, (PeerId, Approval)>,
    /// Dials of lookups under way.
    dials: HashMap<ConnectionId, PeerId>,
    /// What lookups would wait for in vain.
    dead: Dead,
    guests: Guests,
    events: VecDeque<Event>,
}

impl Behaviour {
    pub(crate) fn new(config: &Config, gate: Arc<Gate>) -> Result<Self, Error> {
        let protocol = StreamProtocol::try_from_owned(config.kad_protocol.clone())
            .map_err(|_| Error::Config(format!("{:?} is no protocol id", config.kad_protocol)))?;
        let local = config.keypair.public().to_peer_id();
        let mut options = kad::Config::new(protocol);
        options
            .set_query_timeout(limits::KAD_QUERY_TIMEOUT)
            // Only addresses that this node can dial take a place: they are added by hand.
            .set_kbucket_inserts(kad::BucketInserts::Manual)
            .set_caching(kad::Caching::Disabled)
            .set_max_packet_size(limits::KAD_PACKET)
            .set_record_ttl(Some(KAD_RECORD_TTL))
            .set_provider_record_ttl(Some(KAD_RECORD_TTL))
            // The event loop does it: sooner when addresses change, and knowing whether it succeeded.
            .set_provider_publication_interval(None)
            .set_periodic_bootstrap_interval(Some(limits::KAD_BOOTSTRAP_INTERVAL));
        if config.role == Role::Client {
            // A client stores nothing for others.
            options.set_record_filtering(kad::StoreInserts::FilterBoth);
        }
        let store = Store::new(local, &config.limits);
        let mut kad = kad::Behaviour::with_config(local, store, options);
        // By hand: left alone, it would switch to server on the first confirmed circuit address.
        kad.set_mode(Some(match config.role {
            Role::Client => kad::Mode::Client,
            Role::Server => kad::Mode::Server,
        }));
        Ok(Self {
            kad,
            local,
            scope: Scope {
                private_network: config.allow_private_network,
            },
            gate,
            connected: HashMap::new(),
            watches: HashMap::new(),
            ended: HashSet::new(),
            approvals: HashMap::new(),
            dials: HashMap::new(),
            dead: Dead::default(),
            guests: Guests::default(),
            events: VecDeque::new(),
        })
    }

    /// Whether a peer with these protocols answers lookups.
    pub(crate) fn is_spoken(&self, protocols: &[StreamProtocol]) -> bool {
        self.kad
            .protocol_names()
            .iter()
            .any(|name| protocols.contains(name))
    }

    /// A connected peer has said where it listens and what it speaks. One that answers lookups comes into the routing table, others
    /// are named to whoever looks for them.
    pub(crate) fn learned(
        &mut self,
        peer: PeerId,
        addresses: &[Multiaddr],
        protocols: &[StreamProtocol],
    ) {
        if self.is_spoken(protocols) {
            self.guests.left(&peer);
            self.take_in(peer, addresses);
        } else if self.kad.mode() == kad::Mode::Server && self.connected.contains_key(&peer) {
            self.guests.said(peer, addresses);
        }
    }

    /// Takes a peer into the routing table.
    ///
    /// Only with what this node could dial: others take a place and cost a time-out. Addresses that are not global count where
    /// the peer is connected over one, since they mean something there; it leaves the table with that connection.
    fn take_in(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let near = self.scope.private_network || self.is_near(&peer);
        let scope = Scope {
            private_network: near,
        };
        for address in dialable(addresses, scope) {
            self.kad.add_address(&peer, address);
        }
    }

    /// Takes a peer from an earlier run into the routing table.
    pub(crate) fn remember(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        for address in dialable(addresses, self.scope) {
            self.kad.add_address(&peer, address);
        }
    }

    /// Is there anybody whom a lookup of this scope could ask?
    pub(crate) fn has_somebody(&mut self, scope: Scope) -> bool {
        let connected = &self.connected;
        self.kad.kbuckets().any(|bucket| {
            bucket.iter().any(|entry| {
                connected.contains_key(entry.node.key.preimage())
                    || entry
                        .node
                        .value
                        .iter()
                        .any(|address| judge(address, scope).is_ok())
            })
        })
    }

    /// The addresses that the routing table has of a peer.
    pub(crate) fn addresses(&mut self, peer: PeerId) -> Vec<Multiaddr> {
        // What libp2p would dial it at; it does not look at the connection.
        self.kad
            .handle_pending_outbound_connection(
                ConnectionId::new_unchecked(0),
                Some(peer),
                &[],
                Endpoint::Dialer,
            )
            .unwrap_or_default()
    }

    /// Looks for a peer.
    pub(crate) fn find(&mut self, peer: PeerId, scope: Scope) -> QueryId {
        let id = self.kad.get_closest_peers(peer);
        self.watch(id, peer.to_bytes(), scope, Some(peer))
    }

    /// Looks for the peers closest to a key.
    pub(crate) fn closest(&mut self, key: &DhtKey, scope: Scope) -> QueryId {
        let id = self.kad.get_closest_peers(key.as_bytes().to_vec());
        self.watch(id, key.as_bytes().to_vec(), scope, None)
    }

    /// Looks for providers. Those kept here are not among its events: [`kept_providers`](Self::kept_providers).
    pub(crate) fn providers(&mut self, key: &DhtKey, scope: Scope) -> QueryId {
        let id = self.kad.get_providers(key.record_key());
        self.watch(id, key.as_bytes().to_vec(), scope, None)
    }

    /// The providers that are kept here, this node perhaps among them, without addresses.
    pub(crate) fn kept_providers(&mut self, key: &DhtKey) -> Vec<FoundPeer> {
        let now = Instant::now();
        let kept = self.kad.store_mut().providers(&key.record_key());
        kept.into_iter()
            .filter(|provider| !provider.is_expired(now))
            .map(|provider| found(provider.provider, &provider.addresses))
            .collect()
    }

    /// Looks for a record.
    pub(crate) fn record(&mut self, key: &DhtKey, scope: Scope) -> QueryId {
        let id = self.kad.get_record(key.record_key());
        self.watch(id, key.as_bytes().to_vec(), scope, None)
    }

    /// Stores a record with the peers closest to its key.
    pub(crate) fn put(
        &mut self,
        key: &DhtKey,
        value: Vec<u8>,
        scope: Scope,
    ) -> Result<QueryId, kad::store::Error> {
        let mut record = kad::Record::new(key.record_key(), value);
        record.expires = Instant::now().checked_add(KAD_RECORD_TTL);
        // `All`: with less, libp2p would stop when the first few have it. How many are enough is judged by the answers.
        let id = self.kad.put_record(record, kad::Quorum::All)?;
        if self.kad.mode() == kad::Mode::Client {
            // Else it would be this node's answer to its own question, and be written again for ever.
            self.kad.store_mut().remove(&key.record_key());
        }
        Ok(self.watch(id, key.as_bytes().to_vec(), scope, None))
    }

    /// Tells the peers closest to a key that this node provides it.
    pub(crate) fn provide(
        &mut self,
        key: &DhtKey,
        scope: Scope,
    ) -> Result<QueryId, kad::store::Error> {
        let id = self.kad.start_providing(key.record_key())?;
        Ok(self.watch(id, key.as_bytes().to_vec(), scope, None))
    }

    /// Answers for this key no more. Others know it until it expires.
    pub(crate) fn stop_providing(&mut self, key: &DhtKey) {
        self.kad.stop_providing(&key.record_key());
    }

    /// Ends a lookup: it asks nobody else, and writes nothing that it has not written.
    pub(crate) fn end(&mut self, id: QueryId) {
        let Some(mut query) = self.kad.query_mut(&id) else {
            return;
        };
        query.finish();
        self.watches.remove(&id);
        self.withdraw();
        // Until its last event, which comes with the next poll.
        self.ended.insert(id);
    }

    fn watch(&mut self, id: QueryId, key: Vec<u8>, scope: Scope, peer: Option<PeerId>) -> QueryId {
        let kad = &self.kad;
        // Not all of libp2p's own lookups tell when they end.
        self.watches.retain(|id, _| kad.query(id).is_some());
        let mut watch = Watch::new(scope, peer);
        if scope.private_network {
            let target = KBucketKey::new(key);
            let nearest = self.kad.get_closest_local_peers(&target);
            for peer in nearest.take(K_VALUE.get()) {
                watch.admit(peer.into_preimage(), &[]);
            }
        }
        self.watches.insert(id, watch);
        id
    }

    fn is_near(&self, peer: &PeerId) -> bool {
        self.connected
            .get(peer)
            .is_some_and(|connections| connections.values().any(|near| *near))
    }

    /// What a lookup hears of the peers that an answer names: those that it can ask.
    fn closer(&mut self, id: QueryId, peers: Vec<KadPeer>) -> Vec<KadPeer> {
        let Some(query) = self.kad.query(&id) else {
            return Vec::new();
        };
        let enough = query.stats().num_requests() >= LOOKUP_REQUESTS;
        let mut kept = Vec::new();
        for peer in peers.into_iter().take(ANSWER_PEERS) {
            let watch = self
                .watches
                .entry(id)
                .or_insert_with(|| Watch::new(self.scope, None));
            let scope = watch.scope;
            if watch.target == Some(peer.node_id) && !peer.multiaddrs.is_empty() {
                let seen = found(peer.node_id, &peer.multiaddrs);
                self.events.push_back(Event::Seen(id, seen));
            }
            if peer.node_id == self.local || enough {
                continue;
            }
            let multiaddrs = self.alive(dialable(&peer.multiaddrs, scope));
            let reachable =
                !multiaddrs.is_empty() || self.connected.contains_key(&peer.node_id) || {
                    let known = self.addresses(peer.node_id);
                    !self.alive(dialable(&known, scope)).is_empty()
                };
            let admitted = reachable
                && self
                    .watches
                    .get_mut(&id)
                    .is_some_and(|watch| watch.admit(peer.node_id, &multiaddrs));
            if admitted {
                kept.push(KadPeer { multiaddrs, ..peer });
            }
        }
        kept
    }

    /// The network is another one: what led nowhere may lead somewhere.
    pub(crate) fn forget_dead(&mut self) {
        self.dead = Dead::default();
    }

    /// Without what led nowhere a moment ago.
    fn alive(&self, mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        addresses.retain(|address| !self.dead.contains(address));
        addresses
    }

    /// The dial that libp2p wants for its lookups, with the addresses that may be.
    fn dial(&mut self, peer: PeerId) -> DialOpts {
        let wide = self
            .watches
            .values()
            .any(|watch| watch.reaches_privately(&peer));
        let scope = if wide { Scope::PRIVATE } else { self.scope };
        self.dead.forget(Instant::now());
        let known = self.addresses(peer);
        let known = self.alive(known);
        let mut addresses = Vec::new();
        for address in known {
            if !addresses.contains(&address) && judge(&address, scope).is_ok() {
                addresses.push(address);
            }
        }
        addresses.truncate(DIAL_ADDRESSES);
        let approved: Vec<_> = addresses
            .iter()
            .filter(|address| judge(address, self.scope).is_err())
            .cloned()
            .collect();
        // None at all is an attempt that fails at once, which is what its lookup needs to hear.
        let dial = DialOpts::peer_id(peer)
            // `Always`: another's dial of this peer may be stuck on a bad address.
            .condition(PeerCondition::Always)
            .addresses(addresses)
            .build();
        self.dials.insert(dial.connection_id(), peer);
        if !approved.is_empty() {
            let approval = self.gate.approve(&approved);
            self.approvals
                .insert(dial.connection_id(), (peer, approval));
        }
        dial
    }

    /// Lets nothing private through that no lookup may reach any more.
    fn withdraw(&mut self) {
        let watches = &self.watches;
        self.approvals
            .retain(|_, (peer, _)| watches.values().any(|watch| watch.reaches_privately(peer)));
    }

    fn note(&mut self, event: &kad::Event) {
        if let kad::Event::OutboundQueryProgressed { id, step, .. } = event
            && step.last
        {
            self.watches.remove(id);
            self.ended.remove(id);
            self.withdraw();
        }
    }

    /// What is answered to a peer: one that came over a global address learns no others.
    fn answer(&mut self, peer: PeerId, handler: &NotifyHandler, event: ToHandler) -> ToHandler {
        let (near, event) = match handler {
            NotifyHandler::One(id) => {
                let connections = self.connected.get(&peer);
                let near = connections.is_some_and(|all| all.get(id) == Some(&true));
                (near, self.guests.complete(peer, *id, event))
            }
            NotifyHandler::Any => (false, event),
        };
        if near { event } else { without_private(event) }
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connections) = self.connected.get_mut(&peer) else {
            return;
        };
        connections.remove(&id);
        let near = connections.values().any(|near| *near);
        if connections.is_empty() {
            self.connected.remove(&peer);
            self.guests.left(&peer);
        }
        if near || self.scope.private_network {
            return;
        }
        // What was only good as long as the peer was near.
        for address in self.addresses(peer) {
            if is_refused(&address, self.scope) {
                self.kad.remove_address(&peer, &address);
            }
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<Kademlia>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad
            .handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.kad
            .handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        // Its own dials bring their addresses. Others may have those that the node would dial by itself.
        let known = peer.map(|peer| self.addresses(peer)).unwrap_or_default();
        Ok(dialable(&known, self.scope))
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event = match event {
            FromHandler::FindNodeReq { key, request_id } => {
                self.guests.asked(peer, connection, &key);
                FromHandler::FindNodeReq { key, request_id }
            }
            FromHandler::FindNodeRes {
                closer_peers,
                query_id,
            } => FromHandler::FindNodeRes {
                closer_peers: self.closer(query_id, closer_peers),
                query_id,
            },
            FromHandler::GetRecordRes {
                record,
                closer_peers,
                query_id,
            } => FromHandler::GetRecordRes {
                record,
                closer_peers: self.closer(query_id, closer_peers),
                query_id,
            },
            FromHandler::GetProvidersRes {
                closer_peers,
                provider_peers,
                query_id,
            } => {
                if self.kad.query(&query_id).is_some() && !provider_peers.is_empty() {
                    let providers = provider_peers.iter().take(PROVIDERS);
                    let providers = providers.map(|it| found(it.node_id, &it.multiaddrs));
                    let event = Event::Providers(query_id, providers.collect());
                    self.events.push_back(event);
                }
                FromHandler::GetProvidersRes {
                    closer_peers: self.closer(query_id, closer_peers),
                    // libp2p would ask the providers too, who need not be part of the DHT.
                    provider_peers: Vec::new(),
                    query_id,
                }
            }
            FromHandler::PutRecordRes {
                key,
                value,
                query_id,
            } => {
                self.events.push_back(Event::Took(query_id));
                FromHandler::PutRecordRes {
                    key,
                    value,
                    query_id,
                }
            }
            other => other,
        };
        self.kad
            .on_connection_handler_event(peer, connection, event);
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let foreign = matches!(&event, FromSwarm::DialFailure(it) if !self.dials.contains_key(&it.connection_id));
        // That somebody else did not reach a peer, perhaps at an address of their own making, is nothing to a lookup: it dials
        // for itself.
        if !foreign {
            self.kad.on_swarm_event(event);
        }
        match event {
            FromSwarm::ConnectionEstablished(it) => {
                let address = it.endpoint.get_remote_address();
                let near = is_refused(address, Scope::GLOBAL);
                let connections = self.connected.entry(it.peer_id).or_default();
                connections.insert(it.connection_id, near);
                self.approvals.remove(&it.connection_id);
                self.dials.remove(&it.connection_id);
                self.dead.revive(address);
            }
            FromSwarm::ConnectionClosed(it) => self.on_closed(it.peer_id, it.connection_id),
            FromSwarm::DialFailure(it) => {
                self.dead.note(it.error, Instant::now());
                self.approvals.remove(&it.connection_id);
                self.dials.remove(&it.connection_id);
            }
            _ => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(ToSwarm::GenerateEvent(event));
            }
            let Poll::Ready(action) = self.kad.poll(cx) else {
                return Poll::Pending;
            };
            match action {
                ToSwarm::Dial { opts } => {
                    // One at a time: all lookups hear how it ends.
                    if let Some(peer) = opts.get_peer_id()
                        && !self.dials.values().any(|dialed| *dialed == peer)
                    {
                        let opts = self.dial(peer);
                        return Poll::Ready(ToSwarm::Dial { opts });
                    }
                }
                ToSwarm::NotifyHandler {
                    peer_id,
                    handler,
                    event,
                } => {
                    if let Some(id) = written_by(&event)
                        && self.ended.contains(&id)
                    {
                        if let Some(mut query) = self.kad.query_mut(&id) {
                            query.finish();
                        }
                        continue;
                    }
                    let event = self.answer(peer_id, &handler, event);
                    return Poll::Ready(ToSwarm::NotifyHandler {
                        peer_id,
                        handler,
                        event,
                    });
                }
                ToSwarm::GenerateEvent(event) => {
                    self.note(&event);
                    return Poll::Ready(ToSwarm::GenerateEvent(Event::Kad(Box::new(event))));
                }
                other => return Poll::Ready(other.map_out(|event| Event::Kad(Box::new(event)))),
            }
        }
    }
}
