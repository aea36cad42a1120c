//! Peers that check from where they should not, or send before there is a path.

use std::time::Duration;

use libp2p_identity::PeerId;

use super::*;
use crate::core::signalling::{AllowAll, Policy};
use crate::native::stun;

const UFRAG: &str = "abcd";
const PASSWORD: &str = "abcdefghijklmnopqrstuvwx";

/// A listener's path on loopback, and the peer's socket.
fn path(policy: Arc<dyn Policy>) -> (IcePath, std::net::UdpSocket, SocketAddr) {
    let local: IpAddr = std::net::Ipv4Addr::LOCALHOST.into();
    let allowed = Allowed::new(PeerId::random(), policy);
    let runtime = Handle::current();
    let mut path = IcePath::new(Role::Listener, Some(&[local]), allowed, runtime).unwrap();
    path.set_remote_credentials(UFRAG, PASSWORD);
    let socket = std::net::UdpSocket::bind((local, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = path.sockets[0].address;
    (path, socket, address)
}

/// A check of the peer's.
fn check(path: &IcePath) -> Bytes {
    let local = path.credentials();
    let username = format!("{}:{UFRAG}", local.ufrag);
    stun::check(stun::Transaction::new(), 7, &username, &local.pass).unwrap()
}

/// Polls for so long; how often it asked to be polled.
async fn run(path: &mut IcePath, time: Duration) -> usize {
    let mut polls = 0;
    let work = poll_fn(|cx| {
        polls += 1;
        path.poll(cx);
        Poll::<()>::Pending
    });
    let _ = tokio::time::timeout(time, work).await;
    polls
}

#[tokio::test]
async fn what_comes_before_there_is_a_path_neither_piles_up_nor_keeps_us_busy() {
    let (mut path, peer, address) = path(Arc::new(AllowAll));
    peer.send_to(&check(&path), address).unwrap();
    while path.sources.is_empty() {
        run(&mut path, Duration::from_millis(20)).await;
    }
    for _ in 0..limits::DATAGRAM_QUEUE / limits::DATAGRAM_BATCH + 2 {
        for _ in 0..limits::DATAGRAM_BATCH {
            peer.send_to(&[22; 20], address).unwrap();
        }
        run(&mut path, Duration::from_millis(5)).await;
    }
    assert!(!path.is_nominated());
    assert_eq!(path.inputs.len(), limits::DATAGRAM_QUEUE);
    peer.send_to(&[22; 20], address).unwrap();
    let polls = run(&mut path, Duration::from_millis(300)).await;
    assert!(polls < 100, "{polls}");
}

/// Nothing here is global.
#[derive(Debug)]
struct Closed;

impl Policy for Closed {
    fn allows(&self, _: &PeerId, _: &Address) -> bool {
        false
    }
}

#[tokio::test]
async fn a_check_from_an_address_that_is_not_allowed_is_not_answered() {
    for (policy, answered) in [
        (Arc::new(AllowAll) as Arc<dyn Policy>, true),
        (Arc::new(Closed), false),
    ] {
        let (mut path, peer, address) = path(policy);
        peer.send_to(&check(&path), address).unwrap();
        run(&mut path, Duration::from_millis(200)).await;
        assert_eq!(peer.recv_from(&mut [0; 2000]).is_ok(), answered);
        assert_eq!(path.sources.is_empty(), !answered);
    }
}
