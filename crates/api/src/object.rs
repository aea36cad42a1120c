//! Deserialising from objects alone.
//!
//! serde's derived types also take arrays, field by field in order. The page API has no such form, and an array
//! that slipped through as a descriptor would be one nobody validated as text. `#[serde(remote = "Self")]` leaves the
//! derived code as inherent functions, and [`objects_only!`] puts a door that takes maps in front of them.

/// Implements `Serialize` and `Deserialize` for types that derive both with `#[serde(remote = "Self")]`,
/// accepting nothing but a map.
macro_rules! objects_only {
    ($($name:ident),* $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $name::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_map(Visitor)
            }
        }
    )*};
}

pub(crate) use objects_only;
