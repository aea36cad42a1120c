//! The relay for others: libp2p-relay's behaviour with our bounds, and what it does counted.
//!
//! libp2p-relay 0.22 decides over reservations by a bound that also refuses to renew them, takes an IPv6 host for 2^64, and keeps
//! some of its tables in a way that a client can turn against it:
//!
//! - a reservation that ends while its renewal is being answered is forgotten together with its connection, and the answer then
//!   panics ("valid connection"): a client decides how long that takes;
//! - a request for a circuit to a peer that has ten unanswered is never answered, and takes a place for ever;
//! - a reservation whose answer did not arrive, or was overtaken by a refusal, is taken as made, and has no end.
//!
//! So its own bounds are out of the way, it asks [`Admission`], and after each event its table is put right.

mod admission;
mod rates;
mod unanswered;

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use admission::{Admission, Asker};
use futures::{FutureExt, task::noop_waker_ref};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    relay,
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished,
    },
};
pub(crate) use unanswered::{Unanswered, Waiting};
use web_time::Instant;

use crate::{
    limits::{HOUSEKEEPING, RelayLimits},
    meter::{Measure, Meter, Refusal},
};

/// What the limiters, which are called from within the behaviour, share with it.
#[derive(Debug)]
struct Shared {
    admission: Admission,
    meter: Option<Arc<dyn Meter>>,
    /// Whose event is being handled.
    asker: Option<Asker>,
    /// Circuits refused by rate whose refusal libp2p-relay has not reported yet, by connection.
    too_often: HashMap<Asker, u32>,
}

impl Shared {
    fn record(&self, measure: Measure) {
        if let Some(meter) = &self.meter {
            meter.record(measure);
        }
    }

    fn reserve(&mut self, address: &Multiaddr, now: Instant) -> bool {
        let Some(asker) = self.asker else {
            return false;
        };
        let answer = self.admission.reserve(asker, address, now);
        if let Err(refusal) = answer {
            tracing::debug!(peer = %asker.0, reason = refusal.as_str(), "reservation refused");
            self.record(Measure::ReservationRefused(refusal));
        }
        answer.is_ok()
    }

    fn connect(&mut self, address: &Multiaddr, now: Instant) -> bool {
        let Some(asker) = self.asker else {
            return false;
        };
        let answer = self.admission.connect(asker.0, address, now);
        if answer.is_err() {
            let count = self.too_often.entry(asker).or_default();
            *count = count.saturating_add(1);
        }
        answer.is_ok()
    }

    /// A circuit was refused.
    fn refused(&mut self, asker: Asker, status: &relay::StatusCode) {
        let refusal = match status {
            relay::StatusCode::ResourceLimitExceeded if self.was_too_often(&asker) => Refusal::Rate,
            relay::StatusCode::ResourceLimitExceeded => Refusal::Full,
            relay::StatusCode::NoReservation => Refusal::NoReservation,
            relay::StatusCode::ConnectionFailed | relay::StatusCode::PermissionDenied => {
                Refusal::ConnectionFailed
            }
            _ => Refusal::Other,
        };
        tracing::debug!(peer = %asker.0, reason = refusal.as_str(), "circuit refused");
        self.record(Measure::CircuitRefused(refusal));
    }

    fn was_too_often(&mut self, asker: &Asker) -> bool {
        let Some(count) = self.too_often.get_mut(asker) else {
            return false;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.too_often.remove(asker);
        }
        true
    }
}

/// Relays for others.
pub(crate) struct Behaviour {
    inner: relay::Behaviour,
    shared: Arc<Mutex<Shared>>,
    unanswered: Arc<Unanswered>,
    patience: Duration,
    look: Delay,
    actions: VecDeque<ToSwarm<Infallible, THandlerInEvent<relay::Behaviour>>>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").finish_non_exhaustive()
    }
}

