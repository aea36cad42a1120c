//! A relay as the dashboard shows it.

use mooring_api::popup::Relay;

use crate::{
    format,
    limits::{MAX_PEER, MAX_TEXT},
};

/// Under a minute, the time is not said: it would be another each second.
const MINUTE_MS: u32 = 60_000;

/// A relay that this node is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View {
    /// Its peer id.
    pub peer: String,
    /// The same, short.
    pub peer_short: String,
    /// Whether others can reach this node through it.
    pub reserved: bool,
    /// How it stands with it.
    pub words: &'static str,
    /// Why it does not work, and when it is tried again.
    pub detail: Option<String>,
}

impl View {
    /// Takes what it needs of what the node says.
    pub fn new(relay: &Relay) -> Self {
        let detail = (!relay.reserved && relay.failures > 0).then(|| {
            let cause = relay
                .cause
                .as_deref()
                .map(|cause| format::clean(cause, MAX_TEXT))
                .filter(|cause| !cause.is_empty());
            match (cause, again(relay.retry_in_ms)) {
                (Some(cause), Some(again)) => format!("{cause}; {again}"),
                (Some(text), None) | (None, Some(text)) => text,
                (None, None) => String::new(),
            }
        });
        View {
            peer: format::clean(&relay.peer_id, MAX_PEER.saturating_mul(8)),
            peer_short: format::peer(&relay.peer_id),
            reserved: relay.reserved,
            words: match (relay.reserved, relay.failures) {
                (true, _) => "reachable through it",
                (false, 0) => "not asked",
                (false, _) => "not reachable through it",
            },
            detail: detail.filter(|detail| !detail.is_empty()),
        }
    }
}

fn again(retry_in_ms: Option<u32>) -> Option<String> {
    retry_in_ms.map(|ms| match ms {
        0..MINUTE_MS => "asked again soon".to_owned(),
        ms => format!("asked again in {}", format::span(ms.into())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(reserved: bool, failures: u32) -> Relay {
        Relay {
            peer_id: "12D3KooWRelay".to_owned(),
            reserved,
            failures,
            cause: None,
            retry_in_ms: None,
        }
    }

    #[test]
    fn each_state_has_its_words() {
        let words = |relay| {
            let view = View::new(&relay);
            (view.words, view.detail)
        };
        // What it was before does not matter any more.
        assert_eq!(words(relay(true, 3)), ("reachable through it", None));
        assert_eq!(words(relay(false, 0)), ("not asked", None));
        let refused = |retry_in_ms| Relay {
            cause: Some("no\u{202e} room\n".to_owned()),
            retry_in_ms: Some(retry_in_ms),
            ..relay(false, 2)
        };
        let (said, detail) = words(refused(4_000));
        assert_eq!(said, "not reachable through it");
        assert_eq!(detail.as_deref(), Some("no room; asked again soon"));
        let (_, detail) = words(refused(180_000));
        assert_eq!(detail.as_deref(), Some("no room; asked again in 3 min"));
    }
}
