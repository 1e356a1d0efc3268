//! Type DIEs, read by offset when asked for.
//! Must never recurse without a bound: typedefs may form a cycle in a damaged file.

use gimli::constants as dw;

use super::die::{
    self, GO_DICT_INDEX, GO_ELEM, GO_EMBEDDED, GO_KEY, GO_KIND, GO_RUNTIME_TYPE, flag, number, reference,
};
use super::units::Unit;
use super::{Dwarf, Entry};
use crate::names;
use crate::types::{Field, FuncSig, Kind, Shape, TypeId};

/// Longest chain of typedefs and qualifiers.
const MAX_CHAIN: usize = 16;
/// More fields or parameters than this are a lie.
const MAX_CHILDREN: usize = 1 << 16;

/// A type as its DIE describes it; references are DIE offsets, already past alias typedefs.
pub(crate) struct DwarfType {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) shape: Shape,
    /// DW_AT_go_runtime_type, raw.
    pub(crate) runtime: Option<u64>,
}

impl Dwarf {
    pub(crate) fn type_name(&self, at: u64) -> Option<&str> {
        let (unit, e) = self.entry(at)?;
        die::name(&self.inner, &unit.inner, &e)
    }

    /// The DIE itself behind typedefs that only repeat a name, and behind C's qualifiers.
    pub(crate) fn canonical(&self, at: u64) -> u64 {
        let mut at = at;
        for _ in 0..MAX_CHAIN {
            let Some((unit, e)) = self.entry(at) else { break };
            let alias = match e.tag {
                dw::DW_TAG_typedef => {
                    unit.is_go && number(&e, GO_KIND).is_none() && number(&e, GO_DICT_INDEX).is_none()
                }
                dw::DW_TAG_const_type | dw::DW_TAG_volatile_type | dw::DW_TAG_restrict_type => true,
                _ => false,
            };
            match reference(&unit.inner, &e, dw::DW_AT_type) {
                Some(next) if alias => at = next,
                _ => break,
            }
        }
        at
    }

    /// A type handle of what the attribute refers to.
    pub(crate) fn type_ref(&self, unit: &Unit, e: &Entry, at: gimli::DwAt) -> Option<TypeId> {
        Some(TypeId::Dwarf(self.canonical(reference(&unit.inner, e, at)?)))
    }

    /// DW_AT_byte_size of a structure.
    pub(crate) fn struct_size(&self, at: u64) -> Option<u64> {
        let (_, e) = self.entry(self.canonical(at))?;
        number(&e, dw::DW_AT_byte_size)
    }

    /// Offset of a field; dots descend.
    pub(crate) fn field_offset(&self, at: u64, field: &str) -> Option<u64> {
        let mut at = self.canonical(at);
        let mut sum = 0u64;
        for part in field.split('.').take(MAX_CHAIN) {
            let Shape::Struct { fields } = self.read_type(at)?.shape else { return None };
            let f = fields.iter().find(|f| &*f.name == part)?;
            sum = sum.checked_add(f.offset)?;
            let TypeId::Dwarf(next) = f.ty else { return None };
            at = next;
        }
        Some(sum)
    }

    /// Reads the type DIE at `at`.
    pub(crate) fn read_type(&self, at: u64) -> Option<DwarfType> {
        let (unit, e) = self.entry(at)?;
        let raw_name = die::name(&self.inner, &unit.inner, &e).unwrap_or("");
        let go_kind = number(&e, GO_KIND).and_then(|k| Kind::from_number(k as u8));
        let (kind, shape) = self.shape(unit, &e, go_kind, raw_name, 0)?;
        let size = self.size_of(at, 0).unwrap_or(0);
        let runtime = number(&e, GO_RUNTIME_TYPE).filter(|r| *r != 0);
        let mut name = names::unescape(raw_name);
        if name.is_empty() {
            name = self.c_name(unit, &e, &shape);
        }
        Some(DwarfType { name, kind, size, shape, runtime })
    }

    fn size_of(&self, at: u64, depth: usize) -> Option<u64> {
        let (unit, e) = self.entry(at)?;
        if let Some(n) = number(&e, dw::DW_AT_byte_size) {
            return Some(n);
        }
        match e.tag {
            dw::DW_TAG_pointer_type | dw::DW_TAG_subroutine_type => Some(8),
            dw::DW_TAG_array_type if depth < MAX_CHAIN => {
                let elem = self.size_of(reference(&unit.inner, &e, dw::DW_AT_type)?, depth + 1)?;
                elem.checked_mul(self.array_len(unit, &e)?)
            }
            _ if depth < MAX_CHAIN => self.size_of(reference(&unit.inner, &e, dw::DW_AT_type)?, depth + 1),
            _ => None,
        }
    }

