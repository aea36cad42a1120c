//! Dials of a peer by its id, where only the DHT knows its addresses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use common::{
    kad::{FIND_NODE, FakeDht, answer, closer, peer},
    trap::Trap,
    *,
};
use libp2p::{Multiaddr, PeerId};
use mooring_node::{Config, DialRequest, Error, LookupOptions, OpenStream, Path, Scope};

/// A peer of the DHT that knows where these are, whether or not they are in the DHT themselves, as go-libp2p's servers know of those
/// that are connected to them.
async fn dht(known: Vec<(PeerId, Vec<Multiaddr>)>) -> FakeDht {
    FakeDht::start(Box::new(move |question| {
        let all = known
            .iter()
            .filter(|(id, _)| question.kind == FIND_NODE && question.key == id.to_bytes());
        let fields: Vec<_> = all
            .map(|(id, addresses)| closer(&peer(*id, addresses)))
            .collect();
        answer(question, &fields)
    }))
    .await
}

fn by_id(peer: PeerId, scope: Scope) -> DialRequest {
    DialRequest {
        peer: Some(peer),
        addresses: Vec::new(),
        owner: Some(site()),
        scope,
        timeout: PATIENCE,
    }
}

fn lookup() -> LookupOptions {
    LookupOptions {
        owner: site(),
        scope: Scope::PRIVATE,
        timeout: PATIENCE,
    }
}

#[tokio::test]
async fn two_clients_meet_by_what_the_dht_knows() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    let address = webrtc_address(&near).await;
    let dht = dht(vec![(near.peer(), vec![address])]).await;
    soon("dial", far.dial(&dht.address)).await.unwrap();

    let connection = soon("dial", far.handle.dial(by_id(near.peer(), Scope::PRIVATE)))
        .await
        .unwrap();
    assert_eq!(
        (connection.peer, connection.path),
        (near.peer(), Path::Direct)
    );
    assert_eq!(connection.owners, [site()]);
    assert!(dht.asked.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn a_server_leads_to_whoever_is_connected_to_it() {
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    webrtc_address(&near).await;
    far.connect(&relay).await;
    // The server hears of the new address a moment later.
    eventually("found", || async {
        let found = far.handle.find_peer(near.peer(), lookup());
        found.await.is_ok()
    })
    .await;
    let dialed = soon("dial", far.handle.dial(by_id(near.peer(), Scope::PRIVATE)))
        .await
        .unwrap();
    assert_eq!(dialed.peer, near.peer());
    // Over whichever of its addresses, which becomes a direct path by itself.
    eventually("a direct path", || far.is_only_direct_to(&near)).await;

    // Who has gone is named no more.
    let other = Node::client();
    other.connect(&relay).await;
    let gone = near.peer();
    drop(near);
    eventually("forgotten", || async {
        let found = other.handle.find_peer(gone, lookup());
        found.await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_stream_to_a_peer_that_only_the_dht_knows_dials_it() {
    let (server, far) = (Node::server(TCP), Node::client());
    let address = server.address().await;
    let dht = dht(vec![(server.peer(), vec![address])]).await;
    soon("dial", far.dial(&dht.address)).await.unwrap();
    let request = OpenStream {
        dial: Some(Scope::PRIVATE),
        owner: Some(site()),
        ..open_request(server.peer(), vec![ECHO])
    };
    let opened = soon("open", far.handle.open_stream(request)).await.unwrap();
    assert_eq!(exchange(opened.stream, b"found").await.unwrap(), b"found");
}

#[tokio::test]
async fn what_the_dht_says_is_dialed_by_the_scope_of_the_request() {
    let trap = Trap::start().await;
    let victim = PeerId::random();
    let dht = dht(vec![(victim, vec![trap.address()])]).await;
    let far = Node::start(Config {
        allow_private_network: false,
        ..client_config()
    });
    soon("dial", far.dial(&dht.address)).await.unwrap();

    let dial = |scope| soon("dial", far.handle.dial(by_id(victim, scope)));
    let error = dial(Scope::GLOBAL).await.unwrap_err();
    assert!(matches!(error, Error::DialFailed { .. }), "{error}");
    assert_eq!(trap.count(), 0, "dialed without a grant");
    let error = dial(Scope::PRIVATE).await.unwrap_err();
    assert!(matches!(error, Error::DialFailed { .. }), "{error}");
    assert_eq!(trap.count(), 1);
}

#[tokio::test]
async fn a_peer_that_nobody_knows_is_an_error_in_time() {
    let (dht, far) = (dht(Vec::new()).await, Node::client());
    // With nobody to ask, and with somebody who does not know.
    for connected in [false, true] {
        if connected {
            soon("dial", far.dial(&dht.address)).await.unwrap();
        }
        let started = Instant::now();
        let error = far
            .handle
            .dial(by_id(PeerId::random(), Scope::PRIVATE))
            .await;
        assert!(matches!(error, Err(Error::DialFailed { .. })), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    // A request that ends in a moment does, too.
    let hasty = DialRequest {
        timeout: Duration::from_millis(50),
        ..by_id(PeerId::random(), Scope::PRIVATE)
    };
    let error = soon("dial", far.handle.dial(hasty)).await.unwrap_err();
    assert!(
        matches!(error, Error::DialFailed { .. } | Error::Timeout),
        "{error}"
    );
}
