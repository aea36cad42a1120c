//! The cloneable end of the node: each call is one command to the event loop and one answer.

pub(crate) mod dht;
mod dial;
pub(crate) mod topics;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    channel::{mpsc, oneshot},
    future::{Either, select},
    pin_mut,
};
use futures_timer::Delay;
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::{
    Error, KnownPeers,
    limits::{COMMANDS, PING_ATTEMPTS, PING_TIMEOUT, QUERY_TIMEOUT},
    ping,
    streams::IncomingStreams,
    types::{
        Connection, DialRequest, Effort, Event, ListenerEvent, OpenStream, OpenedStream, Owner,
        Peer, RelayStatus, TransportKind,
    },
};

/// The event loop's answer to one command.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a [`Handle`] asks of the event loop.
pub(crate) enum Command {
    Addresses(Reply<Vec<Multiaddr>>),
    Listeners(Reply<Listeners>),
    /// The flag: a relayed connection is no answer.
    Dial(DialRequest, bool, Reply<Connection>),
    Effort(DialRequest, Reply<Effort>),
    Peers(Reply<Vec<Peer>>),
    Connections(Reply<Vec<Connection>>),
    Relays(Reply<Vec<RelayStatus>>),
    KnownPeers(Reply<KnownPeers>),
    Release(PeerId, Owner, Reply<()>),
    ReleaseAll(Owner, Reply<()>),
    Disconnect(PeerId, Reply<()>),
    OpenStream(OpenStream, Reply<OpenedStream>),
    Accept(Vec<StreamProtocol>, Reply<IncomingStreams>),
    Events(Reply<Events>),
    Topics(topics::Command),
    SetPaused(bool, Reply<()>),
    SetPrivateStreams(bool, Reply<()>),
    SetNetwork(bool, Reply<()>),
    Dht(dht::Command),
    /// A round trip that the handle measured.
    Measured(PeerId, Duration),
    Shutdown(Reply<()>),
}

/// What is known of the node without asking the event loop.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) local_peer_id: PeerId,
    pub(crate) transports: &'static [TransportKind],
    pub(crate) services: &'static [&'static str],
}

/// A handle on the running node; clones are the same node. The node ends when all are dropped.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: async_channel::Sender<Command>,
    facts: Arc<Facts>,
}

impl Handle {
    pub(crate) fn new(facts: Facts) -> (Self, async_channel::Receiver<Command>) {
        let (commands, receiver) = async_channel::bounded(COMMANDS);
        (
            Self {
                commands,
                facts: Arc::new(facts),
            },
            receiver,
        )
    }

    /// A way to the event loop that does not keep the node running.
    pub(crate) fn weak(&self) -> async_channel::WeakSender<Command> {
        self.commands.downgrade()
    }

    /// This node's own id.
    pub fn local_peer_id(&self) -> PeerId {
        self.facts.local_peer_id
    }

