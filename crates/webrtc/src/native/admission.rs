//! How many strangers a listener lets in, and how fast.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use super::limits;

/// Decides whether a STUN request with unknown credentials may cost more than reading it.
pub(crate) struct Admission {
    overall: Bucket,
    sources: HashMap<Source, PerSource>,
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

struct PerSource {
    bucket: Bucket,
    pending: usize,
}

/// Why a stranger was not let in; counted by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many new ones a second.
    Rate,
    /// Too many unfinished handshakes.
    Pending,
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
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            overall: Bucket::new(limits::NEW_PEERS_PER_SECOND, limits::NEW_PEERS_BURST, now),
            sources: HashMap::new(),
            pending: 0,
            next_sweep: now,
        }
    }

    /// Takes a place for a handshake, to be given back with [`Admission::finished`] and the same source.
    pub(crate) fn admit(&mut self, ip: IpAddr, now: Instant) -> Result<Source, Refusal> {
        let source = self.source(ip, now);
        let entry = self
            .sources
            .entry(source)
            .or_insert_with(|| PerSource::new(now));
        // Both in this order: a source over its own rate must not use up everybody's.
        if !entry.bucket.take(now) || !self.overall.take(now) {
            return Err(Refusal::Rate);
        }
        if entry.pending >= limits::MAX_PENDING_PER_SOURCE || self.pending >= limits::MAX_PENDING {
            return Err(Refusal::Pending);
        }
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

    fn source(&mut self, ip: IpAddr, now: Instant) -> Source {
        let source = Source::of(ip);
        if self.sources.contains_key(&source) || self.sources.len() < limits::MAX_SOURCES {
            return source;
        }
        if now >= self.next_sweep {
            self.next_sweep = now.checked_add(limits::SOURCE_SWEEP).unwrap_or(now);
            self.sources
                .retain(|_, entry| entry.pending > 0 || !entry.bucket.is_full(now));
        }
        if self.sources.len() < limits::MAX_SOURCES {
            source
        } else {
            Source::Rest
        }
    }
}

impl PerSource {
    fn new(now: Instant) -> Self {
        let bucket = Bucket::new(
            limits::NEW_PEERS_PER_SOURCE_PER_SECOND,
            limits::NEW_PEERS_PER_SOURCE_BURST,
            now,
        );
        Self { bucket, pending: 0 }
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
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
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
        let mut admission = Admission::new(now);
        for _ in 0..limits::NEW_PEERS_PER_SOURCE_BURST {
            let source = admission.admit(v4(1), now).unwrap();
            admission.finished(source);
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
        let mut admission = Admission::new(now);
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
    fn the_table_of_sources_is_bounded() {
        let now = Instant::now();
        let mut admission = Admission::new(now);
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
