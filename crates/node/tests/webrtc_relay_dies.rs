//! The relay dies while a circuit has owners and streams and the direct path is being signalled.
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
    wire::{Fault, Wire},
    *,
};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, multiaddr::Protocol};
use mooring_node::{Config, DialRequest, Error, Path};

/// Longer than candidates are tried (15 s) and a description is awaited (10 s).
const BOUND: Duration = Duration::from_secs(40);
/// Longer than all the node's attempts at one peer with the pauses between them.
const LONG: Duration = Duration::from_secs(120);
/// Nodes say nothing for so long when the candidates are told and lead nowhere.
const QUIET: Duration = Duration::from_millis(700);

/// A pair over one relay, whose links can be cut. Signalling takes as long as it may: `near` uses no private candidate.
struct Meeting {
    _relay: Node,
    wire: Wire,
    near: Node,
    far: Node,
}

impl Meeting {
    /// Does the link that is cut lead from both of them?
    async fn new(both: bool) -> Self {
        let relay = Node::server(TCP);
        let wire = Wire::to(&relay.address().await, u64::MAX, Fault::Cut).await;
        let near = Node::start(Config {
            allow_private_network: false,
            ..client_config()
        });
        let address = if both {
            wire.address.clone()
        } else {
            relay.address().await
        };
        soon("dial", near.dial(&address)).await.unwrap();
        webrtc_address(&near).await;
        Self {
            _relay: relay,
            wire,
            near,
            far: Node::client(),
        }
    }

    fn circuit(&self) -> Multiaddr {
        self.wire
            .address
            .clone()
            .with(Protocol::P2pCircuit)
            .with(Protocol::P2p(self.near.peer()))
    }

    fn webrtc(&self) -> Multiaddr {
        self.wire
            .address
            .clone()
            .with(Protocol::P2pCircuit)
            .with(Protocol::WebRTC)
            .with(Protocol::P2p(self.near.peer()))
    }
}

/// As [`eventually`], with more time.
async fn within<F: Future<Output = bool>>(
    bound: Duration,
    what: &str,
    mut check: impl FnMut() -> F,
) {
    tokio::time::timeout(bound, async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[tokio::test]
async fn owners_and_streams_of_the_circuit_end_and_it_comes_back_with_the_relay() {
    let meeting = Meeting::new(true).await;
    let Meeting {
        wire, near, far, ..
    } = &meeting;
    let mut incoming = near.handle.accept(vec![CHAT]).await.unwrap();
    let circuit = soon("dial", far.dial(&meeting.circuit())).await.unwrap();
    assert_eq!(circuit.path, Path::Relayed);
    let mut opened = far.open(near.peer(), CHAT).await.unwrap();
    opened.stream.write_all(b"there").await.unwrap();
    opened.stream.flush().await.unwrap();
    let mut there = soon("incoming", incoming.next()).await.unwrap();
    let mut bytes = [0; 5];
    soon("read", there.stream.read_exact(&mut bytes))
        .await
        .unwrap();
    drop(incoming);
    // The offer and its answer are exchanged, and no candidate works.
    soon("signalling", wire.quiet(QUIET)).await;
    assert!(far.connections_to(near).await.len() == 1);

    wire.cut();
    // What waits on the streams hears of it at both ends, and nothing is left of the connection.
    for stream in [&mut opened.stream, &mut there.stream] {
        let read = soon("the stream's end", stream.read(&mut bytes)).await;
        assert!(!matches!(read, Ok(1..)), "{read:?}");
    }
    eventually("gone here", || async {
        far.connections_to(near).await.is_empty()
    })
    .await;
    eventually("gone there", || async {
        near.connections_to(far).await.is_empty()
    })
    .await;
    let error = far.open(near.peer(), CHAT).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::NotConnected), "{error}");

    // What stood in the way is gone, and the relay is back: the node gets there without being asked again.
    near.handle.set_private_streams(true).await.unwrap();
    wire.mend();
    within(LONG, "direct", || async {
        let all = far.connections_to(near).await;
        all.iter()
            .any(|c| c.path == Path::Direct && c.owners == [site()])
    })
    .await;
}

#[tokio::test]
async fn requests_for_a_direct_path_fail_in_time_and_leave_nothing_behind() {
    let meeting = Meeting::new(false).await;
    let Meeting {
        wire, near, far, ..
    } = &meeting;
    // A relay of its own that stays: what `far` holds without this meeting.
    let other = Node::server(TCP);
    far.connect(&other).await;
    near.connect(&other).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    soon("all is said", wire.quiet(QUIET)).await;
    let before = tasks();

    let address = meeting.webrtc();
    let dial = |owner| async {
        let request = DialRequest {
            timeout: BOUND,
            ..request_of(owner, &address)
        };
        far.handle.dial(request).await
    };
    let fault = async {
        eventually("the circuit", || async {
            !far.connections_to(near).await.is_empty()
        })
        .await;
        wire.quiet(QUIET).await;
        wire.cut();
        Instant::now()
    };
    let (first, second, cut) = futures::join!(dial(site()), dial(other_site()), fault);
    for result in [first, second] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::DialFailed { .. }), "{error}");
    }
    assert!(cut.elapsed() < BOUND, "{:?}", cut.elapsed());
    within(BOUND, "no connection", || async {
        far.connections_to(near).await.is_empty() && near.connections_to(far).await.is_empty()
    })
    .await;
    // Attempts, their sockets and their circuits are tasks.
    within(BOUND, "no task", || async { tasks() <= before }).await;

    // Over another relay they meet as if nothing had been.
    near.handle.set_private_streams(true).await.unwrap();
    let again = other
        .address()
        .await
        .with(Protocol::P2pCircuit)
        .with(Protocol::WebRTC)
        .with(Protocol::P2p(near.peer()));
    within(BOUND, "reserved on the other relay", || async {
        let addresses = near.handle.addresses().await.unwrap();
        addresses
            .iter()
            .any(|a| a.iter().any(|part| part == Protocol::P2p(other.peer())))
    })
    .await;
    let connection = soon("dial", far.dial(&again)).await.unwrap();
    assert_eq!(connection.path, Path::Direct);
    assert_eq!(connection.owners, [site()]);
}
