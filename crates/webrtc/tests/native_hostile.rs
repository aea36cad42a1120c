//! What strangers can send to a listener, and what it costs.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

mod native_common;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider};
use libp2p_core::multiaddr::Protocol;
use mooring_webrtc::native::Version;
use native_common::*;

fn socket_of(server: &Server) -> SocketAddr {
    let mut protocols = server.address.iter();
    match (protocols.next(), protocols.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        other => panic!("unexpected {other:?}"),
    }
}

fn request(username: &str, password: &str) -> Vec<u8> {
    let message = StunMessage::binding_request(username, TransId::new(), true, 1, 1, true);
    let mut buffer = vec![0; 1024];
    let length = message
        .to_bytes(Some(password.as_bytes()), &mut buffer, |key, parts| {
            DefaultSha1HmacProvider.sha1_hmac(key, parts)
        })
        .unwrap();
    buffer.truncate(length);
    buffer
}

fn v1(n: usize) -> String {
    format!("libp2p+webrtc+v1/aaaaaaaaaaaaaaaaaaaaaaaaaaaa{n:06}")
}

async fn still_serves(server: Server) {
    let address = server.echo();
    let mut connection = dial(address).await;
    let stream = outbound(&mut connection).await.unwrap();
    let data = noise(50_000, 1);
    assert!(soon("echo", exchange(stream, &data)).await.unwrap() == data);
}

