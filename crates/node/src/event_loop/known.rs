//! Peers that are remembered beyond this run: what is worth it, and what comes of those that an earlier run remembered.
//!
//! Nothing is dialed because it is remembered, but for a few peers of the DHT. Lookups may begin with the others.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use libp2p::{
    Multiaddr, PeerId, identify,
    multiaddr::Protocol,
    swarm::{
        DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use super::{EventLoop, backoff::backoff};
use crate::{
    FoundPeer, KnownPeer, KnownPeers, Scope,
    address_policy::{is_refused, judge},
    limits::{
        KNOWN_ADDRESSES, KNOWN_ATTEMPTS, KNOWN_BACKOFF, KNOWN_BACKOFF_MAX, KNOWN_CONNECTED,
        KNOWN_FAILURES, KNOWN_PEERS, KNOWN_PER_NETWORK, KNOWN_SEEDS,
    },
    peer_store::usable_all,
};

/// Of one that is connected, this is how exactly it is told when it was last there.
const SEEN_STEP: u64 = 60 * 60;

#[derive(Debug)]
struct Entry {
    known: KnownPeer,
    /// Has it been connected in this run?
    met: bool,
    /// May a lookup begin with it?
    seeded: bool,
    /// Was it dialed to have somebody?
    tried: bool,
}

/// The peers that are remembered.
#[derive(Debug)]
pub(super) struct Known {
    /// What the node's own upkeep may dial: only that is remembered.
    scope: Scope,
    peers: HashMap<PeerId, Entry>,
    /// May the next lookup have more to begin with?
    seed: bool,
    attempts: u32,
    /// When one is dialed; `None`: no more of them.
    due: Option<Instant>,
}

impl Known {
    pub(super) fn new(known: &KnownPeers, local: PeerId, scope: Scope) -> Self {
        let mut peers = HashMap::new();
        for known in known.iter().filter(|known| known.peer != local) {
            // The setting may have been another one then, and what is stored anything.
            let addresses = allowed(&known.addresses, known.peer, scope);
            if !addresses.is_empty() {
                let entry = Entry {
                    known: KnownPeer {
                        addresses,
                        ..known.clone()
                    },
                    met: false,
                    seeded: false,
                    tried: false,
                };
                peers.insert(known.peer, entry);
            }
        }
        let mut known = Self {
            scope,
            peers,
            seed: true,
            attempts: 0,
            due: None,
        };
        known.begin_anew(Instant::now());
        known
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The node begins, or its network is another one.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        self.seed = true;
        self.attempts = 0;
        for entry in self.peers.values_mut() {
            entry.tried = false;
        }
        self.due = now.checked_add(pause(0));
    }

    /// A connected peer has said who it is.
    fn note(&mut self, peer: PeerId, reached: &[Multiaddr], dht: bool) {
        let reached = allowed(reached, peer, self.scope);
        if reached.is_empty() {
            return;
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Entry {
            known: KnownPeer {
                peer,
                addresses: Vec::new(),
                seen: 0,
                dht,
                failures: 0,
            },
            met: true,
            seeded: true,
            tried: false,
        });
        entry.met = true;
        let known = &mut entry.known;
        let before = std::mem::replace(&mut known.addresses, reached);
        for address in before {
            if !known.addresses.contains(&address) {
                known.addresses.push(address);
            }
        }
        known.addresses.truncate(KNOWN_ADDRESSES);
        (known.dht, known.failures, known.seen) = (dht, 0, now_s());
        self.trim(peer);
    }

    /// Its last connection is closed.
    pub(super) fn parted(&mut self, peer: &PeerId) {
        if let Some(entry) = self.peers.get_mut(peer)
            && entry.met
        {
            entry.known.seen = now_s();
        }
    }

    /// These addresses lead nowhere, or to somebody else.
    fn failed<'a>(&mut self, peer: &PeerId, failed: impl Iterator<Item = &'a Multiaddr>) {
        let failed: Vec<Multiaddr> = failed.map(without_peer).collect();
        let Some(entry) = self.peers.get_mut(peer) else {
            return;
        };
        let known = &mut entry.known;
        // Whoever dials it anywhere else learns nothing of these.
        if known.addresses.iter().any(|it| !failed.contains(it)) {
            return;
        }
        known.failures = known.failures.saturating_add(1);
        if known.failures >= KNOWN_FAILURES {
            self.peers.remove(peer);
        }
    }

    /// Forgets whom there is no room for, after this one has come.
    fn trim(&mut self, newest: PeerId) {
        let network = self.peers.get(&newest).and_then(Entry::network);
        if let Some(network) = network {
            let same = |entry: &Entry| entry.network().as_ref() == Some(&network);
            if self.peers.values().filter(|it| same(it)).count() > KNOWN_PER_NETWORK {
                self.forget_last(same);
            }
        }
        if self.peers.len() > KNOWN_PEERS {
            self.forget_last(|_| true);
        }
    }

    fn forget_last(&mut self, among: impl Fn(&Entry) -> bool) {
        let last = self.peers.values().filter(|entry| among(entry));
        if let Some(last) = last
            .max_by_key(|it| rank(&it.known))
            .map(|it| it.known.peer)
        {
            self.peers.remove(&last);
        }
    }

    /// Does only an earlier run know where this peer is?
    pub(super) fn is_past(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|entry| !entry.met)
    }

    /// Those that there were may lead nowhere.
    pub(super) fn seed_more(&mut self) {
        self.seed = true;
    }

    /// What the next lookup may begin with beside what there is.
    fn seeds(&mut self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        if !std::mem::take(&mut self.seed) {
            return Vec::new();
        }
        let mut seeds: Vec<&mut Entry> = self
            .peers
            .values_mut()
            .filter(|entry| entry.known.dht && !entry.seeded)
            .collect();
        seeds.sort_unstable_by_key(|entry| rank(&entry.known));
        seeds
            .into_iter()
            .take(KNOWN_SEEDS)
            .map(|entry| {
                entry.seeded = true;
                (entry.known.peer, entry.known.addresses.clone())
            })
            .collect()
    }

    /// The one to dial now to have somebody.
    fn candidate(&mut self, is_connected: impl Fn(&PeerId) -> bool) -> Option<KnownPeer> {
        let entry = self
            .peers
            .values_mut()
            .filter(|it| it.known.dht && !it.tried && !is_connected(&it.known.peer))
            .min_by_key(|it| rank(&it.known))?;
        entry.tried = true;
        Some(entry.known.clone())
    }

    /// What is worth keeping now.
    pub(super) fn snapshot(&self, is_connected: impl Fn(&PeerId) -> bool) -> KnownPeers {
        let now = now_s();
        let hour = now.saturating_sub(now.checked_rem(SEEN_STEP).unwrap_or(0));
        let mut peers: Vec<KnownPeer> = self
            .peers
            .values()
            .map(|entry| {
                let mut known = entry.known.clone();
                if is_connected(&known.peer) {
                    known.seen = known.seen.max(hour);
                }
                // A clock that was wrong must not make it the best for ever.
                known.seen = known.seen.min(now);
                known
            })
            .collect();
        peers.sort_unstable_by_key(rank);
        KnownPeers::new(peers)
    }
}

