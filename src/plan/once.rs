//! JSON in which no object has a key twice: of two values, readers show one and check the other.
//! Pure.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value all of whose objects name each key once.
pub(super) struct Once(pub(super) Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let Once(value) = members.next_value()?;
            if object.contains_key(&key) {
                // Not the key itself: it may be anybody's, and as long as they like.
                return Err(A::Error::custom("an object has one key twice"));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        let read: Result<Once, _> = serde_json::from_str(text);
        read.map(|Once(value)| value).map_err(|e| e.to_string())
    }

    #[test]
    fn every_value_is_read_as_it_is() {
        for text in [
            "null",
            "true",
            "0",
            "-7",
            "18446744073709551615",
            "1.5",
            "\"a\\u0000\\\"\"",
            "[]",
            "{}",
            "[1,[null,{\"a\":[{}]}],\"x\"]",
            "{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":2}]}",
        ] {
            let plain: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(read(text), Ok(plain), "{text}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for text in [
            "{\"a\":1,\"a\":1}",
            "{\"plan\":{\"a\":1},\"plan\":{}}",
            "[{\"x\":{\"a\":null,\"b\":2,\"a\":null}}]",
            "{\"a\":1,\"\\u0061\":1}",
        ] {
            let why = read(text).expect_err(text);
            assert!(why.starts_with("an object has one key twice"), "{why}");
        }
    }
}
