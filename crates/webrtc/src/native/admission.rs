//! How many strangers a listener lets in, and how fast.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::limits;

/// Decides whether a STUN request with unknown credentials may cost more than reading it.
pub(crate) struct Admission {
    overall: Bucket,
    sources: HashMap<Source, Known>,
    per_source: PerSource,
    pending: usize,
    /// When the table may be swept again: a full sweep for each stranger would be an attack of its own.
    next_sweep: Instant,
}

/// Who is counted together: an IPv4 address, or an IPv6 /64, which one host has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    V4([u8; 4]),
    V6([u8; 8]),
    /// Everybody else, when the table is full.
    Rest,
}

/// How many connections one source may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PerSource {
    pub(crate) remote: usize,
    /// Whoever is on this machine has easier ways to keep others out, and a forwarder on it is many peers at one address.
    pub(crate) loopback: usize,
}

impl Default for PerSource {
    fn default() -> Self {
        Self {
            remote: limits::MAX_PER_SOURCE,
            loopback: limits::MAX_CONNECTIONS,
        }
    }
}

struct Known {
    bucket: Bucket,
    pending: usize,
    /// With those that are pending.
    connections: usize,
}

/// Why a stranger was not let in; counted by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many new ones a second.
    Rate,
    /// Too many unfinished handshakes.
    Pending,
    /// Too many connections of this source.
    PerSource,
}

impl Source {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Admission {
    pub(crate) fn new(per_source: PerSource, now: Instant) -> Self {
        Self {
            per_source,
            overall: Bucket::new(limits::NEW_PEERS_PER_SECOND, limits::NEW_PEERS_BURST, now),
            sources: HashMap::new(),
            pending: 0,
            next_sweep: now,
        }
    }

    /// Takes a place for a connection and one for its handshake, to be given back with [`Admission::left`],
    /// [`Admission::finished`] and the same source.
    pub(crate) fn admit(&mut self, ip: IpAddr, now: Instant) -> Result<Source, Refusal> {
        let source = self.source(ip, now);
        let entry = self
            .sources
            .entry(source)
            .or_insert_with(|| Known::new(now));
        let most = if ip.to_canonical().is_loopback() {
            self.per_source.loopback
        } else {
            self.per_source.remote
        };
        // Both in this order: a source over its own rate must not use up everybody's.
        if !entry.bucket.take(now) || !self.overall.take(now) {
            return Err(Refusal::Rate);
        }
        if entry.pending >= limits::MAX_PENDING_PER_SOURCE || self.pending >= limits::MAX_PENDING {
            return Err(Refusal::Pending);
        }
        // Those without an entry of their own are strangers to each other.
        if source != Source::Rest && entry.connections >= most {
            return Err(Refusal::PerSource);
        }
        entry.connections = entry.connections.saturating_add(1);
        entry.pending = entry.pending.saturating_add(1);
        self.pending = self.pending.saturating_add(1);
        Ok(source)
    }

    /// The handshake of an admitted stranger ended, either way.
    pub(crate) fn finished(&mut self, source: Source) {
        self.pending = self.pending.saturating_sub(1);
        if let Some(entry) = self.sources.get_mut(&source) {
            entry.pending = entry.pending.saturating_sub(1);
        }
    }

    /// The connection of an admitted stranger ended.
    pub(crate) fn left(&mut self, source: Source) {
        if let Some(entry) = self.sources.get_mut(&source) {
            entry.connections = entry.connections.saturating_sub(1);
        }
    }

