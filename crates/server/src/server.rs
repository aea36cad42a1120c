//! A running server.

use std::{net::SocketAddr, path::Path, sync::Arc};

use futures::StreamExt;
use libp2p::{Multiaddr, PeerId, identity::Keypair, multiaddr::Protocol};
use mooring_node::{Handle, Listeners};
use mooring_webrtc::Certificate;
use tokio::{net::TcpListener, sync::watch, time::timeout};

use crate::{
    Config, Error, address, atomic_file, certificate,
    data_dir::DataDir,
    identity, journal,
    known_peers::{self, Keeper},
    limits::{FIRST_ADDRESS_TIMEOUT, SHUTDOWN_TIMEOUT},
    metrics::{Metrics, endpoint::Endpoint},
};

/// A server that runs until [`shutdown`](Self::shutdown), or until it is dropped.
#[derive(Debug)]
pub struct Server {
    node: Handle,
    /// Turns true when the event loop has ended, for whatever reason.
    ended: watch::Receiver<bool>,
    external: Vec<Multiaddr>,
    metrics: Arc<Metrics>,
    endpoint: Option<Endpoint>,
    /// Before the data directory, so that nothing is written there afterwards.
    keeper: Option<Keeper>,
    /// Held for the lock on it.
    _data_dir: Option<DataDir>,
}

impl Server {
    /// Starts a server on the current tokio runtime. When this returns it is listening.
    ///
    /// # Errors
    /// Any of [`Error`]; then nothing is running. An identity or certificate that was made along
    /// the way is kept only when the server could listen everywhere it should.
    pub async fn start(config: Config) -> Result<Self, Error> {
        config.check()?;
        let metrics = Arc::new(Metrics::new(&config.limits));
        let endpoint = match config.metrics {
            Some(address) => Some(offer(address, &metrics).await?),
            None => None,
        };
        let data_dir = config.data_dir.as_deref().map(DataDir::open).transpose()?;
        let dir = data_dir.as_ref().map(DataDir::path);

        let (keypair, new_keypair) = match load(dir, identity::load)? {
            Some(keypair) => (keypair, false),
            None => (Keypair::generate_ed25519(), true),
        };
        let (webrtc_certificate, new_certificate) = match load(dir, certificate::load)? {
            Some(found) => (found, false),
            None => (certificate::generate()?, true),
        };

        if let Some(dir) = dir
            && let Err(error) = atomic_file::sweep(dir)
        {
            tracing::warn!(%error, "what an earlier run left in the data directory could not be removed");
        }
        let known_peers = dir.map(known_peers::load).unwrap_or_default();

        let node_config = mooring_node::Config {
            known_peers: known_peers.clone(),
            meter: Some(metrics.meter()),
            ..node_config(config, &keypair, &webrtc_certificate)
        };
        let own = keypair.public().to_peer_id();
        let external = node_config
            .external
            .iter()
            .map(|address| address.clone().with(Protocol::P2p(own)))
            .collect();
        // The sockets are bound here, and nobody is answered until the loop runs: what is written
        // in between is on the disk before anybody has seen it.
        let (node, event_loop) = mooring_node::new(node_config)?;
        if let Some(dir) = dir {
            if new_keypair {
                identity::save(dir, &keypair)?;
            }
            if new_certificate {
                certificate::save(dir, &webrtc_certificate)?;
            }
        }

        let (end, ended) = watch::channel(false);
        tokio::spawn(async move {
            event_loop.run().await;
            // Nobody left who wants to know is fine.
            let _ = end.send(true);
        });
        tokio::spawn(journal::keep(node.clone()));
        let keeper = dir.map(|dir| Keeper::start(dir, known_peers, node.clone()));
        let server = Self {
            node,
            ended,
            external,
            metrics,
            endpoint,
            keeper,
            _data_dir: data_dir,
        };
        server.first_address().await?;
        Ok(server)
    }

    async fn first_address(&self) -> Result<(), Error> {
        let mut listeners = self.listeners().await?;
        if timeout(FIRST_ADDRESS_TIMEOUT, listeners.next())
            .await
            .is_err()
        {
            tracing::warn!("no network interface has an address yet; still listening");
        }
        Ok(())
    }

    /// The server's own id.
    pub fn peer_id(&self) -> PeerId {
        self.node.local_peer_id()
    }

    /// Where others reach the server, each with `/p2p/<peer id>`.
    ///
    /// # Errors
    /// [`Error::Node`] when the server has ended.
    pub async fn addresses(&self) -> Result<Vec<Multiaddr>, Error> {
        Ok(self.node.addresses().await?)
    }

    /// Those of [`Config::external`], each with `/p2p/<peer id>` and for webrtc-direct with the certificate's hash.
    pub fn external_addresses(&self) -> &[Multiaddr] {
        &self.external
    }

