//! What a node knew before it ended: the next one begins with it, and needs nobody to introduce it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::*;
use libp2p::{Multiaddr, PeerId};
use mooring_node::{Config, Error, KnownPeer, KnownPeers, LookupOptions, Owner, Scope};

fn options() -> LookupOptions {
    LookupOptions {
        owner: site(),
        scope: Scope::PRIVATE,
        timeout: PATIENCE,
    }
}

/// As the disk has it.
fn kept(known: &KnownPeers) -> KnownPeers {
    KnownPeers::decode(&known.encode()).unwrap()
}

fn with(known_peers: KnownPeers) -> Config {
    Config {
        known_peers,
        ..client_config()
    }
}

/// One of the DHT, reached there.
fn known(peer: PeerId, mut address: Multiaddr) -> KnownPeer {
    if mooring_node::address_policy::peer_of(&address).is_some() {
        address.pop();
    }
    KnownPeer {
        peer,
        addresses: vec![address],
        seen: 1,
        dht: true,
        failures: 0,
    }
}

/// Until it knows what this one speaks, and may name it to others.
async fn knows(node: &Node, other: PeerId) {
    eventually("they have met", || async {
        let peers = node.handle.peers().await.unwrap();
        peers
            .iter()
            .any(|it| it.peer == other && !it.protocols.is_empty())
    })
    .await;
}

/// Two servers that met over a third one, which is gone.
async fn two_servers() -> (Node, Node) {
    let first = Node::server(TCP);
    let address = first.address().await;
    let servers = [(); 2].map(|()| {
        Node::start(Config {
            bootstrap: vec![address.clone()],
            ..server_config(TCP)
        })
    });
    let [near, far] = servers;
    knows(&near, far.peer()).await;
    knows(&far, near.peer()).await;
    first.handle.shutdown().await;
    (near, far)
}

/// What a node knows once it has met this server.
async fn snapshot(node: &Node, server: &Node) -> KnownPeers {
    let known = || async { node.handle.known_peers().await.unwrap() };
    eventually("it is remembered", || async {
        known().await.iter().any(|it| it.peer == server.peer())
    })
    .await;
    known().await
}

#[tokio::test]
async fn the_first_lookup_needs_no_bootstrap_peer() {
    let (near, far) = two_servers().await;
    let client = Node::client();
    client.connect(&near).await;
    let before = snapshot(&client, &near).await;
    client.handle.shutdown().await;

    let stranger = Node::client();
    let lost = stranger.handle.find_peer(far.peer(), options()).await;
    assert_eq!(lost, Err(Error::NoPeers));

    // What it knows of the other one is for the DHT to say.
    let only = KnownPeers::new(before.iter().filter(|it| it.peer == near.peer()).cloned());
    assert_eq!(only.len(), 1);
    let again = Node::start(with(kept(&only)));
    let found = again.handle.find_peer(far.peer(), options());
    let found = soon("find", found).await.unwrap();
    let mut address = far.address().await;
    address.pop();
    assert!(found.addresses.contains(&address), "{found:?}");
    assert!(again.is_connected(near.peer()).await);
    // It is remembered on.
    let after = snapshot(&again, &near).await;
    let entry = after.iter().find(|it| it.peer == near.peer()).unwrap();
    assert!(entry.dht && entry.failures == 0);
}

#[tokio::test]
async fn what_moved_is_found_where_it_is_now() {
    let (near, far) = two_servers().await;
    let before = KnownPeers::new([
        known(near.peer(), near.address().await),
        known(far.peer(), closed_port()),
    ]);
    let client = Node::start(with(kept(&before)));
    let mut address = far.address().await;
    address.pop();
    let found = soon("find", client.handle.find_peer(far.peer(), options()))
        .await
        .unwrap();
    assert!(found.addresses.contains(&address), "{found:?}");
    // A dial by the id alone does not try what is long past, either.
    let mut request = request(&address);
    (request.peer, request.addresses) = (Some(far.peer()), Vec::new());
    soon("dial", client.handle.dial(request)).await.unwrap();
}

