//! `/webrtc`: from a circuit to a direct connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use futures::StreamExt;
use libp2p::{Multiaddr, StreamProtocol, multiaddr::Protocol};
use mooring_node::{Config, Error, Event, Path, TransportKind};

const CHAT: StreamProtocol = StreamProtocol::new("/chat/1.0.0");

/// Bytes there and back.
async fn echo(from: &Node, to: &Node) {
    let mut incoming = to.handle.accept(vec![CHAT]).await.unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let serve = async {
        let incoming = soon("incoming", incoming.next()).await.unwrap();
        assert!(!incoming.relayed);
        let (mut read, mut write) = futures::AsyncReadExt::split(incoming.stream);
        futures::io::copy(&mut read, &mut write).await.unwrap();
        futures::AsyncWriteExt::close(&mut write).await.unwrap();
    };
    let ask = async {
        let opened = from.open(to.peer(), CHAT).await.unwrap();
        assert!(!opened.relayed);
        exchange(opened.stream, &bytes).await.unwrap()
    };
    let ((), back) = soon("echo", futures::future::join(serve, ask)).await;
    assert_eq!(back, bytes);
}

#[tokio::test]
async fn two_nodes_behind_a_relay_connect_directly() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    assert_eq!(address.iter().last(), Some(Protocol::P2p(near.peer())));

    let start = Instant::now();
    let connection = soon("dial", far.dial(&address)).await.unwrap();
    println!("dialed in {:?}", start.elapsed());
    assert_eq!(
        (connection.peer, connection.path, connection.transport),
        (near.peer(), Path::Direct, TransportKind::Webrtc)
    );
    eventually("direct there, too", || async {
        near.connections_to(&far)
            .await
            .iter()
            .any(|c| (c.path, c.transport) == (Path::Direct, TransportKind::Webrtc))
    })
    .await;
    echo(&far, &near).await;
    echo(&near, &far).await;

    // The circuit is given up, and the relay not needed any more.
    eventually("no circuit here", || far.is_only_direct_to(&near)).await;
    eventually("no circuit there", || near.is_only_direct_to(&far)).await;
    relay.task.abort();
    eventually("the relay is gone", || async {
        !near.is_connected(relay.peer()).await
    })
    .await;
    echo(&far, &near).await;
    echo(&near, &far).await;
}

#[tokio::test]
async fn a_circuit_becomes_direct_by_itself() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let circuit: Multiaddr = webrtc_address(&near)
        .await
        .iter()
        .filter(|protocol| *protocol != Protocol::WebRTC)
        .collect();
    let mut events = far.handle.events().await.unwrap();
    let connection = soon("dial", far.dial(&circuit)).await.unwrap();
    assert_eq!(connection.path, Path::Relayed);
    soon("upgraded", async {
        loop {
            if let Some(Event::ConnectionUpgraded {
                connection,
                from,
                to,
            }) = events.next().await
            {
                assert_eq!((from, to), (Path::Relayed, Path::Direct));
                assert_eq!(connection.transport, TransportKind::Webrtc);
                // Its owner is the site that dialed the circuit.
                assert_eq!(connection.owners, [site()]);
                break;
            }
        }
    })
    .await;
    echo(&far, &near).await;
    eventually("no circuit", || far.is_only_direct_to(&near)).await;
}

#[tokio::test]
async fn a_stream_on_the_circuit_keeps_it() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let circuit: Multiaddr = webrtc_address(&near)
        .await
        .iter()
        .filter(|protocol| *protocol != Protocol::WebRTC)
        .collect();
    soon("dial", far.dial(&circuit)).await.unwrap();
    let mut incoming = near.handle.accept(vec![CHAT]).await.unwrap();
    let opened = far.open(near.peer(), CHAT).await.unwrap();
    assert!(opened.relayed, "the upgrade was quicker than the stream");
    let there = soon("incoming", incoming.next()).await.unwrap();
    drop(incoming);
    eventually("direct", || async {
        far.connections_to(&near)
            .await
            .iter()
            .any(|c| c.path == Path::Direct)
    })
    .await;
    echo(&far, &near).await;
    // Longer than an unused circuit is kept.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let serve = async {
        let (mut read, mut write) = futures::AsyncReadExt::split(there.stream);
        futures::io::copy(&mut read, &mut write).await.unwrap();
        futures::AsyncWriteExt::close(&mut write).await.unwrap();
    };
    let (back, ()) = soon(
        "the old stream",
        futures::future::join(exchange(opened.stream, b"still here"), serve),
    )
    .await;
    assert_eq!(back.unwrap(), b"still here");
    eventually("no circuit", || far.is_only_direct_to(&near)).await;
}