async fn reach(what: &str, mut condition: impl FnMut() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_ufrags_is_bounded() {
    let server = Server::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // From many ports of one host, each request with credentials never seen.
    let sources: Vec<_> = (0..20)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for n in 0..2_000 {
        let name = v1(n);
        let flood = request(&format!("{name}:{name}"), &name);
        sources[n % sources.len()]
            .send_to(&flood, socket_of(&server))
            .unwrap();
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    drop(socket);
    let counters = server.counters.clone();
    reach("the flood to be seen", || {
        counters.admitted() + counters.refused() >= 1_000
    })
    .await;
    // One port holds one place, so twenty ports cannot take more.
    assert!(
        counters.connections() <= 20,
        "{} places taken",
        counters.connections()
    );
    still_serves(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_cannot_take_all_places() {
    let server = Server::start().await;
    for n in 0..600 {
        let name = v1(n);
        let flood = request(&format!("{name}:{name}"), &name);
        UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .send_to(&flood, socket_of(&server))
            .unwrap();
        if n % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let counters = server.counters.clone();
    reach("the flood to be seen", || {
        counters.admitted() + counters.refused() >= 300
    })
    .await;
    assert!(counters.refused() > 0);
    assert!(
        counters.connections() <= 128,
        "{} places taken",
        counters.connections()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_host_are_bounded_and_make_room_for_others() {
    let mut server = Server::with(ANYWHERE, |config| {
        config.with_max_connections_from_loopback(3)
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let dialer = dial(server.address.clone()).await;
        held.push((dialer, server.accept().await));
    }
    let dialing = try_dial(server.address.clone(), Version::V2);
    tokio::pin!(dialing);
    let counters = server.counters.clone();
    assert!(futures::poll!(&mut dialing).is_pending());
    tokio::select! {
        _ = &mut dialing => panic!("a fourth connection was taken"),
        () = reach("it to be refused", || counters.refused() > 0) => {}
    }
    assert_eq!(counters.connections(), 3);
    // One leaves, and the fourth, which goes on asking, gets its place.
    held.pop();
    assert!(dialing.await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn unverified_requests_cost_nothing() {
    let server = Server::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let good = v1(1);
    let cases: Vec<Vec<u8>> = vec![
        request(&format!("{good}:{good}"), "another password than the ufrag"),
        request(&format!("{good}:{}", v1(2)), &good),
        request("libp2p+webrtc+v2/short:client", "libp2p+webrtc+v2/short"),
        request(
            "libp2p+webrtc+v3/aaaaaaaaaaaaaaaaaaaaaaaa:client",
            "libp2p+webrtc+v3/aaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        request("nocolonatall", "nocolonatall"),
        request(":", ""),
        request(
            "libp2p+webrtc+v2/aaaaaaaaaaaaaaaaaaaaaa\r\na=b:client",
            "libp2p+webrtc+v2/aaaaaaaaaaaaaaaaaaaaaa\r\na=b",
        ),
    ];
    for case in &cases {
        socket.send_to(case, socket_of(&server)).unwrap();
    }
    let counters = server.counters.clone();
    let expected = cases.len() as u64;
    reach("all to be judged", || {
        counters.unverified() + counters.ignored() >= expected
    })
    .await;
    assert_eq!((counters.admitted(), counters.connections()), (0, 0));
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(
        socket.recv(&mut [0; 100]).is_err(),
        "an unverified request was answered"
    );
    still_serves(server).await;
}

/// An ICE-lite agent; and what it says to an address it knows nothing of must not be much more than what it heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_answers_checks_briefly_and_sends_none() {
    let server = Server::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    for name in [
        "libp2p+webrtc+v2/abcdefghijklmnopqrstuv:abcd".to_owned(),
        format!("{}:{}", v1(1), v1(1)),
    ] {
        let password = name.split_once(':').unwrap().0.to_owned();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        for _ in 0..20 {
            let request = request(&name, &password);
            socket.send_to(&request, socket_of(&server)).unwrap();
            let mut answer = [0; 2_000];
            let length = socket.recv(&mut answer).unwrap();
            assert!(length <= 3 * request.len());
            let message = StunMessage::parse(&answer[..length]).unwrap();
            assert!(message.is_successful_binding_response() && !message.is_binding_request());
            assert_eq!(
                message.trans_id(),
                StunMessage::parse(&request).unwrap().trans_id()
            );
            // Signed with the credential that the client made up for the server.
            let signed = message.verify(password.as_bytes(), |key, parts| {
                DefaultSha1HmacProvider.sha1_hmac(key, parts)
            });
            assert!(signed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_ignored() {
    let server = Server::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let counters = server.counters.clone();
    for n in 0..2_000_u64 {
        let mut datagram = noise(usize::try_from(n % 1_400).unwrap(), n + 1);
        // A third looks like STUN, a third like DTLS.
        if let Some(first) = datagram.first_mut().filter(|_| n % 3 != 0) {
            *first = if n % 3 == 1 { 0 } else { 22 };
        }
        socket.send_to(&datagram, socket_of(&server)).unwrap();
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    reach("the garbage to be seen", || counters.ignored() > 500).await;
    assert_eq!(counters.connections(), 0);
    still_serves(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_after_admission_harms_only_its_sender() {
    let server = Server::start().await;
    let counters = server.counters.clone();
    let name = v1(1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .send_to(
            &request(&format!("{name}:{name}"), &name),
            socket_of(&server),
        )
        .unwrap();
    reach("admission", || counters.admitted() == 1).await;
    for n in 0..3_000_u64 {
        let mut datagram = noise(usize::try_from(13 + n % 1_400).unwrap(), n + 1);
        datagram[0] = [20, 21, 22, 23, 25, 44][usize::try_from(n % 6).unwrap()];
        if n % 2 == 0 {
            // A DTLS 1.2 record header with a length that fits.
            let length = u16::try_from(datagram.len() - 13).unwrap().to_be_bytes();
            datagram[1..3].copy_from_slice(&[0xfe, 0xfd]);
            datagram[3..11].fill(0);
            datagram[11..13].copy_from_slice(&length);
        }
        socket.send_to(&datagram, socket_of(&server)).unwrap();
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    still_serves(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_source_cannot_take_over_a_peer() {
    let mut server = Server::start().await;
    let mut victim = dial(server.address.clone()).await;
    let (_, connection) = server.accept().await;
    tokio::spawn(echo(connection));
    // The attacker knows where the listener is, not the victim's credentials.
    let attacker = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..50 {
        let name = v1(n);
        attacker
            .send_to(
                &request(&format!("{name}:{name}"), &name),
                socket_of(&server),
            )
            .unwrap();
        attacker
            .send_to(&noise(200, n as u64), socket_of(&server))
            .unwrap();
    }
    let stream = outbound(&mut victim).await.unwrap();
    let data = noise(200_000, 2);
    assert!(soon("echo", exchange(stream, &data)).await.unwrap() == data);
}
