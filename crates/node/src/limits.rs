//! Every bound of the node, with its reason. Those an operator may want to change are fields of
//! [`Limits`], the rest are constants.

use std::time::Duration;

/// The bounds that differ between a browser and a server, or that a test wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that stay open. One more, and the least wanted one is closed.
    pub connections: u32,
    /// Connections to one peer: one of each transport and one relayed, in both directions.
    pub connections_per_peer: u32,
    /// Handshakes of others under way at once.
    pub pending_incoming: u32,
    /// Dials under way at once, also the DHT's.
    pub pending_outgoing: u32,
    /// Requests to dial that wait for an outcome.
    pub pending_dials: usize,
    /// Streams of pages and services open at once, all peers together.
    pub streams: usize,
    /// Streams that one peer may have opened towards us.
    pub inbound_streams_per_peer: usize,
    /// Streams that we may have opened towards one peer.
    pub outbound_streams_per_peer: usize,
    /// Stream openings being negotiated on one connection at once.
    pub pending_streams_per_connection: usize,
    /// Peers that the peer store remembers.
    pub peers: usize,
    /// Relays to hold a reservation on.
    pub relay_reservations: usize,
    /// Records in the DHT store.
    pub kad_records: usize,
    /// Bytes of one DHT record.
    pub kad_record_bytes: usize,
    /// Keys that this node provides, and providers it keeps of others.
    pub kad_provided_keys: usize,
    /// As a relay: reservations of others.
    pub relay_server_reservations: usize,
    /// As a relay: circuits open at once.
    pub relay_server_circuits: usize,
    /// As a relay: bytes of one circuit, each way.
    pub relay_server_circuit_bytes: u64,
    /// As a relay: how long one circuit lasts.
    pub relay_server_circuit_duration: Duration,
}

impl Limits {
    /// For a browser: a budget beside the tabs, and Chromium refuses the 501st peer connection.
    pub fn client() -> Self {
        Self {
            connections: 100,
            connections_per_peer: 4,
            pending_incoming: 16,
            pending_outgoing: 16,
            pending_dials: 64,
            // A site may count on 1,000 open streams; leave room for several.
            streams: 8192,
            inbound_streams_per_peer: 1024,
            outbound_streams_per_peer: 2048,
            pending_streams_per_connection: 256,
            peers: 512,
            relay_reservations: 3,
            kad_records: 64,
            kad_record_bytes: 8 * 1024,
            kad_provided_keys: 64,
            relay_server_reservations: 0,
            relay_server_circuits: 0,
            relay_server_circuit_bytes: 0,
            relay_server_circuit_duration: Duration::ZERO,
        }
    }

    /// For a server of its own: some thousand browsers.
    pub fn server() -> Self {
        Self {
            connections: 4096,
            connections_per_peer: 8,
            pending_incoming: 256,
            pending_outgoing: 64,
            pending_dials: 256,
            streams: 32_768,
            inbound_streams_per_peer: 1024,
            outbound_streams_per_peer: 2048,
            pending_streams_per_connection: 256,
            peers: 4096,
            relay_reservations: 3,
            kad_records: 4096,
            kad_record_bytes: 16 * 1024,
            kad_provided_keys: 4096,
            relay_server_reservations: 1024,
            relay_server_circuits: 256,
            relay_server_circuit_bytes: 16 * 1024 * 1024,
            relay_server_circuit_duration: Duration::from_secs(10 * 60),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::client()
    }
}

/// Requests on their way to the event loop. It never awaits work, so this drains at once; more
/// waiting requests than this wait in their own futures, within their own time limits.
pub(crate) const COMMANDS: usize = 256;

/// Time limit of calls that only ask the event loop for what it knows: it answers in
/// microseconds, unless the machine stands still.
pub(crate) const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
