//! Streams between two nodes: opened, echoed, accepted, refused, bounded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    time::Duration,
};

use common::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::join_all};
use libp2p::{PeerId, StreamProtocol};
use mooring_node::{Error, OpenStream, Scope};

const CHAT_2: StreamProtocol = StreamProtocol::new("/chat/2.0.0");

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state & 0xff) as u8
        })
        .collect()
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

async fn echo_streams(listen: &str, count: u64, length: usize) {
    let (client, server) = (Node::client(), Node::server(listen));
    client.connect(&server).await;
    let streams = (0..count).map(|n| {
        let (client, server) = (&client, &server);
        async move {
            let opened = client.open(server.peer(), ECHO).await.unwrap();
            assert_eq!((opened.protocol, opened.peer), (ECHO, server.peer()));
            assert!(!opened.relayed);
            let sent = bytes(n, length + usize::try_from(n).unwrap());
            let received = exchange(opened.stream, &sent).await.unwrap();
            assert_eq!(received.len(), sent.len());
            assert_eq!(hash(&received), hash(&sent));
        }
    });
    tokio::time::timeout(Duration::from_secs(60), join_all(streams))
        .await
        .expect("hangs");
    // Nothing of them is left, and the connection is as good as new.
    client.handle.ping(server.peer()).await.unwrap();
}

#[tokio::test]
async fn two_hundred_echo_streams_over_tcp() {
    echo_streams(TCP, 200, 10_000).await;
}

#[tokio::test]
async fn two_hundred_echo_streams_over_websocket() {
    echo_streams(WS, 200, 10_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_echo_streams_over_webrtc_direct() {
    echo_streams(WEBRTC, 200, 10_000).await;
}

#[tokio::test]
async fn a_large_echo_comes_back_whole() {
    echo_streams(TCP, 2, 8 * 1024 * 1024).await;
}

#[tokio::test]
async fn perf_sends_what_was_asked_for() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let opened = client
        .open(server.peer(), StreamProtocol::new("/perf/1.0.0"))
        .await
        .unwrap();
    let mut request = 3_000_000_u64.to_be_bytes().to_vec();
    request.extend(vec![7; 1_000_000]);
    assert_eq!(
        exchange(opened.stream, &request).await.unwrap().len(),
        3_000_000
    );
}

#[tokio::test]
async fn the_first_protocol_that_the_remote_speaks_is_taken() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let mut incoming = server.handle.accept(vec![CHAT, CHAT_2]).await.unwrap();
    let request = open_request(
        server.peer(),
        vec![StreamProtocol::new("/unknown/1.0.0"), CHAT_2, CHAT],
    );
    let mut opened = client.handle.open_stream(request).await.unwrap();
    assert_eq!(opened.protocol, CHAT_2);
    let mut accepted = soon("incoming", incoming.next()).await.unwrap();
    assert_eq!(accepted.protocol, CHAT_2);
    assert_eq!(accepted.peer, client.peer());

    // Half-close: the other direction stays open.
    opened.stream.write_all(b"question").await.unwrap();
    opened.stream.close().await.unwrap();
    let mut question = Vec::new();
    accepted.stream.read_to_end(&mut question).await.unwrap();
    assert_eq!(question, b"question");
    accepted.stream.write_all(b"answer").await.unwrap();
    accepted.stream.close().await.unwrap();
    let mut answer = Vec::new();
    opened.stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
}

#[tokio::test]
async fn a_protocol_nobody_speaks_is_not_supported() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    assert_eq!(
        client.open(server.peer(), CHAT).await.unwrap_err(),
        Error::ProtocolNotSupported
    );
}

#[tokio::test]
async fn without_a_connection_it_dials_only_if_it_may() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    client.handle.disconnect(server.peer()).await.unwrap();
    client.lets_go_of(server.peer()).await;

    assert_eq!(
        client.open(server.peer(), ECHO).await.unwrap_err(),
        Error::NotConnected
    );
    let dialing = |scope| OpenStream {
        dial: Some(scope),
        owner: Some(site()),
        ..open_request(server.peer(), vec![ECHO])
    };
    let refused = client
        .handle
        .open_stream(dialing(Scope::GLOBAL))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    let opened = client
        .handle
        .open_stream(dialing(Scope::PRIVATE))
        .await
        .unwrap();
    assert_eq!(exchange(opened.stream, b"hello").await.unwrap(), b"hello");
    assert_eq!(
        client.handle.connections().await.unwrap()[0].owners,
        [site()]
    );

    let nobody = OpenStream {
        peer: PeerId::random(),
        ..dialing(Scope::PRIVATE)
    };
    let error = client.handle.open_stream(nobody).await.unwrap_err();
    assert!(matches!(error, Error::DialFailed { .. }), "{error}");
}

#[tokio::test]
async fn a_protocol_is_accepted_once_and_free_again_after() {
    let (client, server) = (Node::client(), Node::server(TCP));
    let first = server.handle.accept(vec![CHAT]).await.unwrap();
    let taken = server.handle.accept(vec![CHAT_2, CHAT]).await.unwrap_err();
    assert!(matches!(taken, Error::Refused { .. }), "{taken}");
    // The other one was not taken along.
    drop(server.handle.accept(vec![CHAT_2]).await.unwrap());
    for own in [
        "/ipfs/id/1.0.0",
        "/ipfs/kad/1.0.0",
        "/meshsub/1.1.0",
        "/perf/1.0.0",
        ECHO.as_ref(),
    ] {
        let own = StreamProtocol::try_from_owned(own.to_owned()).unwrap();
        let error = server.handle.accept(vec![own.clone()]).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{own}: {error}");
    }

    drop(first);
    let mut second = server.handle.accept(vec![CHAT]).await.unwrap();
    client.connect(&server).await;
    let opened = client.open(server.peer(), CHAT).await.unwrap();
    let accepted = soon("incoming", second.next()).await.unwrap();
    drop(accepted);
    // Dropped without a word: reset, not ended.
    assert!(exchange(opened.stream, b"lost").await.is_err());
    drop(second);
    assert_eq!(
        client.open(server.peer(), CHAT).await.unwrap_err(),
        Error::ProtocolNotSupported
    );
}

