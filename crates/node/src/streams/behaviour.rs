//! Carries requests to the connections' handlers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};

use mooring_webrtc::core::signalling::address::is_circuit;

use super::{
    IncomingStreams,
    handler::{Command, Handler, Open},
    protocol::is_own,
    registry::Registry,
};
use crate::{
    Error, Limits,
    handle::Reply,
    limits::{RETRY_AFTER, STREAM_REQUESTS},
    types::{Direction, OpenedStream, Path},
};

/// The last stream with a peer has ended.
#[derive(Debug)]
pub(crate) struct Idle(pub(crate) PeerId);

/// The streams of one node.
pub(crate) struct Behaviour {
    registry: Arc<Registry>,
    max_pending: usize,
    /// With whether they are relayed.
    connections: HashMap<ConnectionId, (PeerId, bool)>,
    opens: VecDeque<(PeerId, ConnectionId, Open)>,
    refreshes: HashSet<ConnectionId>,
    generation: u64,
}

impl Behaviour {
    pub(crate) fn new(limits: &Limits, kad_protocol: &str) -> Self {
        Self {
            registry: Registry::new(limits.clone(), kad_protocol.to_owned()),
            max_pending: limits.pending_streams_per_connection,
            connections: HashMap::new(),
            opens: VecDeque::new(),
            refreshes: HashSet::new(),
            generation: 0,
        }
    }

    /// Opens a stream on a connection; the handler answers.
    pub(crate) fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocols: Vec<StreamProtocol>,
        timeout: Duration,
        reply: Reply<OpenedStream>,
    ) {
        let mut open = Open {
            protocols,
            timeout,
            permit: None,
            reply: Some(reply),
        };
        if let Some(own) = open.protocols.iter().find(|protocol| is_own(protocol)) {
            let reason = format!("{own} is the node's own");
            return open.answer(Err(Error::Refused { reason }));
        }
        if self.opens.len() >= STREAM_REQUESTS {
            return open.answer(Err(Error::LimitExceeded {
                what: "stream requests",
                retry_after: RETRY_AFTER,
            }));
        }
        let relayed = self
            .connections
            .get(&connection)
            .is_some_and(|(_, relayed)| *relayed);
        match self.registry.permit(peer, Direction::Outbound, relayed) {
            Ok(permit) => {
                open.permit = Some(permit);
                self.opens.push_back((peer, connection, open));
            }
            Err(error) => open.answer(Err(error)),
        }
    }

    /// Accepts protocols for pages.
    pub(crate) fn accept(&self, protocols: Vec<StreamProtocol>) -> Result<IncomingStreams, Error> {
        self.registry.accept(protocols, false)
    }

    /// Accepts one of the node's own protocols.
    pub(crate) fn accept_own(&self, protocol: StreamProtocol) -> Result<IncomingStreams, Error> {
        self.registry.accept(vec![protocol], true)
    }

    /// How many streams are open with a peer.
    pub(crate) fn open_with(&self, peer: &PeerId) -> usize {
        self.registry.open_with(peer)
    }

    /// How many of them are relayed.
    pub(crate) fn relayed_with(&self, peer: &PeerId) -> usize {
        self.registry.relayed_with(peer)
    }

    fn handler(&self, peer: PeerId, relayed: bool) -> Handler {
        Handler::new(peer, relayed, Arc::clone(&self.registry), self.max_pending)
    }
}

impl Drop for Behaviour {
    fn drop(&mut self) {
        self.registry.close();
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Idle;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, is_circuit(local) || is_circuit(remote)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, is_circuit(address)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let relayed = Path::of(established.endpoint) == Path::Relayed;
                self.connections
                    .insert(established.connection_id, (established.peer_id, relayed));
            }
            FromSwarm::ConnectionClosed(closed) => {
                let id = closed.connection_id;
                self.connections.remove(&id);
                self.refreshes.remove(&id);
                // Dropped requests answer for themselves.
                self.opens.retain(|(_, connection, _)| *connection != id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Idle, THandlerInEvent<Self>>> {
        self.registry.changed.register(cx.waker());
        let generation = self.registry.generation();
        if generation != self.generation {
            self.generation = generation;
            self.refreshes.extend(self.connections.keys());
        }

        let notify = |peer_id, connection, event| {
            Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(connection),
                event,
            })
        };
        if let Some(peer) = self.registry.take_idle() {
            return Poll::Ready(ToSwarm::GenerateEvent(Idle(peer)));
        }
        if let Some((peer, connection, open)) = self.opens.pop_front() {
            return notify(peer, connection, Command::Open(open));
        }
        if let Some(connection) = self.refreshes.iter().next().copied()
            && self.refreshes.remove(&connection)
            && let Some((peer, _)) = self.connections.get(&connection)
        {
            return notify(*peer, connection, Command::Refresh);
        }
        Poll::Pending
    }
}
