//! Why dials failed, in words.

use libp2p::{TransportError, connection_limits, swarm::DialError};

use crate::{limits::CAUSE_CHARS, types::TransportKind};

/// A failed dial in words, one sentence an address.
pub(in crate::event_loop) fn causes(error: &DialError) -> Vec<String> {
    match error {
        DialError::LocalPeerId { .. } => vec!["the address leads to this node itself".into()],
        DialError::NoAddresses => vec!["there is no address to dial".into()],
        DialError::DialPeerConditionFalse(_) => vec!["a dial to this peer is under way".into()],
        DialError::Aborted => vec!["aborted".into()],
        DialError::WrongPeerId { obtained, .. } => {
            vec![format!("another peer answered: {obtained}")]
        }
        DialError::Denied { cause } => {
            let limit = cause.downcast_ref::<connection_limits::Exceeded>();
            vec![match limit {
                Some(_) => "the limit of connections is reached".into(),
                None => "denied by this node".into(),
            }]
        }
        DialError::Transport(errors) => errors
            .iter()
            .map(|(address, error)| match error {
                TransportError::MultiaddrNotSupported(_) => {
                    format!(
                        "{}: not supported",
                        TransportKind::of(address).map_or("?", TransportKind::as_str)
                    )
                }
                error @ TransportError::Other(_) => format!(
                    "{}: {}",
                    TransportKind::of(address).map_or("?", TransportKind::as_str),
                    root_cause(error)
                ),
            })
            .collect(),
    }
}

/// The innermost reason, which is the one that says something; cut to a sentence.
pub(in crate::event_loop) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let text = mooring_webrtc::root_cause(error).to_string();
    text.chars()
        .filter(|c| !c.is_control())
        .take(CAUSE_CHARS)
        .collect()
}
