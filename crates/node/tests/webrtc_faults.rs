//! `/webrtc` where something fails: the relay, the path, the peer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use common::{
    wire::{Fault, Wire},
    *,
};
use libp2p::{Multiaddr, multiaddr::Protocol};
use mooring_node::{Connection, DialRequest, Error, Path, TransportKind};

/// `<relay>/p2p-circuit/webrtc/p2p/<peer>`, with the relay reached another way.
fn through(relay: &Multiaddr, node: &Node) -> Multiaddr {
    relay
        .clone()
        .with(Protocol::P2pCircuit)
        .with(Protocol::WebRTC)
        .with(Protocol::P2p(node.peer()))
}

async fn dial(from: &Node, address: &Multiaddr, timeout: Duration) -> Result<Connection, Error> {
    from.handle
        .dial(DialRequest {
            timeout,
            ..request(address)
        })
        .await
}

#[tokio::test]
async fn a_relay_carries_little_and_may_fail_at_any_byte() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    webrtc_address(&near).await;
    let relay_address = relay.address().await;

    let wire = Wire::to(&relay_address, u64::MAX, Fault::Cut).await;
    let address = through(&wire.address, &near);
    let connection = soon("dial", far.dial(&address)).await.unwrap();
    assert_eq!(connection.path, Path::Direct);
    let whole = wire.carried();
    println!("the relay carried {whole} bytes until the direct connection stood");
    // With the handshakes with the relay and with the peer, identify, and all else that nodes tell each other.
    assert!(whole < 64 * 1024, "{whole}");

    let faults = [Fault::Cut, Fault::Stall]
        .into_iter()
        .flat_map(|fault| (1..8).map(move |part| (fault, part)));
    let attempts = faults.map(|(fault, part)| {
        let (near, relay_address) = (&near, &relay_address);
        async move {
            let far = Node::client();
            let wire = Wire::to(relay_address, whole * part / 8, fault).await;
            let started = Instant::now();
            let address = through(&wire.address, near);
            let result = dial(&far, &address, Duration::from_secs(100)).await;
            let took = started.elapsed();
            println!(
                "{fault:?} {part}/8: {:?} {took:?}",
                result.as_ref().map(|c| c.path)
            );
            assert!(
                took < Duration::from_secs(60),
                "{fault:?} {part}/8: {took:?}"
            );
            match result {
                // Signalling was through, or nearly.
                Ok(connection) => assert_eq!(connection.peer, near.peer()),
                Err(error) => assert!(matches!(error, Error::DialFailed { .. }), "{error}"),
            }
            (far, wire)
        }
    });
    let nodes = futures::future::join_all(attempts).await;
    for (node, _) in &nodes {
        node.handle.shutdown().await;
    }
    drop(nodes);
    // Nothing of them is left, and the next one is served as the first was.
    tokio::time::timeout(Duration::from_secs(60), async {
        while near.handle.connections().await.unwrap().len() > 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("nothing is left behind");
    let far = Node::client();
    let again = through(&relay_address, &near);
    assert_eq!(
        soon("dial", far.dial(&again)).await.unwrap().path,
        Path::Direct
    );
}

#[tokio::test]
async fn twenty_rounds_leave_nothing_behind() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let connection = soon("dial", far.dial(&address)).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(connection.transport, TransportKind::Webrtc);
        far.handle.disconnect(near.peer()).await.unwrap();
        eventually("gone here", || async {
            far.connections_to(&near).await.is_empty()
        })
        .await;
        eventually("gone there", || async {
            near.connections_to(&far).await.is_empty()
        })
        .await;
    }
    times.sort();
    println!("median dial {:?}", times[times.len() / 2]);
    assert_eq!(
        near.handle.connections().await.unwrap().len(),
        1,
        "the relay"
    );
}

/// A node on a thread of its own, which can stand still as a machine that sleeps does.
struct Sleeper {
    node: Node,
    nap: mpsc::Sender<mpsc::Receiver<()>>,
}

fn sleeper() -> Sleeper {
    let (give, take) = mpsc::channel();
    let (nap, naps) = mpsc::channel::<mpsc::Receiver<()>>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            give.send(Node::client()).unwrap();
            loop {
                match naps.try_recv() {
                    // Stands still until it is woken.
                    Ok(woken) => drop(woken.recv()),
                    Err(mpsc::TryRecvError::Empty) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
    });
    Sleeper {
        node: take.recv().unwrap(),
        nap,
    }
}

#[tokio::test]
async fn a_direct_path_that_dies_is_replaced() {
    let (relay, far) = (Node::server(TCP), Node::client());
    let Sleeper { node: near, nap } = sleeper();
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    let first = soon("dial", far.dial(&address)).await.unwrap();
    assert_eq!(first.path, Path::Direct);

    let (wake, woken) = mpsc::channel();
    nap.send(woken).unwrap();
    let long = Duration::from_secs(90);
    tokio::time::timeout(long, async {
        while far
            .connections_to(&near)
            .await
            .iter()
            .any(|c| c.id == first.id)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the silence is noticed");
    drop(wake);
    tokio::time::timeout(long, async {
        loop {
            let again = far.connections_to(&near).await;
            if let Some(direct) = again.iter().find(|c| c.path == Path::Direct) {
                // Who wanted it before has it again.
                assert_eq!(direct.owners, [site()]);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it is dialed again");
}
