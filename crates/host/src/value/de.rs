//! [`Value`] → types.

use serde::{
    Deserialize, Deserializer, de,
    de::{IntoDeserializer, value::MapDeserializer, value::SeqDeserializer},
};

use super::{Value, ValueError};

/// Largest whole number that a double holds without gaps.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// Reads a value as a type.
///
/// # Errors
/// In words, what does not fit.
pub fn from_value<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, ValueError> {
    T::deserialize(value)
}

impl IntoDeserializer<'_, ValueError> for Value {
    type Deserializer = Value;

    fn into_deserializer(self) -> Value {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = ValueError;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            // serde's own buffering (tagged and untagged enums) takes integers only from integers, so whole
            // numbers present themselves as such. A float field takes them too. -0 stays a float.
            Value::Number(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE => {
                if number.is_sign_positive() {
                    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation)]
                    visitor.visit_u64(number as u64) // whole, not negative and small: exact
                } else if number == 0.0 {
                    visitor.visit_f64(number)
                } else {
                    #[allow(clippy::cast_possible_truncation)]
                    visitor.visit_i64(number as i64) // whole and small: exact
                }
            }
            Value::Number(number) => visitor.visit_f64(number),
            Value::Text(text) => visitor.visit_string(text),
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            Value::List(items) => {
                let mut access = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut access)?;
                access.end()?;
                Ok(value)
            }
            Value::Map(members) => {
                let mut access = MapDeserializer::new(members.into_iter());
                let value = visitor.visit_map(&mut access)?;
                access.end()?;
                Ok(value)
            }
            Value::Opaque(_) => Err(de::Error::invalid_type(
                de::Unexpected::Other("a kind of value that messages do not hold"),
                &visitor,
            )),
        }
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Value::Text(text) => text
                .into_deserializer()
                .deserialize_enum(name, variants, visitor),
            // Externally tagged enums with data do not occur in messages.
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: de::Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        // Also what is opaque: a field nobody reads does no harm.
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier
    }
}
