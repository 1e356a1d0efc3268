//! Variables of a scope and where they live (DW_AT_location, location lists, pieces).

use crate::TypeId;
use machine::{Memory, Reg, Regs};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarRole {
    Param,
    Result,
    Local,
    Captured,
}

/// A variable in scope at a pc.
#[derive(Clone, Debug)]
pub struct ScopeVariable {
    /// As in the source; for an escaped variable (`&x` in DWARF) the plain name, with `by_reference` set.
    pub name: String,
    /// Type of the variable itself (already without the pointer when `by_reference`).
    pub ty: TypeId,
    pub role: VarRole,
    pub decl_line: u32,
    /// Nesting depth of its lexical block: larger shadows smaller.
    pub depth: u32,
    /// The located word is a pointer to the variable (heap-escaped or captured by reference).
    pub by_reference: bool,
    /// DW_AT_go_closure_offset.
    pub closure_offset: Option<u64>,
    /// Opaque: DIE offset for `Image::locate`.
    pub die: u64,
    /// The declaration line is reached at this pc (a local not declared yet is listed with false).
    pub declared: bool,
}

/// What evaluating a location needs.
pub struct VarContext<'a> {
    /// pc for location lists (for caller frames: return address - 1).
    pub pc: u64,
    pub regs: &'a Regs,
    /// Canonical frame address of the physical frame.
    pub cfa: u64,
    pub mem: &'a dyn Memory,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /** bytes */
    pub size: u64,
    pub home: PieceHome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceHome {
    Memory(u64),
    Register(Reg),
    /** vector register n */
    Vector(u16),
    Value(Vec<u8>),
    Lost,
}
