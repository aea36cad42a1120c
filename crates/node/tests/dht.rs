//! Lookups over a network of servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::Duration;

use common::*;
use futures::future::join_all;
use libp2p::{Multiaddr, PeerId, identity::Keypair};
use mooring_node::{Config, DhtKey, Error, LookupOptions, Owner, Scope};

fn options() -> LookupOptions {
    options_of(site(), Scope::PRIVATE)
}

fn options_of(owner: Owner, scope: Scope) -> LookupOptions {
    LookupOptions {
        owner,
        scope,
        timeout: PATIENCE,
    }
}

fn key(text: &str) -> DhtKey {
    DhtKey::from_bytes(text.as_bytes().to_vec()).unwrap()
}

/// A multihash of nothing in particular.
fn hash(n: u8) -> DhtKey {
    DhtKey::from_bytes([&[0x12, 0x20][..], &[n; 32]].concat()).unwrap()
}

/// Servers that know each other through the first one.
async fn network(count: usize) -> Vec<Node> {
    // As a server that is told of nobody: it dials no private address by itself, and yet learns who is near.
    let first = Node::start(Config {
        allow_private_network: false,
        ..server_config(TCP)
    });
    let address = first.address().await;
    let mut servers = vec![first];
    for _ in 1..count {
        let server = Node::start(Config {
            bootstrap: vec![address.clone()],
            ..server_config(TCP)
        });
        servers.push(server);
    }
    let first = &servers[0];
    eventually("all have found the first", || async {
        let peers = first.handle.peers().await.unwrap();
        // Only who has said what it speaks is in the table.
        let known = peers.iter().filter(|it| !it.protocols.is_empty());
        known.count() == servers.iter().skip(1).count()
    })
    .await;
    servers
}

/// A client that is connected to one of them.
async fn client_of(server: &Node) -> Node {
    let client = Node::client();
    client.connect(server).await;
    client
}

#[tokio::test]
async fn peers_are_found_over_others() {
    let servers = network(10).await;
    let client = client_of(&servers[0]).await;
    // At once: nobody has said yet what it speaks.
    for server in &servers[1..] {
        let found = soon("find", client.handle.find_peer(server.peer(), options()))
            .await
            .unwrap();
        assert_eq!(found.peer, server.peer());
        let mut address = server.address().await;
        address.pop();
        assert!(found.addresses.contains(&address), "{found:?}");
    }
    let nobody = client.handle.find_peer(PeerId::random(), options()).await;
    assert_eq!(nobody, Err(Error::NotFound));
    // It knows itself, and whom it is connected to.
    let own = client.handle.find_peer(client.peer(), options()).await;
    assert_eq!(own.unwrap().peer, client.peer());
}

#[tokio::test]
async fn the_closest_peers_are_the_closest() {
    let servers = network(10).await;
    let client = client_of(&servers[0]).await;
    for n in 0..4 {
        let key = hash(n);
        let closest = client.handle.closest_peers(key.clone(), options());
        let closest = soon("closest", closest).await.unwrap();
        let target = libp2p::kad::KBucketKey::new(key.as_bytes().to_vec());
        let mut expected: Vec<PeerId> = servers.iter().map(Node::peer).collect();
        expected.sort_by_key(|peer| target.distance(&libp2p::kad::KBucketKey::from(*peer)));
        assert_eq!(closest, expected);
    }
}

#[tokio::test]
async fn records_go_in_and_come_out() {
    let servers = network(10).await;
    let (writer, reader) = (client_of(&servers[1]).await, client_of(&servers[2]).await);
    let missing = reader.handle.get_record(key("greeting"), options()).await;
    assert_eq!(missing, Err(Error::NotFound));
    for value in [b"hello".as_slice(), b"hello again"] {
        let put = writer
            .handle
            .put_record(key("greeting"), value.to_vec(), options());
        soon("put", put).await.unwrap();
        let got = reader.handle.get_record(key("greeting"), options());
        assert_eq!(soon("get", got).await.unwrap(), value);
        // The writer asks the others too.
        let got = writer.handle.get_record(key("greeting"), options());
        assert_eq!(soon("get", got).await.unwrap(), value);
    }
    // A public key is checked on its way in.
    let public = Keypair::generate_ed25519().public();
    let name =
        |peer: PeerId| DhtKey::from_bytes([&b"/pk/"[..], &peer.to_bytes()].concat()).unwrap();
    let value = public.encode_protobuf();
    let own = name(public.to_peer_id());
    let put = writer
        .handle
        .put_record(own.clone(), value.clone(), options());
    soon("put", put).await.unwrap();
    let got = reader.handle.get_record(own, options());
    assert_eq!(soon("get", got).await.unwrap(), value);
    let put = writer
        .handle
        .put_record(name(PeerId::random()), value, options());
    assert!(soon("put", put).await.is_err());
}

