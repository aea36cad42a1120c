//! `libp2p-ping`, with an answering half of our own that ends its streams in good order (libp2p/specs `ping/ping.md`).
//!
//! It asks well, but drops a stream whose remote has ended its half, and that resets it: over WebRTC the remote may then throw
//! away the answer that it has not read yet. js-libp2p ends its half right behind each ping, and gives a connection up
//! when no answer comes. A second behaviour beside it would not do: libp2p-swarm 0.48 overlooks that a protocol was taken back
//! while two handlers accept the same one.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll},
};

use futures::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, FutureExt as _, future::BoxFuture,
};
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    ping,
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
};

use crate::{limits::PING_STREAMS, ping::PAYLOAD};

type Asking = THandler<ping::Behaviour>;

/// Pings at rest, and answers.
pub(crate) struct Behaviour(ping::Behaviour);

impl Behaviour {
    pub(crate) fn new(config: ping::Config) -> Self {
        Self(ping::Behaviour::new(config))
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = ping::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let asking = self
            .0
            .handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(Handler::new(asking))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let asking = self
            .0
            .handle_established_outbound_connection(id, peer, address, role, port)?;
        Ok(Handler::new(asking))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.0.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.0.on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.0.poll(cx)
    }
}

/// One connection's pings.
pub(crate) struct Handler {
    asking: Asking,
    /// Where the remote asks, the oldest first.
    answering: VecDeque<BoxFuture<'static, io::Result<()>>>,
}

impl Handler {
    fn new(asking: Asking) -> Self {
        Self {
            asking,
            answering: VecDeque::new(),
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = <Asking as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = <Asking as ConnectionHandler>::ToBehaviour;
    type InboundProtocol = <Asking as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Asking as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        self.asking.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.asking.connection_keep_alive()
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.asking.on_behaviour_event(event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        // An error ends a stream as well as its remote does: there is nobody to tell.
        self.answering
            .retain_mut(|stream| stream.poll_unpin(cx).is_pending());
        self.asking.poll(cx)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
            protocol: mut stream,
            ..
        }) = event
        else {
            return self.asking.on_connection_event(event);
        };
        stream.ignore_for_keep_alive();
        while self.answering.len() >= PING_STREAMS {
            self.answering.pop_front();
        }
        self.answering.push_back(answer(stream).boxed());
    }
}

/// Sends each ping back, and ends its half after the remote's.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut payload = [0; PAYLOAD];
    let mut filled = 0_usize;
    loop {
        let rest = payload.get_mut(filled..).unwrap_or_default();
        let count = stream.read(rest).await?;
        if count == 0 {
            return stream.close().await;
        }
        filled = filled.saturating_add(count);
        if filled >= payload.len() {
            stream.write_all(&payload).await?;
            stream.flush().await?;
            filled = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::Shutdown,
        os::unix::net::UnixStream,
    };

    use futures::{executor::block_on, io::AllowStdIo};

    use super::*;

    #[test]
    fn every_ping_comes_back_and_the_end_is_answered() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let work = std::thread::spawn(move || block_on(answer(AllowStdIo::new(near))));
        let pings: Vec<u8> = (0..=u8::MAX).take(3 * PAYLOAD).collect();
        // However they are cut.
        for part in pings.chunks(7) {
            far.write_all(part).unwrap();
        }
        far.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        far.read_to_end(&mut back).unwrap();
        assert_eq!(back, pings);
        work.join().unwrap().unwrap();
    }
}
