//! Parameters to JavaScript's values, and answers back.

use std::time::Duration;

use js_sys::{Array, Object};
use mooring_api::{Descriptor, ErrorCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

use super::window::member;
use crate::{Code, Error};

/// A method's parameters. What is `None` is undefined, which the node takes for absent; bytes are a `Uint8Array`.
pub fn params(params: &impl Serialize) -> Result<Object, Error> {
    let serializer = Serializer::new().serialize_maps_as_objects(true);
    let value = params.serialize(&serializer).ok();
    value
        .and_then(|value| value.dyn_into::<Object>().ok())
        .ok_or_else(|| Error::node(ErrorCode::InvalidParams, "The parameters are no object"))
}

/// What the node answered or told.
pub fn read<T: DeserializeOwned>(value: JsValue) -> Result<T, Error> {
    serde_wasm_bindgen::from_value(value).map_err(|error| {
        Error::node(
            ErrorCode::Internal,
            "The node's answer is not what the page API says",
        )
        .with_detail(Some(error.to_string()))
    })
}

/// `granted` of an answer. What only a newer extension knows is left out.
pub fn granted(answer: &JsValue) -> Vec<Descriptor> {
    let granted = member(answer, "granted").unwrap_or_default();
    let Ok(granted) = granted.dyn_into::<Array>() else {
        return Vec::new();
    };
    granted
        .iter()
        .filter_map(|descriptor| serde_wasm_bindgen::from_value(descriptor).ok())
        .collect()
}

/// The error that the extension answered with. The number is the contract, whether this client knows it or not.
pub fn error(error: &JsValue) -> Error {
    #[allow(clippy::cast_possible_truncation)] // saturates
    let code = member(error, "code")
        .and_then(|code| code.as_f64())
        .map_or(Code::Node(ErrorCode::Internal), |code| {
            Code::from_number(code as i32)
        });
    let text =
        |object: &JsValue, key: &str| member(object, key).and_then(|value| value.as_string());
    let data = member(error, "data")
        .filter(JsValue::is_object)
        .unwrap_or_default();
    let wait = member(&data, "retryAfterMs")
        .and_then(|wait| wait.as_f64())
        .and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
    let message = text(error, "message").unwrap_or_default();
    Error::new(code, message)
        .with_detail(text(&data, "detail"))
        .with_retry_after(wait)
}
