//! Tolerant readers of single JSON values, with error texts for people.
//!
//! Editors change types on the way: Helix turns every template argument that looks like a number into one, and Lua has one
//! table type, so that Neovim confuses `[]` with `{}` and sends floats for integers. What can only mean one thing is accepted;
//! all else is refused with the expected type.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The JSON type's name, for error texts.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A string, or a number as it is written.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Text, E> {
                Ok(Text(v.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Text, E> {
                Ok(Text(v.to_string()))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Text, E> {
                Ok(Text(v.to_string()))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Text, E> {
                Ok(Text(v.to_string()))
            }
        }
        d.deserialize_any(V)
    }
}

pub(super) fn opt_text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Text::deserialize(d).map(|t| Some(t.0))
}

/// A list of [`Text`].
pub(super) fn texts<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let all: Vec<Text> = items(d, "a list of strings")?;
    Ok(all.into_iter().map(|Text(text)| text).collect())
}

/// A list of objects.
pub(super) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    items(d, "a list of objects")
}

/// A list; an empty object is what Neovim makes of an empty one.
fn items<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
    expected: &'static str,
) -> Result<Vec<T>, D::Error> {
    struct V<T>(&'static str, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = seq.next_element()? {
                all.push(item);
            }
            Ok(all)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            match map.next_key::<String>()? {
                None => Ok(Vec::new()),
                Some(_) => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
            }
        }
    }
    d.deserialize_any(V(expected, std::marker::PhantomData))
}

/// `env`: name -> value, `null` unsets. An empty list is Lua's empty table.
pub(super) fn env<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, Option<String>>, D::Error> {
    struct V;
    impl<'de> Visitor<'de> for V {
        type Value = BTreeMap<String, Option<String>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of strings (null unsets a variable)")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, Option<Text>>()? {
                all.insert(name, value.map(|t| t.0));
            }
            Ok(all)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            match seq.next_element::<de::IgnoredAny>()? {
                None => Ok(BTreeMap::new()),
                Some(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &self)),
            }
        }
    }
    d.deserialize_any(V)
}

/// A whole number that fits; floats without a fraction are what Lua writes.
struct Whole<'a> {
    expected: &'a str,
    max: u64,
    digits: bool,
}

impl Visitor<'_> for Whole<'_> {
    type Value = u64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> Result<u64, E> {
        if v <= self.max { Ok(v) } else { Err(E::invalid_value(de::Unexpected::Unsigned(v), &self)) }
    }
    fn visit_i64<E: de::Error>(self, v: i64) -> Result<u64, E> {
        match u64::try_from(v) {
            Ok(v) => self.visit_u64(v),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(v), &self)),
        }
    }
    fn visit_f64<E: de::Error>(self, v: f64) -> Result<u64, E> {
        // Below 2^53 every whole float is exact.
        if v.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&v) {
            self.visit_u64(v as u64)
        } else {
            Err(E::invalid_value(de::Unexpected::Float(v), &self))
        }
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Result<u64, E> {
        match v.trim().parse() {
            Ok(n) if self.digits => self.visit_u64(n),
            _ if self.digits => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
            _ => Err(E::invalid_type(de::Unexpected::Str(v), &self)),
        }
    }
}

pub(super) fn count<'de, D: Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
    let max = u64::from(u32::MAX);
    let whole = d.deserialize_any(Whole { expected: "a whole number, 0 or more", max, digits: false })?;
    u32::try_from(whole).map_err(de::Error::custom)
}

pub(super) fn opt_count<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    count(d).map(Some)
}

/// A process id: a number, or its digits (Helix, and VS Code's `${command:pickProcess}`).
pub(super) fn pid<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i32>, D::Error> {
    let max = u64::from(i32::MAX.unsigned_abs());
    let whole = d.deserialize_any(Whole { expected: "a process id", max, digits: true })?;
    i32::try_from(whole).map(Some).map_err(de::Error::custom)
}

/// Reads an enumeration by name with a text that lists the names. `None` from `pick` refuses.
pub(super) fn named<'de, D: Deserializer<'de>, T>(
    d: D,
    expected: &'static str,
    pick: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct V<F>(&'static str, F);
    impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for V<F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, v: &str) -> Result<T, E> {
            (self.1)(v).ok_or_else(|| E::invalid_value(de::Unexpected::Str(v), &self))
        }
    }
    d.deserialize_any(V(expected, pick))
}
