//! Who accepts which protocol, and how many streams are open. Shared by the behaviour, the
//! handlers of all connections, and the guards inside streams.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{channel::mpsc, task::AtomicWaker};
use libp2p::{PeerId, StreamProtocol};

use super::{IncomingStreams, Stream, protocol::is_reserved};
use crate::{
    Error, Limits,
    limits::{ACCEPT_QUEUE, ACCEPTED_PROTOCOL_BYTES, ACCEPTED_PROTOCOLS, RETRY_AFTER},
    types::{Direction, IncomingStream},
};

#[derive(Debug)]
pub(crate) struct Registry {
    limits: Limits,
    kad_protocol: String,
    state: Mutex<State>,
    /// Wakes the behaviour when the accepted protocols change, or a peer has no stream left.
    pub(super) changed: AtomicWaker,
}

#[derive(Debug, Default)]
struct State {
    next_acceptor: u64,
    acceptors: HashMap<u64, mpsc::Sender<IncomingStream>>,
    protocols: HashMap<StreamProtocol, u64>,
    generation: u64,
    open: usize,
    per_peer: HashMap<PeerId, Counts>,
    /// Peers whose last stream has ended since the behaviour looked; at most one entry a peer.
    idle: HashSet<PeerId>,
}

#[derive(Debug, Default)]
struct Counts {
    inbound: usize,
    outbound: usize,
    /// Of both, those over a circuit.
    relayed: usize,
}

impl Registry {
    pub(crate) fn new(limits: Limits, kad_protocol: String) -> Arc<Self> {
        Arc::new(Self {
            limits,
            kad_protocol,
            state: Mutex::default(),
            changed: AtomicWaker::new(),
        })
    }

    // Nothing in here can leave the tables half-written, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers protocols for pages; all or none. `own` lets the node take reserved ids.
    pub(crate) fn accept(
        self: &Arc<Self>,
        protocols: Vec<StreamProtocol>,
        own: bool,
    ) -> Result<IncomingStreams, Error> {
        let mut state = self.lock();
        for protocol in &protocols {
            if !own && is_reserved(protocol, &self.kad_protocol) {
                return Err(Error::Refused {
                    reason: format!("{protocol} is the node's own"),
                });
            }
            if state.protocols.contains_key(protocol) {
                return Err(Error::Refused {
                    reason: format!("{protocol} is taken"),
                });
            }
        }
        let bytes = state
            .protocols
            .keys()
            .chain(&protocols)
            .map(|protocol| protocol.as_ref().len())
            .fold(0, usize::saturating_add);
        let count = state.protocols.len().saturating_add(protocols.len());
        if count > ACCEPTED_PROTOCOLS || bytes > ACCEPTED_PROTOCOL_BYTES {
            return Err(Error::LimitExceeded {
                what: "accepted protocols",
                retry_after: RETRY_AFTER,
            });
        }
        let (sender, receiver) = mpsc::channel(ACCEPT_QUEUE);
        let id = state.next_acceptor;
        state.next_acceptor = id.wrapping_add(1);
        state.acceptors.insert(id, sender);
        for protocol in protocols {
            state.protocols.insert(protocol, id);
        }
        state.generation = state.generation.wrapping_add(1);
        drop(state);
        self.changed.wake();
        Ok(IncomingStreams {
            _guard: AcceptorGuard {
                registry: Arc::clone(self),
                id,
            },
            receiver,
        })
    }

