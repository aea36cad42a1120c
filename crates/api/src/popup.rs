//! What the popup and the node host say to each other. Each command is answered once, by its `id`; snapshots come
//! by themselves, whenever something changed and at most a few times a second.

use serde::{Deserialize, Serialize};

use crate::{
    descriptor::Descriptor,
    error::ErrorObject,
    prompt::Duration,
    results::{Connection, NodeState},
};

/// From the popup to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct FromPopup {
    /// Chosen by the popup, echoed in the answer.
    pub id: u32,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

/// What the popup can have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Command {
    /// Dial a multiaddr, private ones too: the user asks, not a site.
    Dial {
        /// The address, ending in `/p2p/…` where the transport does not say whom it reaches.
        address: String,
    },
    /// Close all connections of a peer.
    HangUp {
        /// The peer.
        peer: String,
    },
    /// Pause the node or let it run.
    SetPaused {
        /// True to pause.
        paused: bool,
    },
    /// Say to every site that there is a node, or only to those that hold a permission; the others meet silence.
    /// Documents that are open keep what they know until they are loaded anew.
    SetAnnounced {
        /// True for every site, which is what holds until the user chose.
        everywhere: bool,
    },
    /// Ask these STUN and TURN servers when a connection by `/webrtc` is made, from now on.
    SetIceServers {
        /// Each `stun:host[:port]`, or `turn:` or `turns:` with `host[:port][?transport=udp|tcp] name password`. Empty for none at
        /// all; null for those that hold until the user chose.
        servers: Option<Vec<String>>,
    },
    /// Take back what a site holds, and forget what it was denied.
    ForgetSite {
        /// The site.
        origin: String,
    },
    /// The stored identity is damaged: start anew with another one. The damaged store is kept aside.
    NewIdentity,
    /// The stored identity is damaged: try once more to read it (after the user restored the profile).
    RetryIdentity,
    /// The node crashed over and over and is kept from starting: start it again now.
    StartAgain,
}

/// From the host to the popup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ToPopup {
    /// How things are now; replaces all that was said before.
    Snapshot(Snapshot),
    /// The answer to a command.
    Done {
        /// The command's id.
        id: u32,
        /// Why it failed; absent when it worked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        error: Option<ErrorObject>,
    },
}

/// All that the popup shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Snapshot {
    /// The product's version.
    pub product_version: String,
    /// How the node is.
    pub state: NodeState,
    /// Why, in words, where that is not plain.
    pub reason: Option<String>,
    /// Whether it is in safe mode: it crashed over and over, and is not started again until the user says so or a calm time has passed.
    pub safe_mode: bool,
    /// Whether it is the user who paused it.
    pub paused: bool,
    /// Whether every site is told that there is a node, or only those that hold a permission.
    pub announced_everywhere: bool,
    /// The STUN and TURN servers that are asked, as they are set; with passwords.
    pub ice_servers: Vec<String>,
    /// How the stored identity is.
    pub identity: IdentityState,
    /// The node's own addresses.
    pub addresses: Vec<String>,
    /// The relays that are connected.
    pub relays: Vec<Relay>,
    /// The open connections, oldest first.
    pub connections: Vec<PopupConnection>,
    /// Peers that are connected.
    pub peers: u32,
    /// Sites that hold or were denied something.
    pub sites: Vec<Site>,
}

/// How the stored identity is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum IdentityState {
    /// Not read yet.
    Loading,
    /// In use.
    #[serde(rename_all = "camelCase")]
    Ready {
        /// The node's peer id.
        peer_id: String,
    },
    /// The store holds something that is no identity. The node does not run until the user chose.
    Damaged {
        /// What was found, in words.
        detail: String,
    },
}

/// A relay that the node is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Relay {
    /// The relay.
    pub peer_id: String,
    /// Whether it holds a place for the node, so that others can reach it through this relay.
    pub reserved: bool,
    /// How often in a row it was asked and no place came of it that lasted.
    pub failures: u32,
    /// Why the last one ended, in words; null while there is one.
    pub cause: Option<String>,
    /// In how many milliseconds it is asked again; null when it is not.
    pub retry_in_ms: Option<u32>,
}

/// A connection and who asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PopupConnection {
    /// The connection.
    #[serde(flatten)]
    pub connection: Connection,
    /// What the peer says it is.
    pub agent: Option<String>,
    /// Origins that want it, or `user`.
    pub owners: Vec<String>,
}

/// A site and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Site {
    /// Scheme, host and port.
    pub origin: String,
    /// What it holds.
    pub granted: Vec<SiteGrant>,
    /// What it was denied.
    pub denied: Vec<Descriptor>,
    /// Documents of it that are open.
    pub documents: u32,
}

/// A grant and how long it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SiteGrant {
    /// What is allowed.
    pub descriptor: Descriptor,
    /// How long.
    pub duration: Duration,
    /// When it ends, in milliseconds since 1970, where that is a time.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub expires_at: Option<u64>,
}
