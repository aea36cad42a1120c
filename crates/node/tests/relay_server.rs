//! A relay for others: what it gives, what it refuses, what it counts, and a client that would like to break it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, identity::Keypair, multiaddr::Protocol, swarm,
    swarm::SwarmEvent,
};
use mooring_node::{Config, Error, Measure, Meter, Path, Refusal, RelayLimits, Toward};
use tokio::net::UdpSocket;

const HOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");
const STOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/stop");

/// All that was counted.
#[derive(Debug, Default)]
struct Tally(Mutex<Vec<Measure>>);

impl Meter for Tally {
    fn record(&self, measure: Measure) {
        self.0.lock().unwrap().push(measure);
    }
}

impl Tally {
    fn count(&self, wanted: impl Fn(&Measure) -> bool) -> usize {
        let all = self.0.lock().unwrap();
        all.iter().filter(|measure| wanted(measure)).count()
    }

    fn of(&self, wanted: Measure) -> usize {
        self.count(|measure| *measure == wanted)
    }

    fn relayed(&self, to: Toward) -> u64 {
        let all = self.0.lock().unwrap();
        all.iter()
            .map(|measure| match measure {
                Measure::Relayed { toward, bytes } if *toward == to => *bytes,
                _ => 0,
            })
            .sum()
    }

    /// What the circuits that have closed carried.
    fn closed(&self) -> Vec<u64> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter_map(|measure| match measure {
                Measure::CircuitClosed { bytes, .. } => Some(*bytes),
                _ => None,
            })
            .collect()
    }

    async fn until(&self, what: &str, wanted: Measure, times: usize) {
        eventually(what, || async { self.of(wanted) >= times }).await;
    }
}

const NEW: Measure = Measure::ReservationAccepted { renewal: false };
const RENEWED: Measure = Measure::ReservationAccepted { renewal: true };

fn relay(listen: &str, change: impl FnOnce(&mut RelayLimits)) -> (Node, Arc<Tally>) {
    let tally = Arc::new(Tally::default());
    let mut config = with_limits(server_config(listen), |limits| {
        change(&mut limits.relay_server);
    });
    config.meter = Some(Arc::clone(&tally) as Arc<dyn Meter>);
    (Node::start(config), tally)
}

/// A client that finds no direct path.
fn circuits_only() -> Node {
    Node::start(Config {
        webrtc_addresses: Some(Vec::new()),
        ..client_config()
    })
}

fn circuit(relay: &Multiaddr, to: &Node) -> Multiaddr {
    relay
        .clone()
        .with(Protocol::P2pCircuit)
        .with(Protocol::P2p(to.peer()))
}

/// Connects both to the relay, and one to the other through it.
async fn meet(relay: &Node, near: &Node, far: &Node) -> Result<(), Error> {
    near.connect(relay).await;
    eventually("reserved", || async { near.circuits().await == 1 }).await;
    let address = circuit(&relay.address().await, near);
    let connection = soon("dial", far.dial(&address)).await?;
    assert_eq!(connection.path, Path::Relayed);
    Ok(())
}

#[tokio::test]
async fn what_goes_through_is_counted_to_the_byte() {
    let (relay, tally) = relay(TCP, |_| {});
    let (near, far) = (circuits_only(), circuits_only());
    meet(&relay, &near, &far).await.unwrap();
    assert_eq!(tally.of(Measure::CircuitOpened), 1);
    let shaken = tally.relayed(Toward::Listener);
    assert!(shaken > 100, "the handshakes: {shaken}");

    let mut incoming = near.handle.accept(vec![CHAT]).await.unwrap();
    let bytes = vec![7; 100_000];
    let serve = async {
        let incoming = soon("incoming", incoming.next()).await.unwrap();
        let (mut read, mut write) = incoming.stream.split();
        let mut received = Vec::new();
        read.read_to_end(&mut received).await.unwrap();
        write.write_all(&received[..50_000]).await.unwrap();
        write.close().await.unwrap();
    };
    let ask = async {
        let opened = far.open(near.peer(), CHAT).await.unwrap();
        exchange(opened.stream, &bytes).await.unwrap()
    };
    let (back, ()) = soon("exchange", futures::future::join(ask, serve)).await;
    assert_eq!(back.len(), 50_000);

    far.handle.shutdown().await;
    eventually("closed", || async { tally.closed().len() == 1 }).await;
    let (there, back) = (
        tally.relayed(Toward::Listener),
        tally.relayed(Toward::Dialer),
    );
    assert_eq!(tally.closed(), [there + back]);
    // Encryption, frames, identify and the like come on top.
    assert!((100_000..115_000).contains(&there), "{there}");
    assert!((50_000..65_000).contains(&back), "{back}");
    near.handle.shutdown().await;
    tally
        .until(
            "the reservation's end",
            Measure::ReservationEnded { expired: false },
            1,
        )
        .await;
    assert_eq!(tally.of(Measure::ReservationEnded { expired: false }), 1);
    let opened = tally.count(|measure| matches!(measure, Measure::ConnectionOpened { .. }));
    assert_eq!(opened, 2);
    eventually("both have gone", || async {
        tally.count(|measure| matches!(measure, Measure::ConnectionClosed { .. })) == 2
    })
    .await;
}

