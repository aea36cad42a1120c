//! What happens at the bounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::join_all};
use libp2p::Multiaddr;
use mooring_node::{DialRequest, Error, limits::Share};

#[tokio::test]
async fn over_the_limit_the_least_wanted_connection_is_closed() {
    let mut config = client_config();
    config.limits.connections = 2;
    let client = Node::start(config);
    let servers: Vec<Node> = (0..3).map(|_| Node::server(TCP)).collect();
    client.connect(&servers[0]).await;
    client.connect(&servers[1]).await;
    // The second one is in use; the first is only wanted.
    let opened = client.open(servers[1].peer(), ECHO).await.unwrap();
    client.connect(&servers[2]).await;
    eventually("two are left", || async {
        client.handle.connections().await.unwrap().len() == 2
    })
    .await;
    assert!(!client.is_connected(servers[0].peer()).await);
    assert_eq!(exchange(opened.stream, b"in use").await.unwrap(), b"in use");
}

#[tokio::test]
async fn a_server_at_its_limit_keeps_those_who_were_there() {
    let mut config = server_config(TCP);
    config.limits.connections = 2;
    let server = Node::start(config);
    let clients: Vec<Node> = (0..4).map(|_| Node::client()).collect();
    for client in &clients {
        let address = server.address().await;
        let _ = soon("dial", client.dial(&address)).await;
    }
    eventually("two are left", || async {
        server.handle.connections().await.unwrap().len() == 2
    })
    .await;
    for client in &clients[..2] {
        assert!(server.is_connected(client.peer()).await);
    }
}

#[tokio::test]
async fn dials_under_way_are_bounded() {
    let silent = Silent::start().await;
    let mut config = client_config();
    config.limits.dialing = Share { each: 2, sites: 4 };
    config.limits.waiting_dials = Share { each: 2, sites: 4 };
    let client = Node::start(config);
    let dials = (0..10).map(|_| {
        let address = silent.as_peer(libp2p::PeerId::random());
        let request = DialRequest {
            timeout: std::time::Duration::from_millis(500),
            ..request(&address)
        };
        client.handle.dial(request)
    });
    let results = soon("dials", join_all(dials)).await;
    let limited = results
        .iter()
        .filter(|r| matches!(r, Err(Error::LimitExceeded { .. })))
        .count();
    let timed_out = results
        .iter()
        .filter(|r| **r == Err(Error::Timeout))
        .count();
    assert_eq!((limited, timed_out), (6, 4), "{results:?}");
}

#[tokio::test]
async fn too_many_addresses_in_one_dial_are_refused() {
    let client = Node::client();
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/9".parse().unwrap();
    let request = DialRequest {
        addresses: vec![address.clone(); 33],
        ..request(&address)
    };
    assert!(matches!(
        client.handle.dial(request).await,
        Err(Error::LimitExceeded { .. })
    ));
}

#[tokio::test]
async fn event_readers_are_bounded() {
    let client = Node::client();
    let mut readers = Vec::new();
    let error = loop {
        match client.handle.events().await {
            Ok(events) => readers.push(events),
            Err(error) => break error,
        }
        assert!(readers.len() <= 64);
    };
    assert!(matches!(error, Error::LimitExceeded { .. }), "{error}");
}

#[tokio::test]
async fn owners_of_one_connection_are_bounded() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let address = server.address().await;
    let mut last = Ok(());
    for n in 0..64 {
        let owner = mooring_node::Owner::new(format!("https://{n}.example"));
        let dial = DialRequest {
            owner: Some(owner),
            ..request(&address)
        };
        last = client.handle.dial(dial).await.map(|_| ());
    }
    assert!(matches!(last, Err(Error::LimitExceeded { .. })), "{last:?}");
    // Those who are in are unaffected.
    client.dial(&address).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_takes_all_it_can_of_a_service_leaves_room_for_others() {
    /// Opens and keeps streams; those that the service works on.
    async fn take(client: &Node, server: &Node, count: usize) -> Vec<mooring_node::Stream> {
        let streams = futures::stream::iter(0..count)
            .map(|_| async {
                let mut stream = client.open(server.peer(), ECHO).await.ok()?.stream;
                stream.write_all(b"?").await.ok()?;
                stream.flush().await.ok()?;
                stream.read_exact(&mut [0]).await.ok()?;
                Some(stream)
            })
            .buffer_unordered(50)
            .filter_map(std::future::ready)
            .collect();
        soon("streams", streams).await
    }
    let (server, first, second, third) = (
        Node::server(TCP),
        Node::client(),
        Node::client(),
        Node::client(),
    );
    for client in [&first, &second, &third] {
        client.connect(&server).await;
    }
    // The service has 2,048 places.
    let of_first = take(&first, &server, 1000).await;
    assert_eq!(of_first.len(), 1000);
    let of_second = take(&second, &server, 700).await;
    assert_eq!(of_second.len(), 524);
    assert_eq!(take(&third, &server, 100).await.len(), 100);
    drop(of_first);
    eventually("places that came back", || async {
        take(&second, &server, 1).await.len() == 1
    })
    .await;
}
