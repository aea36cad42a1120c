//! The server's numbers, for Prometheus. No label takes its value from a peer: there are as many series on the first day as ever.

pub(crate) mod endpoint;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{SystemTime, UNIX_EPOCH},
};

use mooring_node::{Direction, Limits, Measure, Meter, TransportKind};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::BOUNDS;

/// A label's name and value.
type Label = (&'static str, &'static str);

/// From what an attempt takes that comes to nothing, over what two browsers need to meet (about 5 KB), to what a server at home may
/// be set to. 65,536 is in it: more than that is not signalling.
const CIRCUIT_BYTES: [f64; 14] = [
    1024.0,
    2048.0,
    4096.0,
    8192.0,
    16_384.0,
    32_768.0,
    65_536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
    16_777_216.0,
    268_435_456.0,
    4_294_967_296.0,
];
const CIRCUIT_SECONDS: [f64; 12] = [
    0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 600.0, 3600.0, 86_400.0,
];
const ROUND_TRIP_SECONDS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What the node counts.
#[derive(Debug)]
struct Numbers {
    connections: Family<[Label; 2], Gauge>,
    connections_opened: Family<[Label; 2], Counter>,
    pings: Family<[Label; 1], Counter>,
    round_trips: Histogram,
    reservations: Gauge,
    reservations_accepted: Family<[Label; 1], Counter>,
    reservations_refused: Family<[Label; 1], Counter>,
    reservations_ended: Family<[Label; 1], Counter>,
    circuits: Gauge,
    circuits_accepted: Counter,
    circuits_refused: Family<[Label; 1], Counter>,
    circuit_bytes: Family<[Label; 1], Counter>,
    circuit_size: Histogram,
    circuit_duration: Histogram,
}

/// What connections are told apart by.
fn connection(transport: TransportKind, direction: Direction) -> [Label; 2] {
    [
        ("transport", transport.as_str()),
        ("direction", direction.as_str()),
    ]
}

impl Meter for Numbers {
    fn record(&self, measure: Measure) {
        match measure {
            Measure::ConnectionOpened {
                transport,
                direction,
            } => {
                let labels = connection(transport, direction);
                self.connections.get_or_create(&labels).inc();
                self.connections_opened.get_or_create(&labels).inc();
            }
            Measure::ConnectionClosed {
                transport,
                direction,
            } => {
                let labels = connection(transport, direction);
                self.connections.get_or_create(&labels).dec();
            }
            Measure::Ping(Some(round_trip)) => {
                add(&self.pings, ("outcome", "answered"));
                self.round_trips.observe(round_trip.as_secs_f64());
            }
            Measure::Ping(None) => add(&self.pings, ("outcome", "timeout")),
            Measure::ReservationAccepted { renewal } => {
                add(
                    &self.reservations_accepted,
                    ("renewal", if renewal { "yes" } else { "no" }),
                );
                if !renewal {
                    self.reservations.inc();
                }
            }
            Measure::ReservationRefused(refusal) => {
                add(&self.reservations_refused, ("reason", refusal.as_str()));
            }
            Measure::ReservationEnded { expired } => {
                let reason = if expired { "expired" } else { "disconnected" };
                add(&self.reservations_ended, ("reason", reason));
                self.reservations.dec();
            }
            Measure::CircuitRefused(refusal) => {
                add(&self.circuits_refused, ("reason", refusal.as_str()));
            }
            Measure::CircuitOpened => {
                self.circuits_accepted.inc();
                self.circuits.inc();
            }
            Measure::Relayed { toward, bytes } => {
                let labels = [("toward", toward.as_str())];
                self.circuit_bytes.get_or_create(&labels).inc_by(bytes);
            }
            Measure::CircuitClosed { bytes, duration } => {
                self.circuits.dec();
                // Exact up to 2^53.
                #[allow(clippy::cast_precision_loss)]
                self.circuit_size.observe(bytes as f64);
                self.circuit_duration.observe(duration.as_secs_f64());
            }
        }
    }
}

fn add(family: &Family<[Label; 1], Counter>, label: Label) {
    family.get_or_create(&[label]).inc();
}

/// The numbers, and how they are told.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    numbers: Arc<Numbers>,
    memory: Gauge,
}

impl Metrics {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut registry = Registry::default();
        let numbers = Numbers::register(&mut registry);
        registry.register(
            "mooring_build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let start: Gauge<f64, AtomicU64> = Gauge::default();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        start.set(since_1970.map_or(0.0, |time| time.as_secs_f64()));
        registry.register(
            "mooring_start_time_seconds",
            "When the server started, in seconds since 1970",
            start,
        );
        let chosen: Family<[Label; 1], Gauge> = Family::default();
        for bound in BOUNDS {
            let value = i64::try_from(bound.of(limits)).unwrap_or(i64::MAX);
            chosen.get_or_create(&[("name", bound.name)]).set(value);
        }
        registry.register("mooring_limit", "What the operator has set", chosen);
        let memory = Gauge::default();
        if resident_memory().is_some() {
            registry.register(
                "process_resident_memory_bytes",
                "Memory of this process that is in RAM",
                memory.clone(),
            );
        }
        Self {
            registry,
            numbers: Arc::new(numbers),
            memory,
        }
    }

    pub(crate) fn meter(&self) -> Arc<dyn Meter> {
        Arc::clone(&self.numbers) as Arc<dyn Meter>
    }

