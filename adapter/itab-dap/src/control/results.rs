//! Results of a function that has just returned, read from the registers of the ABI before anything overwrites them.
//!
//! Source: cmd/compile/abi-internal.md, "Function call argument and result passing".

use golang::{Process, Value};
use image::{FuncId, Kind, Shape, TypeId};
use machine::Regs;

/// What a function gave back, for the frame it returned to.
#[derive(Clone, Debug)]
pub(crate) struct Returned {
    pub(crate) function: String,
    /// Name of the result (`~r0` where it has none) and its value.
    pub(crate) values: Vec<(String, Value)>,
}

/// Nested deeper than this no type fits into registers.
const MAX_DEPTH: u32 = 16;

/// One register's part of a value: byte offset, bytes, floating point.
struct Part {
    offset: u64,
    size: u64,
    float: bool,
}

/// The results of `function`, whose caller stands right behind the call. `None` if it has none or they are not known.
pub(crate) fn results_after_return(process: &Process<'_>, function: FuncId, regs: &Regs) -> Option<Returned> {
    let f = process.image.functions().get(function)?;
    let signature = process.image.signature(function)?;
    let (names, types): (Vec<String>, Vec<TypeId>) =
        signature.into_iter().filter(|s| s.2).map(|(name, ty, _)| (name, ty)).unzip();
    let values: Vec<_> = names.into_iter().zip(values_in_registers(process, &types, regs)).collect();
    (!values.is_empty()).then(|| Returned { function: process.function_display_name(&f, None), values })
}

/// Values of these types in the registers of the ABI, in order, right behind a call.
pub(crate) fn values_in_registers(process: &Process<'_>, types: &[TypeId], regs: &Regs) -> Vec<Value> {
    let mut ints = regs.arch().int_args().iter().map(|r| regs.get(*r));
    let mut floats = 0_u16;
    let mut one = |ty: &TypeId| {
        let parts = parts_of(process, *ty, 0, 0);
        let value = parts.and_then(|parts| gather(process, *ty, &parts, &mut ints, &mut floats, regs));
        value.unwrap_or_else(|| Value::unavailable(*ty, "returned on the stack"))
    };
    types.iter().map(&mut one).collect()
}

fn gather(
    process: &Process<'_>,
    ty: TypeId,
    parts: &[Part],
    ints: &mut dyn Iterator<Item = Option<u64>>,
    floats: &mut u16,
    regs: &Regs,
) -> Option<Value> {
    let size = process.type_of(ty).ok()?.size;
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    for part in parts {
        let word = if part.float {
            let v = regs.vector(*floats)?;
            *floats += 1;
            v.get(..8)?.try_into().map(u64::from_le_bytes).ok()?
        } else {
            ints.next()??
        };
        let from = usize::try_from(part.offset).ok()?;
        let to = from.checked_add(usize::try_from(part.size).ok()?)?;
        let source = word.to_le_bytes();
        bytes.get_mut(from..to)?.copy_from_slice(source.get(..to - from)?);
    }
    Some(Value::computed(ty, bytes))
}

/// How a type is spread over registers; `None` if it goes on the stack (arrays of more than one element).
fn parts_of(process: &Process<'_>, ty: TypeId, offset: u64, depth: u32) -> Option<Vec<Part>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let t = process.type_of(ty).ok()?;
    let words =
        |n: u64| Some((0..n).map(|i| Part { offset: offset + i * 8, size: 8, float: false }).collect());
    let half = t.size / 2;
    match (&t.shape, t.kind) {
        (Shape::Struct { fields }, _) => {
            let mut all = Vec::new();
            for f in fields {
                all.extend(parts_of(process, f.ty, offset + f.offset, depth + 1)?);
            }
            Some(all)
        }
        (Shape::Array { elem, len }, _) => match len {
            0 => Some(Vec::new()),
            1 => parts_of(process, *elem, offset, depth + 1),
            _ => None,
        },
        (Shape::Param { under, .. }, _) => parts_of(process, *under, offset, depth + 1),
        (_, Kind::String | Kind::Interface) => words(2),
        (_, Kind::Slice) => words(3),
        (_, Kind::Float32 | Kind::Float64) => Some(vec![Part { offset, size: t.size, float: true }]),
        (_, Kind::Complex64 | Kind::Complex128) => Some(vec![
            Part { offset, size: half, float: true },
            Part { offset: offset + half, size: half, float: true },
        ]),
        _ if t.size <= 8 => Some(vec![Part { offset, size: t.size, float: false }]),
        _ => None,
    }
}