#[tokio::test]
async fn two_simultaneous_dials_end_in_one_connection() {
    for _ in 0..3 {
        let (relay, a, b) = (Node::server(TCP), Node::client(), Node::client());
        a.connect(&relay).await;
        b.connect(&relay).await;
        let (to_a, to_b) = (webrtc_address(&a).await, webrtc_address(&b).await);
        let (first, second) =
            soon("dials", futures::future::join(a.dial(&to_b), b.dial(&to_a))).await;
        assert_eq!(first.unwrap().path, Path::Direct);
        assert_eq!(second.unwrap().path, Path::Direct);
        eventually("one", || a.is_only_direct_to(&b)).await;
        eventually("one there", || b.is_only_direct_to(&a)).await;
        echo(&a, &b).await;
    }
}

#[tokio::test]
async fn without_a_grant_private_addresses_are_not_used() {
    let (relay, far) = (Node::server(TCP), Node::client());
    // It may reach the relay, as its owner allowed that, and nothing else that is private.
    let near = Node::start(Config {
        allow_private_network: false,
        ..client_config()
    });
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    let started = Instant::now();
    // No candidate is used: the circuit is what is left.
    let connection = soon("dial", far.dial(&address)).await.unwrap();
    assert_eq!(connection.path, Path::Relayed);
    assert!(
        started.elapsed() >= Duration::from_secs(5),
        "it was not tried"
    );
    near.handle.set_private_streams(true).await.unwrap();
    eventually("tried again, and direct", || async {
        far.connections_to(&near)
            .await
            .iter()
            .any(|c| c.path == Path::Direct)
    })
    .await;
    // Its address says nothing of it.
    let direct = async || {
        let all = near.connections_to(&far).await;
        all.into_iter().find(|c| c.path == Path::Direct)
    };
    let visit = direct().await.unwrap();
    assert!(visit.private, "{visit:?}");
    near.handle.set_private_streams(true).await.unwrap();
    assert_eq!(direct().await.map(|c| c.id), Some(visit.id.clone()));
    near.handle.set_private_streams(false).await.unwrap();
    eventually("closed with what allowed it", || async {
        direct().await.is_none_or(|c| c.id != visit.id)
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_an_error_in_time() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    near.handle.shutdown().await;
    let error = soon("dial", far.dial(&address)).await.unwrap_err();
    assert!(matches!(error, Error::DialFailed { .. }), "{error}");
    assert!(!far.is_connected(near.peer()).await);
}

#[tokio::test]
async fn nobody_but_the_node_signals() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    soon("dial", far.dial(&address)).await.unwrap();
    for signalling in ["/webrtc-signaling/0.0.1", "/webrtc-signaling"] {
        let signalling = StreamProtocol::new(signalling);
        let opened = far.open(near.peer(), signalling.clone()).await;
        assert!(matches!(opened, Err(Error::Refused { .. })), "{opened:?}");
        let accepted = far.handle.accept(vec![signalling]).await;
        assert!(matches!(accepted, Err(Error::Refused { .. })));
    }
}

#[tokio::test]
async fn what_was_signalled_over_a_relay_is_no_answer_to_a_dial_of_the_relay() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let direct = soon("dial", far.dial(&webrtc_address(&near).await)).await;
    assert_eq!(direct.unwrap().peer, near.peer());
    let mut address = relay.address().await;
    // By its address alone.
    assert_eq!(address.pop(), Some(Protocol::P2p(relay.peer())));
    let connection = soon("dial", far.dial(&address)).await.unwrap();
    assert_eq!(connection.peer, relay.peer());
}
