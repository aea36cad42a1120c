//! What each method answers.

use serde::{Deserialize, Serialize};

use crate::descriptor::Descriptor;

/// `node.hello`, and the announcement `node.available`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Hello {
    /// The version of the page API.
    pub version: u32,
    /// The product's name.
    pub product: String,
    /// The product's version.
    pub product_version: String,
}

/// How the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum NodeState {
    /// Not yet taking requests.
    Starting,
    /// The swarm takes requests, with or without peers.
    Online,
    /// Paused by the user, or the network it had is lost.
    Offline,
    /// It cannot run; the reason says why.
    Failed,
}

/// `node.status`. No ids and no addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Status {
    /// How the node is.
    pub state: NodeState,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub reason: Option<String>,
    /// The transports that this node dials with.
    pub transports: Vec<String>,
    /// The protocols that this node runs.
    pub services: Vec<String>,
    /// The quotas behind 5005, by name.
    #[cfg_attr(test, ts(type = "Record<string, number>"))]
    pub limits: std::collections::BTreeMap<String, u32>,
}

/// `permissions.request`, `permissions.query`, `permissions.revoke`, and the event `permissions.changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Granted {
    /// All that the origin now holds.
    pub granted: Vec<Descriptor>,
}

/// `identity.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Identity {
    /// The node's peer id.
    pub peer_id: String,
    /// Where it can be reached.
    pub addresses: Vec<String>,
}

/// `peers.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Peers {
    /// The peers, connected ones first.
    pub peers: Vec<Peer>,
}

/// A peer that the node knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Peer {
    /// Its id.
    pub peer_id: String,
    /// Where it says it listens.
    pub addresses: Vec<String>,
    /// What it says it speaks.
    pub protocols: Vec<String>,
    /// What it says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub agent: Option<String>,
    /// Whether a connection is open.
    pub connected: bool,
    /// The last round trip, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub rtt_ms: Option<f64>,
}

/// `peers.ping`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Ping {
    /// The round trip, in milliseconds.
    pub rtt_ms: f64,
}

/// `connections.dial`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Dialed {
    /// The connection, new or reused.
    pub connection: Connection,
}

/// `connections.list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Connections {
    /// The open connections, oldest first.
    pub connections: Vec<Connection>,
}

/// Who began a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Direction {
    /// The remote did.
    Inbound,
    /// This node did.
    Outbound,
}

/// What a connection runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Path {
    /// From end to end.
    Direct,
    /// Through a relay.
    Relayed,
}

/// An open connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Connection {
    /// Its name in this API.
    pub id: String,
    /// The remote.
    pub peer_id: String,
    /// The remote's address, as seen from here.
    pub remote_address: String,
    /// Who began it.
    pub direction: Direction,
    /// Direct or through a relay.
    pub path: Path,
    /// `webrtc-direct`, `webrtc`, `webtransport`, `websocket` or `relay`.
    pub transport: String,
    /// Milliseconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub opened_at: u64,
    /// The last round trip, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub rtt_ms: Option<f64>,
}

/// The notification `streams.incoming`. The stream's port travels beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Incoming {
    /// Its name in this API.
    pub stream: String,
    /// The protocol that both ends agreed on.
    pub protocol: String,
    /// The remote.
    pub peer: String,
    /// Streams of this protocol that were reset while no tab took them, since a tab last heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub dropped: Option<u32>,
}

/// `streams.open`. The stream's port travels beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Stream {
    /// Its name in this API.
    pub stream: String,
    /// The protocol that both ends agreed on.
    pub protocol: String,
    /// The remote.
    pub peer: String,
}

/// `dht.findPeer`, and a provider among those of `dht.findProviders`. What peers of the DHT say; nobody has proven it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct FoundPeer {
    /// Its id.
    pub peer: String,
    /// Where it is said to listen; perhaps nowhere. Without `privateNetwork`, global addresses only.
    pub addresses: Vec<String>,
}

/// `dht.closestPeers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ClosestPeers {
    /// Their ids, the closest first; 20 at most.
    pub peers: Vec<String>,
}

/// `dht.findProviders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Providers {
    /// Those that were found, in no order.
    pub providers: Vec<FoundPeer>,
}

/// `dht.get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DhtRecord {
    /// The value that a peer answered with.
    #[cfg_attr(test, ts(type = "Uint8Array"))]
    pub value: crate::params::Bytes,
}

/// `pubsub.publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Published {
    /// The message's id, which no other message has.
    pub message_id: String,
    /// Peers that it was sent to. None is no error.
    pub recipients: u32,
}

/// `pubsub.peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct TopicPeers {
    /// The connected peers that are in the topic.
    pub peers: Vec<String>,
}

/// The notification `pubsub.message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PubsubMessage {
    /// Its topic.
    pub topic: String,
    /// The peer that published it, as its signature proves.
    pub from: String,
    /// What was published.
    #[cfg_attr(test, ts(type = "Uint8Array"))]
    pub data: crate::params::Bytes,
    /// Its number, in decimal, unique among those of its publisher; null where there is none.
    pub sequence_number: Option<String>,
    /// Its id, as its publisher was told.
    pub message_id: String,
    /// Messages of this topic that were dropped since the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub dropped: Option<u32>,
}
