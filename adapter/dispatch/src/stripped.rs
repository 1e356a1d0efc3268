//! Without debug information: parameters from the runtime's method tables and from what direct callers pass, results from what the
//! callee returns.

use image::{Function, Image, Shape, TypeId};
use machine::{Arch, MemoryExt};
use rustc_hash::FxHashMap;

use crate::abi;
use crate::classify;
use crate::engine::Engine;
use crate::flow::{Flowed, Loc};
use crate::model::{Flow, R, Target};
use crate::types::{Set, Signature, Typer};

/// Functions up (callers) or down (callees) that are looked at.
const MAX_LEVEL: u32 = 4;
const MAX_CALLERS: usize = 6;
/// Callers with an answer that are enough.
const ENOUGH: usize = 3;
/// Bytes of code that are searched for calls.
const MAX_TEXT: usize = 512 << 20;

/// Code address of a method -> receiver's type and the method's func type.
pub(crate) type MethodTable = FxHashMap<u64, (TypeId, TypeId)>;

pub(crate) fn method_table(engine: &Engine, image: &Image) -> MethodTable {
    let mut out = MethodTable::default();
    for t in engine.descriptors(image).iter().copied() {
        for m in image.methods_of(t, image).unwrap_or_default() {
            // An interface's entry that isn't the method itself is a wrapper with a pointer for its receiver.
            if let (Some(code), Some(ty)) = (m.tfn, m.ty) {
                out.insert(code, (TypeId::Runtime(t), ty));
            }
        }
    }
    out
}

/// Named types by full name.
pub(crate) fn type_names(engine: &Engine, image: &Image) -> FxHashMap<String, TypeId> {
    engine
        .descriptors(image)
        .iter()
        .copied()
        .filter_map(|t| {
            let ty = image.type_of(TypeId::Runtime(t), image).ok()?;
            ty.named.then(|| (ty.name.to_string(), TypeId::Runtime(t)))
        })
        .collect()
}

/// The signature of a method, by its entry.
pub(crate) fn signature(engine: &Engine, image: &Image, f: Function<'_>) -> Option<Signature> {
    let (receiver, ty) = engine.methods_by_code(image).get(&f.entry()).copied()?;
    if f.name().contains("[go.shape.") {
        return None;
    }
    let t = image.type_of(ty, image).ok()?;
    let Shape::Func(sig) = &t.shape else { return None };
    let mut params = vec![receiver];
    params.extend(&sig.params);
    let (params, stack) = abi::assign(image, &params, 0);
    let (results, _) = abi::assign(image, &sig.results, stack);
    Some(Signature { params, results, dictionary: None })
}

/// Direct calls by callee: found by their bytes, confirmed when the caller is decoded.
pub(crate) fn callers(image: &Image) -> FxHashMap<u64, Vec<u64>> {
    let mut out: FxHashMap<u64, Vec<u64>> = FxHashMap::default();
    let entries: rustc_hash::FxHashSet<u64> = image.functions().iter().map(|f| f.entry()).collect();
    let (Some(first), Some(last)) =
        (image.functions().iter().next().map(|f| f.entry()), image.functions().iter().map(|f| f.end()).max())
    else {
        return out;
    };
    let len = usize::try_from(last.saturating_sub(first)).unwrap_or(usize::MAX);
    let Ok(text) = image.read_vec(first, len, MAX_TEXT) else { return out };
    let mut add = |at: u64, to: u64| {
        if entries.contains(&to) {
            let list = out.entry(to).or_default();
            if list.len() < 4 * MAX_CALLERS {
                list.push(at);
            }
        }
    };
    match image.arch() {
        Arch::Amd64 => {
            for (i, w) in text.windows(5).enumerate() {
                if let [0xe8, a, b, c, d] = w {
                    let at = first + i as u64;
                    let rel = i64::from(i32::from_le_bytes([*a, *b, *c, *d]));
                    add(at, at.wrapping_add(5).wrapping_add(rel as u64));
                }
            }
        }
        Arch::Arm64 => {
            for (i, w) in text.chunks_exact(4).enumerate() {
                let [a, b, c, d] = w else { continue };
                let x = u32::from_le_bytes([*a, *b, *c, *d]);
                if x >> 26 == 0b10_0101 {
                    let at = first + 4 * i as u64;
                    let rel = i64::from((x << 6) as i32 >> 4);
                    add(at, at.wrapping_add(rel as u64));
                }
            }
        }
    }
    out
}

/// What direct callers of the function have in `loc` at the call.
pub(crate) fn from_callers(t: &Typer<'_>, loc: Loc) -> Set {
    let mut out = Set::new();
    let level = t.level.get();
    if level >= MAX_LEVEL || t.image.has_dwarf() {
        return out;
    }
    let Some(list) = t.engine.callers(t.image).get(&t.f.entry()) else { return out };
    let mut answers = 0;
    for pc in list.iter().take(MAX_CALLERS) {
        let Some(g) = t.image.functions().at(*pc) else { continue };
        let Some(code) = t.engine.code(t.image, g) else { continue };
        let Some(i) = code.at(*pc) else { continue };
        if g.entry() == t.f.entry()
            || !matches!(code.inst(i).map(|x| x.flow), Some(Flow::Call(Target::Const(to))) if to == t.f.entry())
        {
            continue;
        }
        let set = with_typer(t, g, &code, |typer| {
            let here = match loc {
                // The caller's argument area is at its SP.
                Loc::Slot(off) => Loc::Slot(typer.flow.code.slot(i, off - 8 + typer.shift())),
                l => l,
            };
            typer.types(i, here)
        });
        if !set.is_empty() {
            answers += 1;
            out.extend(set);
        }
        if answers >= ENOUGH {
            break;
        }
    }
    out
}

/// What the callee has in its n-th result register where it returns.
pub(crate) fn from_returns(t: &Typer<'_>, f: Function<'_>, r: R) -> Set {
    let mut out = Set::new();
    if t.level.get() >= MAX_LEVEL || t.image.has_dwarf() || f.is_assembly() || f.entry() == t.f.entry() {
        return out;
    }
    let Some(code) = t.engine.code(t.image, f) else { return out };
    out.extend(with_typer(t, f, &code, |typer| {
        let mut set = Set::new();
        for (i, inst) in typer.flow.code.insts.iter().enumerate() {
            if inst.flow == Flow::Ret {
                set.extend(typer.types(i, Loc::Reg(r)));
            }
        }
        set
    }));
    out
}

fn with_typer(
    t: &Typer<'_>,
    f: Function<'_>,
    code: &crate::code::Code,
    ask: impl FnOnce(&Typer<'_>) -> Set,
) -> Set {
    let flow = Flowed::new(code, t.image);
    let found = classify::find(t.image, t.engine.itabs(t.image), &flow);
    let typer = Typer::new(t.engine, t.image, f, &flow, &found);
    typer.level.set(t.level.get() + 1);
    typer.creating.set(t.creating.get());
    ask(&typer)
}
