//! How the node is, in one sentence with a tone; and a second one on what that means.

use mooring_api::{
    popup::{IdentityState, Snapshot},
    results::NodeState,
};

use crate::{
    format,
    limits::{MAX_ROWS, MAX_TEXT},
    link::Phase,
    preferences::LastSeen,
    relay,
};

/// What a snapshot says, less its lists. Compared, so that nothing is told twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The product's version.
    pub version: String,
    /// How the node is.
    pub state: NodeState,
    /// Why.
    pub reason: Option<String>,
    /// Whether it crashed over and over and is kept from starting.
    pub safe_mode: bool,
    /// Whether the user paused it.
    pub paused: bool,
    /// Whether every site is told that there is a node.
    pub announced_everywhere: bool,
    /// The STUN and TURN servers that are asked.
    pub ice_servers: Vec<String>,
    /// How the stored identity is.
    pub identity: IdentityState,
    /// The node's own addresses.
    pub addresses: Vec<String>,
    /// The relays it is connected to.
    pub relays: Vec<relay::View>,
    /// Peers that are connected.
    pub peers: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Sites that hold or were denied something.
    pub sites: usize,
}

impl Head {
    /// Takes what it needs out of a snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        Head {
            version: format::clean(&snapshot.product_version, MAX_TEXT),
            state: snapshot.state,
            reason: snapshot
                .reason
                .as_deref()
                .map(|reason| format::clean(reason, MAX_TEXT))
                .filter(|reason| !reason.is_empty()),
            safe_mode: snapshot.safe_mode,
            paused: snapshot.paused,
            announced_everywhere: snapshot.announced_everywhere,
            ice_servers: snapshot.ice_servers.clone(),
            identity: snapshot.identity.clone(),
            addresses: snapshot.addresses.clone(),
            relays: snapshot
                .relays
                .iter()
                .take(MAX_ROWS)
                .map(relay::View::new)
                .collect(),
            peers: usize::try_from(snapshot.peers).unwrap_or(usize::MAX),
            connections: snapshot.connections.len(),
            sites: snapshot.sites.len(),
        }
    }

    /// Whether it can have connections at all.
    pub const fn runs(&self) -> bool {
        !self.paused && !matches!(self.state, NodeState::Failed)
    }

    /// How many sites there are. A node that failed may not have got as far as knowing any.
    pub fn known_sites(&self) -> Option<usize> {
        (self.sites > 0 || self.state != NodeState::Failed).then_some(self.sites)
    }

    /// The node's own peer id, once it has one.
    pub fn peer_id(&self) -> Option<&str> {
        match &self.identity {
            IdentityState::Ready { peer_id } => Some(peer_id),
            IdentityState::Loading | IdentityState::Damaged { .. } => None,
        }
    }
}

/// The icon and colour of the status. Each has both: colour alone says nothing to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// All is well.
    Good,
    /// Under way.
    Busy,
    /// As the user wanted it.
    Paused,
    /// Not well, and mends itself.
    Warning,
    /// Not well, and needs the user.
    Bad,
}

/// How the node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The icon and colour.
    pub tone: Tone,
    /// A word for tests and styles: the node's state where it speaks, else what is known of it.
    pub name: &'static str,
    /// One sentence.
    pub sentence: String,
    /// What that means, or what to do.
    pub more: String,
}

fn status(
    tone: Tone,
    name: &'static str,
    sentence: impl Into<String>,
    more: impl Into<String>,
) -> Status {
    Status {
        tone,
        name,
        sentence: sentence.into(),
        more: more.into(),
    }
}

/// Puts how the node is into words.
pub fn say(phase: Phase, head: Option<&Head>, last: Option<&LastSeen>, now: u64) -> Status {
    match (phase, head) {
        (Phase::Live, Some(head)) => live(head),
        (Phase::Looking, _) | (Phase::Live, None) => {
            let more = match last {
                None => String::new(),
                Some(last) => format!(
                    "Last seen {}: {}.",
                    ago(now.saturating_sub(last.at)),
                    state(last.state)
                ),
            };
            status(Tone::Busy, "looking", "Looking for the node…", more)
        }
        (Phase::Restarting, _) => status(
            Tone::Warning,
            "restarting",
            "The node stopped. Restarting it…",
            "What you see below is how it was.",
        ),
        (Phase::Missing, _) => status(
            Tone::Warning,
            "missing",
            "The node is not running. Restarting it…",
            "This takes a few seconds.",
        ),
        (Phase::Gone, _) => status(
            Tone::Bad,
            "missing",
            "The node is not running and does not come back.",
            "Reload the extension to start it afresh. Nothing that is stored gets lost.",
        ),
    }
}

fn live(head: &Head) -> Status {
    let reason = head.reason.as_deref();
    if let IdentityState::Damaged { .. } = head.identity {
        return status(
            Tone::Bad,
            "damaged",
            "The node failed: its stored identity is damaged.",
            "It does not run until you choose what to do.",
        );
    }
    match (head.state, head.paused) {
        (NodeState::Starting, _) => status(
            Tone::Busy,
            "starting",
            "The node is starting…",
            reason.unwrap_or_default(),
        ),
        (NodeState::Failed, _) if head.safe_mode => status(
            Tone::Bad,
            "safe-mode",
            match reason {
                Some(reason) => format!("The node was stopped: {}", sentence(reason)),
                None => "The node was stopped.".to_owned(),
            },
            "It is not started by itself for some minutes, and sites cannot use it. What is stored is untouched.",
        ),
        (NodeState::Failed, _) => status(
            Tone::Bad,
            "failed",
            match reason {
                Some(reason) => format!("The node failed: {}", sentence(reason)),
                None => "The node failed.".to_owned(),
            },
            "Sites cannot use it now. If this stays, reload the extension.",
        ),
        (NodeState::Offline, true) => status(
            Tone::Paused,
            "offline",
            "The node is offline: you paused it.",
            "It keeps no connections until you resume it.",
        ),
        (NodeState::Offline, false) => status(
            Tone::Warning,
            "offline",
            match reason {
                Some(reason) => format!("The node is offline: {}", sentence(reason)),
                None => "The node is offline: the network is gone.".to_owned(),
            },
            "It comes back by itself when the network does.",
        ),
        (NodeState::Online, _) => status(
            Tone::Good,
            "online",
            "The node is online.",
            match (head.connections, reason) {
                (0, None) => "Not connected to anybody yet.".to_owned(),
                (0, Some(reason)) => sentence(reason),
                (_, _) => format!(
                    "Connected to {}.",
                    format::count(head.peers, "peer", "peers")
                ),
            },
        ),
    }
}

/// What others wrote as a reason, with a full stop.
fn sentence(reason: &str) -> String {
    if reason.ends_with(['.', '!', '?', '…']) {
        reason.to_owned()
    } else {
        format!("{reason}.")
    }
}

const fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Online => "online",
        NodeState::Offline => "offline",
        NodeState::Failed => "failing",
    }
}

fn ago(ms: u64) -> String {
    match format::span(ms).as_str() {
        "just now" => "just now".to_owned(),
        span => format!("{span} ago"),
    }
}

#[cfg(test)]
mod tests;
