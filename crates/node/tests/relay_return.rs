//! Reservations in the long run: renewed, refused, and won again from a relay that was away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::{
    future::Future,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::*;
use libp2p::{Multiaddr, identity::Keypair, multiaddr::Protocol};
use mooring_node::{Config, Error, Measure, Meter, Refusal};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What a relay did, as far as these tests care.
#[derive(Debug, Default)]
struct Tally {
    renewed: AtomicUsize,
    ended: AtomicUsize,
    refused: AtomicUsize,
    connections: AtomicUsize,
}

impl Meter for Tally {
    fn record(&self, measure: Measure) {
        let count = match measure {
            Measure::ReservationAccepted { renewal: true } => &self.renewed,
            Measure::ReservationEnded { .. } => &self.ended,
            Measure::ReservationRefused(Refusal::Full) => &self.refused,
            Measure::ConnectionOpened { .. } => &self.connections,
            _ => return,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

fn get(count: &AtomicUsize) -> usize {
    count.load(Ordering::SeqCst)
}

/// A relay with short reservations.
fn relay(listen: &Multiaddr, keypair: &Keypair) -> (Node, Arc<Tally>) {
    let tally = Arc::new(Tally::default());
    let mut config = Config {
        listen: vec![listen.clone()],
        allow_private_network: true,
        meter: Some(Arc::clone(&tally) as Arc<dyn Meter>),
        ..Config::server(keypair.clone())
    };
    config.limits.relay_server.reservation_duration = Duration::from_secs(8);
    (Node::start(config), tally)
}

/// An address as it is listened on, without the peer.
fn bare(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    address.pop();
    address
}

/// The addresses at which a node is reached through a relay: for circuits, and for `/webrtc`.
async fn through(node: &Node, relay: &Node) -> (usize, usize) {
    let addresses = node.handle.addresses().await.unwrap();
    let own: Vec<_> = addresses
        .iter()
        .filter(|address| {
            address
                .iter()
                .any(|part| part == Protocol::P2p(relay.peer()))
        })
        .collect();
    let webrtc = own
        .iter()
        .filter(|address| address.iter().any(|part| part == Protocol::WebRTC))
        .count();
    (own.len().saturating_sub(webrtc), webrtc)
}

async fn reachable(node: &Node, relay: &Node) {
    eventually("reachable", || async {
        // At the address that it was dialed at, and at those that it tells.
        let (circuits, webrtc) = through(node, relay).await;
        circuits > 0 && webrtc > 0
    })
    .await;
}

#[tokio::test]
async fn several_are_held_and_renewed_at_once() {
    let relays: Vec<_> = (0..3)
        .map(|_| relay(&TCP.parse().unwrap(), &Keypair::generate_ed25519()))
        .collect();
    let (near, far) = (Node::client(), Node::client());
    for (relay, _) in &relays {
        near.connect(relay).await;
        reachable(&near, relay).await;
    }
    let mut changes = near.handle.listeners().await.unwrap();
    for (relay, tally) in &relays {
        eventually("renewed twice", || async { get(&tally.renewed) >= 2 }).await;
        assert_eq!(get(&tally.ended), 0);
        assert_eq!(through(&near, relay).await, (1, 1));
    }
    // In all that time no address went away, not even for a moment.
    while let Some(Some(event)) =
        futures::FutureExt::now_or_never(futures::StreamExt::next(&mut changes))
    {
        assert!(
            matches!(event, mooring_node::ListenerEvent::New(_)),
            "{event:?}"
        );
    }
    let status = near.handle.relays().await.unwrap();
    assert_eq!(status.len(), 3);
    assert!(
        status
            .iter()
            .all(|relay| relay.reserved && relay.failures == 0 && relay.retry_in.is_none()),
        "{status:?}"
    );
    // Each of them leads there, also when the others have gone.
    for (relay, _) in relays {
        let circuit = bare(&relay.address().await)
            .with(Protocol::P2p(relay.peer()))
            .with(Protocol::P2pCircuit)
            .with(Protocol::P2p(near.peer()));
        let connection = soon("dial", far.dial(&circuit)).await.unwrap();
        assert_eq!(connection.peer, near.peer());
        far.handle.disconnect(near.peer()).await.unwrap();
        far.lets_go_of(near.peer()).await;
        near.lets_go_of(far.peer()).await;
        relay.handle.shutdown().await;
    }
}

#[tokio::test]
async fn a_relay_that_comes_back_is_reserved_on_again() {
    for orderly in [true, false] {
        for listen in [TCP, WEBRTC] {
            comes_back(listen, orderly).await;
        }
    }
}

async fn comes_back(listen: &str, orderly: bool) {
    let keypair = Keypair::generate_ed25519();
    let certificate = mooring_webrtc::Certificate::generate().unwrap();
    let start = |listen: &Multiaddr| {
        Node::start(Config {
            listen: vec![listen.clone()],
            allow_private_network: true,
            webrtc_certificate: Some(certificate.clone()),
            ..Config::server(keypair.clone())
        })
    };
    let relay = start(&listen.parse().unwrap());
    let near = Node::client();
    near.connect(&relay).await;
    reachable(&near, &relay).await;
    let address: Multiaddr = relay
        .address()
        .await
        .iter()
        .take_while(|part| !matches!(part, Protocol::Certhash(_) | Protocol::P2p(_)))
        .collect();
    if orderly {
        relay.handle.shutdown().await;
    } else {
        relay.task.abort();
        // Its sockets are closed when it is gone.
        soon("aborted", relay.task).await.unwrap_err();
    }
    let peer = keypair.public().to_peer_id();
    eventually_long("missed", || async { !near.is_connected(peer).await }).await;
    assert_eq!(near.circuits().await, 0);
    let relay = start(&address);
    eventually_long("won again", || async {
        through(&near, &relay).await == (1, 1)
    })
    .await;
    // For those who wanted it, also if the DHT was quicker.
    eventually_long("theirs again", || async {
        let connections = near.handle.connections().await.unwrap();
        connections.iter().any(|found| found.owners == [site()])
    })
    .await;
    // Nobody wants it, nobody dials it.
    near.handle.release(relay.peer(), site()).await.unwrap();
    near.lets_go_of(relay.peer()).await;
}

/// Until a WebRTC connection without an end counts as dead, and an attempt at nobody's door is over.
async fn eventually_long<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let work = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), work)
        .await
        .unwrap_or_else(|_| panic!("hangs: {what}"));
}

