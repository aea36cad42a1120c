//! Signalling streams on one circuit.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use futures::channel::oneshot;
use libp2p_core::{Multiaddr, upgrade::ReadyUpgrade};
use libp2p_identity::PeerId;
use libp2p_swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
    handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
};

use crate::{
    Error,
    core::signalling::{PROTOCOL, SignallingError},
    limits::{MAX_OPENED_OFFERS, SIGNALLING_NEGOTIATION_TIMEOUT},
};

/// A dial that needs a signalling stream.
#[derive(Debug)]
pub struct Request {
    pub(super) peer: PeerId,
    pub(super) circuit: Multiaddr,
    /// Dropped unanswered when the circuit closes.
    pub(super) reply: oneshot::Sender<Result<Stream, Error>>,
}

impl Request {
    pub(super) fn answer(self, result: Result<Stream, Error>) {
        // Nobody waits any more: the stream is dropped, and with that reset.
        let _ = self.reply.send(result);
    }
}

/// The peer opened a signalling stream.
#[derive(Debug)]
pub struct Opened(pub(super) Stream);

/// Opens and accepts signalling streams.
#[derive(Debug, Default)]
pub struct Handler {
    /// Bounded by the dials that wait.
    requests: VecDeque<Request>,
    opened: VecDeque<Opened>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = Opened;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Request;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(StreamProtocol::new(PROTOCOL)), ())
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Request, Opened>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened));
        }
        while let Some(request) = self.requests.pop_front() {
            if request.reply.is_canceled() {
                continue;
            }
            let protocol = ReadyUpgrade::new(StreamProtocol::new(PROTOCOL));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(protocol, request)
                    .with_timeout(SIGNALLING_NEGOTIATION_TIMEOUT),
            });
        }
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Request>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) if self.opened.len() < MAX_OPENED_OFFERS => self.opened.push_back(Opened(protocol)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => info.answer(Ok(protocol)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => SignallingError::NotSpoken,
                    _ => SignallingError::NoStream,
                };
                info.answer(Err(error.into()));
            }
            _ => {}
        }
    }
}