#[tokio::test]
async fn a_record_that_is_too_large_is_not_sent() {
    let servers = network(2).await;
    let client = client_of(&servers[0]).await;
    let put = |length| {
        client
            .handle
            .put_record(key("large"), vec![1; length], options())
    };
    assert!(matches!(
        soon("put", put(8 * 1024 + 1)).await,
        Err(Error::LimitExceeded { .. })
    ));
    soon("put", put(8 * 1024)).await.unwrap();
}

/// A server with an address of its own provides, and stops.
#[tokio::test]
async fn providers_are_found_until_they_stop() {
    let servers = network(10).await;
    let provider = Node::start(Config {
        external: vec!["/ip4/127.0.0.1/tcp/4242/ws".parse().unwrap()],
        ..client_config()
    });
    provider.connect(&servers[3]).await;
    let seeker = client_of(&servers[4]).await;
    let find = |limit| seeker.handle.find_providers(hash(1), limit, options());

    assert_eq!(soon("find", find(20)).await.unwrap(), []);
    let (one, two) = (site(), other_site());
    for owner in [&one, &two] {
        let options = options_of(owner.clone(), Scope::PRIVATE);
        soon("provide", provider.handle.provide(hash(1), options))
            .await
            .unwrap();
    }
    let found = soon("find", find(20)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].peer, provider.peer());
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/4242/ws".parse().unwrap();
    assert!(found[0].addresses.contains(&address), "{found:?}");
    // Another is found beside it, and no more than wanted.
    servers[5].handle.provide(hash(1), options()).await.unwrap();
    assert_eq!(soon("find", find(20)).await.unwrap().len(), 2);
    assert_eq!(soon("find", find(1)).await.unwrap().len(), 1);

    // It knows by itself, as long as somebody wants it.
    let own = || async {
        let found = provider.handle.find_providers(hash(1), 20, options());
        let found = soon("find", found).await.unwrap();
        found.iter().filter(|it| it.peer == provider.peer()).count()
    };
    assert_eq!(own().await, 1);
    provider.handle.stop_providing(hash(1), one).await.unwrap();
    assert_eq!(own().await, 1);
    provider.handle.stop_providing_all(two).await.unwrap();
    assert_eq!(own().await, 0);
}

#[tokio::test]
async fn without_an_address_nothing_is_provided() {
    let servers = network(2).await;
    // Not even a relay's.
    let config = with_limits(client_config(), |limits| limits.relay_reservations = 0);
    let client = Node::start(config);
    client.connect(&servers[0]).await;
    let provide = client.handle.provide(hash(1), options());
    assert_eq!(soon("provide", provide).await, Err(Error::NoPeers));
}

#[tokio::test]
async fn with_nobody_to_ask_it_is_said_at_once() {
    let client = Node::start(Config {
        external: vec!["/ip4/127.0.0.1/tcp/4242/ws".parse().unwrap()],
        ..client_config()
    });
    let handle = &client.handle;
    let within = Duration::from_secs(1);
    let (a, b, c, d, e, f) = tokio::time::timeout(within, async {
        (
            handle.find_peer(PeerId::random(), options()).await.err(),
            handle.closest_peers(hash(1), options()).await.err(),
            handle.find_providers(hash(1), 20, options()).await.err(),
            handle.get_record(hash(1), options()).await.err(),
            handle.put_record(hash(1), vec![1], options()).await.err(),
            handle.provide(hash(1), options()).await.err(),
        )
    })
    .await
    .expect("at once");
    assert!(
        [a, b, c, d, e, f]
            .iter()
            .all(|it| *it == Some(Error::NoPeers))
    );
}

#[tokio::test]
async fn many_lookups_at_once_all_end() {
    let servers = network(6).await;
    let client = client_of(&servers[0]).await;
    let lookups = (0..64).map(|n| client.handle.closest_peers(hash(n), options()));
    let results = soon("lookups", join_all(lookups)).await;
    for result in results {
        assert_eq!(result.unwrap().len(), 6);
    }
}

#[tokio::test]
async fn a_pause_ends_lookups() {
    let servers = network(2).await;
    let client = client_of(&servers[0]).await;
    client.handle.set_paused(true).await.unwrap();
    let closest = client.handle.closest_peers(hash(1), options());
    assert_eq!(soon("closest", closest).await, Err(Error::Paused));
}
