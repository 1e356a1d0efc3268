//! Variables of one function: its DIE, the lexical blocks and inlined calls in it. Read when asked for, kept by function.
//! Must never show a variable of another inlined frame, or of a block that does not cover the pc.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use gimli::constants as dw;

use super::die::{self, GO_CLOSURE_OFFSET, flag, number, reference};
use super::units::Unit;
use super::{Dwarf, Entry};
use crate::types::{Shape, TypeId};
use crate::variables::{ScopeVariable, VarRole};

/// More DIEs in one function than this are a lie.
const MAX_DIES: usize = 1 << 20;
/// Functions kept.
const MAX_KEPT: usize = 512;

/// A function's scopes and variables.
pub(crate) struct FunctionScopes {
    scopes: Vec<Scope>,
    variables: Vec<Variable>,
}

struct Scope {
    parent: usize,
    ranges: Vec<Range<u64>>,
    /// Name of the function that was inlined here; None for a block.
    inlined: Option<String>,
    /// Line of the call that was inlined.
    call_line: u32,
}

struct Variable {
    scope: usize,
    var: ScopeVariable,
}

impl Scope {
    fn covers(&self, pc: u64) -> bool {
        self.ranges.iter().any(|r| r.contains(&pc))
    }
}

impl Dwarf {
    /// The function whose code covers the link address: its unit and DIE.
    pub(crate) fn function_at(&self, pc: u64) -> Option<(&Unit, u64)> {
        let unit = self.unit_at(pc)?;
        let functions = &self.unit_index(unit).functions;
        let i = functions.partition_point(|f| f.0 <= pc).checked_sub(1)?;
        let (_, end, die) = functions.get(i)?;
        (pc < *end).then_some((unit, *die))
    }

    pub(crate) fn scopes_at(&self, pc: u64) -> Option<Arc<FunctionScopes>> {
        let (unit, die) = self.function_at(pc)?;
        if let Some(s) = self.scopes.read().unwrap_or_else(PoisonError::into_inner).get(&die) {
            return Some(s.clone());
        }
        let scopes = Arc::new(self.read_scopes(unit, die)?);
        let mut kept = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(die, scopes.clone());
        Some(scopes)
    }

    fn read_scopes(&self, unit: &Unit, die: u64) -> Option<FunctionScopes> {
        let local = gimli::DebugInfoOffset(usize::try_from(die).ok()?).to_unit_offset(&unit.inner.header)?;
        let mut raw = unit.inner.entries_raw(Some(local)).ok()?;
        let mut out = FunctionScopes { scopes: Vec::new(), variables: Vec::new() };
        // Scope of each open DIE, by depth.
        let mut open: Vec<usize> = Vec::new();
        let mut origins = Vec::new();
        let mut e = Entry::null();
        for _ in 0..MAX_DIES {
            if raw.is_empty() {
                break;
            }
            let depth = usize::try_from(raw.next_depth()).ok()?;
            match raw.read_entry(&mut e) {
                Ok(true) if depth > 0 || out.scopes.is_empty() => {}
                Ok(false) if raw.next_depth() > 0 => continue,
                _ => break,
            }
            open.truncate(depth);
            let parent = open.last().copied().unwrap_or(0);
            let mut here = parent;
            match e.tag {
                dw::DW_TAG_subprogram | dw::DW_TAG_inlined_subroutine | dw::DW_TAG_lexical_block => {
                    here = out.scopes.len();
                    let inlined = (e.tag == dw::DW_TAG_inlined_subroutine)
                        .then(|| self.origin_name(unit, &e).unwrap_or_default());
                    let ranges = die::ranges(&self.inner, &unit.inner, &e);
                    let call_line = number(&e, dw::DW_AT_call_line).unwrap_or(0) as u32;
                    if inlined.is_some() {
                        origins.push((here, reference(&unit.inner, &e, dw::DW_AT_abstract_origin)));
                    }
                    out.scopes.push(Scope { parent, ranges, inlined, call_line });
                }
                dw::DW_TAG_variable | dw::DW_TAG_formal_parameter => {
                    out.variables.extend(self.variable(unit, &e).map(|var| Variable { scope: parent, var }));
                }
                _ => {}
            }
            if e.has_children {
                open.push(here);
            } else if out.scopes.len() == 1 && depth == 0 {
                break;
            }
        }
        for (scope, origin) in origins {
            self.add_dropped(scope, origin, &mut out);
        }
        Some(out)
    }