impl Entry {
    fn network(&self) -> Option<Network> {
        self.known.addresses.first().and_then(Network::of)
    }
}

/// Where an address is, as far as one party is likely to have all of that.
#[derive(Debug, PartialEq, Eq)]
enum Network {
    V4([u8; 3]),
    V6([u16; 3]),
    Name(String),
}

impl Network {
    /// `None` for addresses that are not global.
    fn of(address: &Multiaddr) -> Option<Self> {
        if is_refused(address, Scope::GLOBAL) {
            return None;
        }
        match address.iter().next()? {
            Protocol::Ip4(ip) => {
                let [a, b, c, _] = ip.octets();
                Some(Self::V4([a, b, c]))
            }
            Protocol::Ip6(ip) => {
                let [a, b, c, ..] = ip.segments();
                Some(Self::V6([a, b, c]))
            }
            Protocol::Dns(name)
            | Protocol::Dns4(name)
            | Protocol::Dns6(name)
            | Protocol::Dnsaddr(name) => Some(Self::Name(name.to_ascii_lowercase())),
            _ => None,
        }
    }
}

/// The smaller, the more use it is likely to be.
fn rank(known: &KnownPeer) -> (u8, bool, Reverse<u64>, PeerId) {
    (known.failures, !known.dht, Reverse(known.seen), known.peer)
}