    /// C types without a name.
    fn c_name(&self, unit: &Unit, e: &Entry, shape: &Shape) -> String {
        match shape {
            Shape::Pointer { elem: Some(TypeId::Dwarf(t)) } => {
                format!("*{}", self.type_name(*t).unwrap_or("?"))
            }
            Shape::Pointer { .. } => "unsafe.Pointer".into(),
            Shape::Array { elem: TypeId::Dwarf(t), len } => {
                format!("[{len}]{}", self.type_name(*t).unwrap_or("?"))
            }
            _ => match e.tag {
                dw::DW_TAG_structure_type => "struct {...}".into(),
                dw::DW_TAG_union_type => "union {...}".into(),
                _ => unit.name.rsplit('/').next().map_or_else(String::new, |_| "?".into()),
            },
        }
    }

    fn shape(
        &self,
        unit: &Unit,
        e: &Entry,
        kind: Option<Kind>,
        name: &str,
        depth: usize,
    ) -> Option<(Kind, Shape)> {
        if depth > MAX_CHAIN {
            return None;
        }
        let to = |at| self.type_ref(unit, e, at);
        let under = || self.type_ref(unit, e, dw::DW_AT_type);
        match (e.tag, kind) {
            (_, Some(Kind::String)) => Some((Kind::String, Shape::Basic)),
            (_, Some(Kind::Slice)) => Some((Kind::Slice, Shape::Slice { elem: to(GO_ELEM)? })),
            (dw::DW_TAG_typedef, Some(Kind::Map)) => {
                let header = self.pointee(under());
                Some((Kind::Map, Shape::Map { key: to(GO_KEY)?, elem: to(GO_ELEM)?, header }))
            }
            (dw::DW_TAG_typedef, Some(Kind::Chan)) => {
                Some((Kind::Chan, Shape::Chan { elem: to(GO_ELEM)?, header: self.pointee(under()) }))
            }
            (dw::DW_TAG_typedef, Some(Kind::Interface)) => {
                let TypeId::Dwarf(word) = under()? else { return None };
                let empty = self.type_name(word) == Some("runtime.eface");
                Some((Kind::Interface, Shape::Interface { empty, methods: None }))
            }
            (dw::DW_TAG_pointer_type, Some(Kind::UnsafePointer)) => Some((Kind::UnsafePointer, Shape::Basic)),
            (dw::DW_TAG_pointer_type, _) if under().is_none() && name == "unsafe.Pointer" => {
                Some((Kind::UnsafePointer, Shape::Basic))
            }
            (dw::DW_TAG_pointer_type, _) => Some((Kind::Pointer, Shape::Pointer { elem: under() })),
            (dw::DW_TAG_array_type, _) => {
                let len = self.array_len(unit, e).unwrap_or(0);
                Some((Kind::Array, Shape::Array { elem: under()?, len }))
            }
            (dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_class_type, _) => {
                Some((Kind::Struct, Shape::Struct { fields: self.fields(unit, e) }))
            }
            (dw::DW_TAG_subroutine_type, _) => Some((Kind::Func, Shape::Func(self.func_sig(unit, e, name)))),
            (dw::DW_TAG_typedef, _) => self.typedef(unit, e, depth),
            (dw::DW_TAG_base_type, Some(k)) => Some((k, Shape::Basic)),
            (dw::DW_TAG_base_type, None) => Some((c_base(e), Shape::Basic)),
            (dw::DW_TAG_enumeration_type, _) => Some((signed(number(e, dw::DW_AT_byte_size)), Shape::Basic)),
            _ => None,
        }
    }

    /// `.paramN` of a shaped function, or a C typedef.
    fn typedef(&self, unit: &Unit, e: &Entry, depth: usize) -> Option<(Kind, Shape)> {
        let TypeId::Dwarf(under) = self.type_ref(unit, e, dw::DW_AT_type)? else { return None };
        let (u, target) = self.entry(under)?;
        let kind = number(&target, GO_KIND).and_then(|k| Kind::from_number(k as u8));
        let name = die::name(&self.inner, &u.inner, &target).unwrap_or("");
        let (kind, shape) = self.shape(u, &target, kind, name, depth + 1)?;
        match number(e, GO_DICT_INDEX) {
            Some(dict_index) => Some((kind, Shape::Param { dict_index, under: TypeId::Dwarf(under) })),
            None => Some((kind, shape)),
        }
    }

    /// The structure behind the pointer that a map or channel variable is.
    fn pointee(&self, pointer: Option<TypeId>) -> Option<TypeId> {
        let TypeId::Dwarf(at) = pointer? else { return None };
        let (unit, e) = self.entry(at)?;
        self.type_ref(unit, &e, dw::DW_AT_type).filter(|_| e.tag == dw::DW_TAG_pointer_type)
    }

    /// Visits the direct children of a DIE.
    pub(crate) fn children(&self, unit: &Unit, e: &Entry, visit: &mut dyn FnMut(&Entry)) {
        if !e.has_children {
            return;
        }
        let Ok(mut raw) = unit.inner.entries_raw(Some(e.offset)) else { return };
        let mut child = Entry::null();
        let mut seen = 0;
        while !raw.is_empty() && seen < MAX_CHILDREN {
            let depth = raw.next_depth();
            match raw.read_entry(&mut child) {
                Ok(true) if depth == 1 => {
                    seen += 1;
                    visit(&child);
                }
                Ok(_) if raw.next_depth() > 0 => {}
                _ => return,
            }
        }
    }

