//! How connections between two native ends begin and end.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]

mod native_common;

use futures::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
use libp2p_core::Transport as _;
use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_core::muxing::StreamMuxerExt;
use libp2p_core::transport::{ListenerId, TransportError};
use libp2p_identity::{Keypair, PeerId};
use mooring_webrtc::native::{Certificate, Config, Transport, Version};
use mooring_webrtc::{Error, Loss};
use native_common::*;

fn socket_of(address: &Multiaddr) -> std::net::SocketAddr {
    let mut protocols = address.iter();
    match (protocols.next(), protocols.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Udp(port))) => (ip, port).into(),
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certhash_is_a_clear_error() {
    let server = Server::start().await;
    let other = Certificate::generate().unwrap().fingerprint();
    let address: Multiaddr = server
        .address
        .iter()
        .map(|part| match part {
            Protocol::Certhash(_) => Protocol::Certhash(other.to_multihash()),
            part => part,
        })
        .collect();
    let error = try_dial(address, Version::V2).await.unwrap_err();
    assert!(
        matches!(&error, Error::WrongCertificate { expected, .. } if *expected == other),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_peer_id_is_a_clear_error() {
    let server = Server::start().await;
    let other = PeerId::random();
    let address = server.address.clone().with(Protocol::P2p(other));
    let error = try_dial(address, Version::V2).await.unwrap_err();
    assert!(
        matches!(&error, Error::WrongPeer { expected, found } if **expected == other && **found == server.peer),
        "{error:?}"
    );
    let right = server.address.clone().with(Protocol::P2p(server.peer));
    assert_eq!(try_dial(right, Version::V2).await.unwrap().0, server.peer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_a_timeout() {
    // Bound, but silent: nobody else can have the port.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let hash = Certificate::generate()
        .unwrap()
        .fingerprint()
        .to_multihash();
    let address: Multiaddr = format!(
        "/ip4/127.0.0.1/udp/{}/webrtc-direct",
        silent.local_addr().unwrap().port()
    )
    .parse()
    .unwrap();
    let error = try_dial(address.with(Protocol::Certhash(hash)), Version::V2)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_reaches_the_other_end_and_its_streams() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    let mut ours = outbound(&mut dialer).await.unwrap();
    ours.write_all(b"hello").await.unwrap();
    let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
    let mut hello = [0; 5];
    theirs.read_exact(&mut hello).await.unwrap();
    soon("closing", poll_fn(|cx| dialer.poll_close_unpin(cx)))
        .await
        .unwrap();
    let error = soon("the end", ended(&mut listener)).await;
    assert!(
        matches!(error, Error::ConnectionLost(Loss::ClosedByRemote)),
        "{error:?}"
    );
    assert!(theirs.read_to_end(&mut Vec::new()).await.is_err());
    assert!(ours.write_all(b"x").await.is_err());
    drop(listener);
    soon("its place", async {
        while server.counters.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_closing_still_arrives() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, mut listener) = server.accept().await;
    let mut ours = outbound(&mut dialer).await.unwrap();
    let data = noise(200_000, 11);
    ours.write_all(&data).await.unwrap();
    let mut theirs = soon("inbound", inbound(&mut listener)).await.unwrap();
    let closing = poll_fn(|cx| dialer.poll_close_unpin(cx));
    let mut got = vec![0; data.len()];
    let (closed, read) = soon("both", async {
        futures::join!(closing, theirs.read_exact(&mut got))
    })
    .await;
    closed.unwrap();
    read.unwrap();
    assert!(got == data);
}

/// Forwards datagrams between one client and a server until told to stop.
async fn cable(
    server: std::net::SocketAddr,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let front = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let back = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    back.connect(server).await.unwrap();
    let address = front.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut client = None;
        let (mut a, mut b) = (vec![0; 4096], vec![0; 4096]);
        loop {
            tokio::select! {
                Ok((length, from)) = front.recv_from(&mut a) => {
                    client = Some(from);
                    let _ = back.send(&a[..length]).await;
                }
                Ok(length) = back.recv(&mut b) => {
                    if let Some(client) = client {
                        let _ = front.send_to(&b[..length], client).await;
                    }
                }
            }
        }
    });
    (address, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_cable_is_noticed_at_both_ends() {
    let mut server = Server::start().await;
    let (address, cable) = cable(socket_of(&server.address)).await;
    let through: Multiaddr = server
        .address
        .iter()
        .map(|part| match part {
            Protocol::Udp(_) => Protocol::Udp(address.port()),
            part => part,
        })
        .collect();
    let mut dialer = dial(through).await;
    let (_, mut listener) = server.accept().await;
    cable.abort();
    let (ours, theirs) = soon("silence", async {
        futures::join!(ended(&mut dialer), ended(&mut listener))
    })
    .await;
    assert!(
        matches!(ours, Error::ConnectionLost(Loss::Silent)),
        "{ours:?}"
    );
    assert!(
        matches!(theirs, Error::ConnectionLost(Loss::Silent)),
        "{theirs:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_remote_is_noticed() {
    let mut server = Server::start().await;
    let address = server.address.clone();
    // A process of its own as far as anybody can tell: when its runtime goes, nothing says good-bye.
    let (killed, kill) = std::sync::mpsc::channel::<()>();
    let victim = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let connection = runtime.block_on(dial(address));
        kill.recv().unwrap();
        runtime.shutdown_background();
        drop(connection);
    });
    let (_, mut listener) = server.accept().await;
    killed.send(()).unwrap();
    victim.join().unwrap();
    let error = soon("silence", ended(&mut listener)).await;
    assert!(
        matches!(error, Error::ConnectionLost(Loss::Silent)),
        "{error:?}"
    );
    drop(listener);
    soon("its place", async {
        while server.counters.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_dial_leaves_no_task_behind() {
    let server = Server::start().await;
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let nowhere: Multiaddr = server
        .address
        .iter()
        .map(|part| match part {
            Protocol::Udp(_) => Protocol::Udp(port),
            part => part,
        })
        .collect();
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for n in 0..40_u64 {
        let keypair = Keypair::generate_ed25519();
        let mut transport = Transport::new(Config::new(&keypair));
        let address = if n % 2 == 0 {
            &nowhere
        } else {
            &server.address
        };
        let dialing = transport.dial(address.clone(), OPTIONS).unwrap();
        // At every stage there is.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(n / 2), dialing).await;
    }
    soon("the tasks to end", async {
        while metrics.num_alive_tasks() > before || server.counters.connections() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_stays() {
    let mut server = Server::start().await;
    let mut dialer = dial(server.address.clone()).await;
    let (_, listener) = server.accept().await;
    tokio::spawn(echo(listener));
    let idle = std::time::Duration::from_secs(20);
    assert!(
        tokio::time::timeout(idle, ended(&mut dialer))
            .await
            .is_err(),
        "an idle connection ended"
    );
    let stream = outbound(&mut dialer).await.unwrap();
    assert_eq!(
        soon("echo", exchange(stream, b"still here")).await.unwrap(),
        b"still here"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_dial_leaves_nothing_at_the_listener() {
    let server = Server::start().await;
    for _ in 0..20 {
        let keypair = Keypair::generate_ed25519();
        let mut transport = Transport::new(Config::new(&keypair));
        let dialing = transport.dial(server.address.clone(), OPTIONS).unwrap();
        let _ = tokio::time::timeout(std::time::Duration::from_millis(3), dialing).await;
    }
    tokio::time::timeout(std::time::Duration::from_secs(25), async {
        while server.counters.connections() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("connections of cancelled dials remain");
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_addresses_are_checked() {
    let keypair = Keypair::generate_ed25519();
    let certificate = Certificate::generate().unwrap();
    let hash = certificate.fingerprint().to_multihash();
    let mut transport = Transport::new(Config::new(&keypair).with_certificate(certificate));
    let base: Multiaddr = "/ip4/127.0.0.1/udp/0/webrtc-direct".parse().unwrap();
    let own = base
        .clone()
        .with(Protocol::Certhash(hash))
        .with(Protocol::P2p(keypair.public().to_peer_id()));
    transport.listen_on(ListenerId::next(), own).unwrap();
    let other = Certificate::generate()
        .unwrap()
        .fingerprint()
        .to_multihash();
    let wrong = base.clone().with(Protocol::Certhash(other));
    assert!(matches!(
        transport.listen_on(ListenerId::next(), wrong),
        Err(TransportError::Other(Error::Address(_)))
    ));
    let wrong = base.clone().with(Protocol::P2p(PeerId::random()));
    assert!(matches!(
        transport.listen_on(ListenerId::next(), wrong),
        Err(TransportError::Other(Error::Address(_)))
    ));
    for foreign in [
        "/ip4/127.0.0.1/tcp/0",
        "/ip4/127.0.0.1/udp/0/quic-v1",
        "/dns/localhost/udp/0/webrtc-direct",
    ] {
        let foreign: Multiaddr = foreign.parse().unwrap();
        let result = transport.listen_on(ListenerId::next(), foreign);
        assert!(matches!(
            result,
            Err(TransportError::MultiaddrNotSupported(_))
        ));
    }
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken: Multiaddr = format!(
        "/ip4/127.0.0.1/udp/{}/webrtc-direct",
        taken.local_addr().unwrap().port()
    )
    .parse()
    .unwrap();
    assert!(matches!(
        transport.listen_on(ListenerId::next(), taken),
        Err(TransportError::Other(Error::Io(_)))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_on_all_interfaces_reports_loopback_too() {
    for (any, loopback) in [
        ("/ip4/0.0.0.0", "/ip4/127.0.0.1/"),
        ("/ip6/::", "/ip6/::1/"),
    ] {
        let keypair = Keypair::generate_ed25519();
        let mut transport = Transport::new(Config::new(&keypair));
        transport
            .listen_on(
                ListenerId::next(),
                format!("{any}/udp/0/webrtc-direct").parse().unwrap(),
            )
            .unwrap();
        let mut transport = Box::pin(transport);
        soon("loopback", async {
            loop {
                let event = poll_fn(|cx| transport.as_mut().poll(cx)).await;
                let address = event.into_new_address().expect("an address");
                assert!(address.to_string().contains("/certhash/"));
                if address.to_string().starts_with(loopback) {
                    break;
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_works() {
    let address = Server::on("/ip6/::1/udp/0/webrtc-direct").await.echo();
    let mut connection = dial(address).await;
    let stream = outbound(&mut connection).await.unwrap();
    assert_eq!(
        soon("echo", exchange(stream, b"six")).await.unwrap(),
        b"six"
    );
}
