//! The error codes of the page API: JSON-RPC's, EIP-1193's, and the node's own.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal,)*) => {
        /// Why a request failed. The number is the contract; the name travels beside it in `data.name`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum ErrorCode { $($(#[doc = $doc])* $name = $code,)* }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// The name in `data.name`.
            pub const fn name(self) -> &'static str {
                match self { $(ErrorCode::$name => stringify!($name),)* }
            }

            /// What it says, in words, for the clients' documentation.
            #[cfg(test)]
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(ErrorCode::$name => concat!($($doc),*),)* }
            }
        }
    };
}

codes! {
    /// The envelope or the JSON-RPC message in it is malformed.
    InvalidRequest = -32600,
    /// No such method in this version.
    MethodNotFound = -32601,
    /// The method's parameters are malformed.
    InvalidParams = -32602,
    /// A fault of this program.
    Internal = -32603,
    /// The user (or a denial that the user gave earlier) said no.
    UserRejected = 4001,
    /// The origin does not hold the grant that the method needs.
    Unauthorized = 4100,
    /// Not in this build or browser.
    Unsupported = 4200,
    /// The node is not running.
    NodeNotRunning = 4900,
    /// No address of the peer led to a connection.
    DialFailed = 5001,
    /// The request's time limit passed.
    Timeout = 5002,
    /// The stream ended abruptly.
    StreamReset = 5003,
    /// Nothing is known under that name.
    NotFound = 5004,
    /// A quota is used up; `data.retryAfterMs` says when to come again.
    LimitExceeded = 5005,
    /// Not a multiaddr, or none that this node could ever dial.
    BadAddress = 5006,
    /// The policy denies this class of address or this protocol id.
    Refused = 5007,
    /// `rpc.cancel` ended the request.
    Aborted = 5008,
    /// There is nobody to ask or to store with.
    NoPeers = 5009,
    /// The remote speaks none of the protocols.
    ProtocolNotSupported = 5010,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.code())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = i32::deserialize(deserializer)?;
        ErrorCode::ALL
            .iter()
            .copied()
            .find(|known| known.code() == code)
            .ok_or_else(|| serde::de::Error::custom("unknown error code"))
    }
}

/// The `error` member of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[error("{code:?}: {message}")]
pub struct ErrorObject {
    /// The stable number.
    #[cfg_attr(test, ts(type = "number"))]
    pub code: ErrorCode,
    /// One sentence for a developer to read: what went wrong and what to do.
    pub message: String,
    /// What a program can use.
    pub data: ErrorData,
}

/// What a program can read about an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ErrorData {
    /// The code's name.
    pub name: String,
    /// More about this case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub detail: Option<String>,
    /// With 5005 and with 4001 during a pause: milliseconds after which another try makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub retry_after_ms: Option<u64>,
    /// With an unknown envelope version: the versions that are spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub supported: Option<Vec<u32>>,
}

impl ErrorObject {
    /// An error with its code and a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ErrorObject {
            code,
            message: message.into(),
            data: ErrorData {
                name: code.name().to_owned(),
                ..ErrorData::default()
            },
        }
    }

    /// Adds more about this case.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.data.detail = Some(detail.into());
        self
    }

    /// Adds when another try makes sense, in milliseconds.
    #[must_use]
    pub fn with_retry_after(mut self, ms: u64) -> Self {
        self.data.retry_after_ms = Some(ms);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_round_trip() {
        for code in ErrorCode::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, code.code().to_string());
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), *code);
            let same: Vec<_> = ErrorCode::ALL
                .iter()
                .filter(|other| other.code() == code.code())
                .collect();
            assert_eq!(same.len(), 1, "{code:?}");
        }
    }

    #[test]
    fn an_error_has_the_shape_of_the_contract() {
        let error =
            ErrorObject::new(ErrorCode::LimitExceeded, "Too many dials.").with_retry_after(40);
        assert_eq!(
            serde_json::to_value(error).unwrap(),
            serde_json::json!({
                "code": 5005,
                "message": "Too many dials.",
                "data": { "name": "LimitExceeded", "retryAfterMs": 40 }
            })
        );
    }
}
