//! For whom a dial opens private addresses, and for how long.

use std::{sync::Arc, time::Duration};

use futures::channel::oneshot;
use mooring_webrtc::core::signalling::{Address, Policy};

use super::*;
use crate::address_policy::Gate;

type Answer = oneshot::Receiver<Result<Connection, Error>>;

struct World {
    gate: Arc<Gate>,
    dials: Dials,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    id: ConnectionId,
    now: Instant,
}

impl World {
    /// A dial of this scope is under way.
    fn new(scope: Scope) -> Self {
        let (gate, peer) = (Gate::new(Scope::GLOBAL), PeerId::random());
        let addresses: Vec<Multiaddr> = vec!["/ip4/9.9.9.9/tcp/9".parse().unwrap()];
        let mut world = Self {
            gate,
            dials: Dials::default(),
            peer,
            addresses: addresses.clone(),
            id: ConnectionId::new_unchecked(1),
            now: Instant::now(),
        };
        let approvals = scope.private_network.then(|| {
            let peer = world.gate.approve_peer(peer);
            (world.gate.approve(&addresses), Some(peer))
        });
        world.dials.attempts.insert(world.id, 0);
        let dial = Dial {
            owner: Some(Owner::new("https://a.example")),
            begun: true,
            peer: Some(peer),
            addresses,
            direct: false,
            signalled: false,
            private: scope.private_network,
            attempts: 1,
            causes: Vec::new(),
            waiters: Vec::new(),
            approvals,
        };
        world.dials.dials.insert(0, dial);
        world
    }

    fn wait(&mut self, owner: &str, time: Duration) -> Answer {
        let (reply, answer) = oneshot::channel();
        let deadline = self.now + time;
        let owner = Some(Owner::new(owner));
        let waiter = Waiter {
            owner,
            reply,
            deadline,
        };
        self.dials.dials.get_mut(&0).unwrap().waiters.push(waiter);
        answer
    }

    fn joins(&mut self, scope: Scope) -> bool {
        let (peer, addresses) = (self.peer, &self.addresses);
        self.dials
            .covering(None, peer, addresses, scope, false)
            .is_some()
    }

    fn reaches_privately(&self) -> bool {
        self.gate
            .allows(&self.peer, &Address::Ip([10, 0, 0, 1].into()))
    }
}

#[test]
fn nothing_private_is_open_to_a_dial_that_nobody_waits_for() {
    let second = Duration::from_secs(1);
    let mut world = World::new(Scope::PRIVATE);
    let gone = world.wait("https://a.example", 9 * second);
    let mut late = world.wait("https://b.example", second);
    drop(gone);
    world.dials.expire(world.now);
    assert!(world.reaches_privately());
    assert!(world.joins(Scope::PRIVATE));
    world.dials.expire(world.now + second);
    assert!(matches!(late.try_recv(), Ok(Some(Err(Error::Timeout)))));
    assert!(!world.reaches_privately());
    assert!(!world.joins(Scope::PRIVATE), "it would find nothing");

    let mut world = World::new(Scope::PRIVATE);
    let _answer = world.wait("https://a.example", second);
    world.dials.fail_all(&Error::Paused);
    assert!(!world.reaches_privately());
}

#[test]
fn a_request_waits_only_for_a_dial_that_reaches_as_far() {
    let mut global = World::new(Scope::GLOBAL);
    assert!(global.joins(Scope::GLOBAL));
    assert!(!global.joins(Scope::PRIVATE));
    let mut private = World::new(Scope::PRIVATE);
    assert!(private.joins(Scope::GLOBAL) && private.joins(Scope::PRIVATE));
}

#[test]
fn what_comes_of_a_dial_is_private_for_those_who_still_wait_for_it() {
    for (scope, expected) in [
        (Scope::PRIVATE, vec![Owner::new("https://a.example")]),
        (Scope::GLOBAL, Vec::new()),
    ] {
        let mut world = World::new(scope);
        let _waits = world.wait("https://a.example", Duration::from_secs(9));
        drop(world.wait("https://b.example", Duration::from_secs(9)));
        let settled = world.dials.settle(world.id, world.peer, Path::Direct);
        assert_eq!(settled.private, expected);
        assert_eq!(settled.waiters.len(), 1);
    }
}
