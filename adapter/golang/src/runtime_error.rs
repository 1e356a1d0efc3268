//! What the runtime panics with (runtime/error.go): the values behind `runtime error: ...`, told as their `Error` methods tell them.
//!
//! `Error` can't be called in a stopped program; these types are few, and their fields say all. Everything else is for the viewer.

use image::{Kind, Shape, TypeId};
use machine::MemoryExt;

use crate::{Process, Value, bytes, fields, pointee, string_header, word};

/// Longest message that is read.
const MAX_MESSAGE: usize = 64 << 10;
/// Types within types that are searched for one that can't be compared: levels, and all together.
const MAX_DEPTH: usize = 16;
const MAX_PARTS: usize = 10_000;

/// A type assertion that failed, as `runtime.TypeAssertionError` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// The static type of the value is not always known.
    pub interface: Option<TypeId>,
    /// None: the value was nil.
    pub concrete: Option<TypeId>,
    pub wanted: Option<TypeId>,
    pub missing: Option<String>,
}

/// Which check of an index or slice expression failed (internal/abi/bounds.go; the order is that of all versions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundsCheck {
    Index,
    SliceLen,
    SliceCap,
    SliceLow,
    Slice3Len,
    Slice3Cap,
    Slice3High,
    Slice3Low,
    Convert,
}

const CHECKS: [(BoundsCheck, &str, &str); 9] = [
    (BoundsCheck::Index, "index out of range [%x] with length %y", "index out of range [%x]"),
    (
        BoundsCheck::SliceLen,
        "slice bounds out of range [:%x] with length %y",
        "slice bounds out of range [:%x]",
    ),
    (
        BoundsCheck::SliceCap,
        "slice bounds out of range [:%x] with capacity %y",
        "slice bounds out of range [:%x]",
    ),
    (BoundsCheck::SliceLow, "slice bounds out of range [%x:%y]", "slice bounds out of range [%x:]"),
    (
        BoundsCheck::Slice3Len,
        "slice bounds out of range [::%x] with length %y",
        "slice bounds out of range [::%x]",
    ),
    (
        BoundsCheck::Slice3Cap,
        "slice bounds out of range [::%x] with capacity %y",
        "slice bounds out of range [::%x]",
    ),
    (BoundsCheck::Slice3High, "slice bounds out of range [:%x:%y]", "slice bounds out of range [:%x:]"),
    (BoundsCheck::Slice3Low, "slice bounds out of range [%x:%y:]", "slice bounds out of range [%x::]"),
    (
        BoundsCheck::Convert,
        "cannot convert slice with length %y to array or pointer to array with length %x",
        "cannot convert slice with length %y to array or pointer to array with length %x",
    ),
];

/// A value that the runtime, or its map package, panics with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeError {
    Conversion(Conversion),
    Bounds {
        check: BoundsCheck,
        /// The index, as the source's type has it.
        index: i128,
        /// Length, capacity, or the upper bound.
        limit: i64,
    },
    /// The dynamic type of a map's key.
    Unhashable(TypeId),
    /// `panic(nil)`
    Nil,
    /// All others: the text.
    Message(String),
}

/// The runtime's error in the concrete value given to `panic`; None: the value is somebody else's.
pub fn runtime_error(p: &Process<'_>, v: &Value) -> Option<RuntimeError> {
    match p.qualified_name(v.ty).as_str() {
        "*runtime.TypeAssertionError" => conversion(p, &pointee(p, v).ok()??).map(RuntimeError::Conversion),
        "*runtime.PanicNilError" => Some(RuntimeError::Nil),
        "runtime.boundsError" => bounds(p, v),
        "runtime.errorString" => Some(RuntimeError::Message(format!("runtime error: {}", text(p, v)?))),
        "runtime.plainError" => Some(RuntimeError::Message(text(p, v)?)),
        "runtime.errorAddressString" => {
            Some(RuntimeError::Message(format!("runtime error: {}", text(p, &field(p, v, "msg")?)?)))
        }
        "runtime.unhashableTypeError"
        | "internal/runtime/maps.unhashableTypeError"
        | "maps.unhashableTypeError" => {
            Some(RuntimeError::Unhashable(p.image.type_from_runtime(word(p, v, 0).ok()?)))
        }
        _ => None,
    }
}

/// The message of errors that keep it as text: `errors.New`, `fmt.Errorf`.
pub fn error_text(p: &Process<'_>, v: &Value) -> Option<String> {
    let name = match p.qualified_name(v.ty).as_str() {
        "*errors.errorString" => "s",
        "*fmt.wrapError" | "*fmt.wrapErrors" => "msg",
        _ => return None,
    };
    text(p, &field(p, &pointee(p, v).ok()??, name)?)
}

