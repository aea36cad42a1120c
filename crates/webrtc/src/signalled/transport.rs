//! Makes connections of signalling streams.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use futures::{
    StreamExt as _,
    channel::{mpsc, oneshot},
    future::{Either, select},
};
use futures_timer::Delay;
use libp2p_core::{
    Transport as _,
    multiaddr::{Multiaddr, Protocol},
    muxing::StreamMuxerBox,
    transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent},
};
use libp2p_identity::PeerId;
use web_time::Instant;

use super::{
    Allowed, Config, Settings,
    attempts::{Attempt, Attempts},
    behaviour::Incoming,
    drive::drive,
    handler::Request,
};
use crate::{
    Connection, Error,
    core::signalling::{Negotiation, Policy, Role, SignallingError, address::DialAddress},
    imp,
    limits::{SIGNALLING_CONNECT_TIMEOUT, SIGNALLING_STREAM_TIMEOUT, SIGNALLING_TURN_TIMEOUT},
};

/// The transport of `/webrtc`: dials `…/p2p-circuit/webrtc/p2p/<peer>`.
#[derive(Debug)]
pub struct Transport {
    local: PeerId,
    policy: Arc<dyn Policy>,
    settings: Settings,
    attempts: Attempts,
    /// Bounded by the dials that [`Attempts`] lets begin.
    dials: mpsc::UnboundedSender<Request>,
    incoming: mpsc::Receiver<Incoming>,
    /// What swarms know inbound connections by.
    listener: ListenerId,
}

type Upgrade = imp::Upgrade<(PeerId, Connection)>;

impl Transport {
    pub(super) fn new(
        config: Config,
        attempts: Attempts,
        dials: mpsc::UnboundedSender<Request>,
        incoming: mpsc::Receiver<Incoming>,
    ) -> Self {
        Self {
            local: config.local,
            policy: config.policy,
            settings: config.settings,
            attempts,
            dials,
            incoming,
            listener: ListenerId::next(),
        }
    }

    /// As a swarm takes it.
    pub fn boxed(self) -> Boxed<(PeerId, StreamMuxerBox)> {
        libp2p_core::Transport::boxed(
            self.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))),
        )
    }

    fn allowed(&self, peer: PeerId) -> Allowed {
        Allowed::new(peer, Arc::clone(&self.policy))
    }

    fn negotiation(&self, role: Role, peer: PeerId) -> Negotiation {
        Negotiation::new(role, peer, Arc::clone(&self.policy), Instant::now())
    }

    fn answer(&self, incoming: Incoming) -> Upgrade {
        let Incoming {
            peer,
            mut stream,
            attempt,
        } = incoming;
        let negotiation = self.negotiation(Role::Listener, peer);
        let (settings, allowed) = (self.settings.clone(), self.allowed(peer));
        imp::upgrade(async move {
            let _attempt = attempt;
            let mut agent = imp::Agent::new(Role::Listener, &settings, allowed);
            drive(negotiation, &mut agent, &mut stream).await?;
            let connection = agent.finish(stream).await?;
            Ok((peer, connection))
        })
    }

    fn offer(&self, peer: PeerId, circuit: Multiaddr, mut attempt: Attempt) -> Upgrade {
        let (attempts, policy) = (self.attempts.clone(), Arc::clone(&self.policy));
        let (settings, dials) = (self.settings.clone(), self.dials.clone());
        let (allowed, local) = (self.allowed(peer), self.local);
        imp::upgrade(async move {
            let offered = async {
                turn(&mut attempt).await?;
                let (reply, answered) = oneshot::channel();
                let request = Request {
                    peer,
                    circuit,
                    reply,
                };
                // A behaviour that is gone drops it, which is seen below.
                let _ = dials.unbounded_send(request);
                let mut stream = stream(answered).await?;
                if !attempt.begin_offer(local) {
                    return Err(SignallingError::Superseded.into());
                }
                let negotiation = Negotiation::new(Role::Dialer, peer, policy, Instant::now());
                let mut agent = imp::Agent::new(Role::Dialer, &settings, allowed);
                drive(negotiation, &mut agent, &mut stream).await?;
                agent.finish(stream).await
            };
            let offered = offered.await;
            // The next dial of this peer need not wait for what follows.
            drop(attempt);
            match offered {
                Ok(connection) => Ok((peer, connection)),
                Err(error) => Err(superseded(error, &attempts, &peer).await),
            }
        })
    }
}

/// Waits until no other dial of the peer is under way, but not for all of those that a peer's many addresses may make.
async fn turn(attempt: &mut Attempt) -> Result<(), Error> {
    match select(pin!(attempt.turn()), Delay::new(SIGNALLING_TURN_TIMEOUT)).await {
        Either::Left(((), _)) => Ok(()),
        Either::Right(((), _)) => Err(SignallingError::TooManyAttempts.into()),
    }
}

/// The signalling stream, in time.
async fn stream(
    reply: oneshot::Receiver<Result<libp2p_swarm::Stream, Error>>,
) -> Result<libp2p_swarm::Stream, Error> {
    match select(reply, Delay::new(SIGNALLING_STREAM_TIMEOUT)).await {
        Either::Left((Ok(result), _)) => result,
        // The circuit closed, or nobody answered.
        Either::Left((Err(_), _)) | Either::Right(((), _)) => Err(SignallingError::NoStream.into()),
    }
}

/// Our attempt failed while the peer's is under way, perhaps because of it: lets that end first, so that who waits for a
/// connection gets it instead of an error.
async fn superseded(error: Error, attempts: &Attempts, peer: &PeerId) -> Error {
    let Some(end) = attempts.offers_end(peer) else {
        return error;
    };
    select(end, Delay::new(SIGNALLING_CONNECT_TIMEOUT)).await;
    SignallingError::Superseded.into()
}

impl libp2p_core::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Upgrade, TransportError<Error>> {
        let target = DialAddress::parse(&address)
            .map_err(TransportError::Other)?
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        imp::check().map_err(TransportError::Other)?;
        let attempt = self
            .attempts
            .dial(target.peer)
            .ok_or_else(|| TransportError::Other(SignallingError::TooManyAttempts.into()))?;
        Ok(self.offer(target.peer, target.circuit, attempt))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Upgrade, Error>> {
        // `None`: the behaviour is gone.
        let Poll::Ready(Some(incoming)) = self.incoming.poll_next_unpin(cx) else {
            return Poll::Pending;
        };
        // As js-libp2p names them. What matters: no `/p2p-circuit`, as the connection is direct.
        let named = |peer| Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer));
        Poll::Ready(TransportEvent::Incoming {
            listener_id: self.listener,
            local_addr: named(self.local),
            send_back_addr: named(incoming.peer),
            upgrade: self.answer(incoming),
        })
    }
}
