//! A document as a value without a schema, and where its keys stand.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

/// A key that stands a second time in its section.
#[derive(Clone, Debug)]
pub(super) struct Repeated {
    pub(super) key: String,
    pub(super) first: Location,
    pub(super) again: Location,
}

/// Reads any value. Of several equal keys the first counts; sections under equal keys are merged into it.
#[derive(Clone, Copy)]
pub(super) struct AnyValue<'r> {
    pub(super) repeated: &'r RefCell<Vec<Repeated>>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut places: HashMap<String, Location> = HashMap::new();
        while let Some(Spanned { value: key, referenced: again, .. }) =
            entries.next_key::<Spanned<String>>()?
        {
            let value = entries.next_value_seed(self)?;
            match places.get(&key) {
                Some(&first) => {
                    // Keys that only the later section has must not seem missing.
                    if let (Some(Value::Object(known)), Value::Object(more)) = (map.get_mut(&key), value) {
                        more.into_iter().for_each(|(key, value)| {
                            known.entry(key).or_insert(value);
                        });
                    }
                    self.repeated.borrow_mut().push(Repeated { key, first, again });
                }
                None => {
                    places.insert(key.clone(), again);
                    map.insert(key, value);
                }
            }
        }
        Ok(Value::Object(map))
    }
}
