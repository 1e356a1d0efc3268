//! Types of single machine words: what loading through one gives.

use image::{Image, Kind, Shape, TypeId};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Word {
    /// Word 0 of a non-empty interface of this static type.
    Itab(TypeId),
    /// Word 0 of an empty interface; the dynamic type of an interface.
    Etype(TypeId),
    /// Word 1 of an interface of this static type.
    Data(TypeId),
    /// Pointer into a `T` at an offset; `many`: into an array of them (offsets are modulo the size).
    Ptr {
        ty: TypeId,
        off: i64,
        many: bool,
    },
    Map(TypeId),
    Chan(TypeId),
    Func(TypeId),
    /// Address of a frame slot, relative to the SP at entry.
    Frame(i64),
    Const(u64),
    /// Cache of the TypeAssert descriptor at this address; of the InterfaceSwitch descriptor.
    AssertCache(u64),
    SwitchCache(u64),
    /// The itab that an InterfaceSwitch found: of one of its cases.
    SwitchItab(u64),
    /// Code address.
    Code,
    /// Context pointer of the function; its dictionary parameter.
    Context,
    Dictionary,
    /// A word of the function's dictionary.
    FromDictionary(u32),
    Scalar,
}

/// The one handle for types that have a descriptor.
pub(crate) fn canon(image: &Image, ty: TypeId) -> TypeId {
    match image.type_of(ty, image) {
        Ok(t) => t.runtime.map_or(ty, TypeId::Runtime),
        Err(_) => ty,
    }
}

/// The word at byte `off` of a `T`.
pub(crate) fn leaf(image: &Image, ty: TypeId, off: u64) -> Option<Word> {
    let (mut ty, mut off) = (ty, off);
    for _ in 0..64 {
        let t = image.type_of(ty, image).ok()?;
        match &t.shape {
            Shape::Struct { fields } => {
                let f =
                    fields.iter().rev().find(|f| f.offset <= off && size(image, f.ty) > off - f.offset)?;
                off -= f.offset;
                ty = f.ty;
            }
            Shape::Array { elem, .. } => {
                off %= size(image, *elem).max(1);
                ty = *elem;
            }
            Shape::Param { under, .. } => ty = *under,
            Shape::Interface { empty, .. } => {
                let id = canon(image, ty);
                return match (off, empty) {
                    (0, false) => Some(Word::Itab(id)),
                    (0, true) => Some(Word::Etype(id)),
                    (8, _) => Some(Word::Data(id)),
                    _ => None,
                };
            }
            Shape::Pointer { elem } => {
                let elem = (*elem)?;
                // A shape's pointer stands for any pointer.
                let stands_for_any = off != 0 || t.name.contains("go.shape.*uint8");
                return (!stands_for_any).then(|| Word::Ptr { ty: canon(image, elem), off: 0, many: false });
            }
            Shape::Slice { elem } => {
                return Some(match off {
                    0 => Word::Ptr { ty: canon(image, *elem), off: 0, many: true },
                    _ => Word::Scalar,
                });
            }
            Shape::Map { .. } => return (off == 0).then(|| Word::Map(canon(image, ty))),
            Shape::Chan { .. } => return (off == 0).then(|| Word::Chan(canon(image, ty))),
            Shape::Func(_) => return (off == 0).then(|| Word::Func(canon(image, ty))),
            Shape::Basic => {
                return match t.kind {
                    Kind::UnsafePointer => None,
                    _ => Some(Word::Scalar),
                };
            }
        }
    }
    None
}

pub(crate) fn size(image: &Image, ty: TypeId) -> u64 {
    image.type_of(ty, image).map_or(0, |t| t.size)
}

/// The array that byte `off` of a `T` lies in: element type and the offset in the element.
fn inner_array(image: &Image, ty: TypeId, off: u64) -> Option<(TypeId, u64)> {
    let (mut ty, mut off) = (ty, off);
    for _ in 0..64 {
        let t = image.type_of(ty, image).ok()?;
        match &t.shape {
            Shape::Struct { fields } => {
                let f =
                    fields.iter().rev().find(|f| f.offset <= off && size(image, f.ty) > off - f.offset)?;
                off -= f.offset;
                ty = f.ty;
            }
            Shape::Array { elem, .. } => return Some((*elem, off % size(image, *elem).max(1))),
            Shape::Param { under, .. } => ty = *under,
            _ => return None,
        }
    }
    None
}

/// `word + n`
pub(crate) fn add(image: &Image, w: Word, n: i64) -> Option<Word> {
    Some(match w {
        Word::Ptr { ty, off, many } => {
            let off = off.checked_add(n)?;
            let s = size(image, ty) as i64;
            let off = if many && s > 0 && (off >= s || off < 0) { off.rem_euclid(s) } else { off };
            Word::Ptr { ty, off, many }
        }
        Word::Frame(off) => Word::Frame(off.checked_add(n)?),
        Word::Const(a) => Word::Const(a.wrapping_add(n as u64)),
        Word::Dictionary if n > 0 && n % 8 == 0 => Word::FromDictionary((n / 8) as u32),
        w if n == 0 => w,
        _ => return None,
    })
}

/// `word + index * scale + n` with an unknown index.
pub(crate) fn index(image: &Image, w: Word, n: i64) -> Option<Word> {
    let Word::Ptr { ty, off, many } = w else {
        return match w {
            Word::AssertCache(_) | Word::SwitchCache(_) => Some(w),
            _ => None,
        };
    };
    let at = off.checked_add(n)?;
    if !many
        && at >= 0
        && let Some((elem, off)) = inner_array(image, ty, at as u64)
    {
        return Some(Word::Ptr { ty: canon(image, elem), off: off as i64, many: true });
    }
    let s = size(image, ty) as i64;
    // A pointer to an element that grew out of an array whose bounds are gone.
    (many && s > 0).then(|| Word::Ptr { ty, off: at.rem_euclid(s), many: true })
}

/// The 8 bytes at `[word + d]`.
pub(crate) fn load(image: &Image, w: Word, d: i64) -> Option<Word> {
    match w {
        Word::Ptr { ty, off, many } => {
            let at = off.checked_add(d)?;
            let s = size(image, ty) as i64;
            let at = if many && s > 0 && (at >= s || at < 0) { at.rem_euclid(s) } else { at };
            if at < 0 || at >= s {
                return None;
            }
            leaf(image, ty, at as u64)
        }
        Word::SwitchItab(_) if d >= 24 && d % 8 == 0 => Some(Word::Code),
        Word::Itab(ty) => match d {
            8 => Some(Word::Etype(ty)),
            d if d >= 24 && d % 8 == 0 => Some(Word::Code),
            _ => None,
        },
        Word::Func(_) if d == 0 => Some(Word::Code),
        Word::Dictionary if d >= 0 && d % 8 == 0 => Some(Word::FromDictionary((d / 8) as u32)),
        _ => None,
    }
}
