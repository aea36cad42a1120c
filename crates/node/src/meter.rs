//! What a node counts, for whoever wants to know: on a server, its operator.

use std::{fmt, time::Duration};

use crate::types::{Direction, TransportKind};

/// Takes note of what happens. It is called in the middle of things, also for every piece of data that is relayed: it only counts.
pub trait Meter: fmt::Debug + Send + Sync {
    /// Something happened, once.
    fn record(&self, measure: Measure);
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A connection opened.
    ConnectionOpened {
        /// How it is carried.
        transport: TransportKind,
        /// Who began it.
        direction: Direction,
    },
    /// A connection closed; each that opened does so once.
    ConnectionClosed {
        /// As when it opened.
        transport: TransportKind,
        /// As when it opened.
        direction: Direction,
    },
    /// A periodic ping was answered after this time, or not in time.
    Ping(Option<Duration>),
    /// As a relay: a reservation was made, or renewed.
    ReservationAccepted {
        /// Was it there before?
        renewal: bool,
    },
    /// As a relay: a request for a reservation was refused.
    ReservationRefused(Refusal),
    /// As a relay: a reservation that was made has ended.
    ReservationEnded {
        /// By its time, or else with its connection.
        expired: bool,
    },
    /// As a relay: a circuit was refused.
    CircuitRefused(Refusal),
    /// As a relay: a circuit opened.
    CircuitOpened,
    /// As a relay: a circuit carried so many bytes more.
    Relayed {
        /// To which of its ends.
        toward: Toward,
        /// Bytes of what the ends say to each other, without the relay's own messages; they went in and out once each.
        bytes: u64,
    },
    /// As a relay: a circuit closed; each that opened does so once.
    CircuitClosed {
        /// What it has carried, both ways together.
        bytes: u64,
        /// How long it lasted.
        duration: Duration,
    },
}

/// Why a relay says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// All places are taken; for a circuit, also those of the peer that asks.
    Full,
    /// The peer has as many reservations as one may have.
    PerPeer,
    /// The host has as many reservations as one may have.
    PerIp,
    /// Asked too often.
    Rate,
    /// Nobody of that name has a reservation.
    NoReservation,
    /// The peer at the other end did not answer, or refused.
    ConnectionFailed,
    /// Anything else, as messages that make no sense.
    Other,
}

impl Refusal {
    /// A short name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::PerPeer => "per_peer",
            Self::PerIp => "per_ip",
            Self::Rate => "rate",
            Self::NoReservation => "no_reservation",
            Self::ConnectionFailed => "connection_failed",
            Self::Other => "other",
        }
    }
}

/// One of the ends of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Toward {
    /// The one that asked for it.
    Dialer,
    /// The one with the reservation.
    Listener,
}

impl Toward {
    /// A short name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dialer => "dialer",
            Self::Listener => "listener",
        }
    }
}
