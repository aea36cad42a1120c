//! What of other peers outlives the node: a snapshot that its owner keeps, and gives to the next start.
//!
//! Peers that were connected and said who they are, with the addresses that worked: nothing that was only heard of, no circuits
//! (they end with a reservation), and no address that the node's own upkeep may not dial.

use std::collections::HashSet;

use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use crate::{
    limits::{ADDRESS_BYTES, KNOWN_ADDRESSES, KNOWN_BYTES, KNOWN_FAILURES, KNOWN_PEERS},
    peer_store::usable_all,
};

/// The shape of the text, to be counted up when it changes.
const VERSION: u32 = 1;

/// A peer from an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPeer {
    /// Its id.
    pub peer: PeerId,
    /// Where it was reached, the last one first, without `/p2p/`.
    pub addresses: Vec<Multiaddr>,
    /// When it was last connected, in seconds since 1970 by this machine's clock; of one that is connected, to the hour.
    pub seen: u64,
    /// Does it answer lookups in the DHT?
    pub dht: bool,
    /// Attempts to reach it since then that led nowhere.
    pub failures: u8,
}

/// Peers from an earlier run, those that are likely to be of use first. Bounded: 128 peers of four addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPeers(Vec<KnownPeer>);

/// Why a stored text gives no peers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKnownPeers {
    /// It is none of ours, or not whole.
    #[error("they are damaged")]
    Damaged,
    /// A later version of the program wrote it.
    #[error("they are of version {0}, which this program does not know")]
    Newer(u32),
    /// More than is ever written.
    #[error("they are longer than {KNOWN_BYTES} bytes")]
    TooLong,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    peers: Vec<StoredPeer>,
}

#[derive(Serialize, Deserialize)]
struct StoredPeer {
    id: String,
    addresses: Vec<String>,
    seen: u64,
    dht: bool,
    failures: u8,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl KnownPeers {
    /// The first ones of these, as far as they can be used at all.
    pub fn new(peers: impl IntoIterator<Item = KnownPeer>) -> Self {
        let mut ids = HashSet::new();
        Self(
            peers
                .into_iter()
                .map(|mut peer| {
                    peer.addresses = usable_all(&peer.addresses, peer.peer);
                    peer.addresses.truncate(KNOWN_ADDRESSES);
                    peer
                })
                .filter(|peer| !peer.addresses.is_empty() && peer.failures < KNOWN_FAILURES)
                .filter(|peer| ids.insert(peer.peer))
                .take(KNOWN_PEERS)
                .collect(),
        )
    }

    /// Those that are likely to be of use first.
    pub fn iter(&self) -> impl Iterator<Item = &KnownPeer> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and of the others those that are not among them, as far as there is room.
    #[must_use]
    pub fn and(self, others: &Self) -> Self {
        Self::new(self.0.into_iter().chain(others.0.iter().cloned()))
    }

    /// As a text of at most 128 KiB. Those that are of least use are left out of one that would be longer.
    pub fn encode(&self) -> String {
        let mut peers: Vec<StoredPeer> = self.0.iter().map(StoredPeer::of).collect();
        loop {
            let stored = Stored {
                version: VERSION,
                peers,
            };
            // Numbers and texts: nothing that JSON has no word for.
            let text = serde_json::to_string(&stored).unwrap_or_default();
            if text.len() <= KNOWN_BYTES {
                return text;
            }
            peers = stored.peers;
            peers.pop();
        }
    }

    /// What [`encode`](Self::encode) gave. The text may be anything. Peers in it whose id or addresses mean nothing to this version
    /// are left out.
    ///
    /// # Errors
    /// [`BadKnownPeers`]: nothing in it is to be used.
    pub fn decode(text: &str) -> Result<Self, BadKnownPeers> {
        if text.len() > KNOWN_BYTES {
            return Err(BadKnownPeers::TooLong);
        }
        let Version { version } = serde_json::from_str(text).map_err(|_| BadKnownPeers::Damaged)?;
        if version > VERSION {
            return Err(BadKnownPeers::Newer(version));
        }
        let stored: Stored = serde_json::from_str(text).map_err(|_| BadKnownPeers::Damaged)?;
        if version != VERSION {
            return Err(BadKnownPeers::Damaged);
        }
        Ok(Self::new(
            stored.peers.into_iter().filter_map(StoredPeer::read),
        ))
    }
}

impl StoredPeer {
    fn of(peer: &KnownPeer) -> Self {
        Self {
            id: peer.peer.to_string(),
            addresses: peer.addresses.iter().map(ToString::to_string).collect(),
            seen: peer.seen,
            dht: peer.dht,
            failures: peer.failures,
        }
    }