#[tokio::test]
async fn a_pair_that_meets_here_costs_less_than_64_kib() {
    for listen in [TCP, WEBRTC] {
        let (relay, tally) = relay(listen, |_| {});
        let (near, far) = (Node::client(), Node::client());
        near.connect(&relay).await;
        tally.until("reserved", NEW, 1).await;
        let address = relay
            .address()
            .await
            .with(Protocol::P2pCircuit)
            .with(Protocol::WebRTC)
            .with(Protocol::P2p(near.peer()));
        let connection = soon("dial", far.dial(&address)).await.unwrap();
        assert_eq!(connection.path, Path::Direct);
        eventually("the circuit is given up", || async {
            tally.closed().len() == 1
        })
        .await;
        let carried = tally.closed()[0];
        println!("{listen}: {carried} bytes");
        assert!((2_000..64 * 1024).contains(&carried), "{carried}");
    }
}

#[tokio::test]
async fn a_full_relay_refuses_new_clients_and_renews_the_others() {
    let (relay, tally) = relay(TCP, |limits| {
        limits.reservations = 1;
        limits.reservation_duration = Duration::from_secs(8);
    });
    let (near, late) = (Node::client(), Node::client());
    near.connect(&relay).await;
    tally.until("reserved", NEW, 1).await;
    late.connect(&relay).await;
    let full = Measure::ReservationRefused(Refusal::Full);
    tally.until("refused", full, 1).await;
    tally.until("renewed", RENEWED, 1).await;
    assert_eq!(near.circuits().await, 1);
    assert_eq!(tally.of(NEW), 1);
    assert_eq!(
        tally.count(|measure| matches!(measure, Measure::ReservationEnded { .. })),
        0
    );
    // The place is taken by the other when it is free.
    near.handle.shutdown().await;
    tally.until("the other", NEW, 2).await;
    eventually("reachable", || async { late.circuits().await == 1 }).await;
}

#[tokio::test]
async fn circuits_are_bounded_in_number_and_refused_with_the_reason() {
    let (relay, tally) = relay(TCP, |limits| limits.circuits = 1);
    let (near, far, third) = (circuits_only(), circuits_only(), circuits_only());
    // Nobody of that name is here.
    let address = circuit(&relay.address().await, &near);
    let refused = soon("dial", far.dial(&address)).await;
    assert!(
        matches!(refused, Err(Error::DialFailed { .. })),
        "{refused:?}"
    );
    let reason = Measure::CircuitRefused(Refusal::NoReservation);
    tally.until("nobody", reason, 1).await;
    meet(&relay, &near, &far).await.unwrap();
    let refused = soon("dial", third.dial(&address)).await;
    assert!(
        matches!(refused, Err(Error::DialFailed { .. })),
        "{refused:?}"
    );
    let reason = Measure::CircuitRefused(Refusal::Full);
    tally.until("full", reason, 1).await;
    assert_eq!(tally.of(Measure::CircuitOpened), 1);
    far.handle.shutdown().await;
    eventually("closed", || async { tally.closed().len() == 1 }).await;
    eventually("there is room again", || async {
        third.dial(&address).await.is_ok()
    })
    .await;
    assert_eq!(tally.of(Measure::CircuitOpened), 2);
}

