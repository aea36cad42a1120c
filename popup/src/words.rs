//! What machines call by codes and names, in words.

use mooring_api::{Descriptor, ErrorCode, ErrorObject};

use crate::{
    format,
    limits::{MAX_LABEL, MAX_TEXT},
};

/// Something that did not work: what, and what the node says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One sentence.
    pub lead: String,
    /// More, for those who want to know.
    pub detail: Option<String>,
}

impl Failure {
    /// A failure of which there is no more to say.
    pub fn plain(lead: impl Into<String>) -> Self {
        Failure {
            lead: lead.into(),
            detail: None,
        }
    }
}

/// What the node refused, in words.
pub fn failure(error: &ErrorObject) -> Failure {
    let lead = match error.code {
        ErrorCode::InvalidRequest
        | ErrorCode::MethodNotFound
        | ErrorCode::InvalidParams
        | ErrorCode::Internal => "The node could not do that.".to_owned(),
        ErrorCode::UserRejected | ErrorCode::Unauthorized => "That is not allowed.".to_owned(),
        ErrorCode::Unsupported => "That does not work in this browser.".to_owned(),
        ErrorCode::NodeNotRunning => "The node is not running.".to_owned(),
        ErrorCode::DialFailed => "Nobody could be reached there.".to_owned(),
        ErrorCode::Timeout => "There was no answer in time.".to_owned(),
        ErrorCode::StreamReset => "The connection broke off.".to_owned(),
        ErrorCode::NotFound => "That is not there any more.".to_owned(),
        ErrorCode::LimitExceeded => match error.data.retry_after_ms {
            None => "That is too much at once. Try again in a moment.".to_owned(),
            Some(ms) => format!(
                "That is too much at once. Try again in {}.",
                format::count(
                    usize::try_from(ms.div_ceil(1_000).max(1)).unwrap_or(usize::MAX),
                    "second",
                    "seconds"
                )
            ),
        },
        ErrorCode::BadAddress => "That is not an address that this node can dial.".to_owned(),
        ErrorCode::Refused => "The node may not dial that address.".to_owned(),
        ErrorCode::Aborted => "That was cancelled.".to_owned(),
        ErrorCode::NoPeers => "There is nobody to ask.".to_owned(),
        ErrorCode::ProtocolNotSupported => "The peer does not speak that protocol.".to_owned(),
    };
    let message = format::clean(&error.message, MAX_TEXT);
    let more = error
        .data
        .detail
        .as_deref()
        .map(|detail| format::clean(detail, MAX_TEXT))
        .filter(|detail| !detail.is_empty() && *detail != message);
    let detail = match (message.is_empty() || message == lead, more) {
        (true, more) => more,
        (false, None) => Some(message),
        (false, Some(more)) => Some(format!("{message} ({more})")),
    };
    Failure { lead, detail }
}

/// A transport's name as people write it. One that this popup does not know is shown as it is called.
pub fn transport(name: &str) -> String {
    match name {
        "webrtc-direct" => "WebRTC direct".to_owned(),
        "webrtc" => "WebRTC".to_owned(),
        "webtransport" => "WebTransport".to_owned(),
        "websocket" => "WebSocket".to_owned(),
        "relay" => "relay".to_owned(),
        other => format::clean(other, MAX_LABEL),
    }
}

/// What a denial keeps a site from, to follow "may not". Denials of a wider permission leave the plain one open.
pub fn denial(descriptor: &Descriptor) -> String {
    match descriptor {
        Descriptor::Dial {
            private_network: true,
        } => "connect to peers on your local network".to_owned(),
        Descriptor::Routing { write: true } => "announce in the DHT".to_owned(),
        other => permission(other),
    }
}

/// What a permission lets a site do, to follow "may".
pub fn permission(descriptor: &Descriptor) -> String {
    match descriptor {
        Descriptor::Identity {} => "see this node’s peer id and addresses".to_owned(),
        Descriptor::Peers {} => "see peers and connections".to_owned(),
        Descriptor::Dial {
            private_network: false,
        } => "connect to peers".to_owned(),
        Descriptor::Dial {
            private_network: true,
        } => "connect to peers, also on your local network".to_owned(),
        Descriptor::Streams { protocols } => format!("use {}", patterns(protocols, "protocols")),
        Descriptor::Pubsub { topics } => {
            format!("publish and receive on {}", patterns(topics, "topics"))
        }
        Descriptor::Routing { write: false } => "look things up in the DHT".to_owned(),
        Descriptor::Routing { write: true } => "look things up and announce in the DHT".to_owned(),
        Descriptor::Background {} => "go on when its last tab is closed".to_owned(),
    }
}

fn patterns(values: &[String], many: &str) -> String {
    const SHOWN: usize = 4;
    let mut names: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|value| match value.strip_suffix('*') {
            Some(prefix) => format!("{}…", format::clean(prefix, MAX_LABEL)),
            None => format::clean(value, MAX_LABEL),
        })
        .collect();
    let more = values.len().saturating_sub(names.len());
    if more > 0 {
        names.push(format!("{more} more {many}"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_sentence() {
        for code in ErrorCode::ALL {
            let failure = failure(&ErrorObject::new(*code, "Developer's words."));
            assert!(failure.lead.ends_with('.'), "{code:?}");
            assert_eq!(failure.detail.as_deref(), Some("Developer's words."));
        }
    }

    #[test]
    fn a_failure_says_when_to_come_again_and_what_the_node_said() {
        let error = ErrorObject::new(ErrorCode::LimitExceeded, "x").with_retry_after(1_200);
        assert!(failure(&error).lead.ends_with("in 2 seconds."));
        let error = ErrorObject::new(ErrorCode::DialFailed, "No address worked.")
            .with_detail("ICE failed\u{202e}");
        assert_eq!(
            failure(&error).detail.as_deref(),
            Some("No address worked. (ICE failed)")
        );
        let error = ErrorObject::new(ErrorCode::Timeout, "");
        assert_eq!(failure(&error).detail, None);
    }

    #[test]
    fn permissions_read_after_may() {
        assert_eq!(
            permission(&Descriptor::Streams {
                protocols: vec!["/a/1".to_owned(), "/chat/*".to_owned()]
            }),
            "use /a/1, /chat/…"
        );
        let topics: Vec<String> = (0..6).map(|n| format!("t{n}")).collect();
        assert_eq!(
            permission(&Descriptor::Pubsub { topics }),
            "publish and receive on t0, t1, t2, t3, 2 more topics"
        );
    }

    #[test]
    fn a_denial_of_more_says_what_more() {
        let denied = denial(&Descriptor::Dial {
            private_network: true,
        });
        assert_eq!(denied, "connect to peers on your local network");
        assert_eq!(denial(&Descriptor::Peers {}), "see peers and connections");
    }

    #[test]
    fn an_unknown_transport_is_shown_as_it_is_called() {
        assert_eq!(transport("webtransport"), "WebTransport");
        assert_eq!(transport("car\nrier-pigeon"), "car rier-pigeon");
    }
}
