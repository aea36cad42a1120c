//! JSON-RPC 2.0 as the page API uses it: no batches, and string or finite number ids.

use serde::{Deserialize, Serialize};

use crate::{error::ErrorObject, limits::MAX_ID_LENGTH};

/// The id of a request, echoed in its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum RequestId {
    /// A finite number.
    Number(f64),
    /// 1 to 128 UTF-16 code units.
    Text(String),
}

impl RequestId {
    /// Whether the contract allows this id.
    pub fn is_valid(&self) -> bool {
        match self {
            RequestId::Number(number) => number.is_finite(),
            RequestId::Text(text) => {
                !text.is_empty() && text.encode_utf16().count() <= MAX_ID_LENGTH
            }
        }
    }

    /// A key for a table of requests: ids that are equal to a page are equal here, and `1` is not `"1"`.
    pub fn key(&self) -> String {
        match self {
            // JavaScript has one zero as far as === goes.
            RequestId::Number(number) if *number == 0.0 => "n:0".to_owned(),
            RequestId::Number(number) => format!("n:{number:?}"),
            RequestId::Text(text) => format!("s:{text}"),
        }
    }
}

/// A request or, without an id, a notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call<P> {
    /// Always `"2.0"`.
    pub jsonrpc: String,
    /// Absent in a notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// The method's name.
    pub method: String,
    /// The method's parameters.
    pub params: P,
}

impl<P> Call<P> {
    /// A notification to a page.
    pub fn notification(method: &str, params: P) -> Self {
        Call {
            jsonrpc: "2.0".to_owned(),
            id: None,
            method: method.to_owned(),
            params,
        }
    }
}

/// The answer to a request: a result or an error, never both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer<R> {
    /// Always `"2.0"`.
    pub jsonrpc: String,
    /// The request's id; null when it had none that could be used.
    pub id: Option<RequestId>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome<R>,
}

/// One of the two members that an answer has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome<R> {
    /// It worked.
    Result(R),
    /// It failed.
    Error(ErrorObject),
}

impl<R> Answer<R> {
    /// An answer from a result or an error.
    pub fn new(id: Option<RequestId>, outcome: Result<R, ErrorObject>) -> Self {
        Answer {
            jsonrpc: "2.0".to_owned(),
            id,
            outcome: match outcome {
                Ok(result) => Outcome::Result(result),
                Err(error) => Outcome::Error(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn ids_are_bounded() {
        assert!(RequestId::Text("a".repeat(128)).is_valid());
        assert!(!RequestId::Text("a".repeat(129)).is_valid());
        assert!(!RequestId::Text(String::new()).is_valid());
        // 64 emoji are 128 code units.
        assert!(RequestId::Text("🦀".repeat(64)).is_valid());
        assert!(!RequestId::Text("🦀".repeat(65)).is_valid());
        assert!(RequestId::Number(-0.5).is_valid());
        assert!(!RequestId::Number(f64::NAN).is_valid());
        assert!(!RequestId::Number(f64::INFINITY).is_valid());
    }

    #[test]
    fn keys_tell_text_from_numbers() {
        assert_ne!(
            RequestId::Number(1.0).key(),
            RequestId::Text("1".into()).key()
        );
        assert_eq!(RequestId::Number(0.0).key(), RequestId::Number(-0.0).key());
    }

    #[test]
    fn an_answer_has_one_member() {
        let good = Answer::new(Some(RequestId::Number(7.0)), Ok(true));
        assert_eq!(
            serde_json::to_value(good).unwrap(),
            serde_json::json!({ "jsonrpc": "2.0", "id": 7.0, "result": true })
        );
        let bad = Answer::<()>::new(
            None,
            Err(ErrorObject::new(ErrorCode::InvalidRequest, "No.")),
        );
        assert_eq!(
            serde_json::to_value(bad).unwrap(),
            serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": {
                "code": -32600, "message": "No.", "data": { "name": "InvalidRequest" } } })
        );
    }
}
