//! ABIInternal: which register or stack slot holds which word of a parameter or result (cmd/compile/abi-internal.md).

use image::{Image, Kind, Shape, TypeId};
use machine::Arch;

/// Where one word of a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// n-th integer register.
    Int(usize),
    /// n-th floating-point register.
    Float,
    /// Byte offset in the argument area, which starts 8 bytes above the SP at entry.
    Stack(i64),
}

/// One word of a parameter: which parameter, the offset in it, and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assigned {
    /// Which of the given types.
    pub(crate) index: usize,
    pub(crate) ty: TypeId,
    pub(crate) offset: u64,
    pub(crate) place: Place,
}

const MAX_WORDS: usize = 64;

#[derive(Clone, Copy)]
enum Piece {
    Int(u64),
    Float(u64),
}

/// Flattens a value into register-sized pieces; None: it goes to the stack.
fn flatten(image: &Image, ty: TypeId, at: u64, out: &mut Vec<Piece>, depth: u32) -> Option<()> {
    if depth > 32 || out.len() > MAX_WORDS {
        return None;
    }
    let t = image.type_of(ty, image).ok()?;
    match (&t.shape, t.kind) {
        (Shape::Param { under, .. }, _) => flatten(image, *under, at, out, depth + 1)?,
        (Shape::Struct { fields }, _) => {
            for f in fields {
                flatten(image, f.ty, at.checked_add(f.offset)?, out, depth + 1)?;
            }
        }
        (Shape::Array { len: 0, .. }, _) => {}
        (Shape::Array { elem, len: 1 }, _) => flatten(image, *elem, at, out, depth + 1)?,
        (Shape::Array { .. }, _) => return None,
        (_, Kind::Float32 | Kind::Float64) => out.push(Piece::Float(at)),
        (_, Kind::Complex64) => out.extend([Piece::Float(at), Piece::Float(at + 4)]),
        (_, Kind::Complex128) => out.extend([Piece::Float(at), Piece::Float(at + 8)]),
        (_, Kind::String | Kind::Interface) => out.extend([Piece::Int(at), Piece::Int(at + 8)]),
        (_, Kind::Slice) => out.extend([Piece::Int(at), Piece::Int(at + 8), Piece::Int(at + 16)]),
        _ => out.push(Piece::Int(at)),
    }
    Some(())
}

fn align(image: &Image, ty: TypeId, depth: u32) -> u64 {
    let Ok(t) = image.type_of(ty, image) else { return 8 };
    match &t.shape {
        _ if depth > 32 => 8,
        Shape::Struct { fields } => fields.iter().map(|f| align(image, f.ty, depth + 1)).max().unwrap_or(1),
        Shape::Array { elem, .. } => align(image, *elem, depth + 1),
        Shape::Param { under, .. } => align(image, *under, depth + 1),
        _ => t.size.clamp(1, 8),
    }
}

/// Assigns `types` in order. `stack`: the first free byte of the argument area; the new one is returned.
pub(crate) fn assign(image: &Image, types: &[TypeId], mut stack: u64) -> (Vec<Assigned>, u64) {
    let (ints, floats) = match image.arch() {
        Arch::Amd64 => (9, 15),
        Arch::Arm64 => (16, 16),
    };
    let (mut int, mut float) = (0, 0);
    let mut out = Vec::new();
    for (index, &ty) in types.iter().enumerate().take(256) {
        let mut pieces = Vec::new();
        let fits = flatten(image, ty, 0, &mut pieces, 0).is_some();
        let need_int = pieces.iter().filter(|p| matches!(p, Piece::Int(_))).count();
        let need_float = pieces.len() - need_int;
        if fits && int + need_int <= ints && float + need_float <= floats {
            for p in pieces {
                let (offset, place) = match p {
                    Piece::Int(at) => {
                        int += 1;
                        (at, Place::Int(int - 1))
                    }
                    Piece::Float(at) => {
                        float += 1;
                        (at, Place::Float)
                    }
                };
                out.push(Assigned { index, ty, offset, place });
            }
            continue;
        }
        let size = image.type_of(ty, image).map_or(8, |t| t.size);
        stack = stack.next_multiple_of(align(image, ty, 0).max(1));
        for w in 0..(size / 8).min(MAX_WORDS as u64) {
            out.push(Assigned { index, ty, offset: 8 * w, place: Place::Stack((stack + 8 * w) as i64) });
        }
        stack = stack.saturating_add(size);
    }
    (out, stack.next_multiple_of(8))
}
