//! What a content script and the node host say to each other over a runtime Port.
//!
//! `M` is the JSON-RPC message or stream message inside, which the content script passes on unread.

use serde::{Deserialize, Serialize};

use crate::results::Hello;

/// Names of the runtime Ports that the host takes.
pub mod names {
    /// A content script's, one a document.
    pub const PAGE: &str = "page";
    /// The popup's.
    pub const POPUP: &str = "popup";
    /// A prompt window's.
    pub const PROMPT: &str = "prompt";
}

/// From a content script to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, concrete(M = ts_rs::Dummy)))]
pub enum ToHost<M> {
    /// A JSON-RPC message of the page.
    Rpc {
        /// As the page sent it.
        #[cfg_attr(test, ts(type = "unknown"))]
        m: M,
    },
    /// A message of a stream port.
    Port {
        /// Which stream.
        stream: String,
        /// As the page sent it.
        #[cfg_attr(test, ts(type = "unknown"))]
        m: M,
    },
    /// To a host that is new: what the document was subscribed to with the one before, as that said it last.
    Events {
        /// Names of events.
        events: Vec<String>,
    },
}

/// From the host to a content script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, concrete(M = ts_rs::Dummy)))]
pub enum FromHost<M> {
    /// First of all: what to announce, or null where this document meets silence.
    Ready {
        /// The announcement.
        available: Option<Hello>,
    },
    /// A JSON-RPC message for the page.
    Rpc {
        /// The message.
        #[cfg_attr(test, ts(type = "unknown"))]
        m: M,
        /// The stream whose port goes with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        stream: Option<String>,
    },
    /// A message of a stream port.
    Port {
        /// Which stream.
        stream: String,
        /// The message.
        #[cfg_attr(test, ts(type = "unknown"))]
        m: M,
    },
    /// What the document is subscribed to from now on, to be said to the next host if this one goes.
    Events {
        /// Names of events.
        events: Vec<String>,
    },
}