/// What may be remembered, and dialed by the node itself.
fn allowed(addresses: &[Multiaddr], peer: PeerId, scope: Scope) -> Vec<Multiaddr> {
    let mut allowed = usable_all(addresses, peer);
    allowed.retain(|address| judge(address, scope).is_ok());
    allowed.truncate(KNOWN_ADDRESSES);
    allowed
}

fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

/// Between half and one and a half of what the attempts so far ask for.
fn pause(attempts: u32) -> Duration {
    let whole = backoff(KNOWN_BACKOFF, KNOWN_BACKOFF_MAX, attempts);
    whole.mul_f64(0.5 + rand::random::<f64>())
}

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

impl EventLoop {
    pub(super) fn note_known(&mut self, peer: PeerId, info: &identify::Info) {
        let dht = self.swarm.behaviour().kad.is_spoken(&info.protocols);
        let mut reached = self.connections.reached_at(&peer);
        let came = self.connections.came_from(&peer);
        let here = |address: &Multiaddr| !is_refused(address, self.scope);
        if reached.is_empty() && dht && came.iter().any(here) {
            // Nobody has dialed it, as on a server that others come to: what it says is all there is.
            reached.clone_from(&info.listen_addrs);
        }
        self.known.note(peer, &reached, dht);
    }

    /// A dial to this peer failed.
    pub(super) fn note_unreached(&mut self, peer: PeerId, error: &DialError) {
        // Without a network, nothing leads anywhere.
        if self.paused || self.network.is_away() {
            return;
        }
        match error {
            DialError::WrongPeerId { address, .. } => {
                self.known.failed(&peer, std::iter::once(address));
            }
            DialError::Transport(failures) if !self.connections.is_empty() => {
                self.known
                    .failed(&peer, failures.iter().map(|(address, _)| address));
            }
            _ => {}
        }
    }

    /// Lets lookups begin with peers of an earlier run.
    pub(super) fn seed_lookups(&mut self) {
        for (peer, addresses) in self.known.seeds() {
            let kad = &mut self.swarm.behaviour_mut().kad;
            kad.remember(peer, &addresses);
        }
    }

    /// Where an earlier run knew this peer to be.
    pub(super) fn known_before(&self, peer: PeerId, scope: Scope) -> Option<FoundPeer> {
        let entry = self.known.peers.get(&peer)?;
        let mut addresses = entry.known.addresses.clone();
        addresses.retain(|address| !is_refused(address, scope));
        (!addresses.is_empty()).then_some(FoundPeer { peer, addresses })
    }

