//! Plain data channels on our own native stack: what its streams are held against.
//!
//! Takes offers by HTTP as the Go peer's `raw` does (tests/interop/go). A channel whose first message is the 24 bytes of
//! an order is served as the benchmarks' protocol is; what another gets, it sends back. Prints the URL that offers are
//! posted to, then runs until SIGINT, SIGTERM or the end of its stdin.

// The modules taken in below bring their tests, which are run where they live.
#![cfg(not(test))]

// What the modules below know by these names.
use mooring_webrtc::core;

#[expect(dead_code, reason = "taken in as they are, and not all of it is used")]
#[path = "../../../../crates/webrtc/src/native"]
mod native {
    //! The stack, which its crate keeps to itself.
    pub mod certificate;
    pub mod limits;
    pub mod session;
    pub mod socket;
    pub mod stun;
}

mod channel;
mod connection;
#[path = "../end.rs"]
mod end;
mod http;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use clap::Parser;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use native::{certificate::Certificate, limits, socket, stun::Datagram};

#[derive(Parser)]
struct Arguments {
    /// IPv4 address
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
}

/// The passwords of those who posted an offer, by ufrag: ours are both the same.
type Expected = Arc<Mutex<HashMap<String, ()>>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let socket = socket::bind(SocketAddr::from((arguments.address, 0)))?;
    let certificate = Certificate::generate()?;
    let expected = Expected::default();
    let offers = http::Offers::bind(
        arguments.address,
        socket.local_addr()?.port(),
        certificate.fingerprint(),
        expected.clone(),
    )
    .await?;
    println!("{}", offers.url()?);
    tokio::select! {
        result = offers.serve() => result,
        result = receive(socket, certificate, expected) => result,
        result = end::asked_for() => result,
    }
}

/// Answers checks, and hands datagrams to the connection of their sender.
async fn receive(
    socket: Arc<UdpSocket>,
    certificate: Certificate,
    expected: Expected,
) -> Result<()> {
    let mut connections: HashMap<SocketAddr, mpsc::Sender<Bytes>> = HashMap::new();
    let mut buffer = vec![0; limits::MAX_DATAGRAM];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            // An answer of ours met a closed port.
            continue;
        };
        match Datagram::parse(buffer.get(..length).unwrap_or_default()) {
            Datagram::Request(request) => {
                let ufrag = request.receiver_ufrag;
                let known = expected
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .contains_key(ufrag);
                if !known || !request.verify(ufrag) {
                    continue;
                }
                if let Some(answer) = request.answer(from, ufrag) {
                    socket::send(&socket, &answer, from).await;
                }
                connections.retain(|_, connection| !connection.is_closed());
                connections.entry(from).or_insert_with(|| {
                    let (sender, datagrams) = mpsc::channel(limits::DATAGRAM_QUEUE);
                    let connection =
                        connection::run(certificate.clone(), socket.clone(), from, datagrams);
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            eprintln!("connection of {from} ended: {error}");
                        }
                    });
                    sender
                });
            }
            Datagram::Dtls(datagram) => {
                if let Some(connection) = connections.get(&from) {
                    // A full queue drops it, as the listener does.
                    let _ = connection.try_send(Bytes::copy_from_slice(datagram));
                }
            }
            Datagram::Response(_) | Datagram::Other => {}
        }
    }
}
