//! Notifications from the node to a page.

use serde::{Deserialize, Serialize};

use crate::{
    descriptor::GrantName,
    results::{Connection, NodeState, Path},
};

/// The node is there; sent once per document.
pub const NODE_AVAILABLE: &str = "node.available";
/// An inbound stream; its port travels beside it.
pub const STREAMS_INCOMING: &str = "streams.incoming";
/// A message of a topic.
pub const PUBSUB_MESSAGE: &str = "pubsub.message";

/// An event that a page may subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventName {
    /// A peer's first connection opened.
    PeerConnected,
    /// A peer's last connection closed.
    PeerDisconnected,
    /// A connection opened.
    ConnectionOpened,
    /// A connection closed.
    ConnectionClosed,
    /// A relayed connection was followed by a direct one, or the other way round.
    ConnectionUpgraded,
    /// The node's state changed.
    NodeStateChanged,
    /// The origin's grants changed.
    PermissionsChanged,
}

impl EventName {
    /// Every event there is.
    pub const ALL: &'static [EventName] = &[
        EventName::PeerConnected,
        EventName::PeerDisconnected,
        EventName::ConnectionOpened,
        EventName::ConnectionClosed,
        EventName::ConnectionUpgraded,
        EventName::NodeStateChanged,
        EventName::PermissionsChanged,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            EventName::PeerConnected => "peer.connected",
            EventName::PeerDisconnected => "peer.disconnected",
            EventName::ConnectionOpened => "connection.opened",
            EventName::ConnectionClosed => "connection.closed",
            EventName::ConnectionUpgraded => "connection.upgraded",
            EventName::NodeStateChanged => "node.stateChanged",
            EventName::PermissionsChanged => "permissions.changed",
        }
    }

    /// The event of that name.
    pub fn from_name(name: &str) -> Option<EventName> {
        EventName::ALL
            .iter()
            .copied()
            .find(|event| event.name() == name)
    }

    /// The grant that its data needs: the same as the method that shows that data.
    pub const fn grant(self) -> Option<GrantName> {
        match self {
            EventName::NodeStateChanged | EventName::PermissionsChanged => None,
            _ => Some(GrantName::Peers),
        }
    }
}

/// `peer.connected`, `peer.disconnected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PeerEvent {
    /// The peer.
    pub peer_id: String,
}

/// `connection.opened`, `connection.closed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ConnectionEvent {
    /// The connection.
    pub connection: Connection,
    /// Why it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub reason: Option<String>,
}

/// `connection.upgraded`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ConnectionUpgraded {
    /// The connection that is used from now on.
    pub connection: Connection,
    /// What the peer was reached over.
    pub from: Path,
    /// What it is reached over now.
    pub to: Path,
}

/// `node.stateChanged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct StateChanged {
    /// How the node is now.
    pub state: NodeState,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for event in EventName::ALL {
            assert_eq!(EventName::from_name(event.name()), Some(*event));
        }
        assert_eq!(EventName::from_name("peer.Connected"), None);
    }
}