/// A TCP address that leads to another one, which may change.
struct Door {
    address: Multiaddr,
    target: watch::Sender<u16>,
    /// Who came.
    visitors: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Door {
    async fn to(target: &Multiaddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, receiver) = watch::channel(tcp_port(target));
        let visitors = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visitors);
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let target = (Ipv4Addr::LOCALHOST, *receiver.borrow());
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        let address = target.iter().map(|part| match part {
            Protocol::Tcp(_) => Protocol::Tcp(port),
            other => other,
        });
        Self {
            address: address.collect(),
            target: sender,
            visitors,
            task,
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn tcp_port(address: &Multiaddr) -> u16 {
    let port = address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    port.unwrap()
}

#[tokio::test]
async fn a_relay_with_another_key_is_another_relay() {
    let listen = TCP.parse().unwrap();
    let (old, _) = relay(&listen, &Keypair::generate_ed25519());
    let (new, tally) = relay(&listen, &Keypair::generate_ed25519());
    // The DHT dials whom it remembers, too, and forgets them after that.
    let alone = || {
        Node::start(Config {
            kad_protocol: "/alone/kad/1.0.0".into(),
            ..client_config()
        })
    };
    let (near, far, clock) = (alone(), alone(), alone());
    let door = Door::to(&old.address().await).await;
    soon("dial", near.dial(&door.address)).await.unwrap();
    reachable(&near, &old).await;
    assert_eq!(get(&door.visitors), 1);
    door.target.send_replace(tcp_port(&new.address().await));
    old.handle.shutdown().await;
    near.lets_go_of(old.peer()).await;
    // It is looked at, and is not the one that was wanted.
    eventually("looked at", || async { get(&door.visitors) >= 2 }).await;
    assert_eq!(through(&near, &old).await, (0, 0));
    // Who knows the old address only is told, and soon.
    let circuit = door
        .address
        .clone()
        .with(Protocol::P2pCircuit)
        .with(Protocol::P2p(near.peer()));
    for dead in [&door.address, &circuit] {
        let refused = soon("dial", far.dial(dead)).await;
        assert!(
            matches!(refused, Err(Error::DialFailed { .. })),
            "{refused:?}"
        );
    }
    // Nobody returns to the old name, for as long as a reservation takes to be renewed twice.
    let seen = get(&door.visitors);
    clock.connect(&new).await;
    eventually("time passes", || async { get(&tally.renewed) >= 2 }).await;
    assert_eq!(get(&door.visitors), seen, "it is dialed over and over");
    assert!(!near.is_connected(new.peer()).await);
    // Who is told the new one goes on there.
    near.connect(&new).await;
    reachable(&near, &new).await;
}

#[tokio::test]
async fn a_refusal_is_told_and_tried_again_later_and_later() {
    let tally = Arc::new(Tally::default());
    let mut config = server_config(TCP);
    config.limits.relay_server.reservations = 1;
    config.meter = Some(Arc::clone(&tally) as Arc<dyn Meter>);
    let relay = Node::start(config);
    let (first, second) = (Node::client(), Node::client());
    first.connect(&relay).await;
    reachable(&first, &relay).await;
    second.connect(&relay).await;
    for failures in [1, 2] {
        eventually("refused", || async {
            let list = second.handle.relays().await.unwrap();
            list.iter().any(|relay| relay.failures == failures)
        })
        .await;
        let found = second.handle.relays().await.unwrap();
        assert_eq!(get(&tally.refused), usize::try_from(failures).unwrap());
        let status = &found[0];
        assert_eq!(status.peer, relay.peer());
        assert!(!status.reserved);
        assert!(status.cause.is_some(), "{status:?}");
        let pause = Duration::from_secs(5) * failures;
        let left = status.retry_in.unwrap();
        assert!(
            left <= pause && left + Duration::from_secs(3) > pause,
            "{left:?}"
        );
    }
    assert!(second.is_connected(relay.peer()).await);
    first.handle.shutdown().await;
    reachable(&second, &relay).await;
    let status = second.handle.relays().await.unwrap();
    assert!(
        status[0].reserved && status[0].cause.is_none(),
        "{status:?}"
    );
}
