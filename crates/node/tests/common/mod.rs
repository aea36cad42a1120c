//! Nodes on loopback, each in a task of its own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod circuits;
pub mod kad;
pub mod protobuf;
pub mod scripted;
pub mod trap;
pub mod wire;

use std::{future::Future, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, PeerId, StreamProtocol, identity::Keypair, multiaddr::Protocol};
use mooring_node::{
    Config, Connection, DialRequest, Error, EventLoop, Handle, Limits, ListenerEvent, OpenStream,
    OpenedStream, Owner, Path, Scope, Stream,
};
use tokio::task::JoinHandle;

/// Nothing on loopback takes this long, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub const WS: &str = "/ip4/127.0.0.1/tcp/0/ws";
pub const WEBRTC: &str = "/ip4/127.0.0.1/udp/0/webrtc-direct";
pub const ECHO: StreamProtocol = StreamProtocol::new("/mooring/echo/1.0.0");
pub const CHAT: StreamProtocol = StreamProtocol::new("/chat/1.0.0");

/// Waits, but not for ever.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Asks again until it is so.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    soon(what, async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

pub struct Node {
    pub handle: Handle,
    pub task: JoinHandle<()>,
}

impl Node {
    pub fn start(config: Config) -> Self {
        let (handle, event_loop): (Handle, EventLoop) = mooring_node::new(config).unwrap();
        Self {
            handle,
            task: tokio::spawn(event_loop.run()),
        }
    }

    /// A client that may do with itself what it likes on loopback.
    pub fn client() -> Self {
        Self::start(client_config())
    }

    /// A server with all its services.
    pub fn server(listen: &str) -> Self {
        Self::start(server_config(listen))
    }

    pub fn peer(&self) -> PeerId {
        self.handle.local_peer_id()
    }

    /// The first address that it listens on.
    pub async fn address(&self) -> Multiaddr {
        let mut listeners = self.handle.listeners().await.unwrap();
        match soon("listening", listeners.next()).await {
            Some(ListenerEvent::New(address)) => address,
            other => panic!("{other:?}"),
        }
    }

    pub async fn dial(&self, address: &Multiaddr) -> Result<Connection, Error> {
        self.handle.dial(request(address)).await
    }

    pub async fn connect(&self, other: &Node) -> Connection {
        let address = other.address().await;
        soon("dial", self.dial(&address)).await.unwrap()
    }

    pub async fn open(
        &self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<OpenedStream, Error> {
        self.handle
            .open_stream(open_request(peer, vec![protocol]))
            .await
    }

    pub async fn is_connected(&self, peer: PeerId) -> bool {
        self.handle
            .connections()
            .await
            .unwrap()
            .iter()
            .any(|c| c.peer == peer)
    }

    /// Its connections to another one.
    pub async fn connections_to(&self, other: &Self) -> Vec<Connection> {
        let all = self.handle.connections().await.unwrap();
        all.into_iter()
            .filter(|connection| connection.peer == other.peer())
            .collect()
    }

    /// Is there one connection to it, a direct one?
    pub async fn is_only_direct_to(&self, other: &Self) -> bool {
        let connections = self.connections_to(other).await;
        connections.len() == 1 && connections[0].path == Path::Direct
    }

    /// The address at which it is reached by `/webrtc`, once it has one.
    pub async fn webrtc_address(&self) -> Multiaddr {
        loop {
            let addresses = self.handle.addresses().await.unwrap();
            let found = addresses
                .into_iter()
                .find(|address| address.iter().any(|part| part == Protocol::WebRTC));
            if let Some(found) = found {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until no connection to this peer is left.
    pub async fn lets_go_of(&self, peer: PeerId) {
        eventually("closed", || async { !self.is_connected(peer).await }).await;
    }

    /// How many circuits lead to it.
    pub async fn circuits(&self) -> usize {
        let addresses = self.handle.addresses().await.unwrap();
        addresses
            .iter()
            .filter(|address| address.iter().any(|part| part == Protocol::P2pCircuit))
            .filter(|address| address.iter().all(|part| part != Protocol::WebRTC))
            .count()
    }
}

/// Takes connections and says nothing.
pub struct Silent {
    pub address: Multiaddr,
    _listener: tokio::net::TcpListener,
}

impl Silent {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            address: format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(),
            _listener: listener,
        }
    }

    /// As if this peer were there.
    pub fn as_peer(&self, peer: PeerId) -> Multiaddr {
        self.address.clone().with(Protocol::P2p(peer))
    }
}

/// The address at which a node is reached by `/webrtc`.
pub async fn webrtc_address(node: &Node) -> Multiaddr {
    soon("a /webrtc address", node.webrtc_address()).await
}

pub fn client_config() -> Config {
    Config {
        allow_private_network: true,
        // The machine's own network is not for tests.
        webrtc_addresses: Some(vec![std::net::Ipv4Addr::LOCALHOST.into()]),
        ..Config::client(Keypair::generate_ed25519())
    }
}

pub fn server_config(listen: &str) -> Config {
    let mut config = Config {
        listen: vec![listen.parse().unwrap()],
        allow_private_network: true,
        webrtc_addresses: Some(vec![std::net::Ipv4Addr::LOCALHOST.into()]),
        ..Config::server(Keypair::generate_ed25519())
    };
    config.services.echo = true;
    config.services.perf = true;
    config
}

pub fn with_limits(mut config: Config, change: impl FnOnce(&mut Limits)) -> Config {
    change(&mut config.limits);
    config
}

pub fn site() -> Owner {
    Owner::new("https://site.example")
}

pub fn other_site() -> Owner {
    Owner::new("https://other.example")
}

/// A request of another owner.
pub fn request_of(owner: Owner, address: &Multiaddr) -> DialRequest {
    DialRequest {
        owner: Some(owner),
        ..request(address)
    }
}

pub fn request(address: &Multiaddr) -> DialRequest {
    DialRequest {
        peer: None,
        addresses: vec![address.clone()],
        owner: Some(site()),
        scope: Scope::PRIVATE,
        timeout: PATIENCE,
    }
}

pub fn open_request(peer: PeerId, protocols: Vec<StreamProtocol>) -> OpenStream {
    OpenStream {
        peer,
        protocols,
        allow_relayed: true,
        dial: None,
        owner: None,
        timeout: PATIENCE,
    }
}

/// Sends these bytes, half-closes, and gives back what comes until the end.
pub async fn exchange(stream: Stream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let (mut read, mut write) = stream.split();
    let send = async {
        write.write_all(bytes).await?;
        write.close().await
    };
    let mut received = Vec::new();
    let (sent, count) = futures::join!(send, read.read_to_end(&mut received));
    sent?;
    count?;
    Ok(received)
}

/// A port of loopback where nobody listens.
pub fn closed_port() -> Multiaddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    Multiaddr::empty()
        .with(Protocol::Ip4([127, 0, 0, 1].into()))
        .with(Protocol::Tcp(port))
}
