//! Peers that take a connection and say nothing keep a dial for 20 s. Whoever dials such keeps nobody else from their dials, circuits
//! and lookups.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{
    kad::{FakeDht, answer, closer, peer},
    *,
};
use futures::{FutureExt, future::join_all};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use mooring_node::{
    Connection, DialRequest, Error, Handle, LookupOptions, Owner, Scope,
    limits::{Limits, Share},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Says nothing, and counts who is there.
struct Hanging {
    address: Multiaddr,
    held: Arc<Mutex<Vec<TcpStream>>>,
    task: JoinHandle<()>,
}

impl Hanging {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Multiaddr::empty()
            .with(Protocol::Ip4([127, 0, 0, 1].into()))
            .with(Protocol::Tcp(listener.local_addr().unwrap().port()));
        let held = Arc::new(Mutex::new(Vec::new()));
        let holds = Arc::clone(&held);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                holds.lock().unwrap().push(stream);
            }
        });
        Self {
            address,
            held,
            task,
        }
    }

    fn somebody(&self) -> Multiaddr {
        self.address.clone().with(Protocol::P2p(PeerId::random()))
    }

    fn count(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    async fn holds(&self, count: usize) {
        eventually("dials that hang", || async { self.count() >= count }).await;
    }

    /// Ends them.
    fn let_go(self) {
        self.task.abort();
        self.held.lock().unwrap().clear();
    }
}

fn client(dialing: Share, waiting_dials: Share) -> Node {
    Node::start(with_limits(client_config(), |limits| {
        limits.dialing = dialing;
        limits.waiting_dials = waiting_dials;
    }))
}

const PLENTY: Share = Share {
    each: 64,
    sites: 256,
};

/// Dials in a task of its own. The node has been asked when this returns, so what is asked after it comes after it.
fn begin(handle: &Handle, request: DialRequest) -> JoinHandle<Result<Connection, Error>> {
    let handle = handle.clone();
    let mut dial = Box::pin(async move { handle.dial(request).await });
    assert!((&mut dial).now_or_never().is_none());
    tokio::spawn(dial)
}

fn within(time: Duration, request: DialRequest) -> DialRequest {
    DialRequest {
        timeout: time,
        ..request
    }
}

/// More than any of the limits on what is under way.
const FLOOD: usize = 60;

#[tokio::test]
async fn a_site_whose_dials_hang_takes_nobody_elses() {
    let hanging = Hanging::start().await;
    let (client, relay) = (Node::client(), Node::server(TCP));
    let flood: Vec<_> = (0..FLOOD)
        .map(|_| begin(&client.handle, request(&hanging.somebody())))
        .collect();
    let share = Limits::client().dialing.each;
    hanging.holds(share).await;
    for owner in [Some(other_site()), Some(Owner::user()), None] {
        let server = Node::server(TCP);
        let dial = DialRequest {
            owner,
            ..request(&server.address().await)
        };
        soon("dial", client.handle.dial(dial)).await.unwrap();
    }
    // Nor the node's own: it is reserved on the relay, and found through it.
    let dial = request_of(other_site(), &relay.address().await);
    soon("dial", client.handle.dial(dial)).await.unwrap();
    eventually("reserved", || async { client.circuits().await > 0 }).await;
    assert_eq!(hanging.count(), share);
    assert!(flood.iter().all(|dial| !dial.is_finished()));
}

#[tokio::test]
async fn the_node_itself_dials_as_well_while_a_site_does_all_it_may() {
    let hanging = Hanging::start().await;
    let server = Node::server(TCP);
    let peer = server.peer();
    let mut config = client_config();
    let address = server.address().await;
    config.bootstrap = vec![address.with_p2p(peer).unwrap()];
    let client = Node::start(config);
    eventually("connected", || client.is_connected(peer)).await;
    let _flood: Vec<_> = (0..FLOOD)
        .map(|_| begin(&client.handle, request(&hanging.somebody())))
        .collect();
    hanging.holds(Limits::client().dialing.each).await;
    // It is dialed again by itself.
    client.handle.disconnect(peer).await.unwrap();
    client.lets_go_of(peer).await;
    eventually("connected again", || client.is_connected(peer)).await;
}