    /// The parameters that the compiler left out of an inlined copy: they are shown as optimised away, not as missing.
    fn add_dropped(&self, scope: usize, origin: Option<u64>, out: &mut FunctionScopes) {
        let Some((unit, e)) = origin.and_then(|o| self.entry(o)) else { return };
        self.children(unit, &e, &mut |c| {
            if c.tag != dw::DW_TAG_formal_parameter {
                return;
            }
            let Some(var) = self.variable(unit, c) else { return };
            if !out.variables.iter().any(|v| v.scope == scope && v.var.name == var.name) {
                out.variables.push(Variable { scope, var });
            }
        });
    }

    /// The abstract DIE of an inlined or out-of-line copy; the DIE itself if it is the only one.
    fn origin(&self, unit: &Unit, e: &Entry) -> Option<(&Unit, Entry)> {
        self.entry(reference(&unit.inner, e, dw::DW_AT_abstract_origin)?)
    }

    fn origin_name(&self, unit: &Unit, e: &Entry) -> Option<String> {
        let (u, o) = self.origin(unit, e)?;
        die::name(&self.inner, &u.inner, &o).map(str::to_string)
    }

    /// A variable as its DIE (and that of its abstract origin) describes it.
    fn variable(&self, unit: &Unit, e: &Entry) -> Option<ScopeVariable> {
        let die = die::offset(&unit.inner, e)?;
        let origin = self.origin(unit, e);
        let (u, d) = origin.as_ref().map_or((unit, e), |(u, o)| (*u, o));
        let raw = die::name(&self.inner, &u.inner, d)?;
        let ty = self.type_ref(u, d, dw::DW_AT_type)?;
        let is_param = d.tag == dw::DW_TAG_formal_parameter;
        let closure_offset = number(d, GO_CLOSURE_OFFSET).or_else(|| number(e, GO_CLOSURE_OFFSET));
        let role = match (is_param, closure_offset) {
            (true, _) if flag(d, dw::DW_AT_variable_parameter) => VarRole::Result,
            (true, _) => VarRole::Param,
            (false, Some(_)) => VarRole::Captured,
            (false, None) => VarRole::Local,
        };
        let (name, ty, by_reference) = self.plain(raw, ty);
        Some(ScopeVariable {
            name,
            ty,
            role,
            decl_line: number(d, dw::DW_AT_decl_line).unwrap_or(0) as u32,
            depth: 0,
            by_reference,
            closure_offset,
            die,
            declared: true,
        })
    }

    /// `&x` of type *T is the heap-escaped variable x of type T.
    fn plain(&self, name: &str, ty: TypeId) -> (String, TypeId, bool) {
        if let (Some(plain), TypeId::Dwarf(at)) = (name.strip_prefix('&'), ty)
            && let Some(Shape::Pointer { elem: Some(elem) }) = self.read_type(at).map(|t| t.shape)
        {
            return (plain.to_string(), elem, true);
        }
        (name.to_string(), ty, false)
    }

