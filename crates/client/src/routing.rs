//! The DHT and rendezvous points.

use mooring_api::{
    Method,
    params::{self, Bytes, DhtKey, Empty},
    results::{ClosestPeers, DhtRecord, FoundPeer, Providers},
};
use serde::Deserialize;

use crate::{Error, Node, node::peer_only};

/// The DHT. Needs `routing`; what announces or stores needs `write` in it. Keys are text (a CID or multihash) or bytes:
/// [`DhtKey`] says which.
#[derive(Debug, Clone, Copy)]
pub struct Dht<'a>(pub(crate) &'a Node);

impl Dht<'_> {
    /// Where a peer can be reached.
    ///
    /// # Errors
    /// `NotFound`, `NoPeers`, and those of every call.
    pub async fn find_peer(&self, peer: &str) -> Result<FoundPeer, Error> {
        self.0.call(Method::DhtFindPeer, &peer_only(peer)).await
    }

    /// The peers closest to a key, the closest first.
    ///
    /// # Errors
    /// `NoPeers`, and those of every call.
    pub async fn closest_peers(&self, key: DhtKey) -> Result<Vec<String>, Error> {
        let found: ClosestPeers = self
            .0
            .call(Method::DhtClosestPeers, &params::Key { key })
            .await?;
        Ok(found.peers)
    }

    /// Who provides a key, perhaps nobody: 20 at most unless told otherwise.
    ///
    /// # Errors
    /// `NoPeers`, and those of every call.
    pub async fn find_providers(
        &self,
        key: DhtKey,
        limit: Option<u32>,
    ) -> Result<Vec<FoundPeer>, Error> {
        let params = params::FindProviders { key, limit };
        let found: Providers = self.0.call(Method::DhtFindProviders, &params).await?;
        Ok(found.providers)
    }

    /// Announces that this node provides a key.
    ///
    /// # Errors
    /// `NoPeers`, `LimitExceeded`, and those of every call.
    pub async fn provide(&self, key: DhtKey) -> Result<(), Error> {
        self.0
            .call::<Empty>(Method::DhtProvide, &params::Key { key })
            .await
            .map(drop)
    }

    /// Announces it no more.
    ///
    /// # Errors
    /// Those of every call.
    pub async fn stop_providing(&self, key: DhtKey) -> Result<(), Error> {
        self.0
            .call::<Empty>(Method::DhtStopProviding, &params::Key { key })
            .await
            .map(drop)
    }

    /// The value under a key.
    ///
    /// # Errors
    /// `NotFound`, `NoPeers`, and those of every call.
    pub async fn get(&self, key: DhtKey) -> Result<Vec<u8>, Error> {
        let record: DhtRecord = self.0.call(Method::DhtGet, &params::Key { key }).await?;
        Ok(record.value.into_vec())
    }

    /// Stores a value under a key.
    ///
    /// # Errors
    /// `NoPeers`, and those of every call.
    pub async fn put(&self, key: DhtKey, value: impl Into<Vec<u8>>) -> Result<(), Error> {
        let value = Bytes::from(value.into());
        self.0
            .call::<Empty>(Method::DhtPut, &params::Put { key, value })
            .await
            .map(drop)
    }
}

/// A registration at a rendezvous point.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// The peer's id.
    pub peer: String,
    /// Where it says it listens.
    pub addresses: Vec<String>,
    /// Seconds until the registration ends.
    pub ttl_seconds: u32,
}

#[derive(Deserialize)]
struct Discovered {
    registrations: Vec<Registration>,
}

/// Rendezvous points. Needs `routing`; to register, with `write`. Without a point it is one that the node knows.
#[derive(Debug, Clone, Copy)]
pub struct Rendezvous<'a>(pub(crate) &'a Node);

impl Rendezvous<'_> {
    /// Registers this node under a namespace, for so many seconds.
    ///
    /// # Errors
    /// `Unsupported` where the node has no rendezvous, and those of every call.
    pub async fn register(
        &self,
        namespace: &str,
        point: Option<&str>,
        ttl_seconds: Option<u32>,
    ) -> Result<(), Error> {
        let params = about(namespace, point, ttl_seconds);
        self.0
            .call::<Empty>(Method::RendezvousRegister, &params)
            .await
            .map(drop)
    }

    /// Who is registered under a namespace.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn discover(
        &self,
        namespace: &str,
        point: Option<&str>,
    ) -> Result<Vec<Registration>, Error> {
        let params = about(namespace, point, None);
        let found: Discovered = self.0.call(Method::RendezvousDiscover, &params).await?;
        Ok(found.registrations)
    }

    /// Takes the registration back.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn unregister(&self, namespace: &str, point: Option<&str>) -> Result<(), Error> {
        let params = about(namespace, point, None);
        self.0
            .call::<Empty>(Method::RendezvousUnregister, &params)
            .await
            .map(drop)
    }
}

fn about(namespace: &str, point: Option<&str>, ttl_seconds: Option<u32>) -> params::Rendezvous {
    params::Rendezvous {
        namespace: namespace.to_owned(),
        point: point.map(str::to_owned),
        ttl_seconds,
    }
}
