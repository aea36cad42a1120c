//! A JSON-RPC message of a page: request, cancellation, or neither.

use mooring_api::{ErrorCode, ErrorObject, RequestId, method::CANCEL};

use crate::{Opaque, Value, error::error, from_value};

/// What a message turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// To be judged and answered.
    Request {
        id: RequestId,
        method: String,
        params: Option<Value>,
    },
    /// `rpc.cancel` of a request by that id.
    Cancel(RequestId),
    /// Malformed: answered with this.
    Malformed(Option<RequestId>, ErrorObject),
    /// A notification that nobody knows.
    Dropped,
}

fn invalid(message: &str) -> ErrorObject {
    error(ErrorCode::InvalidRequest, message)
}

/// Reads a message. The content script has turned down what is malformed, too large or too deep; none of that is
/// relied on.
pub(super) fn read(mut message: Value) -> Message {
    if !matches!(message, Value::Map(_)) {
        return Message::Malformed(
            None,
            invalid("A message is one JSON-RPC object; batches are not taken."),
        );
    }
    let has_id = message.get("id").is_some();
    let id = message
        .take("id")
        .and_then(|id| from_value::<RequestId>(id).ok())
        .filter(RequestId::is_valid);
    if has_id && id.is_none() {
        return Message::Malformed(
            None,
            invalid("An id is a string of 1 to 128 characters or a finite number."),
        );
    }
    match message.excess() {
        None | Some(Opaque::Kind) => {}
        Some(excess) => {
            return match id {
                None => Message::Dropped,
                Some(_) if excess == Opaque::TooLarge => Message::Malformed(
                    id,
                    error(ErrorCode::LimitExceeded, "The message is too large.")
                        .with_retry_after(1),
                ),
                Some(_) => Message::Malformed(id, invalid("The message is nested too deeply.")),
            };
        }
    }
    let version_is_right = message.get("jsonrpc").and_then(Value::as_text) == Some("2.0");
    let method = match message.take("method") {
        Some(Value::Text(method)) if version_is_right => Some(method),
        _ => None,
    };
    let params = message.take("params");
    let is_response = message.get("result").is_some() || message.get("error").is_some();
    match (id, method) {
        // Nobody asked the page anything.
        (Some(_), None) if is_response => Message::Dropped,
        (Some(id), Some(method)) => Message::Request { id, method, params },
        (Some(id), None) => Message::Malformed(
            Some(id),
            invalid("A request has `jsonrpc: \"2.0\"` and a `method`, which is a string."),
        ),
        (None, Some(method)) if method == CANCEL => params
            .and_then(|mut params| params.take("id"))
            .and_then(|id| from_value::<RequestId>(id).ok())
            .filter(RequestId::is_valid)
            .map_or(Message::Dropped, Message::Cancel),
        (None, _) => Message::Dropped,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(json: serde_json::Value) -> Option<(Option<RequestId>, i32)> {
        match read(json.into()) {
            Message::Malformed(id, error) => Some((id, error.code.code())),
            _ => None,
        }
    }

    #[test]
    fn malformed_messages_are_told_apart() {
        let one = Some(RequestId::Number(1.0));
        for (message, expected) in [
            (json!([]), Some((None, -32600))),
            (json!("x"), Some((None, -32600))),
            (json!(null), Some((None, -32600))),
            (
                json!({"jsonrpc": "2.0", "id": null, "method": "node.hello"}),
                Some((None, -32600)),
            ),
            (
                json!({"jsonrpc": "2.0", "id": "", "method": "node.hello"}),
                Some((None, -32600)),
            ),
            (
                json!({"jsonrpc": "2.0", "id": {}, "method": "node.hello"}),
                Some((None, -32600)),
            ),
            (
                json!({"jsonrpc": "2.0", "id": true, "method": "node.hello"}),
                Some((None, -32600)),
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1}),
                Some((one.clone(), -32600)),
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1, "method": 5}),
                Some((one.clone(), -32600)),
            ),
            (
                json!({"jsonrpc": 2.0, "id": 1, "method": "node.hello"}),
                Some((one.clone(), -32600)),
            ),
            (
                json!({"id": 1, "method": "node.hello"}),
                Some((one, -32600)),
            ),
            (
                json!({"jsonrpc": "2.0", "id": 1, "method": "node.hello"}),
                None,
            ),
            (json!({"jsonrpc": "2.0", "method": "node.hello"}), None),
            (json!({"jsonrpc": "2.0", "id": 1, "result": {}}), None),
            (json!({}), None),
        ] {
            assert_eq!(code(message.clone()), expected, "{message}");
        }
        assert_eq!(
            read(Value::object([("id", Value::Number(f64::NAN))])),
            Message::Malformed(
                None,
                invalid("An id is a string of 1 to 128 characters or a finite number.")
            )
        );
    }

    #[test]
    fn cancellations_name_a_request() {
        assert_eq!(
            read(json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": "a"}}).into()),
            Message::Cancel(RequestId::Text("a".into()))
        );
        for dropped in [
            json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": []}}),
            json!({"jsonrpc": "2.0", "method": "rpc.cancel", "params": []}),
            json!({"jsonrpc": "2.0", "method": "rpc.cancel"}),
            json!({"jsonrpc": "2.0", "method": "streams.open", "params": {}}),
        ] {
            assert_eq!(read(dropped.into()), Message::Dropped);
        }
    }
}
