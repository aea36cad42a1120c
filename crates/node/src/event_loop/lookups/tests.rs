use std::time::Duration;

use futures::channel::oneshot;

use super::*;

fn lookup(owner: &str, scope: Scope, ask: Ask) -> Lookup {
    let options = LookupOptions {
        owner: Owner::new(owner),
        scope,
        timeout: Duration::from_secs(10),
    };
    Lookup::new(options, ask, Instant::now())
}

fn providers(limit: usize, scope: Scope) -> Lookup {
    let key = dht::DhtKey::from(PeerId::random());
    let (reply, _) = oneshot::channel();
    lookup("a", scope, Ask::Providers(key, limit, reply))
}

fn found(addresses: &[&str]) -> FoundPeer {
    FoundPeer {
        peer: PeerId::random(),
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
    }
}

#[test]
fn no_answer_holds_more_providers_than_asked_for() {
    for limit in [1, 20, usize::MAX] {
        let mut lookup = providers(limit, Scope::GLOBAL);
        let many = (0..1500).map(|_| found(&[])).collect();
        assert!(lookup.add(many));
        assert_eq!(lookup.found.len(), limit.min(PROVIDERS));
    }
}

#[test]
fn a_provider_is_told_once_with_what_its_scope_allows() {
    let near = "/ip4/192.168.1.2/tcp/4001/ws";
    let far = "/ip4/9.9.9.9/tcp/4001/ws";
    // A transport that a browser does not have is no secret.
    let quic = "/ip4/9.9.9.9/udp/4001/quic-v1";
    let peer = found(&[near, far, quic]);
    let mut bare = peer.clone();
    bare.addresses.clear();
    for (scope, told) in [(Scope::GLOBAL, 2), (Scope::PRIVATE, 3)] {
        let mut lookup = providers(20, scope);
        assert!(!lookup.add(vec![bare.clone(), peer.clone(), bare.clone()]));
        assert_eq!(lookup.found.len(), 1);
        assert_eq!(lookup.found[0].addresses.len(), told);
    }
}

#[test]
fn the_owner_with_the_fewest_is_next() {
    let mut lookups = Lookups::default();
    for owner in ["a", "a", "b", "a"] {
        let (reply, _) = oneshot::channel();
        let ask = Ask::Closest(dht::DhtKey::from(PeerId::random()), reply);
        lookups.waiting.push(lookup(owner, Scope::GLOBAL, ask));
    }
    assert_eq!(lookups.next(|_| true), Some(0));
    let b = Owner::new("b");
    assert_eq!(lookups.next(|it| it.owner == b), Some(2));
    assert_eq!(lookups.next(|_| false), None);
}

#[test]
fn the_answer_comes_before_the_caller_gives_up() {
    let now = Instant::now();
    for (timeout, less) in [(10_000, 9800), (300, 300), (1, 1), (0, 0)] {
        let options = LookupOptions {
            owner: Owner::user(),
            scope: Scope::GLOBAL,
            timeout: Duration::from_millis(timeout),
        };
        let (reply, _) = oneshot::channel();
        let lookup = Lookup::new(options, Ask::Peer(PeerId::random(), reply), now);
        assert_eq!(lookup.deadline - now, Duration::from_millis(less));
    }
}