    /// The addresses that the server listens on, and how they change. Ends with the server, or
    /// when its reader falls behind.
    ///
    /// # Errors
    /// [`Error::Node`] when the server has ended.
    pub async fn listeners(&self) -> Result<Listeners, Error> {
        Ok(self.node.listeners().await?)
    }

    /// The server's numbers as they are now, in OpenMetrics' text format (docs/operating-a-server.md says what they mean).
    pub fn metrics(&self) -> String {
        self.metrics.text()
    }

    /// Where they are offered, when [`Config::metrics`] says so.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.endpoint.as_ref().map(Endpoint::address)
    }

    /// The node itself, for an application's own protocols.
    pub fn node(&self) -> &Handle {
        &self.node
    }

    /// Waits until the server has ended.
    pub async fn ended(&self) {
        // An error means that the sender is gone, and so is the event loop.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Closes every connection and ends. What does not end in a few seconds is cut off.
    pub async fn shutdown(self) {
        if let Some(keeper) = &self.keeper {
            keeper.finish(&self.node).await;
        }
        let orderly = async {
            self.node.shutdown().await;
            self.ended().await;
        };
        if timeout(SHUTDOWN_TIMEOUT, orderly).await.is_err() {
            tracing::warn!("some connections did not close in time");
        }
    }
}

async fn offer(address: SocketAddr, metrics: &Arc<Metrics>) -> Result<Endpoint, Error> {
    let listener = TcpListener::bind(address).await;
    listener
        .and_then(|listener| Endpoint::start(listener, Arc::clone(metrics)))
        .map_err(|source| Error::Metrics { address, source })
}

fn load<T>(
    dir: Option<&Path>,
    load: impl FnOnce(&Path) -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    dir.map(load).transpose().map(Option::flatten)
}

fn node_config(
    config: Config,
    keypair: &Keypair,
    certificate: &Certificate,
) -> mooring_node::Config {
    let own = keypair.public().to_peer_id();
    let bootstrap: Vec<Multiaddr> = config
        .bootstrap
        .into_iter()
        // One list of bootstrap peers for a whole fleet names each server to itself.
        .filter(|address| address::peer_of(address) != Some(own))
        .collect();
    mooring_node::Config {
        listen: config.listen,
        external: config
            .external
            .into_iter()
            .map(|address| with_certhash(address, certificate))
            .collect(),
        // Who names a private address here means it. Otherwise what strangers say in the DHT
        // must not send the server probing its own network.
        allow_private_network: bootstrap.iter().any(address::is_private),
        bootstrap,
        agent_version: config.agent_version,
        limits: config.limits,
        services: config.services,
        webrtc_certificate: Some(certificate.clone()),
        ..mooring_node::Config::server(keypair.clone())
    }
}

/// Completes a webrtc-direct address that ends before its certificate hash.
fn with_certhash(address: Multiaddr, certificate: &Certificate) -> Multiaddr {
    if address.iter().last() != Some(Protocol::WebRTCDirect) {
        return address;
    }
    address.with(Protocol::Certhash(certificate.fingerprint().to_multihash()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_webrtc_addresses_only() {
        let certificate = certificate::generate().unwrap();
        let complete = |text: &str| with_certhash(text.parse().unwrap(), &certificate).to_string();
        let webrtc = complete("/ip4/192.0.2.1/udp/1/webrtc-direct");
        assert!(
            webrtc.starts_with("/ip4/192.0.2.1/udp/1/webrtc-direct/certhash/uEi"),
            "{webrtc}"
        );
        assert_eq!(complete(&webrtc), webrtc);
        assert_eq!(
            complete("/ip4/192.0.2.1/tcp/1/ws"),
            "/ip4/192.0.2.1/tcp/1/ws"
        );
    }

    #[test]
    fn private_upkeep_only_for_private_bootstrap_peers() {
        let keypair = Keypair::generate_ed25519();
        let certificate = certificate::generate().unwrap();
        let other = Keypair::generate_ed25519().public().to_peer_id();
        let own = keypair.public().to_peer_id();
        let with = |bootstrap: Vec<String>| {
            let mut config = Config::in_memory();
            config.bootstrap = bootstrap.iter().map(|text| text.parse().unwrap()).collect();
            node_config(config, &keypair, &certificate)
        };
        assert!(!with(vec![]).allow_private_network);
        assert!(!with(vec![format!("/ip4/192.0.2.1/tcp/1/p2p/{other}")]).allow_private_network);
        assert!(with(vec![format!("/ip4/127.0.0.1/tcp/1/p2p/{other}")]).allow_private_network);
        assert!(
            with(vec![format!("/ip4/127.0.0.1/tcp/1/p2p/{own}")])
                .bootstrap
                .is_empty()
        );
    }
}