    /// Ends every acceptor: the node has ended.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let acceptors = std::mem::take(&mut state.acceptors);
        state.protocols.clear();
        drop(state);
        drop(acceptors);
    }

    /// The protocols accepted now.
    pub(super) fn accepted(&self) -> Vec<StreamProtocol> {
        self.lock().protocols.keys().cloned().collect()
    }

    /// Changes with the accepted protocols.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Counts one more stream, if the limits allow it.
    pub(super) fn permit(
        self: &Arc<Self>,
        peer: PeerId,
        direction: Direction,
        relayed: bool,
    ) -> Result<Permit, Error> {
        let mut state = self.lock();
        let full = |what| Error::LimitExceeded {
            what,
            retry_after: RETRY_AFTER,
        };
        if state.open >= self.limits.streams {
            return Err(full("streams"));
        }
        let counts = state.per_peer.entry(peer).or_default();
        let (count, limit, what) = match direction {
            Direction::Inbound => (
                &mut counts.inbound,
                self.limits.inbound_streams_per_peer,
                "inbound_streams_per_peer",
            ),
            Direction::Outbound => (
                &mut counts.outbound,
                self.limits.outbound_streams_per_peer,
                "outbound_streams_per_peer",
            ),
        };
        if *count >= limit {
            return Err(full(what));
        }
        *count = count.saturating_add(1);
        counts.relayed = counts.relayed.saturating_add(usize::from(relayed));
        state.open = state.open.saturating_add(1);
        Ok(Permit {
            registry: Arc::clone(self),
            peer,
            direction,
            relayed,
        })
    }

    fn release(&self, peer: PeerId, direction: Direction, relayed: bool) {
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
        if let Some(counts) = state.per_peer.get_mut(&peer) {
            let count = match direction {
                Direction::Inbound => &mut counts.inbound,
                Direction::Outbound => &mut counts.outbound,
            };
            *count = count.saturating_sub(1);
            counts.relayed = counts.relayed.saturating_sub(usize::from(relayed));
            if counts.inbound == 0 && counts.outbound == 0 {
                state.per_peer.remove(&peer);
                state.idle.insert(peer);
                drop(state);
                self.changed.wake();
            }
        }
    }

    /// A peer whose last stream has ended.
    pub(super) fn take_idle(&self) -> Option<PeerId> {
        let mut state = self.lock();
        let peer = state.idle.iter().next().copied()?;
        state.idle.remove(&peer);
        Some(peer)
    }

    /// How many streams are open with a peer, in both directions.
    pub(crate) fn open_with(&self, peer: &PeerId) -> usize {
        self.lock()
            .per_peer
            .get(peer)
            .map_or(0, |counts| counts.inbound.saturating_add(counts.outbound))
    }

    /// How many of them run over a circuit.
    pub(crate) fn relayed_with(&self, peer: &PeerId) -> usize {
        let state = self.lock();
        state.per_peer.get(peer).map_or(0, |counts| counts.relayed)
    }

    /// Hands a stream to whoever accepts its protocol; resets it when nobody does any more, when
    /// the acceptor's queue is full, or over the limits.
    pub(super) fn deliver(
        self: &Arc<Self>,
        peer: PeerId,
        relayed: bool,
        protocol: StreamProtocol,
        stream: libp2p::Stream,
    ) {
        let permit = match self.permit(peer, Direction::Inbound, relayed) {
            Ok(permit) => permit,
            Err(error) => {
                tracing::debug!(%peer, %protocol, %error, "inbound stream refused");
                return;
            }
        };
        let incoming = IncomingStream {
            peer,
            protocol,
            stream: Stream {
                inner: stream,
                _permit: permit,
            },
            relayed,
        };
        let undelivered = {
            let mut state = self.lock();
            let acceptor = state.protocols.get(&incoming.protocol).copied();
            match acceptor.and_then(|id| state.acceptors.get_mut(&id)) {
                Some(sender) => sender
                    .try_send(incoming)
                    .err()
                    .map(mpsc::TrySendError::into_inner),
                None => Some(incoming),
            }
        };
        // Outside of the lock: dropping a stream gives its permit back.
        if let Some(incoming) = undelivered {
            tracing::debug!(%peer, protocol = %incoming.protocol, "nobody takes the inbound stream");
        }
    }
}

/// One open stream's place in the counts.
#[derive(Debug)]
pub(crate) struct Permit {
    registry: Arc<Registry>,
    peer: PeerId,
    direction: Direction,
    relayed: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.registry
            .release(self.peer, self.direction, self.relayed);
    }
}

/// Stops accepting when dropped.
#[derive(Debug)]
pub(super) struct AcceptorGuard {
    registry: Arc<Registry>,
    id: u64,
}

impl Drop for AcceptorGuard {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let sender = state.acceptors.remove(&self.id);
        state.protocols.retain(|_, acceptor| *acceptor != self.id);
        state.generation = state.generation.wrapping_add(1);
        drop(state);
        drop(sender);
        self.registry.changed.wake();
    }
}