impl RuntimeError {
    /// The text that `Error` gives.
    pub fn message(&self, p: &Process<'_>) -> String {
        match self {
            RuntimeError::Conversion(c) => c.message(p),
            RuntimeError::Bounds { check, index, limit } => {
                let texts = CHECKS.iter().find(|c| c.0 == *check);
                let text = texts.map_or("", |(_, text, negative)| if *index < 0 { negative } else { text });
                let text = text.replace("%x", &index.to_string()).replace("%y", &limit.to_string());
                format!("runtime error: {text}")
            }
            RuntimeError::Unhashable(t) => {
                format!("hash of unhashable type: {}", p.display_name(*t))
            }
            RuntimeError::Nil => "panic called with nil argument".to_string(),
            RuntimeError::Message(text) => text.clone(),
        }
    }
}

impl Conversion {
    pub fn message(&self, p: &Process<'_>) -> String {
        let interface = self.interface.map_or_else(|| "interface".to_string(), |t| p.display_name(t));
        let wanted = self.wanted.map_or_else(|| "the wanted type".to_string(), |t| p.display_name(t));
        let Some(concrete) = self.concrete else {
            return format!("interface conversion: {interface} is nil, not {wanted}");
        };
        let found = p.display_name(concrete);
        match &self.missing {
            Some(method) => {
                format!("interface conversion: {found} is not {wanted}: missing method {method}")
            }
            None if found == wanted => {
                let same = self.wanted.is_some_and(|w| p.qualified_name(w) == p.qualified_name(concrete));
                let of = if same { "scopes" } else { "packages" };
                format!(
                    "interface conversion: {interface} is {found}, not {wanted} (types from different {of})"
                )
            }
            None => format!("interface conversion: {interface} is {found}, not {wanted}"),
        }
    }
}

/// The part of a type that has no `==`: its path in the type (`.list`, `[...]`), empty for the type itself, and its type. None: values
/// of the type can be compared, or the type can't be read.
pub fn uncomparable_part(p: &Process<'_>, ty: TypeId) -> Option<(String, TypeId)> {
    part_without_equality(p, ty, 0, &mut 0)
}

fn part_without_equality(
    p: &Process<'_>,
    ty: TypeId,
    depth: usize,
    parts: &mut usize,
) -> Option<(String, TypeId)> {
    *parts += 1;
    if depth > MAX_DEPTH || *parts > MAX_PARTS {
        return None;
    }
    let t = p.type_of(ty).ok()?;
    match &t.shape {
        Shape::Struct { fields } => fields.iter().find_map(|f| {
            let (path, part) = part_without_equality(p, f.ty, depth + 1, parts)?;
            Some((format!(".{}{path}", f.name), part))
        }),
        Shape::Array { elem, .. } => {
            let (path, part) = part_without_equality(p, *elem, depth + 1, parts)?;
            Some((format!("[...]{path}"), part))
        }
        _ => matches!(t.kind, Kind::Slice | Kind::Map | Kind::Func).then(|| (String::new(), ty)),
    }
}

fn conversion(p: &Process<'_>, v: &Value) -> Option<Conversion> {
    let typ = |name: &str| {
        let descriptor = word(p, &field(p, v, name)?, 0).ok()?;
        (descriptor != 0).then(|| p.image.type_from_runtime(descriptor))
    };
    Some(Conversion {
        interface: typ("_interface"),
        concrete: typ("concrete"),
        wanted: typ("asserted"),
        missing: field(p, v, "missingMethod").and_then(|m| text(p, &m)).filter(|m| !m.is_empty()),
    })
}

fn bounds(p: &Process<'_>, v: &Value) -> Option<RuntimeError> {
    let byte = |name: &str| bytes(p, &field(p, v, name)?, 0, 1).ok()?.first().copied();
    let index = word(p, &field(p, v, "x")?, 0).ok()?;
    let limit = word(p, &field(p, v, "y")?, 0).ok()?;
    let signed = byte("signed")? != 0;
    let (check, ..) = CHECKS.get(usize::from(byte("code")?))?;
    let index = if signed { i128::from(index.cast_signed()) } else { i128::from(index) };
    Some(RuntimeError::Bounds { check: *check, index, limit: limit.cast_signed() })
}

fn field(p: &Process<'_>, v: &Value, name: &str) -> Option<Value> {
    fields(p, v).ok()?.into_iter().find(|(f, _)| &*f.name == name).map(|(_, v)| v)
}

fn text(p: &Process<'_>, v: &Value) -> Option<String> {
    let (addr, len) = string_header(p, v).ok()?;
    let len = usize::try_from(len).ok()?;
    if len == 0 {
        return Some(String::new());
    }
    let bytes = p.mem.read_vec(addr, len, MAX_MESSAGE).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
