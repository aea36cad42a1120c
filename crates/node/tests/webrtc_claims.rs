//! A peer that pushes what it claims of itself, over and over: addresses that lead into this network, by themselves, over relays
//! and by `/webrtc`, and protocols by the hundred.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, identify, identity::Keypair, multiaddr::Protocol,
    swarm, swarm::SwarmEvent,
};
use mooring_node::{Config, DialRequest, Error, Scope};
use tokio::sync::mpsc;

const PUSH: StreamProtocol = StreamProtocol::new("/ipfs/id/push/1.0.0");
const SIGNALLING: &str = "/webrtc-signaling/0.0.1";
const PUSHES: usize = 150;
/// What libp2p reads of a push.
const PUSH_BYTES: usize = 4000;
/// Of one peer, by the node's own limits.
const ADDRESSES: usize = 16;
const PROTOCOLS: usize = 128;

#[derive(swarm::NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// A peer that says anything.
struct Liar {
    peer: PeerId,
    /// Where it is dialed.
    address: Multiaddr,
    control: libp2p_stream::Control,
    task: tokio::task::JoinHandle<()>,
}

impl Liar {
    async fn start() -> Self {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair.public().to_peer_id();
        let streams = libp2p_stream::Behaviour::new();
        let control = streams.new_control();
        let mut swarm = Swarm::new(
            mooring_webrtc::Transport::new(mooring_webrtc::Config::new(&keypair)).boxed(),
            Behaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    "ipfs/0.1.0".into(),
                    keypair.public(),
                )),
                streams,
            },
            peer,
            swarm::Config::with_tokio_executor()
                .with_idle_connection_timeout(Duration::from_secs(300)),
        );
        swarm.listen_on(WEBRTC.parse().unwrap()).unwrap();
        let (found, mut addresses) = mpsc::channel(8);
        let task = tokio::spawn(async move {
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    let _ = found.send(address).await;
                }
            }
        });
        let address = soon("listening", addresses.recv()).await.unwrap();
        Self {
            peer,
            address: address.with(Protocol::P2p(peer)),
            control,
            task,
        }
    }

    /// Pushes these bytes, and waits until they are read or refused.
    async fn push(&mut self, to: PeerId, message: &[u8]) {
        let Ok(mut stream) = soon("push", self.control.open_stream(to, PUSH)).await else {
            return;
        };
        let mut framed = varint(message.len());
        framed.extend(message);
        let said = async {
            stream.write_all(&framed).await?;
            stream.close().await?;
            stream.read(&mut [0]).await
        };
        // Refused is as good.
        let _ = soon("pushed", said).await;
    }
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
    out
}

/// One field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    out.extend(varint(bytes.len()));
    out.extend(bytes);
    out
}

/// An `Identify` message: as many of these addresses and protocols as fit, and who it says it is.
fn claims(
    agent: &str,
    addresses: impl Iterator<Item = Multiaddr>,
    protocols: impl Iterator<Item = String>,
    bytes: usize,
) -> Vec<u8> {
    let mut message = field(6, agent.as_bytes());
    for address in addresses {
        if message.len() >= bytes * 3 / 4 {
            break;
        }
        message.extend(field(2, &address.to_vec()));
    }
    for protocol in protocols {
        if message.len() + protocol.len() + 3 >= bytes {
            break;
        }
        message.extend(field(3, protocol.as_bytes()));
    }
    message
}

/// Counts who connects, and hangs up.
struct Trap {
    port: u16,
    count: Arc<AtomicUsize>,
}

impl Trap {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, count }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Everything that leads there, each another address: by itself, and as relay of a circuit or of signalling.
    fn addresses(&self, peer: PeerId, round: usize) -> impl Iterator<Item = Multiaddr> {
        let port = self.port;
        (0_usize..).map(move |n| {
            let n = n + round;
            let host = [127, 0, (n / 250 % 250) as u8, (n % 250 + 1) as u8];
            let own = Multiaddr::from(Protocol::Ip4(host.into())).with(Protocol::Tcp(port));
            let circuit = || {
                own.clone()
                    .with(Protocol::P2p(PeerId::random()))
                    .with(Protocol::P2pCircuit)
            };
            match n % 3 {
                0 => own,
                1 => circuit().with(Protocol::P2p(peer)),
                _ => circuit().with(Protocol::WebRTC).with(Protocol::P2p(peer)),
            }
        })
    }
}

fn by_id(peer: PeerId, scope: Scope) -> DialRequest {
    DialRequest {
        peer: Some(peer),
        addresses: Vec::new(),
        owner: Some(other_site()),
        scope,
        timeout: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn claimed_addresses_are_few_and_none_is_dialed_without_a_grant() {
    let trap = Trap::start().await;
    let mut liar = Liar::start().await;
    let node = Node::start(Config {
        allow_private_network: false,
        ..client_config()
    });
    soon("dial", node.dial(&liar.address)).await.unwrap();
    for round in 0..PUSHES {
        let protocols = (0_usize..).map(|n| format!("/claim/{round}/{n}"));
        let addresses = trap.addresses(liar.peer, round * 7);
        let message = claims("flood", addresses, protocols, PUSH_BYTES);
        liar.push(node.peer(), &message).await;
    }
    // More than is read.
    let addresses = trap.addresses(liar.peer, 0);
    let message = claims("too long", addresses, std::iter::empty(), 1_000_000);
    liar.push(node.peer(), &message).await;
    // Everything before has been read when this is.
    let (addresses, speaks) = (trap.addresses(liar.peer, 1), [SIGNALLING.to_owned()]);
    let message = claims("last", addresses, speaks.into_iter(), PUSH_BYTES);
    liar.push(node.peer(), &message).await;
    let known = async || {
        let peers = node.handle.peers().await.unwrap();
        peers.into_iter().find(|known| known.peer == liar.peer)
    };
    eventually("the last", || async {
        known()
            .await
            .is_some_and(|peer| peer.agent.as_deref() == Some("last"))
    })
    .await;
    let peer = known().await.unwrap();
    assert!(
        (1..=ADDRESSES).contains(&peer.addresses.len()),
        "{}",
        peer.addresses.len()
    );
    assert!(
        peer.protocols.len() <= PROTOCOLS,
        "{}",
        peer.protocols.len()
    );
    // Nothing of it is announced as this node's own.
    assert_eq!(node.circuits().await, 0);
    assert_eq!(
        trap.count(),
        0,
        "dialed for what a peer says, without a request"
    );

    liar.task.abort();
    node.lets_go_of(liar.peer).await;
    // A site that may not reach private networks does not by another's words.
    let refused = node.handle.dial(by_id(liar.peer, Scope::GLOBAL)).await;
    let refused = refused.map(|_| ()).unwrap_err();
    assert!(
        matches!(refused, Error::Refused { .. } | Error::DialFailed { .. }),
        "{refused}"
    );
    assert_eq!(trap.count(), 0, "dialed without a grant");
    // One that may, tries what is kept, each once, and is answered in time.
    let started = Instant::now();
    let failed = node.handle.dial(by_id(liar.peer, Scope::PRIVATE)).await;
    let failed = failed.map(|_| ()).unwrap_err();
    assert!(matches!(failed, Error::DialFailed { .. }), "{failed}");
    println!("{} attempts in {:?}", trap.count(), started.elapsed());
    assert!(
        (1..=ADDRESSES).contains(&trap.count()),
        "{} attempts",
        trap.count()
    );
}
