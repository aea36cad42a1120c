//! Lookups in the DHT. Dropping a call's future ends its lookup: nobody else is asked, and nothing more written.

use std::time::Duration;

use libp2p::PeerId;

use super::{Handle, Reply};
use crate::{
    DhtKey, Error, FoundPeer, LookupOptions, Owner, handle::Command as Any, limits::MAX_TIMEOUT,
};

/// What is looked for or written, and who waits for it.
pub(crate) enum Ask {
    Peer(PeerId, Reply<FoundPeer>),
    Closest(DhtKey, Reply<Vec<PeerId>>),
    Providers(DhtKey, usize, Reply<Vec<FoundPeer>>),
    Get(DhtKey, Reply<Vec<u8>>),
    Put(DhtKey, Vec<u8>, Reply<()>),
    Provide(DhtKey, Reply<()>),
}

impl Ask {
    /// Does nobody wait for it any more?
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Peer(_, reply) => reply.is_canceled(),
            Self::Closest(_, reply) => reply.is_canceled(),
            Self::Providers(_, _, reply) => reply.is_canceled(),
            Self::Get(_, reply) => reply.is_canceled(),
            Self::Put(_, _, reply) | Self::Provide(_, reply) => reply.is_canceled(),
        }
    }

    pub(crate) fn fail(self, error: Error) {
        // Whoever has gone needs no answer.
        match self {
            Self::Peer(_, reply) => drop(reply.send(Err(error))),
            Self::Closest(_, reply) => drop(reply.send(Err(error))),
            Self::Providers(_, _, reply) => drop(reply.send(Err(error))),
            Self::Get(_, reply) => drop(reply.send(Err(error))),
            Self::Put(_, _, reply) | Self::Provide(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// What a [`Handle`] asks of the event loop about the DHT.
pub(crate) enum Command {
    Begin(LookupOptions, Ask),
    StopProviding(DhtKey, Owner, Reply<()>),
    StopProvidingAll(Owner, Reply<()>),
    /// Somebody who waited has gone.
    Abandoned,
}

/// Tells the event loop at once when a call's future is dropped. If its channel is full, it notices by itself some seconds later.
struct Waiting<'a>(&'a Handle);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _ = self.0.commands.try_send(Any::Dht(Command::Abandoned));
    }
}

impl Handle {
    /// Where a peer listens: what this node knows of it, else what the DHT says. Only addresses that the scope allows are told;
    /// where there are others only, none.
    ///
    /// # Errors
    /// `NotFound`; `NoPeers` when there was nobody to ask; `LimitExceeded`, `Timeout`, `Paused`, `Stopped`.
    pub async fn find_peer(
        &self,
        peer: PeerId,
        options: LookupOptions,
    ) -> Result<FoundPeer, Error> {
        self.look(options, |reply| Ask::Peer(peer, reply)).await
    }

    /// The peers closest to a key that answered, 20 at most, closest first.
    ///
    /// # Errors
    /// `NoPeers` when nobody answered; `LimitExceeded`, `Timeout`, `Paused`, `Stopped`.
    pub async fn closest_peers(
        &self,
        key: DhtKey,
        options: LookupOptions,
    ) -> Result<Vec<PeerId>, Error> {
        self.look(options, |reply| Ask::Closest(key, reply)).await
    }

    /// Peers that say they provide a key, `limit` and 1,000 at most; also this node itself if it does. Of their addresses
    /// those that the scope allows are told. At its time limit it answers with those found by then.
    ///
    /// # Errors
    /// `NoPeers` when nobody answered; `LimitExceeded`, `Timeout`, `Paused`, `Stopped`.
    pub async fn find_providers(
        &self,
        key: DhtKey,
        limit: usize,
        options: LookupOptions,
    ) -> Result<Vec<FoundPeer>, Error> {
        self.look(options, |reply| Ask::Providers(key, limit, reply))
            .await
    }

    /// Tells the DHT that this node provides a key, and goes on telling it every 12 hours and when its addresses change, until every
    /// owner who asked for it has stopped. It ends with the node.
    ///
    /// # Errors
    /// `NoPeers` when nobody could be told, or there is no address to tell; then it is not provided, unless it was before.
    /// `LimitExceeded` over [`PROVIDED_PER_OWNER`](crate::limits::PROVIDED_PER_OWNER) or
    /// [`Limits::kad_provided_keys`](crate::Limits::kad_provided_keys); `Timeout`, `Paused`, `Stopped`.
    pub async fn provide(&self, key: DhtKey, options: LookupOptions) -> Result<(), Error> {
        self.look(options, |reply| Ask::Provide(key, reply)).await
    }

    /// Takes back what this owner provides. Others may still say so for up to two days. What is not provided is no error.
    pub async fn stop_providing(&self, key: DhtKey, owner: Owner) -> Result<(), Error> {
        self.query(|reply| Any::Dht(Command::StopProviding(key, owner, reply)))
            .await
    }

    /// As [`stop_providing`](Self::stop_providing) of everything that the owner provides.
    pub async fn stop_providing_all(&self, owner: Owner) -> Result<(), Error> {
        self.query(|reply| Any::Dht(Command::StopProvidingAll(owner, reply)))
            .await
    }

    /// A record of the DHT: the first that a peer answers with. Only that a public key (`/pk/…`) is the one it claims to be is
    /// checked; anything else may be made up or outdated, so what matters needs a proof of its own in it.
    ///
    /// # Errors
    /// `NotFound`; `NoPeers` when nobody answered; `LimitExceeded`, `Timeout`, `Paused`, `Stopped`.
    pub async fn get_record(&self, key: DhtKey, options: LookupOptions) -> Result<Vec<u8>, Error> {
        self.look(options, |reply| Ask::Get(key, reply)).await
    }

    /// Stores a record with the peers closest to its key, which keep it for two days at most. One that takes it is
    /// enough. It is not stored again by itself.
    ///
    /// # Errors
    /// `NoPeers` when nobody took it; `LimitExceeded` also for a value over
    /// [`Limits::kad_record_bytes`](crate::Limits::kad_record_bytes); `Timeout`, `Paused`, `Stopped`.
    pub async fn put_record(
        &self,
        key: DhtKey,
        value: Vec<u8>,
        options: LookupOptions,
    ) -> Result<(), Error> {
        self.look(options, |reply| Ask::Put(key, value, reply))
            .await
    }

    async fn look<T>(
        &self,
        mut options: LookupOptions,
        ask: impl FnOnce(Reply<T>) -> Ask,
    ) -> Result<T, Error> {
        let timeout: Duration = options.timeout.min(MAX_TIMEOUT);
        options.timeout = timeout;
        // Declared first, so that it tells after the receiver of the answer is gone.
        let _waiting = Waiting(self);
        self.call(timeout, |reply| {
            Any::Dht(Command::Begin(options, ask(reply)))
        })
        .await
    }
}
