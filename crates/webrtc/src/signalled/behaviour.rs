//! Has the circuits: opens signalling streams for dials and accepts those of peers.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    task::{Context, Poll},
};

use either::Either;
use futures::{StreamExt as _, channel::mpsc};
use libp2p_core::{Endpoint, Multiaddr, transport::PortUse};
use libp2p_identity::PeerId;
use libp2p_swarm::{
    ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    behaviour::{ConnectionClosed, ConnectionEstablished},
    dial_opts::{DialOpts, PeerCondition},
    dummy,
};
use web_time::Instant;

use super::{
    Config,
    attempts::{Attempt, Attempts},
    handler::{Handler, Opened, Request},
};
use crate::{
    Error,
    core::signalling::{
        Policy,
        address::{is_circuit, signalled_over},
        rate::Rate,
    },
    error::root_cause,
    limits::{
        MAX_ANNOUNCED, MAX_MET, MAX_REMEMBERED_OFFERERS, OFFER_BURST, OFFER_EVERY,
        PEER_OFFER_BURST, PEER_OFFER_EVERY, RESERVED_OFFER_BURST, RESERVED_OFFER_EVERY,
    },
};

/// A peer's signalling stream, whose offer is still to come.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) peer: PeerId,
    pub(super) stream: libp2p_swarm::Stream,
    pub(super) attempt: Attempt,
}

/// The behaviour of `/webrtc`.
#[derive(Debug)]
pub struct Behaviour {
    local: PeerId,
    policy: Arc<dyn Policy>,
    attempts: Attempts,
    requests: mpsc::UnboundedReceiver<Request>,
    offers: mpsc::Sender<Incoming>,
    /// Open circuits.
    circuits: HashMap<PeerId, Vec<ConnectionId>>,
    /// Circuits dialed for requests.
    dialing: HashMap<ConnectionId, Request>,
    /// Our own `/webrtc` addresses.
    announced: HashSet<Multiaddr>,
    actions: VecDeque<Action>,
    rate: Rate,
    /// For peers that were connected before, beside `rate`.
    reserve: Rate,
    /// Peers that were connected directly, the latest last.
    met: VecDeque<PeerId>,
    /// By peer, the oldest first.
    rates: VecDeque<(PeerId, Rate)>,
}

type Action = ToSwarm<std::convert::Infallible, Either<Request, std::convert::Infallible>>;

impl Behaviour {
    pub(super) fn new(
        config: &Config,
        attempts: Attempts,
        requests: mpsc::UnboundedReceiver<Request>,
        offers: mpsc::Sender<Incoming>,
    ) -> Self {
        Self {
            local: config.local,
            policy: Arc::clone(&config.policy),
            attempts,
            requests,
            offers,
            circuits: HashMap::new(),
            dialing: HashMap::new(),
            announced: HashSet::new(),
            actions: VecDeque::new(),
            rate: Rate::new(OFFER_BURST, OFFER_EVERY, Instant::now()),
            reserve: Rate::new(RESERVED_OFFER_BURST, RESERVED_OFFER_EVERY, Instant::now()),
            met: VecDeque::new(),
            rates: VecDeque::new(),
        }
    }

    fn on_request(&mut self, request: Request) {
        if request.reply.is_canceled() {
            return;
        }
        let circuits = self.circuits.get(&request.peer);
        if let Some(&circuit) = circuits.and_then(|circuits| circuits.last()) {
            return self.open(circuit, request);
        }
        let options = DialOpts::peer_id(request.peer)
            // A direct connection, or another dial, is no reason not to.
            .condition(PeerCondition::Always)
            .addresses(vec![request.circuit.clone()])
            .build();
        self.dialing.insert(options.connection_id(), request);
        self.actions.push_back(ToSwarm::Dial { opts: options });
    }