#[tokio::test]
async fn where_nobody_knows_better_the_old_address_is_tried() {
    let server = Node::server(TCP);
    let plain = KnownPeer {
        dht: false,
        ..known(server.peer(), server.address().await)
    };
    let client = Node::start(with(kept(&KnownPeers::new([plain.clone()]))));
    let found = client.handle.find_peer(server.peer(), options()).await;
    assert_eq!(found.unwrap().addresses, plain.addresses);
    let mut request = request(&plain.addresses[0]);
    (request.peer, request.addresses) = (Some(server.peer()), Vec::new());
    soon("dial", client.handle.dial(request)).await.unwrap();
}

#[tokio::test]
async fn a_few_are_met_soon_after_the_start_and_no_more() {
    let mut servers = Vec::new();
    let mut entries = Vec::new();
    for _ in 0..6 {
        let server = Node::server(TCP);
        entries.push(known(server.peer(), server.address().await));
        servers.push(server);
    }
    let client = Node::start(with(KnownPeers::new(entries)));
    let connections = || async { client.handle.connections().await.unwrap().len() };
    assert_eq!(connections().await, 0);
    eventually("two are met", || async { connections().await >= 2 }).await;
    assert_eq!(connections().await, 2);
    assert!(
        client
            .handle
            .connections()
            .await
            .unwrap()
            .iter()
            .all(|it| it.owners.is_empty())
    );
}

#[tokio::test]
async fn what_a_site_reached_privately_is_its_own_affair() {
    let server = Node::server(TCP);
    let client = Node::start(Config {
        allow_private_network: false,
        ..client_config()
    });
    client.connect(&server).await;
    knows(&client, server.peer()).await;
    assert!(client.handle.known_peers().await.unwrap().is_empty());
    // Nor does a node take such addresses from what was stored.
    let stored = KnownPeers::new([known(server.peer(), server.address().await)]);
    let narrow = Node::start(Config {
        allow_private_network: false,
        ..with(stored)
    });
    assert!(narrow.handle.known_peers().await.unwrap().is_empty());
    let global = LookupOptions {
        owner: Owner::user(),
        ..options()
    };
    let found = narrow.handle.find_peer(PeerId::random(), global).await;
    assert_eq!(found, Err(Error::NoPeers));
}

#[tokio::test]
async fn a_paused_node_dials_nobody_that_it_remembers() {
    let server = Node::server(TCP);
    let stored = KnownPeers::new([known(server.peer(), server.address().await)]);
    let client = Node::start(with(stored.clone()));
    client.handle.set_paused(true).await.unwrap();
    let refused = client.handle.find_peer(PeerId::random(), options()).await;
    assert_eq!(refused, Err(Error::Paused));
    assert!(server.handle.connections().await.unwrap().is_empty());
    assert_eq!(client.handle.known_peers().await.unwrap().len(), 1);
    // Let go, it begins.
    client.handle.set_paused(false).await.unwrap();
    eventually("it is met", || client.is_connected(server.peer())).await;
}

#[tokio::test]
async fn servers_remember_who_came_to_them() {
    let first = Node::server(TCP);
    let second = Node::start(Config {
        bootstrap: vec![first.address().await],
        ..server_config(TCP)
    });
    // The second one dialed; the first one has only its word.
    let remembered = snapshot(&first, &second).await;
    let entry = remembered
        .iter()
        .find(|it| it.peer == second.peer())
        .unwrap();
    let mut address = second.address().await;
    address.pop();
    assert_eq!(entry.addresses, [address]);
    // A client is nobody to come back to.
    let client = Node::client();
    client.connect(&first).await;
    knows(&first, client.peer()).await;
    let remembered = first.handle.known_peers().await.unwrap();
    assert!(remembered.iter().all(|it| it.peer != client.peer()));
}

#[tokio::test]
async fn who_is_gone_is_forgotten_while_others_are_there() {
    let (server, gone) = (Node::server(TCP), PeerId::random());
    let stored = KnownPeers::new([known(gone, closed_port())]);
    let address = stored.iter().next().unwrap().addresses[0].clone();
    let client = Node::start(with(stored));
    let mut request = request(&address);
    request.peer = Some(gone);
    // Nobody is connected: it may be the network.
    assert!(client.handle.dial(request.clone()).await.is_err());
    let known = client.handle.known_peers().await.unwrap();
    assert_eq!(known.iter().next().unwrap().failures, 0);
    client.connect(&server).await;
    eventually("it is forgotten", || async {
        assert!(client.handle.dial(request.clone()).await.is_err());
        let known = client.handle.known_peers().await.unwrap();
        known.iter().all(|it| it.peer != gone)
    })
    .await;
}
