//! Circuits: a reservation that comes by itself, a dial through it, and what it is called.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::Duration;

use common::*;
use futures::StreamExt;
use libp2p::{Multiaddr, multiaddr::Protocol};
use mooring_node::{
    Config, DialRequest, Direction, Error, Event, OpenStream, Path, Scope, TransportKind,
};

async fn circuit_address(node: &Node) -> Multiaddr {
    let mut found = None;
    soon("a circuit address", async {
        while found.is_none() {
            let addresses = node.handle.addresses().await.unwrap();
            found = addresses
                .into_iter()
                .find(|a| a.iter().any(|p| p == Protocol::P2pCircuit));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    found.unwrap()
}

#[tokio::test]
async fn a_relay_is_reserved_on_and_leads_to_the_client() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let circuit = circuit_address(&near).await;
    assert_eq!(circuit.iter().last(), Some(Protocol::P2p(near.peer())));
    assert!(circuit.iter().any(|p| p == Protocol::P2p(relay.peer())));
    // One address, however it was learned.
    let all = near.handle.addresses().await.unwrap();
    assert_eq!(
        all.iter().filter(|address| **address == circuit).count(),
        1,
        "{all:?}"
    );

    let connection = soon("dial", far.dial(&circuit)).await.unwrap();
    assert_eq!(connection.peer, near.peer());
    assert_eq!(connection.path, Path::Relayed);
    assert_eq!(connection.transport, TransportKind::Relay);
    eventually("inbound there", || near.is_connected(far.peer())).await;
    let there = near.handle.connections().await.unwrap();
    let there = there.iter().find(|c| c.peer == far.peer()).unwrap();
    assert_eq!(
        (there.direction, there.path),
        (Direction::Inbound, Path::Relayed)
    );

    // Streams and pings run over it, and say so.
    soon("ping", far.handle.ping(near.peer())).await.unwrap();
    let mut incoming = near.handle.accept(vec![CHAT]).await.unwrap();
    let opened = far.open(near.peer(), CHAT).await.unwrap();
    assert!(opened.relayed);
    assert!(soon("incoming", incoming.next()).await.unwrap().relayed);
    let direct = OpenStream {
        allow_relayed: false,
        ..open_request(near.peer(), vec![CHAT])
    };
    assert_eq!(
        far.handle.open_stream(direct).await.unwrap_err(),
        Error::NotConnected
    );
}

#[tokio::test]
async fn a_circuit_is_judged_by_its_relay() {
    let (relay, near) = (Node::server(TCP), Node::client());
    near.connect(&relay).await;
    let circuit = circuit_address(&near).await;
    // Also a node whose own upkeep stays out of private networks follows a request's scope.
    let far = Node::start(Config {
        allow_private_network: false,
        ..client_config()
    });
    let refused = DialRequest {
        scope: Scope::GLOBAL,
        ..request(&circuit)
    };
    assert!(matches!(
        far.handle.dial(refused).await,
        Err(Error::Refused { .. })
    ));
    assert!(far.handle.connections().await.unwrap().is_empty());
    assert_eq!(
        soon("dial", far.dial(&circuit)).await.unwrap().peer,
        near.peer()
    );
}

#[tokio::test]
async fn a_direct_connection_upgrades_a_relayed_one() {
    let (relay, far) = (Node::server(TCP), Node::client());
    let near = Node::start(Config {
        listen: vec![TCP.parse().unwrap()],
        ..client_config()
    });
    let direct = near.address().await;
    near.connect(&relay).await;
    let circuit = circuit_address(&near).await;
    soon("dial", far.dial(&circuit)).await.unwrap();

    let mut events = far.handle.events().await.unwrap();
    let _accepting = near.handle.accept(vec![CHAT]).await.unwrap();
    eventually("its direct address is known", || async {
        let peers = far.handle.peers().await.unwrap();
        let bare: Multiaddr = direct.iter().take(2).collect();
        peers
            .iter()
            .any(|peer| peer.peer == near.peer() && peer.addresses.contains(&bare))
    })
    .await;
    // What may not be relayed makes it dial directly.
    let opened = far
        .handle
        .open_stream(OpenStream {
            allow_relayed: false,
            dial: Some(Scope::PRIVATE),
            ..open_request(near.peer(), vec![CHAT])
        })
        .await
        .unwrap();
    assert!(!opened.relayed);
    soon("upgraded", async {
        loop {
            if let Some(Event::ConnectionUpgraded {
                connection,
                from,
                to,
            }) = events.next().await
            {
                assert_eq!(
                    (connection.peer, from, to),
                    (near.peer(), Path::Relayed, Path::Direct)
                );
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_released_relay_is_let_go_with_its_reservation() {
    let (relay, near) = (Node::server(TCP), Node::client());
    near.connect(&relay).await;
    circuit_address(&near).await;
    near.handle.release(relay.peer(), site()).await.unwrap();
    near.lets_go_of(relay.peer()).await;
    eventually("the address went with it", || async {
        near.handle.addresses().await.unwrap().is_empty()
    })
    .await;
    // And comes back with the next connection.
    near.connect(&relay).await;
    circuit_address(&near).await;
}

#[tokio::test]
async fn reservations_stop_at_the_limit() {
    let relays = [Node::server(TCP), Node::server(TCP), Node::server(TCP)];
    let mut config = client_config();
    config.limits.relay_reservations = 2;
    let near = Node::start(config);
    for relay in &relays {
        near.connect(relay).await;
    }
    eventually("two reservations", || async { near.circuits().await == 2 }).await;
    eventually("all are identified", || async {
        near.handle
            .peers()
            .await
            .unwrap()
            .iter()
            .filter(|p| p.agent.is_some())
            .count()
            >= 3
    })
    .await;
    assert_eq!(near.circuits().await, 2);
}