    /// Dials a few peers of the DHT, one after the other.
    pub(super) fn tick_known(&mut self, now: Instant) {
        if self.known.due.is_none_or(|due| due > now) {
            return;
        }
        self.known.due = now.checked_add(pause(self.known.attempts));
        if self.paused || self.network.is_away() {
            return;
        }
        let connections = &self.connections;
        let is_connected = |peer: &PeerId| connections.is_connected(peer);
        let there = self.known.peers.values();
        let there = there.filter(|it| it.known.dht && is_connected(&it.known.peer));
        let enough = there.count() >= KNOWN_CONNECTED || self.known.attempts >= KNOWN_ATTEMPTS;
        let candidate = if enough {
            None
        } else {
            self.known.candidate(is_connected)
        };
        let Some(candidate) = candidate else {
            self.known.due = None;
            return;
        };
        self.known.attempts = self.known.attempts.saturating_add(1);
        let dial = DialOpts::peer_id(candidate.peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(candidate.addresses)
            .build();
        // An error comes as an event, too.
        let _ = self.swarm.dial(dial);
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn address(host: u64) -> Multiaddr {
        let [.., a, b, c] = host.to_be_bytes();
        format!("/ip4/9.{a}.{b}.{c}/tcp/1/ws").parse().unwrap()
    }

    fn empty(scope: Scope) -> Known {
        Known::new(&KnownPeers::default(), PeerId::random(), scope)
    }

    #[test]
    fn private_addresses_are_remembered_only_where_upkeep_may_dial_them() {
        let private: Multiaddr = "/ip4/192.168.1.2/tcp/1/ws".parse().unwrap();
        let peer = PeerId::random();
        let mut narrow = empty(Scope::GLOBAL);
        narrow.note(peer, std::slice::from_ref(&private), true);
        assert!(narrow.snapshot(|_| true).is_empty());
        narrow.note(peer, &[private.clone(), address(1)], true);
        let kept = narrow.snapshot(|_| true);
        assert_eq!(kept.iter().next().unwrap().addresses, [address(1)]);
        let mut wide = empty(Scope::PRIVATE);
        wide.note(peer, std::slice::from_ref(&private), true);
        let kept = wide.snapshot(|_| true);
        assert_eq!(kept.len(), 1);
        // Nor taken from what was stored when the setting was another one.
        assert!(
            Known::new(&kept, PeerId::random(), Scope::GLOBAL)
                .peers
                .is_empty()
        );
        assert_eq!(
            Known::new(&kept, PeerId::random(), Scope::PRIVATE)
                .peers
                .len(),
            1
        );
        assert!(Known::new(&kept, peer, Scope::PRIVATE).peers.is_empty());
    }

    #[test]
    fn the_least_useful_go_first() {
        let mut known = empty(Scope::GLOBAL);
        let plain = PeerId::random();
        known.note(plain, &[address(0)], false);
        for host in 1..=KNOWN_PEERS as u64 {
            known.note(PeerId::random(), &[address(host << 8)], true);
        }
        assert_eq!(known.peers.len(), KNOWN_PEERS);
        assert!(!known.peers.contains_key(&plain));
        // Nor does a plain one push out any other.
        known.note(plain, &[address(0)], false);
        assert!(!known.peers.contains_key(&plain));
    }

    #[test]
    fn one_network_is_not_all_there_is() {
        let mut known = empty(Scope::GLOBAL);
        let other = PeerId::random();
        known.note(other, &[address(1 << 8)], true);
        for host in 0..100 {
            known.note(PeerId::random(), &[address(host)], true);
        }
        assert_eq!(known.peers.len(), KNOWN_PER_NETWORK + 1);
        assert!(known.peers.contains_key(&other));
    }

    #[test]
    fn who_is_not_there_any_more_is_forgotten_and_nobody_else() {
        let mut known = empty(Scope::GLOBAL);
        let peer = PeerId::random();
        known.note(peer, &[address(1), address(2)], true);
        let elsewhere = [address(1), address(3)];
        for _ in 0..10 {
            known.failed(&peer, elsewhere.iter());
        }
        assert_eq!(known.peers[&peer].known.failures, 0);
        let own = [address(2), address(1).with(Protocol::P2p(peer))];
        known.failed(&peer, own.iter());
        assert_eq!(known.peers[&peer].known.failures, 1);
        known.note(peer, &[address(1)], true);
        assert_eq!(known.peers[&peer].known.failures, 0);
        for _ in 0..KNOWN_FAILURES {
            known.failed(&peer, own.iter());
        }
        assert!(known.peers.is_empty());
    }

    #[test]
    fn nothing_changes_by_itself() {
        let mut known = empty(Scope::GLOBAL);
        let peers: Vec<PeerId> = (0..3).map(|_| PeerId::random()).collect();
        for (peer, host) in peers.iter().zip(0..) {
            known.note(*peer, &[address(host << 8)], true);
        }
        let first = known.snapshot(|_| true);
        assert_eq!(first, known.snapshot(|_| true));
        // What the next run makes of it is the same, however wrong its clock was.
        let mut wrong = first.iter().next().unwrap().clone();
        wrong.seen = u64::MAX;
        let again = Known::new(
            &KnownPeers::new([wrong]).and(&first),
            PeerId::random(),
            Scope::GLOBAL,
        );
        let again = again.snapshot(|_| false);
        assert_eq!(again.len(), 3);
        assert!(again.iter().all(|it| it.seen <= now_s()));
    }

    #[test]
    fn lookups_get_the_remembered_ones_a_few_at_a_time() {
        let entries = (0..100).map(|host| KnownPeer {
            peer: PeerId::random(),
            addresses: vec![address(host << 8)],
            seen: host,
            dht: host != 99,
            failures: 0,
        });
        let mut known = Known::new(&KnownPeers::new(entries), PeerId::random(), Scope::GLOBAL);
        let seeds = known.seeds();
        assert_eq!(seeds.len(), KNOWN_SEEDS);
        assert!(seeds.iter().any(|(_, at)| *at == [address(98 << 8)]));
        assert!(known.seeds().is_empty());
        known.seed_more();
        let more = known.seeds();
        assert_eq!(more.len(), KNOWN_SEEDS);
        assert!(more.iter().all(|seed| !seeds.contains(seed)));
        let one = known.candidate(|_| false).unwrap();
        assert_eq!(one.addresses, [address(98 << 8)]);
        assert!(known.is_past(&one.peer));
        assert_ne!(known.candidate(|_| false).unwrap().peer, one.peer);
    }

    #[tokio::test]
    async fn those_that_are_not_there_are_not_dialed_by_the_dozen() {
        let nowhere = (1..=100).map(|port| KnownPeer {
            peer: PeerId::random(),
            // Port 1 and the like of this machine: refused, or taken by somebody else.
            addresses: vec![format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()],
            seen: port,
            dht: true,
            failures: 0,
        });
        let config = crate::Config {
            known_peers: KnownPeers::new(nowhere),
            allow_private_network: true,
            ..crate::Config::client(libp2p::identity::Keypair::generate_ed25519())
        };
        let (_handle, mut node) = crate::new(config).unwrap();
        let tried = |node: &EventLoop| node.known.peers.values().filter(|it| it.tried).count();
        let start = Instant::now();
        node.tick_known(start);
        assert_eq!(tried(&node), 0);
        let mut now = start;
        let mut dials = 0;
        while let Some(due) = node.known.next_deadline() {
            assert!(due > now, "one at a time");
            now = due;
            node.tick_known(now);
            assert!(tried(&node) <= dials + 1);
            dials = tried(&node);
        }
        assert_eq!(dials, KNOWN_ATTEMPTS as usize);
        assert!(now - start > KNOWN_BACKOFF * 15);
        // With the network back it begins anew, and the routing table is a lookup's affair.
        node.known.begin_anew(now);
        assert!(node.known.next_deadline().is_some());
        assert!(node.known.peers.values().all(|it| !it.seeded));
    }

    #[test]
    fn pauses_grow_and_differ() {
        for attempts in 0..20 {
            let pause = pause(attempts);
            let whole = backoff(KNOWN_BACKOFF, KNOWN_BACKOFF_MAX, attempts);
            assert!(pause >= whole / 2 && pause <= whole * 3 / 2);
        }
        let some: std::collections::HashSet<_> = (0..8).map(|_| pause(3)).collect();
        assert!(some.len() > 1);
    }
}
