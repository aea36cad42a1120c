//! A relay that alters, replays, drops, inserts, holds, delays or misleads what its circuits carry, while two nodes signal over them.
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
    circuits::{Fault, Plan, Relay, Way},
    *,
};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, multiaddr::Protocol};
use mooring_node::{Connection, DialRequest, Error, Path};

/// Of one dial: a description is awaited for 10 s and candidates are tried for 15 s, both perhaps a second time.
const BOUND: Duration = Duration::from_secs(60);

fn through(relay: &Relay, node: &Node) -> Multiaddr {
    relay
        .address
        .clone()
        .with(Protocol::P2pCircuit)
        .with(Protocol::WebRTC)
        .with(Protocol::P2p(node.peer()))
}

async fn dial(far: &Node, address: &Multiaddr) -> Result<Connection, Error> {
    let request = DialRequest {
        timeout: BOUND * 2,
        ..request(address)
    };
    far.handle.dial(request).await
}

/// A node that is reached over this relay and sends back what it gets.
async fn reachable(relay: &Relay) -> Node {
    let near = Node::client();
    soon("dial", near.dial(&relay.address)).await.unwrap();
    webrtc_address(&near).await;
    let serve = near.handle.accept(vec![CHAT]).await.unwrap();
    tokio::spawn(serve.for_each_concurrent(None, |incoming| async move {
        let (read, mut write) = incoming.stream.split();
        if futures::io::copy(read, &mut write).await.is_ok() {
            // Who opened it sees what came of it.
            let _ = write.close().await;
        }
    }));
    near
}

async fn no_connections(near: &Node, to: &[Node]) {
    tokio::time::timeout(BOUND, async {
        for far in to {
            while !near.connections_to(far).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    })
    .await
    .expect("nothing is left behind");
}

/// Dials under this plan. What comes of it is either the peer itself or an error, and in time.
async fn under(plan: Plan, relay: &Relay, near: &Node) -> (Node, Option<Path>) {
    let far = Node::client();
    let started = Instant::now();
    relay.set(plan);
    let result = dial(&far, &through(relay, near)).await;
    let took = started.elapsed();
    println!("{plan:?}: {:?} {took:?}", result.as_ref().map(|c| c.path));
    assert!(took < BOUND, "{plan:?}: {took:?}");
    let path = match result {
        Ok(connection) => {
            assert_eq!(connection.peer, near.peer());
            if connection.path == Path::Direct {
                let opened = soon("open", far.open(near.peer(), CHAT)).await.unwrap();
                let back = soon("echo", exchange(opened.stream, b"is it you?")).await;
                assert_eq!(back.unwrap(), b"is it you?", "{plan:?}");
            }
            Some(connection.path)
        }
        Err(error) => {
            assert!(
                matches!(error, Error::DialFailed { .. }),
                "{plan:?}: {error}"
            );
            None
        }
    };
    (far, path)
}

#[tokio::test]
async fn a_relay_may_do_with_a_circuit_what_it_likes() {
    let relay = Relay::start().await;
    let near = reachable(&relay).await;
    let (far, path) = under(Plan::HONEST, &relay, &near).await;
    assert_eq!(path, Some(Path::Direct));
    far.handle.shutdown().await;
    no_connections(&near, &[far]).await;
    let mut nodes = Vec::new();
    let mut failed = 0;
    let whole = [Way::ToListener, Way::ToDialer].map(|way| (way, relay.carried(way)));
    println!("carried: {whole:?}");
    for (way, whole) in whole {
        for part in [2, 5] {
            let at = whole * part / 8;
            for fault in [
                Fault::Alter(at),
                Fault::Replay(at),
                Fault::Drop(at),
                Fault::Insert(at),
            ] {
                let astray = None;
                let (far, path) = under(Plan { fault, way, astray }, &relay, &near).await;
                failed += usize::from(path.is_none());
                far.handle.shutdown().await;
                nodes.push(far);
            }
        }
    }
    // Otherwise it was not in the way.
    assert!(failed > 0);
    no_connections(&near, &nodes).await;
    let (_, path) = under(Plan::HONEST, &relay, &near).await;
    assert_eq!(path, Some(Path::Direct));
}

#[tokio::test]
async fn a_relay_that_holds_a_circuit_costs_its_time_limit_and_no_more() {
    let relay = Relay::start().await;
    let near = reachable(&relay).await;
    let (far, _) = under(Plan::HONEST, &relay, &near).await;
    far.handle.shutdown().await;
    let whole = [Way::ToListener, Way::ToDialer].map(|way| (way, relay.carried(way)));
    let cases = whole
        .into_iter()
        .flat_map(|(way, whole)| [1, 4, 6].map(|part| (way, Fault::Hold(whole * part / 8))));
    let mut nodes = vec![far];
    // All at once, as each takes its time: a plan holds from the next circuit on, so they begin one after another.
    let mut waiting = Vec::new();
    for (way, fault) in cases {
        let far = Node::client();
        let astray = None;
        relay.set(Plan { fault, way, astray });
        let address = through(&relay, &near);
        let handle = far.handle.clone();
        let task = tokio::spawn(async move {
            let started = Instant::now();
            let request = DialRequest {
                timeout: BOUND * 2,
                ..request(&address)
            };
            let result = handle.dial(request).await;
            (result, started.elapsed())
        });
        eventually("the circuit", || async {
            relay.peek(way) > 0 || task.is_finished()
        })
        .await;
        relay.carried(Way::ToListener);
        relay.carried(Way::ToDialer);
        waiting.push((fault, way, task));
        nodes.push(far);
    }
    for (fault, way, task) in waiting {
        let (result, took) = task.await.unwrap();
        println!(
            "{fault:?} {way:?}: {:?} {took:?}",
            result.as_ref().map(|c| c.path)
        );
        assert!(took < BOUND, "{fault:?} {way:?}: {took:?}");
        match result {
            Ok(connection) => assert_eq!(connection.peer, near.peer()),
            Err(error) => assert!(matches!(error, Error::DialFailed { .. }), "{error}"),
        }
    }
    for node in &nodes {
        node.handle.shutdown().await;
    }
    no_connections(&near, &nodes).await;
}

#[tokio::test]
async fn a_slow_relay_delays_the_direct_path_and_does_not_prevent_it() {
    let relay = Relay::start().await;
    let near = reachable(&relay).await;
    for way in [Way::ToListener, Way::ToDialer] {
        let fault = Fault::Late(Duration::from_millis(150));
        let astray = None;
        let (_far, path) = under(Plan { fault, way, astray }, &relay, &near).await;
        assert_eq!(path, Some(Path::Direct), "{way:?}");
    }
}

#[tokio::test]
async fn a_relay_cannot_lead_to_another_peer() {
    let relay = Relay::start().await;
    let (near, other) = (reachable(&relay).await, reachable(&relay).await);
    let plan = Plan {
        astray: Some(other.peer()),
        ..Plan::HONEST
    };
    let (far, path) = under(plan, &relay, &near).await;
    assert_eq!(path, None);
    assert!(!far.is_connected(other.peer()).await && !far.is_connected(near.peer()).await);
    // The one who was let in by mistake has nobody either.
    far.handle.shutdown().await;
    no_connections(&other, &[far]).await;
}
