//! Where lookups may lead, and what hostile answers come to.
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
    kad::{FakeDht, GET_PROVIDERS, answer, closer, peer, provider, record},
    protobuf::{bytes, number},
    trap::Trap,
    *,
};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use mooring_node::{Config, DhtKey, Error, LookupOptions, Scope};

fn options(scope: Scope) -> LookupOptions {
    LookupOptions {
        owner: site(),
        scope,
        timeout: PATIENCE,
    }
}

fn hash(n: u8) -> DhtKey {
    DhtKey::from_bytes([&[0x12, 0x20][..], &[n; 32]].concat()).unwrap()
}

/// A node of which a site reached the DHT's peer, itself without the right to private networks.
async fn client_of(dht: &FakeDht) -> Node {
    let client = Node::start(Config {
        allow_private_network: false,
        external: vec!["/ip4/9.9.9.9/tcp/4242/ws".parse().unwrap()],
        ..client_config()
    });
    soon("dial", client.dial(&dht.address)).await.unwrap();
    client
}

async fn every_lookup(client: &Node, victim: PeerId, scope: Scope) {
    let handle = &client.handle;
    let found = soon("find", handle.find_peer(victim, options(scope))).await;
    if let Ok(found) = found {
        assert_eq!(found.addresses.is_empty(), !scope.private_network);
    }
    let _ = soon("closest", handle.closest_peers(hash(1), options(scope))).await;
    let providers = handle.find_providers(hash(1), 20, options(scope));
    let providers = soon("providers", providers).await.unwrap();
    // It may be one itself by now, at its own address.
    for found in providers.iter().filter(|it| it.peer == victim) {
        assert_eq!(found.addresses.is_empty(), !scope.private_network);
    }
    let _ = soon("get", handle.get_record(hash(1), options(scope))).await;
    let _ = soon("put", handle.put_record(hash(1), vec![1], options(scope))).await;
    let _ = soon("provide", handle.provide(hash(1), options(scope))).await;
}

#[tokio::test]
async fn a_lookup_reaches_private_addresses_only_for_who_may() {
    let trap = Trap::start().await;
    let victim = PeerId::random();
    // The same in other spellings, and behind a relay.
    let port = Protocol::Tcp(trap.port);
    let relay = PeerId::random();
    let mut spellings: Vec<Multiaddr> =
        ["/ip6/::ffff:127.0.0.1", "/dns4/localhost", "/ip4/127.1.2.3"]
            .iter()
            .map(|host| host.parse::<Multiaddr>().unwrap().with(port.clone()))
            .collect();
    spellings.push(
        format!("{}/p2p/{relay}/p2p-circuit", trap.address())
            .parse()
            .unwrap(),
    );
    spellings.push(trap.address());
    let entry = peer(victim, &spellings);
    let dht = FakeDht::start(Box::new(move |question| {
        answer(question, &[closer(&entry), provider(&entry)])
    }))
    .await;
    let client = client_of(&dht).await;

    every_lookup(&client, victim, Scope::GLOBAL).await;
    assert!(dht.asked.load(Ordering::SeqCst) >= 6);
    assert_eq!(trap.count(), 0);

    // The same with the right to it does connect: the trap counts.
    every_lookup(&client, victim, Scope::PRIVATE).await;
    assert!(trap.count() > 0);
    let seen = trap.count();

    // And what that left behind is of no use to those without.
    every_lookup(&client, victim, Scope::GLOBAL).await;
    assert_eq!(trap.count(), seen);
}

/// The dead are named for a long time; whoever was not there is not tried by each lookup anew.
#[tokio::test]
async fn an_address_that_led_nowhere_is_left_alone_for_a_while() {
    let trap = Trap::start().await;
    let entry = peer(PeerId::random(), &[trap.address()]);
    let dht = FakeDht::start(Box::new(move |question| {
        answer(question, &[closer(&entry)])
    }))
    .await;
    let client = client_of(&dht).await;
    let mut seen = Vec::new();
    for n in 0..3 {
        let closest = client
            .handle
            .closest_peers(hash(n), options(Scope::PRIVATE));
        assert_eq!(soon("closest", closest).await.unwrap().len(), 1);
        seen.push(trap.count());
    }
    assert_eq!(seen, [1, 1, 1]);
}

/// The other way round: what the node knows only because a near peer is connected.
#[tokio::test]
async fn a_near_peer_leaves_the_table_with_its_connection() {
    let dht = FakeDht::start(Box::new(|question| answer(question, &[]))).await;
    let client = client_of(&dht).await;
    let asked = client.handle.closest_peers(hash(1), options(Scope::GLOBAL));
    // It is connected, so that nothing is dialed.
    assert_eq!(soon("closest", asked).await.unwrap().len(), 1);
    let near = libp2p_peer(&dht.address);
    client.handle.disconnect(near).await.unwrap();
    client.lets_go_of(near).await;
    for scope in [Scope::GLOBAL, Scope::PRIVATE] {
        let asked = client.handle.closest_peers(hash(1), options(scope));
        assert_eq!(soon("closest", asked).await, Err(Error::NoPeers));
    }
}

