//! Dialing, reuse, release and what is refused, between two nodes over TCP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::time::Duration;

use common::*;
use futures::{StreamExt, future::join_all};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use mooring_node::{DialRequest, Direction, Error, Event, Owner, Path, Scope, TransportKind};

#[tokio::test]
async fn a_dial_gives_a_connection_that_both_sides_list() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let connection = client.connect(&server).await;
    assert_eq!(connection.peer, server.peer());
    assert_eq!(connection.direction, Direction::Outbound);
    assert_eq!(connection.path, Path::Direct);
    assert_eq!(connection.transport, TransportKind::Tcp);
    assert_eq!(connection.owners, [site()]);
    assert_eq!(client.handle.connections().await.unwrap(), [connection]);

    eventually("the server lists it", || server.is_connected(client.peer())).await;
    let there = &server.handle.connections().await.unwrap()[0];
    assert_eq!(there.direction, Direction::Inbound);
    assert_eq!(there.transport, TransportKind::Tcp);
    assert!(there.owners.is_empty());
}

#[tokio::test]
async fn a_websocket_is_dialed_and_named() {
    let (client, server) = (Node::client(), Node::server(WS));
    assert_eq!(
        client.connect(&server).await.transport,
        TransportKind::Websocket
    );
}

#[tokio::test]
async fn a_second_dial_reuses_the_connection_and_adds_its_owner() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let first = client.connect(&server).await;
    let address = server.address().await;
    let other = other_site();
    let second = client
        .handle
        .dial(request_of(other.clone(), &address))
        .await
        .unwrap();
    assert_eq!(second.id, first.id);
    assert_eq!(second.owners, [other, site()]);
    // By peer alone, too.
    let third = client
        .handle
        .dial(DialRequest {
            peer: Some(server.peer()),
            addresses: vec![],
            ..request(&address)
        })
        .await
        .unwrap();
    assert_eq!(third.id, first.id);
    // And at the bare address, without the peer.
    let mut bare = address.clone();
    bare.pop();
    assert_eq!(client.dial(&bare).await.unwrap().id, first.id);
    assert_eq!(client.handle.connections().await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_dials_at_once_end_in_one_connection() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let address = server.address().await;
    let dials = join_all((0..20).map(|_| client.dial(&address)));
    for result in soon("dials", dials).await {
        assert_eq!(result.unwrap().peer, server.peer());
    }
    assert_eq!(client.handle.connections().await.unwrap().len(), 1);
}

#[tokio::test]
async fn ping_is_a_fresh_round_trip() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    for _ in 0..5 {
        let rtt = soon("ping", client.handle.ping(server.peer()))
            .await
            .unwrap();
        assert!(rtt > Duration::ZERO && rtt < PATIENCE);
    }
    eventually("the round trip is shown", || async {
        client.handle.connections().await.unwrap()[0].rtt.is_some()
    })
    .await;
    // The server pings back over the same connection.
    soon("ping back", server.handle.ping(client.peer()))
        .await
        .unwrap();
}

#[tokio::test]
async fn ping_without_a_connection_is_not_connected() {
    let client = Node::client();
    assert_eq!(
        client.handle.ping(PeerId::random()).await,
        Err(Error::NotConnected)
    );
}

#[tokio::test]
async fn a_connection_closes_when_nobody_wants_it_and_no_stream_uses_it() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let address = server.address().await;
    let other = other_site();
    let dial = DialRequest {
        owner: Some(other.clone()),
        ..request(&address)
    };
    client.handle.dial(dial).await.unwrap();
    let stream = client.open(server.peer(), ECHO).await.unwrap();

    // A stranger's release changes nothing, nor does that of one of two owners.
    client
        .handle
        .release(server.peer(), Owner::new("https://stranger.example"))
        .await
        .unwrap();
    client.handle.release(server.peer(), site()).await.unwrap();
    let owners = client.handle.connections().await.unwrap()[0].owners.clone();
    assert_eq!(owners, std::slice::from_ref(&other));

    // Without owners, the open stream still holds it: well beyond the idle time limit.
    client.handle.release(server.peer(), other).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(client.is_connected(server.peer()).await);
    assert_eq!(
        exchange(stream.stream, b"still here").await.unwrap(),
        b"still here"
    );

    eventually("it closes", || async {
        !client.is_connected(server.peer()).await
    })
    .await;
    eventually("there too", || async {
        !server.is_connected(client.peer()).await
    })
    .await;
}

#[tokio::test]
async fn a_wanted_connection_stays_open_without_streams() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let connection = client.connect(&server).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(
        client.handle.connections().await.unwrap()[0].id,
        connection.id
    );
}

