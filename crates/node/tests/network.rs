//! What a node does when its network went away and is back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use libp2p::{Multiaddr, identity::Keypair, multiaddr::Protocol};
use mooring_node::{Config, Handle, Owner};

/// A server that can be killed, and started again at its address.
struct Restarting {
    keypair: Keypair,
    address: Multiaddr,
    node: Option<Node>,
}

impl Restarting {
    async fn start() -> Self {
        let keypair = Keypair::generate_ed25519();
        let node = Self::run(&keypair, TCP.parse().unwrap());
        let address = node.address().await;
        Self {
            keypair,
            address,
            node: Some(node),
        }
    }

    fn run(keypair: &Keypair, listen: Multiaddr) -> Node {
        Node::start(Config {
            keypair: keypair.clone(),
            listen: vec![listen],
            ..server_config(TCP)
        })
    }

    /// As a lost network does it: nobody says goodbye.
    async fn kill(&mut self) {
        let node = self.node.take().unwrap();
        node.task.abort();
        assert!(node.task.await.unwrap_err().is_cancelled());
    }

    fn revive(&mut self) {
        let listen = self.address.iter().take(2).collect();
        self.node = Some(Self::run(&self.keypair, listen));
    }
}

async fn owners(handle: &Handle) -> Vec<Owner> {
    let connections = handle.connections().await.unwrap();
    connections
        .into_iter()
        .flat_map(|connection| connection.owners)
        .collect()
}

async fn is_alone(node: &Node) -> bool {
    node.handle.connections().await.unwrap().is_empty()
}

#[tokio::test]
async fn what_sites_wanted_is_dialed_again_when_the_network_is_back() {
    let (mut server, node) = (Restarting::start().await, Node::client());
    let other = other_site();
    soon("dial", node.dial(&server.address)).await.unwrap();
    node.handle
        .dial(request_of(other.clone(), &server.address))
        .await
        .unwrap();

    node.handle.set_network(false).await.unwrap();
    server.kill().await;
    eventually("lost", || is_alone(&node)).await;
    server.revive();
    node.handle.set_network(true).await.unwrap();
    eventually("back, for both", || async {
        owners(&node.handle).await == [other.clone(), site()]
    })
    .await;
}

#[tokio::test]
async fn it_is_tried_again_while_the_network_comes_up() {
    let (mut server, node) = (Restarting::start().await, Node::client());
    soon("dial", node.dial(&server.address)).await.unwrap();
    // It was back before the connection was found to be broken, and the first attempt fails.
    node.handle.set_network(false).await.unwrap();
    node.handle.set_network(true).await.unwrap();
    server.kill().await;
    eventually("lost", || is_alone(&node)).await;
    server.revive();
    eventually("back", || async { owners(&node.handle).await == [site()] }).await;
}

#[tokio::test]
async fn without_a_lost_network_a_lost_peer_stays_lost() {
    let (mut server, node) = (Restarting::start().await, Node::client());
    soon("dial", node.dial(&server.address)).await.unwrap();
    server.kill().await;
    eventually("lost", || is_alone(&node)).await;
    server.revive();
    node.handle.set_network(true).await.unwrap();
    // Longer than a dial on loopback takes: the server's own word that it listens, and a stranger's connection.
    Node::client().connect(server.node.as_ref().unwrap()).await;
    assert!(is_alone(&node).await);
}

#[tokio::test]
async fn what_nobody_wants_any_more_is_not_dialed_again() {
    let (mut server, node) = (Restarting::start().await, Node::client());
    let (peer, other) = (server.node.as_ref().unwrap().peer(), other_site());
    soon("dial", node.dial(&server.address)).await.unwrap();
    node.handle
        .dial(request_of(other.clone(), &server.address))
        .await
        .unwrap();
    node.handle.set_network(false).await.unwrap();
    server.kill().await;
    eventually("lost", || is_alone(&node)).await;
    node.handle.release(peer, site()).await.unwrap();
    node.handle.release_all(other).await.unwrap();
    server.revive();
    node.handle.set_network(true).await.unwrap();
    Node::client().connect(server.node.as_ref().unwrap()).await;
    assert!(is_alone(&node).await);
}

#[tokio::test]
async fn giving_everything_up_closes_what_only_that_owner_wanted() {
    let (first, second, node) = (Node::server(TCP), Node::server(TCP), Node::client());
    node.connect(&first).await;
    node.connect(&second).await;
    node.handle
        .dial(request_of(other_site(), &second.address().await))
        .await
        .unwrap();
    node.handle.release_all(site()).await.unwrap();
    node.lets_go_of(first.peer()).await;
    assert!(node.is_connected(second.peer()).await);
}

#[tokio::test]
async fn bootstrap_peers_are_dialed_at_once_when_the_network_is_back() {
    let mut server = Restarting::start().await;
    let node = Node::start(Config {
        bootstrap: vec![server.address.clone()],
        ..client_config()
    });
    let peer = server.node.as_ref().unwrap().peer();
    eventually("connected", || node.is_connected(peer)).await;
    node.handle.set_network(false).await.unwrap();
    server.kill().await;
    eventually("lost", || is_alone(&node)).await;
    // Another attempt that fails: by itself, the next would be four seconds later.
    let port: std::net::SocketAddr = socket(&server.address);
    let nobody = tokio::net::TcpListener::bind(port).await.unwrap();
    drop(soon("an attempt", nobody.accept()).await.unwrap());
    drop(nobody);
    server.revive();
    node.handle.set_network(true).await.unwrap();
    let back = Instant::now();
    eventually("connected again", || node.is_connected(peer)).await;
    assert!(back.elapsed() < Duration::from_secs(3));
}

fn socket(address: &Multiaddr) -> std::net::SocketAddr {
    match address.iter().take(2).collect::<Vec<_>>()[..] {
        [Protocol::Ip4(ip), Protocol::Tcp(port)] => (ip, port).into(),
        _ => panic!("{address}"),
    }
}