fn libp2p_peer(address: &Multiaddr) -> PeerId {
    mooring_node::address_policy::peer_of(address).unwrap()
}

#[tokio::test]
async fn a_record_under_another_key_is_none() {
    let dht = FakeDht::start(Box::new(|question| {
        let other = [&question.key[..], &[0]].concat();
        answer(question, &[record(&other, b"false")])
    }))
    .await;
    let client = client_of(&dht).await;
    let get = client.handle.get_record(hash(1), options(Scope::GLOBAL));
    assert_eq!(soon("get", get).await, Err(Error::NotFound));
    // And one that is what it claims to be.
    let right = FakeDht::start(Box::new(|question| {
        answer(question, &[record(&question.key, b"true")])
    }))
    .await;
    soon("dial", client.dial(&right.address)).await.unwrap();
    eventually("the right one is asked", || async {
        let get = client.handle.get_record(hash(1), options(Scope::GLOBAL));
        soon("get", get).await == Ok(b"true".to_vec())
    })
    .await;
    // A public key that is none.
    let named = [b"/pk/".as_slice(), &PeerId::random().to_bytes()].concat();
    let get = client
        .handle
        .get_record(DhtKey::from_bytes(named).unwrap(), options(Scope::GLOBAL));
    assert_eq!(soon("get", get).await, Err(Error::NotFound));
}

#[tokio::test]
async fn long_lists_are_cut() {
    // As many as fit into one message.
    let many: Vec<Vec<u8>> = (0..1500)
        .map(|_| provider(&peer(PeerId::random(), &[])))
        .collect();
    let close: Vec<Vec<u8>> = (0..1500)
        .map(|_| closer(&peer(PeerId::random(), &[])))
        .collect();
    let dht = FakeDht::start(Box::new(move |question| match question.kind {
        GET_PROVIDERS => answer(question, &many),
        _ => answer(question, &close),
    }))
    .await;
    let client = client_of(&dht).await;
    for (limit, expected) in [(1, 1), (20, 20), (1000, 1000), (usize::MAX, 1000)] {
        let find = client
            .handle
            .find_providers(hash(1), limit, options(Scope::GLOBAL));
        assert_eq!(soon("providers", find).await.unwrap().len(), expected);
    }
    let closest = client.handle.closest_peers(hash(1), options(Scope::GLOBAL));
    assert_eq!(soon("closest", closest).await.unwrap().len(), 1);
}

#[tokio::test]
async fn answers_that_are_none_count_as_none() {
    let garbage: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0xff; 100],
        number(1, 99),
        // No peer id, a cut one, no address.
        [number(1, 4), bytes(8, &bytes(1, &[0; 3]))].concat(),
        [number(1, 4), vec![0x42, 0x7f, 1, 2]].concat(),
        bytes(3, &[0xff; 1000]),
        vec![0; 200_000],
    ];
    for message in garbage {
        let dht = FakeDht::start(Box::new(move |_| Some(message.clone()))).await;
        let client = client_of(&dht).await;
        let scope = Scope::GLOBAL;
        let handle = &client.handle;
        let found = soon("find", handle.find_peer(PeerId::random(), options(scope))).await;
        assert!(found.is_err(), "{found:?}");
        let got = soon("get", handle.get_record(hash(1), options(scope))).await;
        assert!(got.is_err(), "{got:?}");
        let _ = soon("put", handle.put_record(hash(1), vec![1], options(scope))).await;
        let _ = soon("closest", handle.closest_peers(hash(1), options(scope))).await;
        // The node lives.
        assert!(client.handle.peers().await.is_ok());
    }
}

#[tokio::test]
async fn one_that_hangs_up_has_not_answered() {
    let dht = FakeDht::start(Box::new(|_| None)).await;
    let client = client_of(&dht).await;
    let get = client.handle.get_record(hash(1), options(Scope::GLOBAL));
    assert_eq!(soon("get", get).await, Err(Error::NoPeers));
}

/// A call that is dropped gives its place free at once, although its peer holds it for long.
#[tokio::test]
async fn a_dropped_call_ends_its_lookup() {
    // Names peers that hang, so that a lookup goes on.
    let silent = Silent::start().await;
    let hanging: Vec<Vec<u8>> = (0..20)
        .map(|_| {
            closer(&peer(
                PeerId::random(),
                std::slice::from_ref(&silent.address),
            ))
        })
        .collect();
    let dht = FakeDht::start(Box::new(move |question| answer(question, &hanging))).await;
    let mut config = client_config();
    config.limits.lookups = 1;
    let client = Node::start(config);
    soon("dial", client.dial(&dht.address)).await.unwrap();
    let lookups: Vec<_> = (0..5)
        .map(|n| {
            let handle = client.handle.clone();
            tokio::spawn(async move {
                let result = handle.closest_peers(hash(n), options(Scope::PRIVATE)).await;
                panic!("{result:?}");
            })
        })
        .collect();
    let begun = Instant::now();
    for (done, lookup) in lookups.into_iter().enumerate() {
        eventually("asked", || async {
            dht.asked.load(Ordering::SeqCst) > done
        })
        .await;
        lookup.abort();
    }
    // Waiting each time for the housekeeping, or for the time limit, would take longer.
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}
