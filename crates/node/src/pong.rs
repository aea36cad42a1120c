//! Answers pings (libp2p/specs `ping/ping.md`), and ends their streams in good order.
//!
//! `libp2p-ping` asks well, but drops a stream whose remote has ended its half, and that resets it: over WebRTC the remote may then throw
//! away the answer that it has not read yet. js-libp2p ends its half right behind each ping, and gives a connection up
//! when no answer comes. So this takes the inbound half of the protocol: it comes before `libp2p-ping` among the behaviours.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    task::{Context, Poll},
};

use futures::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, FutureExt as _, future::BoxFuture,
};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{DeniedUpgrade, ReadyUpgrade},
    },
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
};

use crate::{limits::PING_STREAMS, ping};

/// The answering half of `/ipfs/ping/1.0.0`.
#[derive(Debug, Default)]
pub(crate) struct Behaviour;

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// The pings that one connection's remote sends.
#[derive(Default)]
pub(crate) struct Handler {
    /// The oldest first.
    streams: VecDeque<BoxFuture<'static, io::Result<()>>>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Infallible;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(ping::PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<DeniedUpgrade, Infallible, Infallible>> {
        // An error ends a stream as well as its remote does: there is nobody to tell.
        self.streams
            .retain_mut(|stream| stream.poll_unpin(cx).is_pending());
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, DeniedUpgrade, (), Infallible>,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
            protocol: mut stream,
            ..
        }) = event
        {
            stream.ignore_for_keep_alive();
            while self.streams.len() >= PING_STREAMS {
                self.streams.pop_front();
            }
            self.streams.push_back(answer(stream).boxed());
        }
    }
}

/// Sends each ping back, and ends its half after the remote's.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut payload = [0; ping::PAYLOAD];
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
        let pings: Vec<u8> = (0..=u8::MAX).take(3 * ping::PAYLOAD).collect();
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
