//! Two transport ends on loopback.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
use libp2p_core::muxing::{StreamMuxer, StreamMuxerExt};
use libp2p_core::transport::{DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p_core::{Endpoint, Multiaddr, Transport as _};
use libp2p_identity::{Keypair, PeerId};
use mooring_webrtc::native::{Config, Connection, Counters, Stream, Transport, Version};
use tokio::sync::mpsc;

/// Nothing on loopback takes this long; a test that gets here hangs.
pub const LIMIT: Duration = Duration::from_secs(25);

/// Some port on loopback.
pub const ANYWHERE: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";

pub const OPTIONS: DialOpts = DialOpts {
    role: Endpoint::Dialer,
    port_use: PortUse::New,
};

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future)
        .await
        .unwrap_or_else(|_| panic!("timed out: {what}"))
}

/// A listening transport, driven by a task.
pub struct Server {
    pub address: Multiaddr,
    pub peer: PeerId,
    pub counters: Arc<Counters>,
    pub connections: mpsc::Receiver<(PeerId, Connection)>,
    pub failures: mpsc::Receiver<mooring_webrtc::Error>,
}

impl Server {
    pub async fn start() -> Self {
        Self::on(ANYWHERE).await
    }

    pub async fn on(address: &str) -> Self {
        Self::with(address, |config| config).await
    }

    pub async fn with(address: &str, configure: impl FnOnce(Config) -> Config) -> Self {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair.public().to_peer_id();
        let mut transport = Transport::new(configure(Config::new(&keypair)));
        transport
            .listen_on(ListenerId::next(), address.parse().unwrap())
            .unwrap();
        let counters = transport.counters();
        let mut transport = Box::pin(transport);
        let address = match poll_fn(|cx| transport.as_mut().poll(cx)).await {
            TransportEvent::NewAddress { listen_addr, .. } => listen_addr,
            other => panic!("unexpected {other:?}"),
        };
        let (connected, connections) = mpsc::channel(2048);
        let (failed, failures) = mpsc::channel(2048);
        tokio::spawn(async move {
            loop {
                if let TransportEvent::Incoming { upgrade, .. } =
                    poll_fn(|cx| transport.as_mut().poll(cx)).await
                {
                    let (connected, failed) = (connected.clone(), failed.clone());
                    tokio::spawn(async move {
                        match upgrade.await {
                            Ok(connection) => drop(connected.send(connection).await),
                            Err(error) => drop(failed.send(error).await),
                        }
                    });
                }
            }
        });
        Self {
            address,
            peer,
            counters,
            connections,
            failures,
        }
    }

    pub async fn accept(&mut self) -> (PeerId, Connection) {
        soon("accepting", self.connections.recv()).await.unwrap()
    }

    /// Echoes every stream of every connection, half-close by half-close.
    pub fn echo(mut self) -> Multiaddr {
        let address = self.address.clone();
        tokio::spawn(async move {
            while let Some((_, connection)) = self.connections.recv().await {
                tokio::spawn(echo(connection));
            }
        });
        address
    }
}

pub async fn echo(mut connection: Connection) {
    while let Ok(stream) = inbound(&mut connection).await {
        tokio::spawn(async move {
            let (mut read, mut write) = stream.split();
            if futures::io::copy(&mut read, &mut write).await.is_ok() {
                let _ = write.close().await;
            }
        });
    }
}

pub async fn try_dial(
    address: Multiaddr,
    version: Version,
) -> Result<(PeerId, Connection), mooring_webrtc::Error> {
    let keypair = Keypair::generate_ed25519();
    let mut transport = Transport::new(Config::new(&keypair).with_dial_version(version));
    match transport.dial(address, OPTIONS) {
        Ok(dial) => soon("dialing", dial).await,
        Err(libp2p_core::transport::TransportError::Other(error)) => Err(error),
        Err(error) => panic!("{error:?}"),
    }
}

pub async fn dial(address: Multiaddr) -> Connection {
    try_dial(address, Version::V2).await.unwrap().1
}

/// The next inbound stream. Polls the connection as a swarm does.
pub async fn inbound(connection: &mut Connection) -> Result<Stream, mooring_webrtc::Error> {
    poll_fn(|cx| {
        if let std::task::Poll::Ready(Err(error)) = Pin::new(&mut *connection).poll(cx) {
            return std::task::Poll::Ready(Err(error));
        }
        connection.poll_inbound_unpin(cx)
    })
    .await
}

pub async fn outbound(connection: &mut Connection) -> Result<Stream, mooring_webrtc::Error> {
    poll_fn(|cx| connection.poll_outbound_unpin(cx)).await
}

pub async fn ended(connection: &mut Connection) -> mooring_webrtc::Error {
    loop {
        match poll_fn(|cx| Pin::new(&mut *connection).poll(cx)).await {
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

/// Bytes that differ everywhere, so that a lost or swapped frame is noticed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut x = seed | 1;
    (0..length)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x.to_le_bytes()[3]
        })
        .collect()
}

/// Sends `data`, half-closes, and returns all that comes back.
pub async fn exchange(stream: Stream, data: &[u8]) -> std::io::Result<Vec<u8>> {
    let (mut read, mut write) = stream.split();
    let mut back = Vec::new();
    let send = async {
        write.write_all(data).await?;
        write.close().await
    };
    let receive = read.read_to_end(&mut back);
    let (sent, received) = futures::join!(send, receive);
    sent?;
    received?;
    Ok(back)
}
