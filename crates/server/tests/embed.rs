//! The server inside an application: another node finds it, pings it and has its bytes echoed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, StreamProtocol, identity::Keypair};
use mooring_server::{
    Config, Error, Server,
    node::{self, DialRequest, Event, ListenerEvent, OpenStream, Scope},
};

const TIMEOUT: Duration = Duration::from_secs(30);
const LISTEN: [&str; 3] = [
    "/ip4/127.0.0.1/udp/0/webrtc-direct",
    "/ip4/127.0.0.1/tcp/0/ws",
    "/ip4/127.0.0.1/tcp/0",
];

fn config() -> Config {
    let mut config = Config::in_memory();
    config.listen = LISTEN
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
    config.services.echo = true;
    config
}

fn client() -> node::Handle {
    let (handle, event_loop) =
        node::new(node::Config::client(Keypair::generate_ed25519())).unwrap();
    tokio::spawn(event_loop.run());
    handle
}

async fn listening(server: &Server) -> Vec<Multiaddr> {
    let mut listeners = server.listeners().await.unwrap();
    let mut found = Vec::new();
    while found.len() < LISTEN.len() {
        match listeners.next().await.unwrap() {
            ListenerEvent::New(address) => found.push(address),
            ListenerEvent::Expired(address) => panic!("{address}"),
        }
    }
    found
}

async fn dial(client: &node::Handle, address: &Multiaddr) {
    let request = DialRequest {
        peer: None,
        addresses: vec![address.clone()],
        owner: None,
        scope: Scope::PRIVATE,
        timeout: TIMEOUT,
    };
    client.dial(request).await.unwrap();
}

#[tokio::test]
async fn serves_over_every_transport() {
    let server = Server::start(config()).await.unwrap();
    for address in listening(&server).await {
        let client = client();
        dial(&client, &address).await;
        client.ping(server.peer_id()).await.unwrap();
        let opened = client
            .open_stream(OpenStream {
                peer: server.peer_id(),
                protocols: vec![StreamProtocol::new("/mooring/echo/1.0.0")],
                allow_relayed: false,
                dial: None,
                owner: None,
                timeout: TIMEOUT,
            })
            .await
            .unwrap();
        let mut stream = opened.stream;
        let sent: Vec<u8> = (0..20_000_u32).flat_map(u32::to_be_bytes).collect();
        let mut received = Vec::new();
        let (mut read, mut write) = (&mut stream).split();
        futures::future::join(
            async {
                write.write_all(&sent).await.unwrap();
                write.close().await.unwrap();
            },
            async {
                read.read_to_end(&mut received).await.unwrap();
            },
        )
        .await;
        assert!(received == sent, "{address}");
        client.shutdown().await;
    }
    server.shutdown().await;
}

#[tokio::test]
async fn ends_when_told_and_tells_its_peers() {
    let server = Server::start(config()).await.unwrap();
    let address = listening(&server).await.pop().unwrap();
    let client = client();
    let mut events = client.events().await.unwrap();
    dial(&client, &address).await;
    let node = server.node().clone();
    server.shutdown().await;
    assert_eq!(node.peers().await, Err(node::Error::Stopped));
    loop {
        let event = tokio::time::timeout(TIMEOUT, events.next()).await.unwrap();
        if matches!(event.unwrap(), Event::PeerDisconnected { .. }) {
            break;
        }
    }
    client.shutdown().await;
}

#[tokio::test]
async fn checks_its_configuration_like_the_binary() {
    let mut bad = config();
    bad.listen
        .push("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap());
    assert!(matches!(
        Server::start(bad).await,
        Err(Error::Address { .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    let mut kept = config();
    kept.data_dir = Some(folder.path().join("data"));
    let first = Server::start(kept.clone()).await.unwrap();
    assert!(matches!(
        Server::start(kept.clone()).await,
        Err(Error::DataDirInUse { .. })
    ));
    let peer = first.peer_id();
    first.shutdown().await;
    let again = Server::start(kept).await.unwrap();
    assert_eq!(again.peer_id(), peer);
    again.shutdown().await;
}