#[tokio::test]
async fn the_user_hangs_up_whoever_wants_it() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    client.handle.disconnect(server.peer()).await.unwrap();
    client.lets_go_of(server.peer()).await;
    assert_eq!(
        client.handle.disconnect(server.peer()).await,
        Err(Error::NotConnected)
    );
}

#[tokio::test]
async fn a_private_address_is_refused_without_the_scope() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let address = server.address().await;
    let refused = DialRequest {
        scope: Scope::GLOBAL,
        ..request(&address)
    };
    assert!(matches!(
        client.handle.dial(refused).await,
        Err(Error::Refused { .. })
    ));
    assert!(!client.is_connected(server.peer()).await);

    // Also when an open connection would have been reused: the address is judged first.
    client.connect(&server).await;
    let refused = DialRequest {
        scope: Scope::GLOBAL,
        ..request(&address)
    };
    assert!(matches!(
        client.handle.dial(refused).await,
        Err(Error::Refused { .. })
    ));
}

#[tokio::test]
async fn learned_addresses_are_dialed_only_within_the_scope() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    client.handle.disconnect(server.peer()).await.unwrap();
    client.lets_go_of(server.peer()).await;

    let address = server.address().await;
    let by_peer = |scope| DialRequest {
        peer: Some(server.peer()),
        addresses: vec![],
        scope,
        ..request(&address)
    };
    let refused = client.handle.dial(by_peer(Scope::GLOBAL)).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert!(client.handle.dial(by_peer(Scope::PRIVATE)).await.is_ok());
}

#[tokio::test]
async fn a_node_without_private_networks_dials_them_for_a_request_that_may() {
    let client = Node::start(mooring_node::Config {
        allow_private_network: false,
        ..client_config()
    });
    for listen in [TCP, WS, WEBRTC] {
        let server = Node::server(listen);
        let connection = client.connect(&server).await;
        assert_eq!(connection.peer, server.peer());
    }
}

#[tokio::test]
async fn of_several_addresses_the_refused_are_left_out() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let good = server.address().await;
    // Nothing listens at the first; the second cannot be dialed at all.
    let mixed = DialRequest {
        addresses: vec![closed_port(), "/ip4/127.0.0.1/udp/9".parse().unwrap(), good],
        ..request(&Multiaddr::empty())
    };
    assert_eq!(
        soon("dial", client.handle.dial(mixed)).await.unwrap().peer,
        server.peer()
    );
}

#[tokio::test]
async fn another_peer_at_the_address_is_a_failed_dial() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let mut address = server.address().await;
    address.pop();
    let stranger = PeerId::random();
    let result = client.dial(&address.with(Protocol::P2p(stranger))).await;
    let Err(Error::DialFailed { causes }) = result else {
        panic!("{result:?}")
    };
    assert!(causes[0].contains(&server.peer().to_string()), "{causes:?}");
    eventually("nothing stays", || async {
        !server.is_connected(client.peer()).await
    })
    .await;
}