#[tokio::test]
async fn circuits_of_one_peer_are_bounded() {
    let (relay, tally) = relay(TCP, |limits| limits.circuits_per_peer = 1);
    let (near, second, far) = (circuits_only(), circuits_only(), circuits_only());
    meet(&relay, &near, &far).await.unwrap();
    let refused = meet(&relay, &second, &far).await;
    assert!(
        matches!(refused, Err(Error::DialFailed { .. })),
        "{refused:?}"
    );
    assert_eq!(tally.of(Measure::CircuitRefused(Refusal::Full)), 1);
}

#[tokio::test]
async fn a_circuit_is_cut_after_its_bytes() {
    let (relay, tally) = relay(TCP, |limits| limits.circuit_bytes = 50_000);
    let (near, far) = (circuits_only(), circuits_only());
    meet(&relay, &near, &far).await.unwrap();
    let mut incoming = near.handle.accept(vec![CHAT]).await.unwrap();
    let opened = far.open(near.peer(), CHAT).await.unwrap();
    let there = soon("incoming", incoming.next()).await.unwrap();
    let echo = tokio::spawn(async move {
        let (read, mut write) = there.stream.split();
        futures::io::copy(read, &mut write).await
    });
    let back = soon("cut", exchange(opened.stream, &vec![1; 100_000])).await;
    assert!(back.is_err());
    let _ = soon("cut there", echo).await.unwrap();
    eventually("closed", || async { tally.closed().len() == 1 }).await;
    let carried = tally.closed()[0];
    // What is under way when it is noticed: a buffer each way.
    assert!((50_000..70_000).contains(&carried), "{carried}");
}

#[tokio::test]
async fn a_circuit_is_cut_after_its_time() {
    let (relay, tally) = relay(TCP, |limits| {
        limits.circuit_duration = Duration::from_secs(2);
    });
    let (near, far) = (circuits_only(), circuits_only());
    meet(&relay, &near, &far).await.unwrap();
    eventually("closed", || async { tally.closed().len() == 1 }).await;
    far.lets_go_of(near.peer()).await;
}

