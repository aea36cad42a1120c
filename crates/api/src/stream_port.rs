//! What travels on a stream's `MessagePort`, both ways.

use serde::{Deserialize, Serialize};

use crate::{object::objects_only, params::Bytes};

/// A message of a stream port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "type", rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum StreamMessage {
    /// 1 byte to 256 KiB, within the credit received.
    Data {
        /// The bytes.
        #[cfg_attr(test, ts(type = "Uint8Array"))]
        bytes: Bytes,
    },
    /// Grants that many bytes more.
    Credit {
        /// How many, a whole number.
        #[cfg_attr(test, ts(type = "number"))]
        bytes: u64,
    },
    /// No more data from this side.
    CloseWrite,
    /// This side reads no more.
    StopReading,
    /// The end, abrupt, both ways.
    Reset {
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// From the node only, last of all.
    Closed,
}

objects_only!(StreamMessage);

/// The reason of a reset that follows a broken rule.
pub const RESET_PROTOCOL: &str = "protocol";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_shape_of_the_contract() {
        for (message, json) in [
            (
                StreamMessage::Credit { bytes: 9 },
                r#"{"type":"credit","bytes":9}"#,
            ),
            (StreamMessage::CloseWrite, r#"{"type":"closeWrite"}"#),
            (StreamMessage::StopReading, r#"{"type":"stopReading"}"#),
            (
                StreamMessage::Reset {
                    reason: "protocol".into(),
                },
                r#"{"type":"reset","reason":"protocol"}"#,
            ),
            (StreamMessage::Closed, r#"{"type":"closed"}"#),
        ] {
            assert_eq!(serde_json::to_string(&message).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<StreamMessage>(json).unwrap(),
                message
            );
        }
    }
}
