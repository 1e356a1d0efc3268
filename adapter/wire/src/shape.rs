//! What generated and hand-written messages are made of: open enumerations and a few helpers for serde.
//!
//! Nothing here may refuse a value that a newer client sends: an unknown name becomes `Other`.

pub(crate) use std::collections::BTreeMap;

pub(crate) use serde::de::IgnoredAny;
pub(crate) use serde::{Deserialize, Serialize, Serializer};
pub(crate) use serde_json::Value;

/// A list that a Go client sends as `null` when it is empty.
pub(crate) fn list<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(d)?.unwrap_or_default())
}

/// An enumeration of strings of which more may come: serialised as its text, `Other` holds what is not known.
/// The default is the first value.
macro_rules! open_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $first:ident = $first_text:literal, $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            #[doc = concat!("`", $first_text, "`")]
            #[default]
            $first,
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A value that the protocol doesn't define.
            Other(String),
        }

        impl $name {
            /// The text on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $first_text => Self::$first,
                    $($text => Self::$variant,)*
                    _ => Self::Other(text.to_owned()),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize<'de>>::deserialize(deserializer)?;
                Ok(Self::from(text.as_ref()))
            }
        }
    };
}
pub(crate) use open_enum;

/// The arguments of a request that has none (`threads`); whatever a client sends is accepted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct NoArguments {}

/// An identifier that the protocol lets be a number or a text (`Module.id`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntegerOrString {
    Integer(i64),
    String(String),
}

impl Default for IntegerOrString {
    fn default() -> Self {
        Self::Integer(0)
    }
}

/// Writes a whole number without a fraction: Helix reads `progress.percentage` into an integer and ends the session
/// at `50.0`.
pub(crate) fn number<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        #[allow(clippy::cast_possible_truncation)]
        Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => serializer.serialize_i64(*whole as i64),
        Some(fraction) => serializer.serialize_f64(*fraction),
        None => serializer.serialize_none(),
    }
}