#[tokio::test]
async fn a_failed_dial_says_why() {
    let client = Node::client();
    let result = client.dial(&closed_port()).await;
    let Err(Error::DialFailed { causes }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(causes.len(), 1);
    assert!(causes[0].starts_with("tcp: "), "{causes:?}");

    let nobody = DialRequest {
        peer: Some(PeerId::random()),
        addresses: vec![],
        ..request(&Multiaddr::empty())
    };
    assert!(matches!(
        client.handle.dial(nobody).await,
        Err(Error::DialFailed { .. })
    ));
}

#[tokio::test]
async fn addresses_that_make_no_sense_are_bad() {
    let client = Node::client();
    let peer = PeerId::random();
    let relay = format!("/ip4/127.0.0.1/tcp/9/p2p/{peer}/p2p-circuit");
    for address in [
        String::new(),
        format!("/p2p/{peer}"),
        format!("/ip4/127.0.0.1/tcp/9/p2p/{}", client.peer()),
        relay,
        "/ip4/127.0.0.1/tcp/0".into(),
        "/ip4/127.0.0.1/udp/9/webrtc-direct".into(),
        "/memory/7".into(),
    ] {
        let result = client.dial(&address.parse().unwrap()).await;
        assert!(
            matches!(result, Err(Error::BadAddress { .. })),
            "{address}: {result:?}"
        );
    }
    let other = DialRequest {
        peer: Some(PeerId::random()),
        ..request(&format!("/ip4/127.0.0.1/tcp/9/p2p/{peer}").parse().unwrap())
    };
    assert!(matches!(
        client.handle.dial(other).await,
        Err(Error::BadAddress { .. })
    ));
}

#[tokio::test]
async fn a_dial_that_hangs_ends_at_its_time_limit() {
    let silent = Silent::start().await;
    let client = Node::client();
    let begin = std::time::Instant::now();
    let slow = DialRequest {
        timeout: Duration::from_millis(300),
        ..request(&silent.address)
    };
    assert_eq!(client.handle.dial(slow).await, Err(Error::Timeout));
    assert!(begin.elapsed() < Duration::from_secs(5));
    // The node goes on.
    let server = Node::server(TCP);
    client.connect(&server).await;
}

#[tokio::test]
async fn a_dial_on_a_bad_address_does_not_hold_up_one_on_a_good_address() {
    let silent = Silent::start().await;
    let (client, server) = (Node::client(), Node::server(TCP));
    let stuck = silent.as_peer(server.peer());
    let good = server.address().await;
    let (first, second) = soon(
        "both",
        futures::future::join(client.dial(&stuck), client.dial(&good)),
    )
    .await;
    // The connection is an answer for both.
    assert_eq!(first.unwrap().id, second.unwrap().id);
}

#[tokio::test]
async fn events_tell_what_happens() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let mut events = client.handle.events().await.unwrap();
    let connection = client.connect(&server).await;
    let peer = server.peer();
    assert_eq!(events.next().await, Some(Event::PeerConnected { peer }));
    assert_eq!(
        events.next().await,
        Some(Event::ConnectionOpened {
            connection: connection.clone()
        })
    );
    client.handle.disconnect(peer).await.unwrap();
    let Some(Event::ConnectionClosed {
        connection: closed, ..
    }) = events.next().await
    else {
        panic!("not closed")
    };
    assert_eq!(closed.id, connection.id);
    assert_eq!(closed.owners, [site()]);
    assert_eq!(events.next().await, Some(Event::PeerDisconnected { peer }));
}

#[tokio::test]
async fn peers_show_what_identify_said() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    eventually("identified", || async {
        client.handle.peers().await.unwrap().iter().any(|peer| {
            peer.peer == server.peer()
                && peer.connected
                && peer
                    .agent
                    .as_deref()
                    .is_some_and(|agent| agent.starts_with("mooring/"))
                && peer
                    .protocols
                    .iter()
                    .any(|protocol| protocol == ECHO.as_ref())
                && !peer.addresses.is_empty()
        })
    })
    .await;
}

#[tokio::test]
async fn paused_it_closes_everything_and_refuses_dials() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let address = server.address().await;
    client.handle.set_paused(true).await.unwrap();
    eventually("closed", || async {
        client.handle.connections().await.unwrap().is_empty()
    })
    .await;
    assert_eq!(client.dial(&address).await, Err(Error::Paused));
    client.handle.set_paused(false).await.unwrap();
    client.connect(&server).await;
}

#[tokio::test]
async fn after_shutdown_everything_is_stopped() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let mut events = client.handle.events().await.unwrap();
    soon("shutdown", client.handle.shutdown()).await;
    soon("the loop ends", client.task).await.unwrap();
    assert_eq!(client.handle.peers().await, Err(Error::Stopped));
    assert_eq!(client.handle.ping(server.peer()).await, Err(Error::Stopped));
    soon("events end", async {
        while events.next().await.is_some() {}
    })
    .await;
    eventually("the server notices", || async {
        !server.is_connected(client.handle.local_peer_id()).await
    })
    .await;
    // Twice is no harm.
    client.handle.shutdown().await;
}

#[tokio::test]
async fn without_handles_the_loop_ends() {
    let Node { handle, task } = Node::server(TCP);
    drop(handle);
    soon("the loop ends", task).await.unwrap();
}

#[tokio::test]
async fn bootstrap_peers_are_connected_and_again_after_a_loss() {
    let server = Node::server(TCP);
    let address = server.address().await;
    let client = Node::start(mooring_node::Config {
        bootstrap: vec![address],
        ..client_config()
    });
    eventually("connected", || client.is_connected(server.peer())).await;
    server.handle.disconnect(client.peer()).await.unwrap();
    eventually("lost", || async {
        !client.is_connected(server.peer()).await
    })
    .await;
    eventually("connected again", || client.is_connected(server.peer())).await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = server_config(&format!("/ip4/127.0.0.1/tcp/{port}"));
    assert!(matches!(
        mooring_node::new(config),
        Err(Error::Listen { .. })
    ));
}
