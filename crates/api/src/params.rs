//! The parameters of each method. Fields that are not named here are ignored: adding to the contract is free.
//! Every request may carry `timeoutMs` beside these; the host reads it first.

use serde::{Deserialize, Serialize};

use crate::object::objects_only;

/// Bytes that travel as a `Uint8Array`.
pub type Bytes = serde_bytes::ByteBuf;

macro_rules! params {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(remote = "Self", rename_all = "camelCase")]
        #[cfg_attr(test, derive(ts_rs::TS), ts(export, optional_fields))]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty,)* }

        objects_only!($name);
    )*};
}

params! {
    /// A method without parameters.
    Empty {}

    /// The part that every request's parameters may have.
    Common {
        /// Milliseconds until the request ends with 5002: 1 to 300,000.
        timeout_ms: Option<f64>,
    }

    /// `rpc.cancel`.
    Cancel {
        /// The request to end.
        id: crate::RequestId,
    }

    /// `peers.ping`, `connections.release`, `dht.findPeer`.
    PeerOnly {
        /// The peer's id.
        peer: String,
    }

    /// `connections.dial`: a peer id, addresses, or both.
    Dial {
        /// The peer's id, where the addresses do not end in it.
        peer: Option<String>,
        /// Multiaddrs, tried together.
        addresses: Option<Vec<String>>,
    }

    /// `streams.open`.
    OpenStream {
        /// The peer's id.
        peer: String,
        /// Protocol ids in order of preference.
        protocols: Vec<String>,
        /// Whether a relayed connection will do. True unless said.
        allow_relayed: Option<bool>,
    }

    /// `streams.handle`, `streams.unhandle`.
    Protocols {
        /// Protocol ids.
        protocols: Vec<String>,
    }

    /// `pubsub.subscribe`, `pubsub.unsubscribe`, `pubsub.peers`.
    Topic {
        /// The topic.
        topic: String,
    }

    /// `pubsub.publish`.
    Publish {
        /// The topic.
        topic: String,
        /// The message.
        #[cfg_attr(test, ts(type = "Uint8Array"))]
        data: Bytes,
    }

    /// `dht.closestPeers`, `dht.provide`, `dht.stopProviding`, `dht.get`.
    Key {
        /// What is looked up.
        key: DhtKey,
    }

    /// `dht.findProviders`.
    FindProviders {
        /// What is looked up.
        key: DhtKey,
        /// Most providers wanted. 20 unless said.
        limit: Option<u32>,
    }

    /// `dht.put`.
    Put {
        /// Where the value goes.
        key: DhtKey,
        /// The value.
        #[cfg_attr(test, ts(type = "Uint8Array"))]
        value: Bytes,
    }

    /// `rendezvous.register`, `rendezvous.discover`, `rendezvous.unregister`.
    Rendezvous {
        /// The namespace.
        namespace: String,
        /// The rendezvous point's peer id.
        point: Option<String>,
        /// How long a registration lives, in seconds.
        ttl_seconds: Option<u32>,
    }

    /// `events.subscribe`, `events.unsubscribe`.
    Events {
        /// Names of events.
        events: Vec<String>,
    }
}

/// A key of the DHT: raw bytes, or a CID or multihash as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum DhtKey {
    /// A CID or multihash in its text form.
    Text(String),
    /// Raw bytes.
    Bytes(#[cfg_attr(test, ts(type = "Uint8Array"))] Bytes),
}

// By hand: derived untagged code would take bytes that happen to be UTF-8 for text.
impl<'de> Deserialize<'de> for DhtKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = DhtKey;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes, or a CID or multihash as text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DhtKey, E> {
                Ok(DhtKey::Text(text.to_owned()))
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<DhtKey, E> {
                Ok(DhtKey::Bytes(Bytes::from(bytes)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_objects() {
        let ping = |json: &str| serde_json::from_str::<PeerOnly>(json);
        assert_eq!(ping(r#"{"peer":"x","more":1}"#).unwrap().peer, "x");
        for bad in [r#"["x"]"#, r#""x""#, "null", "{}", r#"{"peer":1}"#] {
            assert!(ping(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Empty>("{}").is_ok());
        assert!(serde_json::from_str::<Empty>("[]").is_err());
    }

    #[test]
    fn optional_parameters_may_be_absent_or_null() {
        let dial: Dial = serde_json::from_str(r#"{"peer":null}"#).unwrap();
        assert_eq!(
            dial,
            Dial {
                peer: None,
                addresses: None
            }
        );
    }

    #[test]
    fn a_key_is_text_or_bytes() {
        let key: Key = serde_json::from_str(r#"{"key":"bafy"}"#).unwrap();
        assert_eq!(key.key, DhtKey::Text("bafy".into()));
        for bad in [r#"{"key":{}}"#, r#"{"key":[1,2]}"#, r#"{"key":1}"#] {
            assert!(serde_json::from_str::<Key>(bad).is_err(), "{bad}");
        }
        let bytes = serde::de::value::BytesDeserializer::<serde::de::value::Error>::new(b"text");
        assert_eq!(
            DhtKey::deserialize(bytes).unwrap(),
            DhtKey::Bytes(Bytes::from(b"text".to_vec()))
        );
    }
}
