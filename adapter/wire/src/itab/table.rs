//! The itab table, implementers, method sets, raw words and addresses.
//!
//! Names in it must be Go's own spelling (`main.(*Square).Area`), addresses `0x` texts.

use super::Link;
use crate::shape::{Deserialize, Serialize, open_enum};
use crate::types::Variable;

open_enum! {
    /// From when on an itab counts as new.
    pub enum Since {
        Start = "start",
        LastStop = "lastStop",
    }
}

open_enum! {
    /// Who made an itab.
    pub enum Origin {
        Static = "static",
        Runtime = "runtime",
    }
}

open_enum! {
    /// How an implementer takes its methods.
    pub enum Receiver {
        Value = "value",
        Pointer = "pointer",
    }
}

open_enum! {
    /// How sure it is that a type implements an interface.
    pub enum Implements {
        Certain = "certain",
        Maybe = "maybe",
    }
}

open_enum! {
    /// Why a type misses an interface.
    pub enum Why {
        Absent = "absent",
        PointerReceiver = "pointer receiver",
        Signature = "signature",
        Package = "package",
    }
}

/// Arguments of [`Table`](super::Table); the names are globs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableArguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concrete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// True: list cached "does not implement" too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Body of [`Table`](super::Table).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableResponse {
    pub itabs: Vec<Itab>,
    pub total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// One row of the itab table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Itab {
    pub address: String,
    pub interface_type: String,
    pub concrete_type: String,
    pub origin: Origin,
    pub new: bool,
    pub negative: bool,
    pub methods: Vec<Link>,
}

/// Arguments of [`Implementers`](super::Implementers).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImplementersArguments {
    pub interface: String,
    /// True: also types that miss it by one method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Body of [`Implementers`](super::Implementers).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImplementersResponse {
    pub types: Vec<Implementer>,
    pub total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A type that implements an interface, or nearly does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Implementer {
    pub concrete_type: String,
    pub receiver: Receiver,
    pub has_itab: bool,
    pub package: String,
    pub certainty: Implements,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// The one method that a type lacks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    pub method: String,
    pub why: Why,
}

/// Arguments of [`Methods`](super::Methods): a type, or an expression in a frame.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodsArguments {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Body of [`Methods`](super::Methods).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodsResponse {
    pub methods: Vec<Method>,
    pub total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A method of a type.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    pub name: String,
    pub exported: bool,
    /// The itab's, for an interface or a value in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<i64>,
    pub receiver: Receiver,
    pub wrapper: bool,
    /// The embedded type that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promoted_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// True: the linker removed its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<bool>,
}

open_enum! {
    /// How [`Decode`](super::Decode) reads what is at an address.
    pub enum DecodeAs {
        Auto = "auto",
        Iface = "iface",
        Eface = "eface",
        Itab = "itab",
        Type = "type",
        Func = "func",
    }
}

/// Arguments of [`Decode`](super::Decode): an address, or an interface's two words.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecodeArguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub as_field: Option<DecodeAs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<[String; 2]>,
}

/// Body of [`Decode`](super::Decode).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecodeResponse {
    pub variable: Variable,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointee: Option<PointeeResponse>,
}

/// Arguments of [`Pointee`](super::Pointee): one of the two.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointeeArguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_id: Option<i64>,
}

open_enum! {
    /// Where an address lies.
    pub enum Region {
        Unmapped = "unmapped",
        Stack = "stack",
        Heap = "heap",
        Readonly = "readonly",
        Data = "data",
        Bss = "bss",
        Text = "text",
        Zerobase = "zerobase",
        ZeroVal = "zeroVal",
        SmallInts = "smallInts",
        Mapped = "mapped",
    }
}

/// Body of [`Pointee`](super::Pointee).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointeeResponse {
    pub region: Region,
    /// The sentence for a user.
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goroutine: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<i64>,
    /// The variable of that frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// `0x` address of the heap object's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_class: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<bool>,
}