    fn array_len(&self, unit: &Unit, e: &Entry) -> Option<u64> {
        let mut len = None;
        self.children(unit, e, &mut |c| {
            let count = number(c, dw::DW_AT_count);
            let bound = || number(c, dw::DW_AT_upper_bound).map(|b| b.wrapping_add(1));
            len = len.or(count).or_else(bound);
        });
        len
    }

    fn fields(&self, unit: &Unit, e: &Entry) -> Vec<Field> {
        let mut out = Vec::new();
        self.children(unit, e, &mut |c| {
            if c.tag != dw::DW_TAG_member {
                return;
            }
            let name = die::name(&self.inner, &unit.inner, c).unwrap_or("");
            if let Some(ty) = self.type_ref(unit, c, dw::DW_AT_type) {
                let offset = number(c, dw::DW_AT_data_member_location).unwrap_or(0);
                out.push(Field { name: name.into(), ty, offset, embedded: flag(c, GO_EMBEDDED) });
            }
        });
        out
    }

    fn func_sig(&self, unit: &Unit, e: &Entry, name: &str) -> FuncSig {
        let mut sig = FuncSig::default();
        let mut marked = false;
        self.children(unit, e, &mut |c| match c.tag {
            dw::DW_TAG_formal_parameter => {
                let Some(ty) = self.type_ref(unit, c, dw::DW_AT_type) else { return };
                // What follows the `...` is a result; since Go 1.24 results are flagged.
                if flag(c, dw::DW_AT_variable_parameter) || sig.variadic {
                    marked |= flag(c, dw::DW_AT_variable_parameter);
                    sig.results.push(ty);
                } else {
                    sig.params.push(ty);
                }
            }
            dw::DW_TAG_unspecified_parameters => sig.variadic = true,
            _ => {}
        });
        // Before Go 1.24 only the name tells where parameters end, and results are described as pointers to their types.
        if !marked && sig.variadic {
            sig.results = self.pointees(&sig.results);
        } else if !marked && let Some(n) = count_params(name) {
            self.split_results(&mut sig, n);
        }
        sig
    }

    /// Makes results of what follows the first `n` parameters of an unmarked signature.
    pub(crate) fn split_results(&self, sig: &mut FuncSig, n: usize) {
        if n <= sig.params.len() && sig.results.is_empty() {
            sig.results = self.pointees(&sig.params.split_off(n));
        }
    }

    fn pointees(&self, all: &[TypeId]) -> Vec<TypeId> {
        all.iter().map(|t| self.pointee(Some(*t)).unwrap_or(*t)).collect()
    }
}

/// Number of parameters in `func(a, b) c`; None for a named type.
fn count_params(name: &str) -> Option<usize> {
    let inside = name.strip_prefix("func(")?;
    let (mut depth, mut commas, mut any) = (0i32, 0, false);
    for c in inside.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => return Some(if any { commas + 1 } else { 0 }),
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => commas += 1,
            _ => {}
        }
        any = true;
    }
    None
}

fn signed(size: Option<u64>) -> Kind {
    match size {
        Some(1) => Kind::Int8,
        Some(2) => Kind::Int16,
        Some(8) => Kind::Int64,
        _ => Kind::Int32,
    }
}

/// Kind of a C base type by DW_AT_encoding and size.
fn c_base(e: &Entry) -> Kind {
    let encoding = match e.attr_value(dw::DW_AT_encoding) {
        Some(super::Value::Encoding(a)) => a,
        _ => return Kind::Invalid,
    };
    let size = number(e, dw::DW_AT_byte_size);
    match (encoding, size) {
        (dw::DW_ATE_boolean, _) => Kind::Bool,
        (dw::DW_ATE_float, Some(4)) => Kind::Float32,
        (dw::DW_ATE_float, Some(8)) => Kind::Float64,
        (dw::DW_ATE_complex_float, Some(8)) => Kind::Complex64,
        (dw::DW_ATE_complex_float, Some(16)) => Kind::Complex128,
        (dw::DW_ATE_signed | dw::DW_ATE_signed_char, s) => signed(s),
        (dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char, Some(1)) => Kind::Uint8,
        (dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char, Some(2)) => Kind::Uint16,
        (dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char, Some(8)) => Kind::Uint64,
        (dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char, _) => Kind::Uint32,
        _ => Kind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::count_params;

    #[test]
    fn parameters_are_counted_outside_of_brackets() {
        assert_eq!(count_params("func()"), Some(0));
        assert_eq!(count_params("func() int"), Some(0));
        assert_eq!(count_params("func(int, map[string]func(a, b)) (c, d)"), Some(2));
        assert_eq!(count_params("main.F"), None);
        assert_eq!(count_params("func(unclosed"), None);
    }
}
