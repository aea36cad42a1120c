//! Opens and accepts streams on one connection.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    PeerId, StreamProtocol,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};

use super::{
    Stream,
    protocol::Protocols,
    registry::{Permit, Registry},
};
use crate::{Error, handle::Reply, limits::RETRY_AFTER, types::OpenedStream};

/// What the behaviour tells a handler.
#[derive(Debug)]
pub(crate) enum Command {
    Open(Open),
    /// The accepted protocols have changed; being polled is enough to tell the remote.
    Refresh,
}

/// A request to open a stream; answers by itself when it is dropped.
#[derive(Debug)]
pub(crate) struct Open {
    pub(super) protocols: Vec<StreamProtocol>,
    pub(super) timeout: Duration,
    pub(super) permit: Option<Permit>,
    pub(super) reply: Option<Reply<OpenedStream>>,
}

impl Open {
    pub(super) fn answer(mut self, result: Result<OpenedStream, Error>) {
        if let Some(reply) = self.reply.take() {
            // Nobody waits any more: the stream is dropped, and with that reset.
            let _ = reply.send(result);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.reply.as_ref().is_none_or(|reply| reply.is_canceled())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            // The connection went away in between.
            let _ = reply.send(Err(Error::StreamReset));
        }
    }
}

pub(crate) struct Handler {
    peer: PeerId,
    relayed: bool,
    registry: Arc<Registry>,
    queue: VecDeque<Open>,
    /// Requests queued or being negotiated.
    pending: usize,
    max_pending: usize,
}

impl Handler {
    pub(super) fn new(
        peer: PeerId,
        relayed: bool,
        registry: Arc<Registry>,
        max_pending: usize,
    ) -> Self {
        Self {
            peer,
            relayed,
            registry,
            queue: VecDeque::new(),
            pending: 0,
            max_pending,
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Command;
    type ToBehaviour = Infallible;
    type InboundProtocol = Protocols;
    type OutboundProtocol = Protocols;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Open;

    fn listen_protocol(&self) -> SubstreamProtocol<Protocols> {
        SubstreamProtocol::new(Protocols(self.registry.accepted()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        // The event loop closes what nobody wants. Left to the swarm, a connection would close
        // under its owner, or stay for the streams that gossipsub and kad never close.
        true
    }

    fn on_behaviour_event(&mut self, command: Command) {
        match command {
            Command::Open(open) if self.pending >= self.max_pending => {
                open.answer(Err(Error::LimitExceeded {
                    what: "pending_streams_per_connection",
                    retry_after: RETRY_AFTER,
                }));
            }
            Command::Open(open) => {
                self.pending = self.pending.saturating_add(1);
                self.queue.push_back(open);
            }
            Command::Refresh => {}
        }
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Protocols, Open, Infallible>> {
        while let Some(open) = self.queue.pop_front() {
            if open.is_cancelled() {
                self.pending = self.pending.saturating_sub(1);
                continue;
            }
            let protocol = SubstreamProtocol::new(Protocols(open.protocols.clone()), ())
                .with_timeout(open.timeout)
                .map_info(|()| open);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Protocols, Protocols, (), Open>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                info: (),
            }) => self
                .registry
                .deliver(self.peer, self.relayed, protocol, stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, protocol),
                info: mut open,
            }) => {
                self.pending = self.pending.saturating_sub(1);
                let Some(permit) = open.permit.take() else {
                    return;
                };
                let (peer, relayed) = (self.peer, self.relayed);
                let stream = Stream {
                    inner: stream,
                    _permit: permit,
                };
                open.answer(Ok(OpenedStream {
                    stream,
                    protocol,
                    peer,
                    relayed,
                }));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: open, error }) => {
                self.pending = self.pending.saturating_sub(1);
                open.answer(Err(match error {
                    StreamUpgradeError::Timeout => Error::Timeout,
                    StreamUpgradeError::NegotiationFailed => Error::ProtocolNotSupported,
                    StreamUpgradeError::Io(_) => Error::StreamReset,
                    StreamUpgradeError::Apply(never) => match never {},
                }));
            }
            _ => {}
        }
    }
}
