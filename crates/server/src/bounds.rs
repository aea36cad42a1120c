//! The numbers that an operator may choose, and between which values.

use std::{ops::RangeInclusive, time::Duration};

use mooring_node::Limits;

/// A number in [`Limits`] that an operator may choose.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its name as a flag (with `--` before it) and in a configuration file.
    pub name: &'static str,
    /// What it may be.
    pub range: RangeInclusive<u64>,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

impl Bound {
    /// What it is.
    pub fn of(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Changes it; false, and nothing is changed, when it may not be that.
    pub fn set(&self, limits: &mut Limits, value: u64) -> bool {
        let allowed = self.range.contains(&value);
        if allowed {
            (self.set)(limits, value);
        }
        allowed
    }
}

/// As many as a server has connections.
const CONNECTIONS: u64 = 4096;

/// All of them, in the order of the documentation.
pub const BOUNDS: &[Bound] = &[
    Bound {
        name: "relay-reservations",
        range: 1..=CONNECTIONS,
        get: |limits| wide(limits.relay_server.reservations),
        set: |limits, value| limits.relay_server.reservations = narrow(value),
    },
    Bound {
        name: "relay-reservations-per-peer",
        range: 1..=CONNECTIONS,
        get: |limits| wide(limits.relay_server.reservations_per_peer),
        set: |limits, value| limits.relay_server.reservations_per_peer = narrow(value),
    },
    Bound {
        name: "relay-reservations-per-ip",
        range: 1..=CONNECTIONS,
        get: |limits| wide(limits.relay_server.reservations_per_ip),
        set: |limits, value| limits.relay_server.reservations_per_ip = narrow(value),
    },
    Bound {
        name: "relay-reservations-per-hour",
        range: 1..=1_000_000,
        get: |limits| limits.relay_server.reservations_per_hour.into(),
        set: |limits, value| limits.relay_server.reservations_per_hour = narrow32(value),
    },
    Bound {
        name: "relay-reservation-seconds",
        // Clients leave a relay that makes them renew all the time; and one that is gone holds its place for no longer than a day.
        range: 60..=24 * 60 * 60,
        get: |limits| limits.relay_server.reservation_duration.as_secs(),
        set: |limits, value| limits.relay_server.reservation_duration = Duration::from_secs(value),
    },
    Bound {
        name: "relay-circuits",
        range: 1..=16_384,
        get: |limits| wide(limits.relay_server.circuits),
        set: |limits, value| limits.relay_server.circuits = narrow(value),
    },
    Bound {
        name: "relay-circuits-per-peer",
        range: 1..=16_384,
        get: |limits| wide(limits.relay_server.circuits_per_peer),
        set: |limits, value| limits.relay_server.circuits_per_peer = narrow(value),
    },
    Bound {
        name: "relay-circuits-per-hour",
        range: 1..=1_000_000,
        get: |limits| limits.relay_server.circuits_per_hour.into(),
        set: |limits, value| limits.relay_server.circuits_per_hour = narrow32(value),
    },
    Bound {
        name: "relay-circuit-bytes",
        // With less, nobody could meet. More than the most is no limit.
        range: 32 * 1024..=1 << 40,
        get: |limits| limits.relay_server.circuit_bytes,
        set: |limits, value| limits.relay_server.circuit_bytes = value,
    },
    Bound {
        name: "relay-circuit-seconds",
        // Signalling may take 25 s. A week, for those who relay for themselves.
        range: 30..=7 * 24 * 60 * 60,
        get: |limits| limits.relay_server.circuit_duration.as_secs(),
        set: |limits, value| limits.relay_server.circuit_duration = Duration::from_secs(value),
    },
    Bound {
        name: "webrtc-connections-per-host",
        range: 1..=CONNECTIONS,
        get: |limits| wide(limits.webrtc_connections_per_host),
        set: |limits, value| limits.webrtc_connections_per_host = narrow(value),
    },
];

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// What is in a [`Bound`]'s range fits.
fn narrow(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn narrow32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sets_what_it_gets_and_nothing_else() {
        for bound in BOUNDS {
            let mut limits = Limits::server();
            assert!(bound.range.contains(&bound.of(&limits)), "{}", bound.name);
            for value in [*bound.range.start(), *bound.range.end()] {
                assert!(bound.set(&mut limits, value), "{}", bound.name);
                assert_eq!(bound.of(&limits), value, "{}", bound.name);
            }
            let before = limits.clone();
            for value in [bound.range.start() - 1, bound.range.end() + 1, u64::MAX] {
                assert!(!bound.set(&mut limits, value), "{}", bound.name);
            }
            assert_eq!(limits, before, "{}", bound.name);
            for other in BOUNDS.iter().filter(|other| other.name != bound.name) {
                assert_eq!(
                    other.of(&limits),
                    other.of(&Limits::server()),
                    "{} {}",
                    bound.name,
                    other.name
                );
            }
        }
    }
}
