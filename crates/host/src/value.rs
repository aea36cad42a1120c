//! What crosses the border to JavaScript: a self-describing value with bytes.
//!
//! JSON has no bytes, and a `JsValue` exists in a browser only. With a value of our own, everything behind the
//! border runs natively too, and what JavaScript can hold but this cannot ([`Value::Opaque`]) is turned down by the
//! ordinary checks instead of by exceptions.

mod de;
mod ser;

pub use de::from_value;
pub use ser::to_value;

use crate::limits::MAX_DEPTH;

/// A value as structured clone knows it, less what no message of ours holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, and `undefined` in a list.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, NaN and the infinities too.
    Number(f64),
    /// A string. Lone surrogates are replaced at the border.
    Text(String),
    /// A `Uint8Array`.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// A plain object, its own enumerable string keys in order. Members that are `undefined` are left out.
    Map(Vec<(String, Value)>),
    /// Something that has no place in any message.
    Opaque(Opaque),
}

/// Why something did not become a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opaque {
    /// Of a kind that messages do not hold: a function, a symbol, a BigInt, a Map, a Date …
    Kind,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than one message may weigh.
    TooLarge,
}

/// Why a value could not be read as, or made from, a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl serde::de::Error for ValueError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        ValueError(message.to_string())
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        ValueError(message.to_string())
    }
}

impl Value {
    /// An object with these members.
    pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
        Value::Map(
            members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// A string.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Takes the member of that name out.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        match self {
            Value::Map(members) => {
                let at = members.iter().position(|(name, _)| name == key)?;
                Some(members.swap_remove(at).1)
            }
            _ => None,
        }
    }

    /// The string, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What in here is too deep or too large, if anything is.
    pub fn excess(&self) -> Option<Opaque> {
        self.excess_at(0)
    }

    fn excess_at(&self, depth: usize) -> Option<Opaque> {
        if depth > MAX_DEPTH {
            return Some(Opaque::TooDeep);
        }
        let deeper = depth.saturating_add(1);
        match self {
            Value::Opaque(excess @ (Opaque::TooDeep | Opaque::TooLarge)) => Some(*excess),
            Value::List(items) => items.iter().find_map(|item| item.excess_at(deeper)),
            Value::Map(members) => members.iter().find_map(|(_, item)| item.excess_at(deeper)),
            _ => None,
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(Value::from).collect())
            }
            serde_json::Value::Object(members) => Value::Map(
                members
                    .into_iter()
                    .map(|(key, value)| (key, Value::from(value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