    /// All numbers as they are now, in OpenMetrics' text format.
    pub(crate) fn text(&self) -> String {
        if let Some(bytes) = resident_memory() {
            self.memory.set(bytes);
        }
        let mut text = String::new();
        // A string takes everything.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl Numbers {
    fn register(registry: &mut Registry) -> Self {
        let numbers = Self {
            connections: Family::default(),
            connections_opened: Family::default(),
            pings: Family::default(),
            round_trips: Histogram::new(ROUND_TRIP_SECONDS),
            reservations: Gauge::default(),
            reservations_accepted: Family::default(),
            reservations_refused: Family::default(),
            reservations_ended: Family::default(),
            circuits: Gauge::default(),
            circuits_accepted: Counter::default(),
            circuits_refused: Family::default(),
            circuit_bytes: Family::default(),
            circuit_size: Histogram::new(CIRCUIT_BYTES),
            circuit_duration: Histogram::new(CIRCUIT_SECONDS),
        };
        // Counters get `_total` when they are written.
        registry.register(
            "mooring_connections",
            "Open connections",
            numbers.connections.clone(),
        );
        registry.register(
            "mooring_connections_opened",
            "Connections opened",
            numbers.connections_opened.clone(),
        );
        registry.register(
            "mooring_pings",
            "Pings sent on open connections",
            numbers.pings.clone(),
        );
        registry.register(
            "mooring_ping_seconds",
            "Round trips of pings",
            numbers.round_trips.clone(),
        );
        registry.register(
            "mooring_relay_reservations",
            "Reservations held",
            numbers.reservations.clone(),
        );
        registry.register(
            "mooring_relay_reservations_accepted",
            "Reservations made or renewed",
            numbers.reservations_accepted.clone(),
        );
        registry.register(
            "mooring_relay_reservations_refused",
            "Requests for a reservation that were refused",
            numbers.reservations_refused.clone(),
        );
        registry.register(
            "mooring_relay_reservations_ended",
            "Reservations that ended, by their time or with their connection",
            numbers.reservations_ended.clone(),
        );
        registry.register(
            "mooring_relay_circuits",
            "Open circuits",
            numbers.circuits.clone(),
        );
        registry.register(
            "mooring_relay_circuits_accepted",
            "Circuits opened",
            numbers.circuits_accepted.clone(),
        );
        registry.register(
            "mooring_relay_circuits_refused",
            "Requests for a circuit that were refused",
            numbers.circuits_refused.clone(),
        );
        registry.register(
            "mooring_relay_circuit_bytes",
            "Bytes carried for others on circuits; each came in once and went out once",
            numbers.circuit_bytes.clone(),
        );
        registry.register(
            "mooring_relay_circuit_size_bytes",
            "What circuits that have closed carried, both ways together",
            numbers.circuit_size.clone(),
        );
        registry.register(
            "mooring_relay_circuit_seconds",
            "How long circuits that have closed lasted",
            numbers.circuit_duration.clone(),
        );
        numbers
    }
}

/// Where the system tells it in a file.
fn resident_memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mooring_node::{Direction, Refusal, Toward, TransportKind};

    use super::*;

    #[test]
    fn tells_what_was_recorded() {
        let metrics = Metrics::new(&Limits::server());
        let meter = metrics.meter();
        let (transport, direction) = (TransportKind::WebrtcDirect, Direction::Inbound);
        for measure in [
            Measure::ConnectionOpened {
                transport,
                direction,
            },
            Measure::ConnectionOpened {
                transport,
                direction,
            },
            Measure::ConnectionClosed {
                transport,
                direction,
            },
            Measure::Ping(Some(Duration::from_millis(30))),
            Measure::Ping(None),
            Measure::ReservationAccepted { renewal: false },
            Measure::ReservationAccepted { renewal: true },
            Measure::ReservationRefused(Refusal::PerIp),
            Measure::CircuitRefused(Refusal::NoReservation),
            Measure::CircuitOpened,
            Measure::Relayed {
                toward: Toward::Dialer,
                bytes: 5000,
            },
            Measure::CircuitClosed {
                bytes: 5000,
                duration: Duration::from_secs(7),
            },
        ] {
            meter.record(measure);
        }
        let text = metrics.text();
        for line in [
            r#"mooring_connections{transport="webrtc-direct",direction="inbound"} 1"#,
            r#"mooring_connections_opened_total{transport="webrtc-direct",direction="inbound"} 2"#,
            r#"mooring_pings_total{outcome="answered"} 1"#,
            r#"mooring_pings_total{outcome="timeout"} 1"#,
            r#"mooring_ping_seconds_bucket{le="0.05"} 1"#,
            "mooring_relay_reservations 1",
            r#"mooring_relay_reservations_accepted_total{renewal="yes"} 1"#,
            r#"mooring_relay_reservations_refused_total{reason="per_ip"} 1"#,
            "mooring_relay_circuits 0",
            "mooring_relay_circuits_accepted_total 1",
            r#"mooring_relay_circuits_refused_total{reason="no_reservation"} 1"#,
            r#"mooring_relay_circuit_bytes_total{toward="dialer"} 5000"#,
            r#"mooring_relay_circuit_size_bytes_bucket{le="4096.0"} 0"#,
            r#"mooring_relay_circuit_size_bytes_bucket{le="8192.0"} 1"#,
            "mooring_relay_circuit_size_bytes_sum 5000.0",
            r#"mooring_limit{name="relay-circuit-bytes"} 1048576"#,
            concat!(
                r#"mooring_build_info{version=""#,
                env!("CARGO_PKG_VERSION"),
                r#""} 1"#
            ),
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is missing in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
        #[cfg(target_os = "linux")]
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
    }
}
