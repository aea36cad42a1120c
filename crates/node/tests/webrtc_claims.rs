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

use std::time::{Duration, Instant};

use common::{
    protobuf::{bytes, varint},
    scripted::Scripted,
    trap::Trap,
    *,
};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{Multiaddr, PeerId, StreamProtocol, multiaddr::Protocol};
use mooring_node::{Config, DialRequest, Error, Scope};

const PUSH: StreamProtocol = StreamProtocol::new("/ipfs/id/push/1.0.0");
const SIGNALLING: &str = "/webrtc-signaling/0.0.1";
const PUSHES: usize = 150;
/// What libp2p reads of a push.
const PUSH_BYTES: usize = 4000;
/// Of one peer, by the node's own limits.
const ADDRESSES: usize = 16;
const PROTOCOLS: usize = 128;

/// Pushes these bytes, and waits until they are read or refused.
async fn push(liar: &mut Scripted, to: PeerId, message: &[u8]) {
    let Ok(mut stream) = soon("push", liar.control.open_stream(to, PUSH)).await else {
        return;
    };
    let mut framed = varint(message.len() as u64);
    framed.extend(message);
    let said = async {
        stream.write_all(&framed).await?;
        stream.close().await?;
        stream.read(&mut [0]).await
    };
    // Refused is as good.
    let _ = soon("pushed", said).await;
}

/// An `Identify` message: as many of these addresses and protocols as fit, and who it says it is.
fn claims(
    agent: &str,
    addresses: impl Iterator<Item = Multiaddr>,
    protocols: impl Iterator<Item = String>,
    most: usize,
) -> Vec<u8> {
    let mut message = bytes(6, agent.as_bytes());
    for address in addresses {
        if message.len() >= most * 3 / 4 {
            break;
        }
        message.extend(bytes(2, &address.to_vec()));
    }
    for protocol in protocols {
        if message.len() + protocol.len() + 3 >= most {
            break;
        }
        message.extend(bytes(3, protocol.as_bytes()));
    }
    message
}

/// Everything that leads to a trap, each another address: by itself, and as relay of a circuit or of signalling.
fn ways_to(trap: &Trap, peer: PeerId, round: usize) -> impl Iterator<Item = Multiaddr> {
    let port = trap.port;
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
    let mut liar = Scripted::start().await;
    let node = Node::start(Config {
        allow_private_network: false,
        ..client_config()
    });
    soon("dial", node.dial(&liar.address)).await.unwrap();
    for round in 0..PUSHES {
        let protocols = (0_usize..).map(|n| format!("/claim/{round}/{n}"));
        let addresses = ways_to(&trap, liar.peer, round * 7);
        let message = claims("flood", addresses, protocols, PUSH_BYTES);
        push(&mut liar, node.peer(), &message).await;
    }
    // More than is read.
    let addresses = ways_to(&trap, liar.peer, 0);
    let message = claims("too long", addresses, std::iter::empty(), 1_000_000);
    push(&mut liar, node.peer(), &message).await;
    // Everything before has been read when this is.
    let (addresses, speaks) = (ways_to(&trap, liar.peer, 1), [SIGNALLING.to_owned()]);
    let message = claims("last", addresses, speaks.into_iter(), PUSH_BYTES);
    push(&mut liar, node.peer(), &message).await;
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

    liar.vanish();
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