/// A UDP link whose one direction can be cut.
struct Link {
    address: Multiaddr,
    /// Does nothing of the client arrive any more?
    silent: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Link {
    async fn to(server: &Multiaddr) -> Self {
        let port = server
            .iter()
            .find_map(|part| match part {
                Protocol::Udp(port) => Some(port),
                _ => None,
            })
            .unwrap();
        let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let inside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        inside
            .connect(SocketAddr::from(([127, 0, 0, 1], port)))
            .await
            .unwrap();
        let own = outside.local_addr().unwrap().port();
        let address = server
            .iter()
            .map(|part| match part {
                Protocol::Udp(_) => Protocol::Udp(own),
                other => other,
            })
            .collect();
        let silent = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&silent);
        let task = tokio::spawn(async move {
            let (mut up, mut down) = (vec![0; 2048], vec![0; 2048]);
            let mut client = None;
            loop {
                tokio::select! {
                    Ok((count, from)) = outside.recv_from(&mut up) => {
                        client = Some(from);
                        if !cut.load(Ordering::SeqCst) {
                            let _ = inside.send(&up[..count]).await;
                        }
                    }
                    Ok(count) = inside.recv(&mut down) => {
                        if let Some(client) = client {
                            let _ = outside.send_to(&down[..count], client).await;
                        }
                    }
                }
            }
        });
        Self {
            address,
            silent,
            task,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks for a reservation by hand, and gives back the status.
async fn reserve(control: &mut libp2p_stream::Control, relay: libp2p::PeerId) -> Vec<u8> {
    let mut stream = soon("open", control.open_stream(relay, HOP)).await.unwrap();
    // `type = RESERVE`.
    stream.write_all(&[2, 0x08, 0]).await.unwrap();
    stream.flush().await.unwrap();
    let mut length = [0];
    soon("answer", stream.read_exact(&mut length))
        .await
        .unwrap();
    let mut answer = vec![0; usize::from(length[0])];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

/// libp2p-relay 0.22 forgets the connection of a reservation that ends, and panics when a renewal of it is answered after that.
#[tokio::test]
async fn a_renewal_that_is_answered_after_the_end_harms_nobody() {
    let lasts = Duration::from_secs(4);
    let (relay, tally) = relay(WEBRTC, |limits| limits.reservation_duration = lasts);
    let link = Link::to(&relay.address().await).await;
    let client = Raw::dial(&link.address).await;
    let mut control = client.control.clone();
    let answer = reserve(&mut control, relay.peer()).await;
    assert!(answer.ends_with(&[0x28, 100]), "{answer:?}");
    tally.until("made", NEW, 1).await;
    // Shortly before its end it is renewed; that the answer has arrived is kept from the relay, which waits for it.
    tokio::time::sleep(lasts - Duration::from_millis(1500)).await;
    let silent = Arc::clone(&link.silent);
    let mut stream = soon("open", control.open_stream(relay.peer(), HOP))
        .await
        .unwrap();
    stream.write_all(&[2, 0x08, 0]).await.unwrap();
    stream.flush().await.unwrap();
    let mut length = [0];
    soon("answer", stream.read_exact(&mut length))
        .await
        .unwrap();
    silent.store(true, Ordering::SeqCst);
    tally
        .until("its end", Measure::ReservationEnded { expired: true }, 1)
        .await;
    // The wait is over; the relay has made the reservation anew, and then lost its client.
    eventually("answered", || async {
        tally.of(NEW) + tally.of(RENEWED) >= 2 || relay.task.is_finished()
    })
    .await;
    assert!(!relay.task.is_finished(), "the relay has panicked");
    let other = Node::client();
    other.connect(&relay).await;
    eventually("still at work", || async { other.circuits().await == 1 }).await;
}

/// libp2p-relay 0.22 forgets requests for a circuit to a peer that has ten unanswered, and their places with them.
#[tokio::test]
async fn requests_that_nobody_answers_give_their_places_back() {
    let asked = 12;
    let (relay, tally) = relay(WEBRTC, |limits| {
        limits.circuits = asked;
        limits.circuit_answer = Duration::from_secs(8);
    });
    let address = relay.address().await;
    // It holds a reservation, and says nothing to those who ask for it.
    let mut silent = Raw::dial(&address).await;
    reserve(&mut silent.control, relay.peer()).await;
    let mut stops = silent.control.accept(STOP).unwrap();
    let mut asker = Raw::dial(&address).await;
    let (mut streams, mut forwarded) = (Vec::new(), Vec::new());
    for count in 1..=asked {
        let mut stream = soon("open", asker.control.open_stream(relay.peer(), HOP))
            .await
            .unwrap();
        let id = silent.peer.to_bytes();
        let mut request = vec![0x08, 1, 0x12];
        request.push(u8::try_from(id.len() + 2).unwrap());
        request.extend([0x0a, u8::try_from(id.len()).unwrap()]);
        request.extend(id);
        request.insert(0, u8::try_from(request.len()).unwrap());
        stream.write_all(&request).await.unwrap();
        stream.flush().await.unwrap();
        streams.push(stream);
        if count <= 10 {
            forwarded.push(soon("forwarded", stops.next()).await.unwrap());
        }
    }
    let (near, far) = (circuits_only(), circuits_only());
    assert!(meet(&relay, &near, &far).await.is_err());
    let full = Measure::CircuitRefused(Refusal::Full);
    tally.until("no place is left", full, 1).await;
    eventually("there are places again", || async {
        meet(&relay, &near, &far).await.is_ok()
    })
    .await;
    soon("the asker is sent away", &mut asker.closed)
        .await
        .unwrap();
}

/// A client that does as it is told.
struct Raw {
    peer: libp2p::PeerId,
    control: libp2p_stream::Control,
    /// The end of its connection.
    closed: tokio::sync::oneshot::Receiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Raw {
    async fn dial(relay: &Multiaddr) -> Self {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair.public().to_peer_id();
        let streams = libp2p_stream::Behaviour::new();
        let control = streams.new_control();
        let mut swarm = Swarm::new(
            mooring_webrtc::Transport::new(mooring_webrtc::Config::new(&keypair)).boxed(),
            streams,
            peer,
            swarm::Config::with_tokio_executor()
                .with_idle_connection_timeout(Duration::from_secs(60)),
        );
        swarm.dial(relay.clone()).unwrap();
        soon("connected", async {
            while !matches!(
                swarm.select_next_some().await,
                SwarmEvent::ConnectionEstablished { .. }
            ) {}
        })
        .await;
        let (close, closed) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut close = Some(close);
            loop {
                if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await
                    && let Some(close) = close.take()
                {
                    let _ = close.send(());
                }
            }
        });
        Self {
            peer,
            control,
            closed,
            task,
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}