#[tokio::test]
async fn identify_tells_of_protocols_that_come_later() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let speaks = || async {
        let peers = client.handle.peers().await.unwrap();
        peers.iter().any(|peer| {
            peer.protocols
                .iter()
                .any(|protocol| protocol == CHAT.as_ref())
        })
    };
    eventually("identified", || async {
        !client.handle.peers().await.unwrap()[0].protocols.is_empty()
    })
    .await;
    assert!(!speaks().await);
    let accepting = server.handle.accept(vec![CHAT]).await.unwrap();
    eventually("told", speaks).await;
    drop(accepting);
    eventually("taken back", || async { !speaks().await }).await;
}

#[tokio::test]
async fn own_streams_are_bounded_per_peer_and_come_free_again() {
    let client = Node::start(with_limits(client_config(), |limits| {
        limits.outbound_streams_per_peer = 3
    }));
    let server = Node::server(TCP);
    client.connect(&server).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.open(server.peer(), ECHO).await.unwrap());
    }
    let error = client.open(server.peer(), ECHO).await.unwrap_err();
    assert!(matches!(
        error,
        Error::LimitExceeded {
            what: "outbound_streams_per_peer",
            ..
        }
    ));
    open.pop();
    let opened = client.open(server.peer(), ECHO).await.unwrap();
    assert_eq!(exchange(opened.stream, b"again").await.unwrap(), b"again");
}

#[tokio::test]
async fn inbound_streams_over_the_limit_are_reset_and_the_others_live() {
    let server = Node::start(with_limits(server_config(TCP), |limits| {
        limits.inbound_streams_per_peer = 2
    }));
    let client = Node::client();
    client.connect(&server).await;
    let first = client.open(server.peer(), ECHO).await.unwrap();
    let second = client.open(server.peer(), ECHO).await.unwrap();
    let third = client.open(server.peer(), ECHO).await;
    match third {
        Ok(third) => assert!(exchange(third.stream, b"too many").await.is_err()),
        Err(error) => assert_eq!(error, Error::StreamReset),
    }
    for stream in [first, second] {
        assert_eq!(exchange(stream.stream, b"alive").await.unwrap(), b"alive");
    }
}

#[tokio::test]
async fn an_acceptor_that_stands_still_fills_its_queue_and_no_more() {
    // One peer alone may not open that many, so there are two.
    let server = Node::server(TCP);
    let clients = [Node::client(), Node::client()];
    let incoming = server.handle.accept(vec![CHAT]).await.unwrap();
    let mut open = Vec::new();
    for client in &clients {
        client.connect(&server).await;
        for _ in 0..6 {
            let burst = (0..100).map(|_| client.open(server.peer(), CHAT));
            open.extend(join_all(burst).await.into_iter().flatten());
        }
    }
    assert!(open.len() > 1100, "{}", open.len());
    // 1,025 fit: the queue and its one sender's place. The rest is reset.
    let reads = open.iter_mut().map(|opened| async {
        let mut byte = [0];
        let read = opened.stream.read(&mut byte);
        let waits = tokio::time::timeout(Duration::from_secs(2), read).await;
        usize::from(waits.is_err())
    });
    let taken: usize = join_all(reads).await.into_iter().sum();
    assert!((1000..=1025).contains(&taken), "{taken}");
    drop(incoming);
}

#[tokio::test]
async fn a_request_that_hangs_ends_at_its_time_limit() {
    // Speaks TCP and nothing else after the connection stands: a remote that stopped polling.
    let server = Node::server(TCP);
    let client = Node::client();
    client.connect(&server).await;
    server.task.abort();
    let slow = OpenStream {
        timeout: Duration::from_millis(500),
        ..open_request(server.peer(), vec![ECHO])
    };
    let begin = std::time::Instant::now();
    let error = client.handle.open_stream(slow).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout | Error::StreamReset | Error::NotConnected
        ),
        "{error}"
    );
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_lost_connection_answers_what_was_under_way() {
    let (client, server) = (Node::client(), Node::server(TCP));
    client.connect(&server).await;
    let opened = client.open(server.peer(), ECHO).await.unwrap();
    server.handle.shutdown().await;
    assert!(
        soon("the stream ends", exchange(opened.stream, b"gone"))
            .await
            .is_err()
    );
    let late = soon("answer", client.open(server.peer(), ECHO))
        .await
        .unwrap_err();
    assert!(
        matches!(late, Error::StreamReset | Error::NotConnected),
        "{late}"
    );
}

/// js-libp2p pings so: its half ends right behind the ping.
#[tokio::test]
async fn a_ping_whose_sender_has_ended_is_answered_and_ended_in_order() {
    const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");
    for listen in [TCP, WS, WEBRTC] {
        let (client, server) = (Node::client(), Node::server(listen));
        client.connect(&server).await;
        for _ in 0..20 {
            let opened = client.open(server.peer(), PING).await.unwrap();
            let sent: [u8; 32] = rand::random();
            // An error if the other half was reset instead.
            let received = soon("pong", exchange(opened.stream, &sent)).await.unwrap();
            assert_eq!(received, sent, "{listen}");
        }
    }
}
