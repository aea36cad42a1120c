//! Types → [`Value`].

use serde::{
    Serialize,
    ser::{self, Impossible},
};

use super::{Value, ValueError};

/// Makes a value from a type.
///
/// # Errors
/// Where the type is of a kind that messages do not hold; never for our own message types.
pub fn to_value<T: Serialize + ?Sized>(from: &T) -> Result<Value, ValueError> {
    from.serialize(ToValue)
}

struct ToValue;

fn unsupported(what: &str) -> ValueError {
    ser::Error::custom(format_args!("{what} has no place in a message"))
}

macro_rules! numbers {
    ($($method:ident: $ty:ty),*) => {$(
        #[allow(clippy::cast_precision_loss, clippy::cast_lossless)] // JavaScript has doubles only
        fn $method(self, value: $ty) -> Result<Value, ValueError> {
            Ok(Value::Number(value as f64))
        }
    )*};
}

impl ser::Serializer for ToValue {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = Impossible<Value, ValueError>;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Impossible<Value, ValueError>;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64);

    fn serialize_bool(self, value: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(value))
    }

    fn serialize_char(self, value: char) -> Result<Value, ValueError> {
        Ok(Value::Text(value.into()))
    }

    fn serialize_str(self, value: &str) -> Result<Value, ValueError> {
        Ok(Value::Text(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, ValueError> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        Ok(Value::text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        Ok(Value::object([(variant, to_value(value)?)]))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<List, ValueError> {
        Ok(List(Vec::new()))
    }

    fn serialize_tuple(self, _len: usize) -> Result<List, ValueError> {
        Ok(List(Vec::new()))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<List, ValueError> {
        Ok(List(Vec::new()))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, ValueError> {
        Err(unsupported("a tuple variant"))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Map, ValueError> {
        Ok(Map::default())
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Map, ValueError> {
        Ok(Map::default())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, ValueError> {
        Err(unsupported("a struct variant"))
    }
}

struct List(Vec<Value>);

macro_rules! list {
    ($($trait:ident :: $method:ident),*) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.0.push(to_value(value)?);
                Ok(())
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(Value::List(self.0))
            }
        }
    )*};
}

list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field
);

#[derive(Default)]
struct Map {
    members: Vec<(String, Value)>,
    key: Option<String>,
}

impl ser::SerializeMap for Map {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        match to_value(key)? {
            Value::Text(key) => {
                self.key = Some(key);
                Ok(())
            }
            _ => Err(unsupported("a key that is no string")),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self
            .key
            .take()
            .ok_or_else(|| unsupported("a value without a key"))?;
        self.members.push((key, to_value(value)?));
        Ok(())
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(Value::Map(self.members))
    }
}

impl ser::SerializeStruct for Map {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.members.push((key.to_owned(), to_value(value)?));
        Ok(())
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(Value::Map(self.members))
    }
}
