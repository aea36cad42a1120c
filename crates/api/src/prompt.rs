//! What a prompt window and the node host say to each other.

use serde::{Deserialize, Serialize};

use crate::descriptor::Descriptor;

/// How long an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Duration {
    /// For this document.
    Once,
    /// For an hour.
    Hour,
    /// Until the browser ends.
    #[default]
    Session,
    /// Until it is taken back.
    Always,
}

/// From the prompt window to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum FromPrompt {
    /// What is this window to ask?
    Get {
        /// The prompt's id, from the window's address.
        id: String,
    },
    /// The user decided. A window that goes without an answer was closed, which is no denial.
    Answer {
        /// The prompt's id.
        id: String,
        /// What the user allows: no more than was asked.
        granted: Vec<Descriptor>,
        /// What the user denies.
        denied: Vec<Descriptor>,
        /// How long either holds.
        duration: Duration,
    },
}

/// From the host to the prompt window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ToPrompt {
    /// What to ask.
    Request {
        /// The prompt's id.
        id: String,
        /// Who asks: scheme, host and port.
        origin: String,
        /// What it asks for, less what it holds.
        permissions: Vec<Descriptor>,
    },
    /// Nothing is asked under this id (any more): the window closes itself.
    Gone {
        /// The prompt's id.
        id: String,
    },
}
