//! What is inside an interface value (runtime.iface, runtime.eface; go-runtime sources runtime/runtime2.go, internal/abi/iface.go).

use image::{Kind, Shape, Type, TypeId};
use machine::MemoryExt;

use super::place::{Place, Value, bytes, part, underlying, word};
use crate::Process;

/// What is inside an interface value.
#[derive(Clone, Debug)]
pub enum Interface {
    /// Both words are zero: `x == nil`.
    Nil,
    Dynamic(Dynamic),
    /// One of the two words was optimised away.
    Half(Half),
    /// Garbage: an uninitialised variable, freed memory. The sentence says what is wrong with it.
    Bad(String),
}

/// A concrete value in an interface.
#[derive(Clone, Debug)]
pub struct Dynamic {
    /// Run-time address of the concrete type's abi.Type.
    pub rtype: u64,
    /// Address of the itab; None in an empty interface.
    pub itab: Option<u64>,
    /// The concrete value; its place is the data word itself for direct types.
    pub value: Value,
    /// A nil pointer, map, chan, func or unsafe.Pointer inside a non-nil interface.
    pub typed_nil: bool,
}

/// What is left of an interface value.
#[derive(Clone, Debug)]
pub struct Half {
    /// The type word, when it is the live one: descriptor, itab, type.
    pub rtype: Option<u64>,
    pub itab: Option<u64>,
    pub ty: Option<TypeId>,
    /// The data word, when it is the live one.
    pub data: Option<u64>,
    pub why: String,
}

/// Reads an interface value. `v.ty` must be of kind interface.
pub fn interface(p: &Process<'_>, v: &Value) -> Interface {
    let ty = match underlying(p, v.ty) {
        Ok(t) => t,
        Err(e) => return Interface::Bad(format!("the interface type can't be read: {e}")),
    };
    let Shape::Interface { empty, .. } = ty.shape else {
        return Interface::Bad(format!("{} is not an interface type", ty.name));
    };
    let (tab, data) = match &v.place {
        Place::Memory(_) => match bytes(p, v, 0, 16) {
            Ok(b) => (Ok(le(&b, 0)), Ok(le(&b, 8))),
            Err(e) => return Interface::Bad(e),
        },
        _ => (word(p, v, 0), word(p, v, 8)),
    };
    match (tab, data) {
        (Ok(0), _) => Interface::Nil,
        (Ok(tab), data) => {
            let (rtype, itab) = match if empty { Ok((tab, None)) } else { of_itab(p, tab, &ty) } {
                Ok(found) => found,
                Err(why) => return Interface::Bad(why),
            };
            inside(p, v, rtype, itab, data)
        }
        (Err(why), Ok(data)) => {
            Interface::Half(Half { rtype: None, itab: None, ty: None, data: Some(data), why })
        }
        (Err(why), Err(_)) => Interface::Bad(why),
    }
}

fn le(b: &[u8], at: usize) -> u64 {
    b.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The concrete type's descriptor behind an itab word, checked.
fn of_itab(p: &Process<'_>, tab: u64, ty: &Type) -> Result<(u64, Option<u64>), String> {
    let not = |why: String| format!("{tab:#x} is not an itab of {}: {why}", ty.name);
    // The usual case, checked with one read: the itab names the very interface that the variable has.
    let mut head = [0; 16];
    p.mem.read_exact(tab, &mut head).map_err(|e| not(e.to_string()))?;
    if ty.runtime.is_some_and(|r| r == le(&head, 0)) {
        return Ok((le(&head, 8), Some(tab)));
    }
    let itab = p.image.itab(tab, p.mem).map_err(|e| not(e.to_string()))?;
    if itab.negative {
        return Err(not("it records a type that does not implement its interface".into()));
    }
    Ok((itab.typ, Some(tab)))
}

fn inside(p: &Process<'_>, v: &Value, rtype: u64, itab: Option<u64>, data: Result<u64, String>) -> Interface {
    let id = p.image.type_from_runtime(rtype);
    let concrete = match underlying(p, id) {
        Ok(t) if t.kind != Kind::Interface && t.kind != Kind::Invalid => t,
        Ok(_) => return Interface::Bad(format!("{rtype:#x} is not the descriptor of a concrete type")),
        Err(e) => return Interface::Bad(format!("{rtype:#x} is not a type descriptor: {e}")),
    };
    let data = match data {
        Ok(d) => d,
        Err(why) => return Interface::Half(Half { rtype: Some(rtype), itab, ty: Some(id), data: None, why }),
    };
    let direct = match p.image.is_direct_iface(rtype, p.mem) {
        Ok(d) => d,
        Err(e) => return Interface::Bad(format!("{rtype:#x} is not a type descriptor: {e}")),
    };
    let word_kind =
        matches!(concrete.kind, Kind::Pointer | Kind::Map | Kind::Chan | Kind::Func | Kind::UnsafePointer);
    let value = if direct {
        match part(p, v, 8, id) {
            Ok(v) => v,
            Err(why) => return Interface::Bad(why),
        }
    } else {
        Value::at(id, data)
    };
    Interface::Dynamic(Dynamic { rtype, itab, value, typed_nil: direct && word_kind && data == 0 })
}