    /// What this build can dial with on this platform.
    pub fn transports(&self) -> &'static [TransportKind] {
        self.facts.transports
    }

    /// The page API's names of what the node runs.
    pub fn services(&self) -> &'static [&'static str] {
        self.facts.services
    }

    /// Own listen, external and circuit addresses, each with `/p2p/<own id>`.
    pub async fn addresses(&self) -> Result<Vec<Multiaddr>, Error> {
        self.query(Command::Addresses).await
    }

    /// Listen addresses, those there are first.
    pub async fn listeners(&self) -> Result<Listeners, Error> {
        self.query(Command::Listeners).await
    }

    /// A fresh round trip, now, over the best connection there is.
    ///
    /// # Errors
    /// `NotConnected`, `Timeout`, `StreamReset`, `ProtocolNotSupported`.
    pub async fn ping(&self, peer: PeerId) -> Result<Duration, Error> {
        within(PING_TIMEOUT, async {
            for _ in 1..PING_ATTEMPTS {
                match self.ping_once(peer).await {
                    Err(Error::StreamReset) => {}
                    result => return result,
                }
            }
            self.ping_once(peer).await
        })
        .await
    }

    async fn ping_once(&self, peer: PeerId) -> Result<Duration, Error> {
        let opened = self
            .open_stream(OpenStream {
                peer,
                protocols: vec![ping::PROTOCOL],
                allow_relayed: true,
                dial: None,
                owner: None,
                timeout: PING_TIMEOUT,
            })
            .await?;
        let rtt = ping::round_trip(opened.stream).await?;
        // Only for the display: a full channel may lose it.
        let _ = self.commands.try_send(Command::Measured(peer, rtt));
        Ok(rtt)
    }

    /// Everybody the node knows something of.
    pub async fn peers(&self) -> Result<Vec<Peer>, Error> {
        self.query(Command::Peers).await
    }

    /// The open connections.
    pub async fn connections(&self) -> Result<Vec<Connection>, Error> {
        self.query(Command::Connections).await
    }

    /// The connected relays, and whether this node can be reached through them. Refusals are tried again after 5 s, and then after twice
    /// as long each time, up to 10 min; [`Event::AddressesChanged`] tells that something has changed.
    pub async fn relays(&self) -> Result<Vec<RelayStatus>, Error> {
        self.query(Command::Relays).await
    }

    /// What is worth keeping for the next start ([`Config::known_peers`](crate::Config::known_peers)): peers that were connected,
    /// with the addresses that worked, as far as the node's own upkeep may dial these. Two answers in a row are equal unless something
    /// has happened between them, or an hour has passed.
    pub async fn known_peers(&self) -> Result<KnownPeers, Error> {
        self.query(Command::KnownPeers).await
    }

    /// Gives up an owner's interest in a peer. Its streams live on; the connection closes when
    /// nobody wants it and no stream uses it. Unknown peers and owners are no error.
    pub async fn release(&self, peer: PeerId, owner: Owner) -> Result<(), Error> {
        self.query(|reply| Command::Release(peer, owner, reply))
            .await
    }

    /// As [`release`](Self::release) of every peer that the owner wants, also those lost with the network
    /// ([`set_network`](Self::set_network)).
    pub async fn release_all(&self, owner: Owner) -> Result<(), Error> {
        self.query(|reply| Command::ReleaseAll(owner, reply)).await
    }

    /// Hangs up: closes all connections of the peer, whoever wants them.
    ///
    /// # Errors
    /// `NotConnected`.
    pub async fn disconnect(&self, peer: PeerId) -> Result<(), Error> {
        self.query(|reply| Command::Disconnect(peer, reply)).await
    }

    /// Opens a stream, after dialing if the request allows it.
    ///
    /// # Errors
    /// `ProtocolNotSupported`, `NotConnected`, `StreamReset`, `LimitExceeded`, `Timeout`, and
    /// those of [`dial`](Self::dial).
    pub async fn open_stream(&self, request: OpenStream) -> Result<OpenedStream, Error> {
        let timeout = request.timeout;
        within(timeout, async {
            let first = request.clone();
            match self
                .call(timeout, |reply| Command::OpenStream(first, reply))
                .await
            {
                Err(Error::NotConnected) => {}
                result => return result,
            }
            let dial = request.dial_request().ok_or(Error::NotConnected)?;
            self.dial_found(dial, !request.allow_relayed).await?;
            self.call(timeout, |reply| Command::OpenStream(request, reply))
                .await
        })
        .await
    }

    /// Accepts streams of these protocols until the result is dropped.
    ///
    /// # Errors
    /// `Refused` when one of them is taken, by another acceptor or the node itself; then none is
    /// accepted.
    pub async fn accept(&self, protocols: Vec<StreamProtocol>) -> Result<IncomingStreams, Error> {
        self.query(|reply| Command::Accept(protocols, reply)).await
    }

    /// What happens from now on. A reader that falls behind has its stream ended.
    pub async fn events(&self) -> Result<Events, Error> {
        self.query(Command::Events).await
    }

    /// Paused, the node closes every connection and neither dials nor accepts.
    pub async fn set_paused(&self, paused: bool) -> Result<(), Error> {
        self.query(|reply| Command::SetPaused(paused, reply)).await
    }

    /// Says whether somebody who may reach private networks takes streams from anybody: while it is so, peers that dial this node by
    /// `/webrtc` may be met at private addresses, and are told ours.
    pub async fn set_private_streams(&self, taken: bool) -> Result<(), Error> {
        self.query(|reply| Command::SetPrivateStreams(taken, reply))
            .await
    }

    /// Tells the node that the machine's network went away (`false`), or is there again or has changed
    /// (`true`). A node begins with a network.
    ///
    /// Going away changes nothing by itself: connections that are lost end by themselves, and requests to dial are
    /// tried, since browsers may call a machine offline that reaches its own network. Coming back, bootstrap peers are
    /// dialed at once, and so are the peers that an [`Owner`] wanted when their connection broke in between or breaks
    /// within two minutes after, at the address that they were connected at and for the same owners. Each is tried for
    /// about a minute, then forgotten; a relay that this node had a reservation on, and that went away by itself, for three quarters of an
    /// hour, unless somebody else answers at its address. [`release`](Self::release), [`release_all`](Self::release_all),
    /// [`disconnect`](Self::disconnect) and a pause forget at once. Paused, a node does nothing of this.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn set_network(&self, available: bool) -> Result<(), Error> {
        self.query(|reply| Command::SetNetwork(available, reply))
            .await
    }

    /// Closes every connection and ends the event loop; returns when it has ended.
    pub async fn shutdown(&self) {
        // `Stopped` is what we want, and a loop that nobody runs cannot be waited for.
        let _ = self.query(Command::Shutdown).await;
    }

    async fn query<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        self.call(QUERY_TIMEOUT, command).await
    }

    async fn call<T>(
        &self,
        timeout: Duration,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let command = command(reply);
        within(timeout, async {
            self.commands
                .send(command)
                .await
                .map_err(|_| Error::Stopped)?;
            answer.await.map_err(|_| Error::Stopped)?
        })
        .await
    }
}

/// Runs a future within a time limit.
pub(crate) async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    pin_mut!(work);
    match select(work, Delay::new(timeout)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(Error::Timeout),
    }
}

/// A bounded stream from the event loop; it ends when the node does, or when its reader is too slow.
macro_rules! subscription {
    ($(#[$doc:meta])* $name:ident, $item:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub(crate) mpsc::Receiver<$item>);

        impl futures::Stream for $name {
            type Item = $item;

            fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<$item>> {
                Pin::new(&mut self.0).poll_next(cx)
            }
        }
    };
}

subscription!(
    /// What happens in the swarm. Ends when the node ends, or when its reader falls behind.
    Events,
    Event
);
subscription!(
    /// The node's listen addresses as they come and go. Ends when the node ends, or when its
    /// reader falls behind.
    Listeners,
    ListenerEvent
);
