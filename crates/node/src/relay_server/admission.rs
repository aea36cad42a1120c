//! Who gets a reservation or a circuit, and who has one. libp2p-relay asks through its rate limiters.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol, swarm::ConnectionId};
use web_time::Instant;

use super::rates::Rates;
use crate::{
    limits::{RELAY_CIRCUITS_PER_PEER_AND_HOUR, RELAY_RESERVATIONS_PER_PEER_AND_HOUR, RelayLimits},
    meter::Refusal,
};

/// A connection with its peer.
pub(super) type Asker = (PeerId, ConnectionId);

/// A reservation.
#[derive(Debug)]
struct Held {
    host: Option<IpAddr>,
    /// Has the client been told? Until then it takes a place already.
    made: bool,
}

/// Who has a reservation, and who has asked how often. As large as there are connections.
#[derive(Debug)]
pub(super) struct Admission {
    limits: RelayLimits,
    held: HashMap<Asker, Held>,
    of_peer: HashMap<PeerId, usize>,
    of_host: HashMap<IpAddr, usize>,
    reservations: (Rates<PeerId>, Rates<IpAddr>),
    circuits: (Rates<PeerId>, Rates<IpAddr>),
}

impl Admission {
    pub(super) fn new(limits: RelayLimits) -> Self {
        Self {
            limits,
            held: HashMap::new(),
            of_peer: HashMap::new(),
            of_host: HashMap::new(),
            reservations: (
                Rates::per_hour(RELAY_RESERVATIONS_PER_PEER_AND_HOUR),
                Rates::per_hour(limits.reservations_per_hour),
            ),
            circuits: (
                Rates::per_hour(RELAY_CIRCUITS_PER_PEER_AND_HOUR),
                Rates::per_hour(limits.circuits_per_hour),
            ),
        }
    }

    /// Somebody asks for a reservation, or to renew one.
    pub(super) fn reserve(
        &mut self,
        asker: Asker,
        address: &Multiaddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        let host = host_of(address);
        let renewal = self.held.contains_key(&asker);
        if !renewal {
            let limits = &self.limits;
            let taken = |of: Option<&usize>| of.copied().unwrap_or_default();
            if taken(self.of_peer.get(&asker.0)) >= limits.reservations_per_peer {
                return Err(Refusal::PerPeer);
            }
            if host.is_some_and(|host| taken(self.of_host.get(&host)) >= limits.reservations_per_ip)
            {
                return Err(Refusal::PerIp);
            }
            if self.held.len() >= limits.reservations {
                return Err(Refusal::Full);
            }
        }
        within(&mut self.reservations, asker.0, host, now)?;
        if !renewal {
            add(&mut self.of_peer, asker.0);
            if let Some(host) = host {
                add(&mut self.of_host, host);
            }
            self.held.insert(asker, Held { host, made: false });
        }
        Ok(())
    }

    /// The client knows that it has its reservation; true when it is a new one.
    pub(super) fn made(&mut self, asker: Asker, address: Option<&Multiaddr>) -> bool {
        if let Some(held) = self.held.get_mut(&asker) {
            return !std::mem::replace(&mut held.made, true);
        }
        // It ended while it was being renewed, and is there again.
        let host = address.and_then(host_of);
        add(&mut self.of_peer, asker.0);
        if let Some(host) = host {
            add(&mut self.of_host, host);
        }
        self.held.insert(asker, Held { host, made: true });
        true
    }

    /// The answer to a request was a no, or did not arrive. True when no reservation is left.
    pub(super) fn failed(&mut self, asker: Asker) -> bool {
        match self.held.get(&asker) {
            Some(held) if held.made => false,
            Some(_) => {
                self.ended(asker);
                true
            }
            None => true,
        }
    }

    /// A reservation is over, by its time or with its connection. True when there was one that its client knew of.
    pub(super) fn ended(&mut self, asker: Asker) -> bool {
        let Some(held) = self.held.remove(&asker) else {
            return false;
        };
        subtract(&mut self.of_peer, &asker.0);
        if let Some(host) = held.host {
            subtract(&mut self.of_host, &host);
        }
        held.made
    }

    /// Somebody asks for a circuit.
    pub(super) fn connect(
        &mut self,
        peer: PeerId,
        address: &Multiaddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        within(&mut self.circuits, peer, host_of(address), now)
    }
}

fn within(
    (of_peer, of_host): &mut (Rates<PeerId>, Rates<IpAddr>),
    peer: PeerId,
    host: Option<IpAddr>,
    now: Instant,
) -> Result<(), Refusal> {
    if !of_peer.allows(&peer, now) || host.is_some_and(|host| !of_host.allows(&host, now)) {
        return Err(Refusal::Rate);
    }
    of_peer.count(peer, now);
    if let Some(host) = host {
        of_host.count(host, now);
    }
    Ok(())
}