impl Behaviour {
    /// `unanswered` is where the transport notes requests for circuits.
    pub(crate) fn new(
        local: PeerId,
        limits: RelayLimits,
        meter: Option<Arc<dyn Meter>>,
        unanswered: Arc<Unanswered>,
    ) -> Self {
        let shared = Arc::new(Mutex::new(Shared {
            admission: Admission::new(limits),
            meter,
            asker: None,
            too_often: HashMap::new(),
        }));
        let (reserving, connecting) = (Arc::clone(&shared), Arc::clone(&shared));
        let config = relay::Config {
            max_reservations: usize::MAX,
            max_reservations_per_peer: usize::MAX,
            reservation_duration: limits.reservation_duration,
            reservation_rate_limiters: vec![Box::new(
                move |_: PeerId, address: &Multiaddr, now: Instant| {
                    lock(&reserving).reserve(address, now)
                },
            )],
            max_circuits: limits.circuits,
            // It is refused above this, not at it.
            max_circuits_per_peer: limits.circuits_per_peer.saturating_sub(1),
            max_circuit_duration: limits.circuit_duration,
            max_circuit_bytes: limits.circuit_bytes,
            circuit_src_rate_limiters: vec![Box::new(
                move |_: PeerId, address: &Multiaddr, now: Instant| {
                    lock(&connecting).connect(address, now)
                },
            )],
        };
        Self {
            inner: relay::Behaviour::new(local, config),
            shared,
            unanswered,
            patience: limits.circuit_answer,
            look: Delay::new(HOUSEKEEPING),
            actions: VecDeque::new(),
        }
    }

    fn close_overdue(&mut self) {
        for peer_id in self.unanswered.overdue(self.patience, Instant::now()) {
            tracing::debug!(peer = %peer_id, "closed: its request for a circuit has been forgotten");
            self.actions.push_back(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::All,
            });
        }
    }

    /// What the behaviour has to say about the event of one connection.
    fn drain(&mut self, asker: Asker) {
        let mut cx = Context::from_waker(noop_waker_ref());
        while let Poll::Ready(action) = self.inner.poll(&mut cx) {
            match action {
                ToSwarm::GenerateEvent(event) => self.on_event(asker, event),
                other => self.keep(other),
            }
        }
    }

    fn keep(&mut self, action: ToSwarm<relay::Event, THandlerInEvent<relay::Behaviour>>) {
        match action {
            // Events are taken before.
            ToSwarm::GenerateEvent(_) => {}
            ToSwarm::NotifyHandler {
                peer_id,
                handler,
                event,
            } => self.actions.push_back(ToSwarm::NotifyHandler {
                peer_id,
                handler,
                event,
            }),
            other => tracing::debug!(?other, "not expected of a relay"),
        }
    }

    #[allow(deprecated)] // The events that libp2p-relay would rather log tell that an answer did not arrive.
    fn on_event(&mut self, asker: Asker, event: relay::Event) {
        let mut shared = lock(&self.shared);
        // Does it take for reserved, or has it forgotten, what has no reservation?
        let reset = match event {
            relay::Event::ReservationReqAccepted { .. } => {
                let new = shared.admission.made(asker, None);
                shared.record(Measure::ReservationAccepted { renewal: !new });
                false
            }
            relay::Event::ReservationReqAcceptFailed { .. }
            | relay::Event::ReservationReqDenied { .. }
            | relay::Event::ReservationReqDenyFailed { .. } => shared.admission.failed(asker),
            relay::Event::ReservationTimedOut { .. } => {
                if shared.admission.ended(asker) {
                    shared.record(Measure::ReservationEnded { expired: true });
                }
                true
            }
            relay::Event::CircuitReqDenied { status, .. } => {
                shared.refused(asker, &status);
                false
            }
            relay::Event::CircuitReqDenyFailed { .. } => {
                // Who asks and goes at once is refused all the same.
                let refusal = if shared.was_too_often(&asker) {
                    Refusal::Rate
                } else {
                    Refusal::Other
                };
                shared.record(Measure::CircuitRefused(refusal));
                false
            }
            _ => false,
        };
        drop(shared);
        if reset {
            self.without_reservation(asker);
        }
    }

    /// Makes libp2p-relay see a connection as it was when it opened.
    fn without_reservation(&mut self, (peer_id, connection_id): Asker) {
        let endpoint = ConnectedPoint::Dialer {
            address: Multiaddr::empty(),
            role_override: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        self.inner
            .on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint: &endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
    }
}

/// Whoever panicked with the lock held has ended the node.
fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <relay::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = &event {
            let asker = (closed.peer_id, closed.connection_id);
            let mut shared = lock(&self.shared);
            shared.too_often.remove(&asker);
            if shared.admission.ended(asker) {
                shared.record(Measure::ReservationEnded { expired: false });
            }
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let asker = (peer, connection);
        lock(&self.shared).asker = Some(asker);
        self.inner
            .on_connection_handler_event(peer, connection, event);
        lock(&self.shared).asker = None;
        self.drain(asker);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while self.look.poll_unpin(cx).is_ready() {
            self.look.reset(HOUSEKEEPING);
            self.close_overdue();
        }
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            // What is left has nothing to do with one connection's event: changes of its own status.
            match self.inner.poll(cx) {
                Poll::Ready(ToSwarm::GenerateEvent(_)) => {}
                Poll::Ready(action) => self.keep(action),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