    fn open(&mut self, circuit: ConnectionId, request: Request) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id: request.peer,
            handler: NotifyHandler::One(circuit),
            event: Either::Left(request),
        });
    }

    fn on_established(&mut self, established: &ConnectionEstablished<'_>) {
        let (peer, id) = (established.peer_id, established.connection_id);
        let address = match established.endpoint {
            libp2p_core::ConnectedPoint::Dialer { address, .. } => address,
            libp2p_core::ConnectedPoint::Listener { local_addr, .. } => local_addr,
        };
        // Dropped with what it is for, should it have become something else: only circuits have a handler for it.
        let request = self.dialing.remove(&id);
        if !is_circuit(address) {
            self.met.retain(|met| *met != peer);
            self.met.push_back(peer);
            if self.met.len() > MAX_MET {
                self.met.pop_front();
            }
        }
        if is_circuit(address) {
            self.circuits.entry(peer).or_default().push(id);
            if let Some(request) = request {
                self.open(id, request);
            }
        }
    }

    fn on_closed(&mut self, closed: &ConnectionClosed<'_>) {
        if let Some(circuits) = self.circuits.get_mut(&closed.peer_id) {
            circuits.retain(|id| *id != closed.connection_id);
            if circuits.is_empty() {
                self.circuits.remove(&closed.peer_id);
            }
        }
    }

    /// We are reached through this circuit, and with that by `/webrtc`.
    fn announce(&mut self, circuit: &Multiaddr) {
        if self.announced.len() < MAX_ANNOUNCED
            && let Some(address) = signalled_over(circuit)
            && self.announced.insert(address.clone())
        {
            self.actions
                .push_back(ToSwarm::ExternalAddrConfirmed(address));
        }
    }

    fn withdraw(&mut self, circuit: &Multiaddr) {
        if let Some(address) = signalled_over(circuit)
            && self.announced.remove(&address)
        {
            self.actions
                .push_back(ToSwarm::ExternalAddrExpired(address));
        }
    }

    fn on_dial_failure(&mut self, failure: &DialFailure<'_>) {
        if let Some(request) = self.dialing.remove(&failure.connection_id) {
            request.answer(Err(Error::Circuit(reason(failure.error))));
        }
    }

    /// May this peer make us answer an offer now?
    fn admit(&mut self, peer: PeerId, now: Instant) -> bool {
        let known = self.rates.iter_mut().find(|(known, _)| *known == peer);
        let admitted = match known {
            Some((_, rate)) => rate.take(now),
            None => {
                if self.rates.len() >= MAX_REMEMBERED_OFFERERS {
                    self.rates.pop_front();
                }
                let mut rate = Rate::new(PEER_OFFER_BURST, PEER_OFFER_EVERY, now);
                let admitted = rate.take(now);
                self.rates.push_back((peer, rate));
                admitted
            }
        };
        // Whoever makes many peers uses up the rate of strangers only.
        let met = || self.met.contains(&peer);
        admitted
            && (self.policy.expects(&peer)
                || (met() && self.reserve.take(now))
                || self.rate.take(now))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Either<Handler, dummy::ConnectionHandler>;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => self.on_established(&established),
            FromSwarm::ConnectionClosed(closed) => self.on_closed(&closed),
            FromSwarm::DialFailure(failure) => self.on_dial_failure(&failure),
            // The relay names all addresses that it is reached at.
            FromSwarm::NewListenAddr(listening) => self.announce(listening.addr),
            FromSwarm::ExpiredListenAddr(expired) => self.withdraw(expired.addr),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let Either::Left(Opened(stream)) = event;
        let Some(attempt) = self.attempts.offer(peer, self.local) else {
            tracing::debug!(%peer, "an offer is not taken: another attempt goes on");
            return;
        };
        if !self.admit(peer, Instant::now()) {
            tracing::debug!(%peer, "an offer is not taken: there were too many");
            return;
        }
        let incoming = Incoming {
            peer,
            stream,
            attempt,
        };
        if self.offers.try_send(incoming).is_err() {
            tracing::debug!(%peer, "an offer is not taken: too many wait");
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            match self.requests.poll_next_unpin(cx) {
                Poll::Ready(Some(request)) => self.on_request(request),
                // `None`: the transport is gone, and with it all dials.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// The innermost reason, which is the one that says something.
fn reason(error: &DialError) -> String {
    let DialError::Transport(errors) = error else {
        return error.to_string();
    };
    let Some((_, error)) = errors.first() else {
        return error.to_string();
    };
    root_cause(error).to_string()
}

fn handler(address: &Multiaddr) -> Either<Handler, dummy::ConnectionHandler> {
    if is_circuit(address) {
        Either::Left(Handler::default())
    } else {
        Either::Right(dummy::ConnectionHandler)
    }
}

#[cfg(test)]
mod tests {
    use libp2p_core::ConnectedPoint;

    use super::*;

    /// Expects one peer.
    #[derive(Debug)]
    struct Expecting(PeerId);

    impl Policy for Expecting {
        fn allows(&self, _: &PeerId, _: &crate::core::signalling::Address) -> bool {
            true
        }

        fn expects(&self, peer: &PeerId) -> bool {
            *peer == self.0
        }
    }

    #[test]
    fn strangers_cannot_keep_known_peers_out() {
        let (wanted, met) = (PeerId::random(), PeerId::random());
        let config = Config::new(PeerId::random(), Arc::new(Expecting(wanted)));
        let (_, mut behaviour) = crate::signalled::new(config);
        behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: met,
            connection_id: ConnectionId::new_unchecked(1),
            endpoint: &ConnectedPoint::Listener {
                local_addr: "/webrtc".parse().unwrap(),
                send_back_addr: "/webrtc".parse().unwrap(),
            },
            failed_addresses: &[],
            other_established: 0,
        }));
        let now = Instant::now();
        let mut strangers = 0;
        while behaviour.admit(PeerId::random(), now) {
            strangers += 1;
        }
        assert_eq!(strangers, OFFER_BURST);
        assert!(behaviour.admit(wanted, now) && behaviour.admit(met, now));
        // They have their own rates still.
        for peer in [wanted, met] {
            let more = (0..=PEER_OFFER_BURST).take_while(|_| behaviour.admit(peer, now));
            assert!(more.count() < PEER_OFFER_BURST as usize);
        }
    }
}