#[tokio::test]
async fn a_dial_that_was_given_up_counts_until_it_has_ended() {
    let hanging = Hanging::start().await;
    let (client, server) = (
        client(Share { each: 2, sites: 8 }, PLENTY),
        Node::server(TCP),
    );
    let moment = Duration::from_millis(200);
    let given_up = [moment; 2].map(|time| {
        let request = within(time, request(&hanging.somebody()));
        client.handle.dial(request)
    });
    for result in join_all(given_up).await {
        assert_eq!(result, Err(Error::Timeout));
    }
    let cancelled = begin(&client.handle, request(&hanging.somebody()));
    let address = server.address().await;
    let own = client.handle.dial(within(moment, request(&address)));
    assert_eq!(own.await, Err(Error::Timeout));
    cancelled.abort();
    let theirs = client.handle.dial(request_of(other_site(), &address));
    soon("dial", theirs).await.unwrap();
    assert_eq!(hanging.count(), 2);
    // Another one, which is not connected yet.
    let server = Node::server(TCP);
    let waits = begin(&client.handle, request(&server.address().await));
    hanging.let_go();
    soon("dial", waits).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_waits_is_bounded_for_each_and_comes_in_its_order() {
    let hanging = Hanging::start().await;
    let client = client(Share { each: 1, sites: 8 }, Share { each: 2, sites: 8 });
    let first = begin(&client.handle, request(&hanging.somebody()));
    hanging.holds(1).await;
    let servers = [Node::server(TCP), Node::server(TCP), Node::server(TCP)];
    let mut addresses = Vec::new();
    for server in &servers {
        addresses.push(server.address().await);
    }
    let mut events = client.handle.events().await.unwrap();
    let second = begin(&client.handle, request(&addresses[0]));
    let third = begin(&client.handle, request(&addresses[1]));
    let over = client.handle.dial(request(&hanging.somebody())).await;
    assert!(
        matches!(over, Err(Error::LimitExceeded { what: "dialsWaiting", retry_after }) if !retry_after.is_zero()),
        "{over:?}"
    );
    for owner in [Some(other_site()), Some(Owner::user()), None] {
        let dial = DialRequest {
            owner,
            ..request(&addresses[2])
        };
        soon("dial", client.handle.dial(dial)).await.unwrap();
    }
    // What is given up while it waits makes room for another.
    third.abort();
    let third = loop {
        let dial = within(PATIENCE, request(&addresses[1]));
        match tokio::time::timeout(Duration::from_millis(50), client.handle.dial(dial)).await {
            Err(_) => break begin(&client.handle, request(&addresses[1])),
            Ok(result) => assert!(matches!(result, Err(Error::LimitExceeded { .. }))),
        }
    };
    assert!(!second.is_finished());
    hanging.let_go();
    assert!(matches!(
        soon("first", first).await.unwrap(),
        Err(Error::DialFailed { .. })
    ));
    soon("second", second).await.unwrap().unwrap();
    soon("third", third).await.unwrap().unwrap();
    let mut opened = Vec::new();
    while opened.len() < 3 {
        if let Some(mooring_node::Event::PeerConnected { peer }) =
            soon("events", futures::StreamExt::next(&mut events)).await
        {
            opened.push(peer);
        }
    }
    assert_eq!(opened, [2, 0, 1].map(|n: usize| servers[n].peer()));
}

#[tokio::test]
async fn nobody_waits_for_a_dial_that_its_owner_has_to_wait_for() {
    let hanging = Hanging::start().await;
    let client = client(Share { each: 8, sites: 32 }, PLENTY);
    let (near, far) = (Node::server(TCP), Node::server(TCP));
    let peer = far.peer();
    // One dial of this site with more addresses than are tried at once, and the one that leads somewhere is the last.
    let address = far.address().await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(Hanging::start().await);
    }
    let mut addresses: Vec<_> = silent.iter().map(|it| it.address.clone()).collect();
    addresses.push(address.clone());
    let long = DialRequest {
        peer: Some(peer),
        addresses,
        ..request(&address)
    };
    let long = begin(&client.handle, long);
    for silent in &silent {
        silent.holds(1).await;
    }
    // And one that waits for that.
    let address = near.address().await;
    let waits = begin(&client.handle, request(&address));
    let over = within(Duration::from_millis(100), request(&hanging.somebody()));
    assert_eq!(client.handle.dial(over).await, Err(Error::Timeout));
    assert_eq!(hanging.count(), 0);

    for owner in [Owner::user(), other_site()] {
        let node = near.peer();
        let dial = client.handle.dial(request_of(owner.clone(), &address));
        soon("dial", dial).await.unwrap();
        // So does the site itself get it.
        assert!(client.is_connected(node).await);
        let address = far.address().await.with_p2p(peer).unwrap();
        let dial = client.handle.dial(request_of(owner, &address));
        soon("dial", dial).await.unwrap();
    }
    soon("waits", waits).await.unwrap().unwrap();
    soon("long", long).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_address_of_a_peer_that_is_not_known_counts() {
    let hanging = [
        Hanging::start().await,
        Hanging::start().await,
        Hanging::start().await,
    ];
    let client = client(Share { each: 4, sites: 16 }, PLENTY);
    let many = DialRequest {
        addresses: hanging.iter().map(|it| it.address.clone()).collect(),
        ..request(&hanging[0].address)
    };
    let _dial = begin(&client.handle, many);
    for hanging in &hanging {
        hanging.holds(1).await;
    }
    let one = begin(&client.handle, request(&hanging[0].somebody()));
    hanging[0].holds(2).await;
    let server = Node::server(TCP);
    let waits = begin(&client.handle, request(&server.address().await));
    let over = within(Duration::from_millis(100), request(&hanging[1].somebody()));
    assert_eq!(client.handle.dial(over).await, Err(Error::Timeout));
    assert_eq!(hanging[1].count(), 1);
    let [first, second, _third] = hanging;
    assert!(!waits.is_finished());
    // One of three ends: there is room again.
    second.let_go();
    soon("dial", waits).await.unwrap().unwrap();
    first.let_go();
    assert!(soon("one", one).await.unwrap().is_err());
}

#[tokio::test]
async fn a_relay_that_a_site_dials_where_nobody_answers_relays_for_others() {
    let hanging = Hanging::start().await;
    let (relay, near, far) = (Node::server(TCP), Node::client(), Node::client());
    near.connect(&relay).await;
    eventually("reserved", || async { near.circuits().await > 0 }).await;
    let silent = hanging.address.clone().with(Protocol::P2p(relay.peer()));
    let dial = begin(&far.handle, request(&silent));
    hanging.holds(1).await;
    let circuit = relay
        .address()
        .await
        .with_p2p(relay.peer())
        .unwrap()
        .with(Protocol::P2pCircuit)
        .with(Protocol::P2p(near.peer()));
    let connection = far.handle.dial(request_of(other_site(), &circuit));
    let connection = soon("dial", connection).await.unwrap();
    assert_eq!(connection.peer, near.peer());
    // Which has reached the relay for the site as well.
    soon("dial", dial).await.unwrap().unwrap();
}

#[tokio::test]
async fn why_the_relay_of_a_circuit_was_not_reached_is_told() {
    let client = Node::client();
    let circuit = closed_port()
        .with(Protocol::P2p(PeerId::random()))
        .with(Protocol::P2pCircuit)
        .with(Protocol::P2p(PeerId::random()));
    let failed = soon("dial", client.dial(&circuit)).await;
    let Err(Error::DialFailed { causes }) = failed else {
        panic!("{failed:?}");
    };
    assert!(causes[0].contains("refused"), "{causes:?}");
}

/// A DHT in which one peer, which is connected, knows the address of another, which knows where the server is.
struct TwoSteps {
    client: Node,
    server: Node,
    known: FakeDht,
    _first: FakeDht,
}

impl TwoSteps {
    /// `named`: where the first says that the second is, instead of where it is.
    async fn start(named: Option<&Multiaddr>) -> Self {
        let (client, server) = (Node::client(), Node::server(TCP));
        let (id, address) = (server.peer(), server.address().await);
        let known = closer(&peer(id, &[address]));
        let known = FakeDht::start(Box::new(move |question| {
            answer(question, std::slice::from_ref(&known))
        }))
        .await;
        let id = peer_of(&known.address);
        let first = closer(&peer(id, &[named.unwrap_or(&known.address).clone()]));
        let first = FakeDht::start(Box::new(move |question| {
            answer(question, std::slice::from_ref(&first))
        }))
        .await;
        soon("dial", client.dial(&first.address)).await.unwrap();
        Self {
            client,
            server,
            known,
            _first: first,
        }
    }

    fn look_up(&self) -> JoinHandle<Result<mooring_node::FoundPeer, Error>> {
        let (handle, peer) = (self.client.handle.clone(), self.server.peer());
        let options = LookupOptions {
            owner: other_site(),
            scope: Scope::PRIVATE,
            timeout: PATIENCE,
        };
        tokio::spawn(async move { handle.find_peer(peer, options).await })
    }
}

fn peer_of(address: &Multiaddr) -> PeerId {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => peer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_peer_that_a_site_dials_where_nobody_answers_answers_others_lookups() {
    let hanging = Hanging::start().await;
    let dht = TwoSteps::start(None).await;
    let silent = hanging
        .address
        .clone()
        .with(Protocol::P2p(peer_of(&dht.known.address)));
    let dial = begin(&dht.client.handle, request(&silent));
    hanging.holds(1).await;
    soon("lookup", dht.look_up()).await.unwrap().unwrap();
    // Which has reached the peer for the site as well.
    soon("dial", dial).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sites_failed_dial_of_a_peer_is_nothing_to_others_lookups() {
    let hanging = Hanging::start().await;
    let dht = TwoSteps::start(Some(&hanging.address)).await;
    let peer = peer_of(&dht.known.address);
    let lookup = dht.look_up();
    hanging.holds(1).await;
    let wrong = closed_port().with(Protocol::P2p(peer));
    assert!(soon("dial", dht.client.dial(&wrong)).await.is_err());
    // It still waits for that peer, and asks it as soon as it is there.
    soon("dial", dht.client.dial(&dht.known.address))
        .await
        .unwrap();
    soon("lookup", lookup).await.unwrap().unwrap();
}