    /// Parameters and results of the function at a link address, in declaration order.
    pub(crate) fn signature(&self, pc: u64) -> Option<Vec<(String, TypeId, bool)>> {
        let (unit, die) = self.function_at(pc)?;
        let (_, e) = self.entry(die)?;
        let mut out = Vec::new();
        let mut add = |u, c: &_| {
            if let Some(v) = self.variable(u, c) {
                out.push((v.name, v.ty, v.role == VarRole::Result));
            }
        };
        // The abstract function lists all parameters, the out-of-line copy may not; results without a name are the copy's alone.
        let origin = self.origin(unit, &e);
        if let Some((u, o)) = &origin {
            self.children(u, o, &mut |c| {
                if c.tag == dw::DW_TAG_formal_parameter {
                    add(*u, c);
                }
            });
        }
        self.children(unit, &e, &mut |c| {
            let own = origin.is_none() || self.origin(unit, c).is_none();
            if c.tag == dw::DW_TAG_formal_parameter && own {
                add(unit, c);
            }
        });
        Some(out)
    }
}

/// A frame as pclntab describes it.
pub(crate) struct FrameKey<'a> {
    /// Counted from the physical function (0), of so many.
    pub(crate) outer_index: usize,
    pub(crate) frames: usize,
    pub(crate) name: &'a str,
    /// Line that executes in the frame.
    pub(crate) line: u32,
    /// Line of the call in the frame around it.
    pub(crate) call_line: u32,
}

impl FunctionScopes {
    /// Indexes of the scopes that are frames at `pc`, outermost first: the function, then the inlined calls.
    fn frames(&self, pc: u64) -> Vec<usize> {
        let inlined = self.scopes.iter().enumerate().skip(1);
        let mut out = vec![0];
        // Parents come before their children.
        out.extend(inlined.filter(|(i, s)| s.inlined.is_some() && self.all_cover(*i, pc)).map(|(i, _)| i));
        out
    }

    fn all_cover(&self, scope: usize, pc: u64) -> bool {
        let mut i = scope;
        while let Some(s) = self.scopes.get(i).filter(|_| i != 0) {
            if !s.covers(pc) {
                return false;
            }
            i = s.parent;
        }
        true
    }

    /// The variables of one frame at a link address.
    pub(crate) fn variables(&self, pc: u64, frame: &FrameKey<'_>) -> Vec<ScopeVariable> {
        let line = frame.line;
        let Some(frame) = self.frame_scope(pc, frame) else { return Vec::new() };
        let mut out = Vec::new();
        for v in &self.variables {
            let Some(depth) = self.depth_in(v.scope, frame, pc) else { continue };
            let mut var = v.var.clone();
            var.depth = depth;
            var.declared = var.role != VarRole::Local || var.decl_line == 0 || line > var.decl_line;
            out.push(var);
        }
        out
    }

    /// The scope of a frame that pclntab describes.
    fn frame_scope(&self, pc: u64, key: &FrameKey<'_>) -> Option<usize> {
        if key.outer_index == 0 {
            return Some(0);
        }
        let chain = self.frames(pc);
        let named = |i: &usize| self.scopes.get(*i).and_then(|s| s.inlined.as_deref()) == Some(key.name);
        let exact = chain.get(key.outer_index).copied().filter(|i| chain.len() == key.frames && named(i));
        // The optimiser moves instructions out of the ranges that DWARF gives an inlined call: then the line of the call tells
        // which one it is, and if that moved too, the nearest one.
        let distance = |i: &usize| {
            let s = self.scopes.get(*i);
            let near =
                s.into_iter().flat_map(|s| &s.ranges).map(|r| r.start.abs_diff(pc).min(r.end.abs_diff(pc)));
            (s.is_none_or(|s| s.call_line != key.call_line), near.min())
        };
        exact
            .or_else(|| chain.iter().copied().find(named))
            .or_else(|| (1..self.scopes.len()).filter(named).min_by_key(distance))
    }

    /// How many blocks of `frame` are around `scope`, if all of them cover the pc and none is another frame.
    fn depth_in(&self, scope: usize, frame: usize, pc: u64) -> Option<u32> {
        let (mut i, mut depth) = (scope, 0);
        while i != frame {
            let s = self.scopes.get(i).filter(|_| i != 0)?;
            if s.inlined.is_some() || !s.covers(pc) {
                return None;
            }
            depth += 1;
            i = s.parent;
        }
        Some(depth)
    }
}