fn add<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn subtract<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Whom an address counts for: one IPv4 address, or the network of one IPv6 customer. Nobody for loopback: those are this machine's own
/// programs, and all that come through a proxy on it.
fn host_of(address: &Multiaddr) -> Option<IpAddr> {
    let ip = address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    })?;
    if ip.is_loopback() {
        return None;
    }
    Some(match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> RelayLimits {
        RelayLimits {
            reservations: 4,
            reservations_per_peer: 2,
            reservations_per_ip: 3,
            ..RelayLimits::default()
        }
    }

    fn asker(peer: PeerId, connection: usize) -> Asker {
        (peer, ConnectionId::new_unchecked(connection))
    }

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_by_peer_host_and_in_all() {
        let now = Instant::now();
        let mut admission = Admission::new(limits());
        let [a, b, c, d] = std::array::from_fn(|_| PeerId::random());
        let here = at("/ip4/192.0.2.1/udp/4/webrtc-direct");
        let there = at("/ip4/192.0.2.2/tcp/4");
        let mut reserve = |who, address| admission.reserve(who, address, now);
        assert_eq!(reserve(asker(a, 1), &here), Ok(()));
        assert_eq!(reserve(asker(a, 2), &here), Ok(()));
        assert_eq!(reserve(asker(a, 3), &there), Err(Refusal::PerPeer));
        assert_eq!(reserve(asker(b, 4), &here), Ok(()));
        assert_eq!(reserve(asker(c, 5), &here), Err(Refusal::PerIp));
        assert_eq!(reserve(asker(c, 5), &there), Ok(()));
        assert_eq!(reserve(asker(d, 6), &there), Err(Refusal::Full));
        // Who has one may renew it all the same.
        assert_eq!(reserve(asker(a, 1), &here), Ok(()));
        // And what ends makes room, once.
        assert!(!admission.ended(asker(b, 4)));
        assert!(!admission.ended(asker(b, 4)));
        assert_eq!(admission.reserve(asker(d, 6), &here, now), Ok(()));
        assert_eq!(
            admission.reserve(asker(b, 7), &there, now),
            Err(Refusal::Full)
        );
    }

    #[test]
    fn a_place_counts_from_the_request_and_until_it_fails_or_ends() {
        let now = Instant::now();
        let mut admission = Admission::new(limits());
        let who = asker(PeerId::random(), 1);
        let address = at("/ip4/192.0.2.1/tcp/1");
        admission.reserve(who, &address, now).unwrap();
        assert!(admission.failed(who));
        admission.reserve(who, &address, now).unwrap();
        assert!(admission.made(who, None));
        // A renewal that fails leaves the reservation as it was.
        admission.reserve(who, &address, now).unwrap();
        assert!(!admission.failed(who));
        admission.reserve(who, &address, now).unwrap();
        assert!(!admission.made(who, None));
        assert!(admission.ended(who));
        // Renewed just when it ended.
        assert!(admission.made(who, Some(&address)));
        assert_eq!(admission.of_host.len(), 1);
        assert!(admission.ended(who));
        assert!(admission.held.is_empty());
        assert!(admission.of_peer.is_empty() && admission.of_host.is_empty());
    }

    #[test]
    fn rates_are_of_hosts_and_of_peers() {
        let now = Instant::now();
        let mut admission = Admission::new(RelayLimits {
            circuits_per_hour: 3,
            ..limits()
        });
        let address = at("/ip6/2001:db8::1/udp/1/webrtc-direct");
        let neighbour = at("/ip6/2001:db8::2/udp/1/webrtc-direct");
        for address in [&address, &neighbour, &address] {
            assert_eq!(admission.connect(PeerId::random(), address, now), Ok(()));
        }
        let refused = Err(Refusal::Rate);
        assert_eq!(
            admission.connect(PeerId::random(), &neighbour, now),
            refused
        );
        let elsewhere = at("/ip6/2001:db8:0:1::1/tcp/1");
        assert_eq!(admission.connect(PeerId::random(), &elsewhere, now), Ok(()));
        // A refusal costs nothing.
        let later = now + Duration::from_secs(20 * 60);
        assert_eq!(admission.connect(PeerId::random(), &address, later), Ok(()));
        let local = at("/ip4/127.0.0.1/tcp/1");
        let peer = PeerId::random();
        for _ in 0..RELAY_CIRCUITS_PER_PEER_AND_HOUR {
            assert_eq!(admission.connect(peer, &local, now), Ok(()));
        }
        assert_eq!(admission.connect(peer, &local, now), refused);
        assert_eq!(admission.connect(PeerId::random(), &local, now), Ok(()));
    }

    #[test]
    fn hosts() {
        for (address, host) in [
            ("/ip4/192.0.2.7/tcp/1", Some("192.0.2.7")),
            ("/ip6/::ffff:192.0.2.7/tcp/1", Some("192.0.2.7")),
            ("/ip6/2001:db8:1:2:3:4:5:6/udp/1", Some("2001:db8:1:2::")),
            ("/ip4/127.0.0.9/tcp/1", None),
            ("/ip6/::1/tcp/1", None),
            ("/ip6/::ffff:127.0.0.1/tcp/1", None),
            ("/dns4/a.example/tcp/1", None),
        ] {
            let host = host.map(|host| host.parse().unwrap());
            assert_eq!(host_of(&at(address)), host, "{address}");
        }
    }
}