    fn read(self) -> Option<KnownPeer> {
        let addresses = self.addresses.iter().filter_map(|text| text.parse().ok());
        Some(KnownPeer {
            peer: self.id.parse().ok()?,
            addresses: addresses
                .filter(|address: &Multiaddr| address.len() <= ADDRESS_BYTES)
                .collect(),
            seen: self.seen,
            dht: self.dht,
            failures: self.failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer(n: u64) -> KnownPeer {
        KnownPeer {
            peer: PeerId::random(),
            addresses: vec![format!("/ip4/9.9.9.9/tcp/{}/ws", n + 1).parse().unwrap()],
            seen: n,
            dht: n.is_multiple_of(2),
            failures: 0,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let peers = KnownPeers::new((0..10).map(peer));
        assert_eq!(peers.len(), 10);
        assert_eq!(KnownPeers::decode(&peers.encode()), Ok(peers));
        let none = KnownPeers::default();
        assert_eq!(KnownPeers::decode(&none.encode()), Ok(none));
    }

    #[test]
    fn there_are_never_more_than_the_limits() {
        let long: Multiaddr = format!("/dns4/{}.example/tcp/443/wss", "a".repeat(60))
            .parse()
            .unwrap();
        let many = (0..1000).map(|n| KnownPeer {
            addresses: (1..=20)
                .map(|port| format!("{long}/http-path/{n}-{port}").parse().unwrap())
                .collect(),
            ..peer(n)
        });
        let peers = KnownPeers::new(many);
        assert_eq!(peers.len(), KNOWN_PEERS);
        assert!(
            peers
                .iter()
                .all(|peer| peer.addresses.len() == KNOWN_ADDRESSES)
        );
        let text = peers.encode();
        assert!(text.len() <= KNOWN_BYTES);
        assert!(!KnownPeers::decode(&text).unwrap().is_empty());
        let longer = format!("{text}{}", " ".repeat(KNOWN_BYTES));
        assert_eq!(KnownPeers::decode(&longer), Err(BadKnownPeers::TooLong));
        // The longest there can be lose the last ones.
        let widest = (0..1000).map(|n| KnownPeer {
            addresses: (0..4)
                .map(|i| {
                    let name = format!("{n:03}{i}{}", "a".repeat(440));
                    format!("/dns4/{name}/tcp/443/wss").parse().unwrap()
                })
                .collect(),
            ..peer(n)
        });
        let peers = KnownPeers::new(widest);
        let read = KnownPeers::decode(&peers.encode()).unwrap();
        assert!(read.len() < peers.len());
        assert!(read.iter().zip(peers.iter()).all(|(a, b)| a == b));
    }

    #[test]
    fn one_of_a_kind_and_only_what_can_be_used() {
        let first = peer(1);
        let again = KnownPeer {
            seen: 7,
            ..first.clone()
        };
        let nowhere = KnownPeer {
            addresses: Vec::new(),
            ..peer(2)
        };
        let lost = KnownPeer {
            failures: KNOWN_FAILURES,
            ..peer(3)
        };
        let peers = KnownPeers::new([first.clone(), again, nowhere, lost]);
        assert_eq!(peers.0, [first]);
        let more = peers.clone().and(&KnownPeers::new([peer(9)]));
        assert_eq!((more.len(), more.iter().next()), (2, peers.iter().next()));
    }

    #[test]
    fn other_versions_are_told_apart_from_damage() {
        let newer = r#"{"version":2,"peers":"another shape","more":1}"#;
        assert_eq!(KnownPeers::decode(newer), Err(BadKnownPeers::Newer(2)));
        for damaged in [
            "",
            "null",
            "[]",
            "7",
            "{}",
            r#"{"version":1}"#,
            r#"{"version":0,"peers":[]}"#,
            r#"{"version":"1","peers":[]}"#,
            r#"{"version":1,"peers":{}}"#,
            r#"{"version":1,"peers":[null]}"#,
            r#"{"version":1,"peers":[{"id":1,"addresses":[],"seen":1,"dht":true,"failures":0}]}"#,
        ] {
            assert_eq!(
                KnownPeers::decode(damaged),
                Err(BadKnownPeers::Damaged),
                "{damaged}"
            );
        }
        // What means nothing is left out, and takes nothing else with it.
        let odd = r#"{"version":1,"peers":[{"id":"nobody","addresses":["/ip4/9.9.9.9/tcp/1"],"seen":1,"dht":true,"failures":0}]}"#;
        assert_eq!(KnownPeers::decode(odd), Ok(KnownPeers::default()));
    }

    proptest! {
        #[test]
        fn anything_may_be_stored(text in ".{0,400}") {
            let _ = KnownPeers::decode(&text);
        }

        #[test]
        fn damage_gives_nothing_or_bounded_peers(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = KnownPeers::new((0..4).map(peer)).encode().into_bytes();
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = byte;
            }
            let text = String::from_utf8_lossy(&bytes);
            match KnownPeers::decode(&text) {
                Ok(peers) => prop_assert!(!cut && peers.len() <= 4),
                Err(BadKnownPeers::Damaged | BadKnownPeers::Newer(_)) => {}
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
