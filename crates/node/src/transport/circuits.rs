//! Circuits through relays that are connected first.
//!
//! libp2p's relay client dials a relay itself when it is not connected, but not while anybody else dials that peer: then the circuit
//! fails at once. So whoever dialed a relay where nobody answers would keep everybody else from its circuits.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{FutureExt, channel::oneshot, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    multiaddr::Protocol,
};

use crate::limits::RELAYS_NEEDED;

/// A dial waits for a relay.
#[derive(Debug)]
pub(crate) struct RelayNeeded {
    pub(crate) relay: PeerId,
    /// Where it is.
    pub(crate) address: Multiaddr,
    /// Whether it is connected now, or why not.
    pub(crate) reply: oneshot::Sender<Result<(), String>>,
}

/// What dials through relays wait for.
pub(crate) type RelaysNeeded = async_channel::Receiver<RelayNeeded>;

/// Why there is no circuit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error<E> {
    #[error("the relay cannot be reached: {0}")]
    Relay(String),
    #[error("the node has stopped")]
    Stopped,
    #[error(transparent)]
    Circuit(#[from] E),
}

/// The relay client's transport, which is asked for a circuit once its relay is connected.
pub(super) struct Circuits<T> {
    inner: T,
    needed: async_channel::Sender<RelayNeeded>,
}

impl<T> Circuits<T> {
    pub(super) fn new(inner: T) -> (Self, RelaysNeeded) {
        let (needed, relays_needed) = async_channel::bounded(RELAYS_NEEDED);
        (Self { inner, needed }, relays_needed)
    }
}

/// The relay of a circuit's address, and where it is.
fn relay_of(address: &Multiaddr) -> Option<(PeerId, Multiaddr)> {
    let mut before = Multiaddr::empty();
    let mut relay = None;
    for part in address {
        match part {
            Protocol::P2pCircuit => return relay.map(|relay| (relay, before)),
            Protocol::P2p(peer) => relay = Some(peer),
            other => before.push(other),
        }
    }
    None
}

impl<T> Transport for Circuits<T>
where
    T: Transport + Unpin,
    T::Dial: Send + 'static,
    T::Error: 'static,
{
    type Output = T::Output;
    type Error = Error<T::Error>;
    type ListenerUpgrade = futures::future::ErrInto<T::ListenerUpgrade, Self::Error>;
    type Dial = BoxFuture<'static, Result<T::Output, Self::Error>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner
            .listen_on(id, address)
            .map_err(|error| error.map(Error::Circuit))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let relay = relay_of(&address);
        // It asks for nothing before it is polled.
        let dial = self
            .inner
            .dial(address, options)
            .map_err(|error| error.map(Error::Circuit))?;
        let needed = self.needed.clone();
        Ok(async move {
            if let Some((relay, address)) = relay {
                let (reply, connected) = oneshot::channel();
                let wanted = RelayNeeded {
                    relay,
                    address,
                    reply,
                };
                needed.send(wanted).await.map_err(|_| Error::Stopped)?;
                connected
                    .await
                    .map_err(|_| Error::Stopped)?
                    .map_err(Error::Relay)?;
            }
            dial.await.map_err(Error::Circuit)
        }
        .boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx).map(|event| {
            event
                .map_upgrade(futures::TryFutureExt::err_into)
                .map_err(Error::Circuit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_is_what_stands_before_the_circuit() {
        let (relay, peer) = (PeerId::random(), PeerId::random());
        let address = |text: String| text.parse::<Multiaddr>().unwrap();
        let circuit = address(format!(
            "/ip4/9.9.9.9/tcp/1/p2p/{relay}/p2p-circuit/p2p/{peer}"
        ));
        assert_eq!(
            relay_of(&circuit),
            Some((relay, address("/ip4/9.9.9.9/tcp/1".into())))
        );
        for other in [
            format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}"),
            format!("/ip4/9.9.9.9/tcp/1/p2p-circuit/p2p/{peer}"),
        ] {
            assert_eq!(relay_of(&address(other)), None);
        }
    }
}
