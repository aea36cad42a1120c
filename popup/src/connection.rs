//! What a row says about a connection: text, made once for each snapshot and compared, so that only what changed is
//! written to the page.

use mooring_api::{
    popup::PopupConnection,
    results::{Direction, Path},
};

use crate::{
    format,
    limits::{MAX_LABEL, MAX_OWNERS, MAX_TEXT},
    words,
};

/// A connection, in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The whole peer id.
    pub peer: String,
    /// The peer id, short.
    pub peer_short: String,
    /// What the peer says it is.
    pub agent: Option<String>,
    /// The whole remote address.
    pub address: String,
    /// The remote address, short.
    pub address_short: String,
    /// The transport's name as people write it.
    pub transport: String,
    /// Direct or through a relay.
    pub path: Path,
    /// Milliseconds since 1970.
    pub opened_at: u64,
    /// The last round trip.
    pub round_trip: Option<String>,
    /// Who asked for it, in words.
    pub wanted_by: String,
    /// The same in full.
    pub wanted_by_all: String,
}

impl View {
    /// Makes the text.
    pub fn new(from: &PopupConnection) -> Self {
        let connection = &from.connection;
        let agent = from
            .agent
            .as_deref()
            .map(|agent| format::clean(agent, MAX_LABEL))
            .filter(|agent| !agent.is_empty());
        View {
            peer: connection.peer_id.clone(),
            peer_short: format::peer(&connection.peer_id),
            agent,
            address: format::clean(&connection.remote_address, MAX_TEXT),
            address_short: format::address(&connection.remote_address, &connection.peer_id),
            transport: words::transport(&connection.transport),
            path: connection.path,
            opened_at: connection.opened_at,
            round_trip: connection.rtt_ms.and_then(format::round_trip),
            wanted_by: wanted_by(&from.owners, connection.direction, MAX_OWNERS),
            wanted_by_all: wanted_by(&from.owners, connection.direction, usize::MAX),
        }
    }
}

/// Who asked for a connection; `most` names, and then how many more there are.
fn wanted_by(owners: &[String], direction: Direction, most: usize) -> String {
    if owners.is_empty() {
        return match direction {
            Direction::Inbound => "by the peer".to_owned(),
            Direction::Outbound => "for the node".to_owned(),
        };
    }
    let mut names: Vec<String> = owners
        .iter()
        .take(most)
        .map(|owner| match owner.as_str() {
            "user" => "you".to_owned(),
            origin => format::origin(origin),
        })
        .collect();
    let more = owners.len().saturating_sub(names.len());
    if more > 0 {
        names.push(format::count(more, "other", "others"));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("for {} and {last}", rest.join(", ")),
        _ => format!("for {}", names.join("")),
    }
}

#[cfg(test)]
mod tests {
    use mooring_api::results::Connection;

    use super::*;

    fn connection(owners: &[&str], direction: Direction) -> PopupConnection {
        PopupConnection {
            connection: Connection {
                id: "1".to_owned(),
                peer_id: "12D3KooWGjMCwLbRsF5HsV9uQXAB8zyrCTqbtLEd5mvv1vfMFLqV".to_owned(),
                remote_address: "/ip4/203.0.113.9/udp/4001/webrtc-direct".to_owned(),
                direction,
                path: Path::Direct,
                transport: "webrtc-direct".to_owned(),
                opened_at: 5,
                rtt_ms: Some(24.2),
            },
            agent: Some("\u{202e}\n".to_owned()),
            owners: owners.iter().map(|owner| (*owner).to_owned()).collect(),
        }
    }

    #[test]
    fn a_row_says_it_in_words() {
        let view = View::new(&connection(&["user"], Direction::Outbound));
        assert_eq!(view.transport, "WebRTC direct");
        assert_eq!(view.round_trip.as_deref(), Some("24 ms"));
        assert_eq!(view.wanted_by, "for you");
        // An agent of nothing visible is none.
        assert_eq!(view.agent, None);
    }

    #[test]
    fn it_says_who_asked() {
        let said = |owners: &[&str], direction| View::new(&connection(owners, direction)).wanted_by;
        assert_eq!(said(&[], Direction::Inbound), "by the peer");
        assert_eq!(said(&[], Direction::Outbound), "for the node");
        assert_eq!(
            said(&["https://a.example", "user"], Direction::Inbound),
            "for a.example and you"
        );
        assert_eq!(
            said(
                &[
                    "https://a.example",
                    "http://localhost:1",
                    "https://c.example",
                    "user"
                ],
                Direction::Outbound
            ),
            "for a.example, http://localhost:1 and 2 others"
        );
        assert_eq!(
            View::new(&connection(
                &["https://a.example", "https://b.example", "user"],
                Direction::Outbound
            ))
            .wanted_by_all,
            "for a.example, b.example and you"
        );
    }
}
