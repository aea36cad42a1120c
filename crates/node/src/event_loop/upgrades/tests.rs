//! How often a direct connection is tried, and for whom.

use std::sync::Arc;

use mooring_webrtc::core::signalling::{Address, Policy};

use super::*;
use crate::{Scope, address_policy::Gate};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    gate: Arc<Gate>,
    upgrades: Upgrades,
    peer: PeerId,
    next: usize,
}

impl World {
    fn new() -> Self {
        Self {
            gate: Gate::new(Scope::GLOBAL),
            upgrades: Upgrades::default(),
            peer: PeerId::random(),
            next: 0,
        }
    }

    fn upgrade(&mut self) -> &mut Upgrade {
        self.upgrades.entry(self.peer).unwrap()
    }

    fn begin(&mut self) -> ConnectionId {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        let approvals = Some((self.gate.approve(&[]), self.gate.approve_peer(self.peer)));
        self.upgrade().attempt = Some(Attempt { id, approvals });
        id
    }

    fn reaches_privately(&self) -> bool {
        self.gate
            .allows(&self.peer, &Address::Ip([10, 0, 0, 1].into()))
    }
}

#[test]
fn a_peer_that_lets_attempts_fail_is_tried_a_few_times_however_often_it_speaks() {
    let (mut world, mut now) = (World::new(), Instant::now());
    assert!(!world.upgrades.tried(&world.peer));
    let mut pauses = Vec::new();
    loop {
        let id = world.begin();
        assert!(world.upgrades.failed(id, now));
        assert!(world.upgrades.tried(&world.peer));
        let Some(at) = world.upgrades.next_deadline() else {
            break;
        };
        pauses.push((at - now).as_secs());
        now = at;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32]);
    assert!(world.upgrades.tried(&world.peer));
    assert!(
        !world
            .upgrades
            .failed(ConnectionId::new_unchecked(usize::MAX), now)
    );
}

#[test]
fn only_a_connection_that_lasted_makes_up_for_attempts_that_failed() {
    let (mut world, now) = (World::new(), Instant::now());
    let upgrade = world.upgrade();
    // It comes and goes again and again.
    for attempts in 1..=UPGRADE_ATTEMPTS {
        upgrade.direct_since = Some(now);
        assert!(!upgrade.ended(now + SECOND));
        assert_eq!(upgrade.failed(now), attempts < UPGRADE_ATTEMPTS);
    }
    assert_eq!(upgrade.retry_at, None);
    upgrade.direct_since = Some(now);
    assert!(upgrade.ended(now + UPGRADE_STABLE));
    assert_eq!(upgrade.attempts, 0);
}

#[test]
fn private_addresses_are_open_to_an_attempt_only_while_somebody_may_reach_them() {
    let mut world = World::new();
    let (site, other) = (
        Owner::new("https://a.example"),
        Owner::new("https://b.example"),
    );
    world
        .upgrades
        .requested(world.peer, [site.clone(), other.clone()]);
    world.begin();
    world.upgrades.released(&world.peer, &site);
    assert!(world.reaches_privately());
    world.upgrades.release_all(&other);
    assert!(!world.reaches_privately());
    assert!(world.upgrade().private.is_empty());
}

#[test]
fn with_the_network_come_all_attempts_back() {
    let (mut world, now) = (World::new(), Instant::now());
    for _ in 0..3 {
        world.upgrade().failed(now);
    }
    world.upgrades.network_is_back(now);
    assert_eq!(world.upgrades.next_deadline(), Some(now));
    assert!(!world.upgrades.tried(&world.peer));
}
