//! Relays that answer late, refuse, or let reservations end at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{circuits::granted, protobuf::number, scripted::Scripted, *};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, PeerId, StreamProtocol, multiaddr::Protocol};
use tokio::sync::watch;

const HOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");

/// What a relay says to a request for a reservation.
#[derive(Clone, Copy)]
enum Answer {
    /// Yes, for so many seconds.
    Granted(u64),
    Refused,
}

/// A relay with a will of its own, as far as a reservation's request.
struct FaultyRelay {
    address: Multiaddr,
    peer: PeerId,
    /// How often it was asked.
    asked: Arc<AtomicUsize>,
    /// How often it has said what it speaks.
    told: Arc<AtomicUsize>,
    _peer: Scripted,
}

impl FaultyRelay {
    /// Answers once there is something to answer with.
    async fn start(answer: watch::Receiver<Option<Answer>>) -> Self {
        let mut peer = Scripted::start().await;
        let mut incoming = peer.accept(HOP);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        peer.run(async move {
            while let Some((_, stream)) = incoming.next().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(reply(stream, answer.clone()));
            }
        });
        Self {
            address: peer.address.clone(),
            peer: peer.peer,
            asked,
            told: Arc::clone(&peer.told),
            _peer: peer,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn reply(mut stream: libp2p::Stream, mut answer: watch::Receiver<Option<Answer>>) {
    let mut length = [0];
    stream.read_exact(&mut length).await.unwrap();
    let mut request = vec![0; length[0].into()];
    stream.read_exact(&mut request).await.unwrap();
    // `type = RESERVE`: the only request in these tests.
    assert_eq!(request, [0x08, 0]);
    let Ok(answer) = answer.wait_for(Option::is_some).await.map(|answer| *answer) else {
        return;
    };
    // A client that has gone meanwhile does not read it.
    let _ = stream.write_all(&status(answer.unwrap())).await;
    let _ = stream.close().await;
}

/// A `HopMessage` (circuit relay v2) of type STATUS, with its length before it.
fn status(answer: Answer) -> Vec<u8> {
    let message = match answer {
        Answer::Refused => [number(1, 2), number(5, 200)].concat(),
        Answer::Granted(seconds) => granted(seconds),
    };
    let mut framed = vec![u8::try_from(message.len()).unwrap()];
    framed.extend(message);
    framed
}

#[tokio::test]
async fn a_reservation_granted_after_its_relay_was_released_harms_nobody() {
    let (answer, answers) = watch::channel(None);
    let (relay, other, node) = (
        FaultyRelay::start(answers).await,
        Node::server(TCP),
        Node::client(),
    );
    node.connect(&other).await;
    eventually("another relay", || async { node.circuits().await == 1 }).await;
    soon("dial", node.dial(&relay.address)).await.unwrap();
    eventually("asked", || async { relay.asked() == 1 }).await;
    // Neither an open stream nor a circuit: it would close within a second.
    node.handle.release(relay.peer, site()).await.unwrap();
    answer.send_replace(Some(Answer::Granted(3600)));
    node.lets_go_of(relay.peer).await;
    assert!(node.is_connected(other.peer()).await);
    assert!(!node.task.is_finished());
}

#[tokio::test]
async fn a_place_that_a_relay_refuses_goes_to_another() {
    let refused = watch::channel(Some(Answer::Refused));
    let relay = FaultyRelay::start(refused.1).await;
    let mut config = client_config();
    config.limits.relay_reservations = 1;
    let (other, node) = (Node::server(TCP), Node::start(config));
    soon("dial", node.dial(&relay.address)).await.unwrap();
    eventually("asked", || async { relay.asked() == 1 }).await;
    node.connect(&other).await;
    eventually("reserved on the other", || async {
        node.circuits().await == 1
    })
    .await;
    assert!(node.is_connected(relay.peer).await);
}

#[tokio::test]
async fn a_relay_found_while_all_places_were_taken_gets_one_that_is_free_again() {
    let mut config = client_config();
    config.limits.relay_reservations = 1;
    let (first, second, node) = (Node::server(TCP), Node::server(TCP), Node::start(config));
    let through = |relay: PeerId| {
        let node = &node;
        async move {
            let addresses = node.handle.addresses().await.unwrap();
            addresses
                .iter()
                .any(|a| a.iter().any(|p| p == Protocol::P2p(relay)))
        }
    };
    node.connect(&first).await;
    eventually("the first", || through(first.peer())).await;
    node.connect(&second).await;
    eventually("the second is identified", || async {
        let peers = node.handle.peers().await.unwrap();
        peers
            .iter()
            .any(|p| p.peer == second.peer() && p.agent.is_some())
    })
    .await;
    assert!(!through(second.peer()).await);
    node.handle.disconnect(first.peer()).await.unwrap();
    eventually("the second", || through(second.peer())).await;
}

#[tokio::test]
async fn a_relay_whose_reservations_end_at_once_is_left() {
    let granted = watch::channel(Some(Answer::Granted(0)));
    let (relay, node) = (FaultyRelay::start(granted.1).await, Node::client());
    soon("dial", node.dial(&relay.address)).await.unwrap();
    node.lets_go_of(relay.peer).await;
    let asked = relay.asked();
    assert!(asked < 50, "{asked}");
    // It is not asked again when it is dialed again.
    let told = relay.told.load(Ordering::SeqCst);
    soon("dial", node.dial(&relay.address)).await.unwrap();
    eventually("told again", || async {
        relay.told.load(Ordering::SeqCst) > told
    })
    .await;
    for _ in 0..3 {
        // Behind what it was told: a stream there and back.
        assert_eq!(
            node.handle.ping(relay.peer).await.unwrap_err(),
            mooring_node::Error::ProtocolNotSupported
        );
    }
    assert_eq!(relay.asked(), asked);
}