    fn source(&mut self, ip: IpAddr, now: Instant) -> Source {
        let source = Source::of(ip);
        if self.sources.contains_key(&source) || self.sources.len() < limits::MAX_SOURCES {
            return source;
        }
        if now >= self.next_sweep {
            self.next_sweep = now.checked_add(limits::SOURCE_SWEEP).unwrap_or(now);
            self.sources
                .retain(|_, entry| entry.connections > 0 || !entry.bucket.is_full(now));
        }
        if self.sources.len() < limits::MAX_SOURCES {
            source
        } else {
            Source::Rest
        }
    }
}

impl Known {
    fn new(now: Instant) -> Self {
        let bucket = Bucket::new(
            limits::NEW_PEERS_PER_SOURCE_PER_SECOND,
            limits::NEW_PEERS_PER_SOURCE_BURST,
            now,
        );
        Self {
            bucket,
            pending: 0,
            connections: 0,
        }
    }
}

/// A token bucket.
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            tokens: burst.into(),
            at: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.burst);
        self.at = now;
    }

    fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let available = self.tokens >= 1.0;
        if available {
            self.tokens -= 1.0;
        }
        available
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= self.burst
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing
)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    #[test]
    fn one_source_has_its_own_rate_and_gets_more_with_time() {
        let mut now = Instant::now();
        let mut admission = Admission::new(PerSource::default(), now);
        for _ in 0..limits::NEW_PEERS_PER_SOURCE_BURST {
            let source = admission.admit(v4(1), now).unwrap();
            admission.finished(source);
            admission.left(source);
        }
        assert_eq!(admission.admit(v4(1), now), Err(Refusal::Rate));
        assert!(
            admission.admit(v4(2), now).is_ok(),
            "others are not affected"
        );
        now += Duration::from_secs(1);
        assert!(admission.admit(v4(1), now).is_ok());
    }

    #[test]
    fn unfinished_handshakes_are_bounded_by_source_and_in_all() {
        let mut now = Instant::now();
        let mut admission = Admission::new(PerSource::default(), now);
        let admitted = (0..limits::MAX_PENDING_PER_SOURCE)
            .map(|_| admission.admit(v4(1), now).unwrap())
            .count();
        now += Duration::from_secs(60);
        assert_eq!(admission.admit(v4(1), now), Err(Refusal::Pending));
        for n in admitted..limits::MAX_PENDING {
            now += Duration::from_secs(1);
            admission
                .admit(v4(2 + u32::try_from(n).unwrap()), now)
                .unwrap();
        }
        assert_eq!(admission.admit(v4(0xffff_0000), now), Err(Refusal::Pending));
        admission.finished(Source::of(v4(1)));
        assert!(admission.admit(v4(0xffff_0001), now).is_ok());
    }

    #[test]
    fn connections_of_one_source_are_bounded_also_when_established() {
        let mut now = Instant::now();
        let mut admission = Admission::new(PerSource::default(), now);
        let mut sources = Vec::new();
        for _ in 0..limits::MAX_PER_SOURCE {
            now += Duration::from_secs(1);
            let source = admission.admit(v4(1), now).unwrap();
            admission.finished(source);
            sources.push(source);
        }
        now += Duration::from_secs(1);
        assert_eq!(admission.admit(v4(1), now), Err(Refusal::PerSource));
        let mapped = Ipv4Addr::from(1).to_ipv6_mapped();
        assert_eq!(admission.admit(mapped.into(), now), Err(Refusal::PerSource));
        assert!(admission.admit(v4(2), now).is_ok());
        admission.left(sources[0]);
        now += Duration::from_secs(1);
        let source = admission.admit(v4(1), now).unwrap();
        admission.finished(source);
        assert_eq!(admission.admit(v4(1), now), Err(Refusal::PerSource));
        // Loopback is counted apart.
        for _ in 0..2 * limits::MAX_PER_SOURCE {
            now += Duration::from_secs(1);
            let source = admission.admit(Ipv4Addr::LOCALHOST.into(), now).unwrap();
            admission.finished(source);
        }
        // As long as a source has connections it is remembered.
        for n in 0..100_000 {
            now += Duration::from_millis(10);
            if let Ok(source) = admission.admit(v4(1_000 + n), now) {
                admission.finished(source);
                admission.left(source);
            }
        }
        assert_eq!(admission.admit(v4(1), now), Err(Refusal::PerSource));
    }

    #[test]
    fn the_table_of_sources_is_bounded() {
        let now = Instant::now();
        let mut admission = Admission::new(PerSource::default(), now);
        for n in 0..100_000 {
            let _ = admission.admit(v4(n), now);
        }
        assert!(admission.sources.len() <= limits::MAX_SOURCES + 1);
        let later = now + Duration::from_secs(60);
        admission.admit(v4(0xffff_0000), later).ok();
        assert!(
            admission.sources.len() <= limits::MAX_PENDING + 2,
            "quiet sources are forgotten"
        );
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_ipv4_address_count_as_one() {
        let host = |n: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, n));
        assert_eq!(Source::of(host(1)), Source::of(host(2)));
        assert_ne!(
            Source::of(host(1)),
            Source::of(IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1)))
        );
        assert_eq!(
            Source::of(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()),
            Source::of(Ipv4Addr::LOCALHOST.into())
        );
    }
}
