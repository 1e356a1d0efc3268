//! Variables of a frame: from the pieces that the debug information names to a value that knows which of its bytes are real.

use std::sync::Arc;

use image::{Piece, PieceHome, ScopeVariable, TypeId, VarContext};
use machine::{MemoryExt, Regs};

use super::place::{OPTIMIZED_OUT, Place, Value};
use crate::{Frame, Process};

/// Largest variable that is put together from pieces, in bytes.
const MAX_PIECES: u64 = 1 << 20;

/// The variables that the debug information lists at a frame's pc, those not declared yet and the compiler's own included.
pub fn frame_variables(p: &Process<'_>, frame: &Frame) -> Vec<ScopeVariable> {
    p.image.variables(frame.lookup_pc, frame.inline_depth)
}

/// The value of a variable in a frame. What can't be had is a value that says why.
pub fn read_variable(p: &Process<'_>, frame: &Frame, var: &ScopeVariable) -> Value {
    let ty = p.real_type(var.ty, frame.dict).unwrap_or(var.ty);
    if let Some(v) = from_context(p, frame, var, ty) {
        return v;
    }
    let cx = VarContext { pc: frame.lookup_pc, regs: &frame.regs, cfa: frame.cfa, mem: p.mem };
    let pieces = match p.image.locate(var, &cx) {
        Ok(pieces) => pieces,
        Err(why) => return Value::unavailable(ty, why),
    };
    if !var.by_reference {
        let size = p.type_of(ty).map_or(0, |t| t.size);
        return Value { ty, place: assemble(p, &frame.regs, pieces, size) };
    }
    let pointer = Value { ty, place: assemble(p, &frame.regs, pieces, 8) };
    match super::place::word(p, &pointer, 0) {
        Ok(0) => Value::unavailable(ty, "not allocated yet"),
        Ok(addr) => Value::at(ty, addr),
        Err(why) => Value::unavailable(ty, why),
    }
}

/// At a closure's first instruction its captured variables are still only behind the context register.
fn from_context(p: &Process<'_>, frame: &Frame, var: &ScopeVariable, ty: TypeId) -> Option<Value> {
    let offset = var.closure_offset?;
    let f = p.image.functions().at(frame.pc)?;
    if frame.inlined || frame.pc != frame.lookup_pc || frame.pc > f.prologue_end() {
        return None;
    }
    let closure = frame.regs.get(frame.regs.arch().context())?;
    // The register still holds this closure: its first word is this function.
    if p.mem.read_u64(closure).ok()? != f.entry() {
        return None;
    }
    let at = closure.wrapping_add(offset);
    if !var.by_reference {
        return Some(Value::at(ty, at));
    }
    p.mem.read_u64(at).ok().filter(|a| *a != 0).map(|a| Value::at(ty, a))
}

/// One place from pieces: memory stays memory; anything else becomes bytes with a note on each that is known.
fn assemble(p: &Process<'_>, regs: &Regs, pieces: Vec<Piece>, size: u64) -> Place {
    if let [Piece { home: PieceHome::Memory(addr), size: n }] = pieces.as_slice()
        && (*n >= size || *n == 0)
    {
        return Place::Memory(*addr);
    }
    if let Some(addr) = contiguous(&pieces, size) {
        return Place::Memory(addr);
    }
    if size > MAX_PIECES || pieces.is_empty() {
        return Place::Unavailable(OPTIMIZED_OUT.into());
    }
    let mut bytes = Vec::with_capacity(size as usize);
    let mut known = Vec::with_capacity(size as usize);
    for piece in &pieces {
        let room = size as usize - bytes.len();
        let want = usize::try_from(piece.size).unwrap_or(room).min(room);
        let want = if piece.size == 0 && pieces.len() == 1 { room } else { want };
        let got = piece_bytes(p, regs, &piece.home, want);
        let there = got.as_ref().map_or(0, |b| b.len().min(want));
        bytes.extend_from_slice(got.unwrap_or_default().get(..there).unwrap_or_default());
        known.resize(bytes.len(), true);
        bytes.resize(bytes.len() + want - there, 0);
        known.resize(bytes.len(), false);
    }
    bytes.resize(size as usize, 0);
    known.resize(size as usize, false);
    if size > 0 && known.iter().all(|k| !k) {
        return Place::Unavailable(OPTIMIZED_OUT.into());
    }
    let known = known.iter().any(|k| !k).then(|| Arc::from(known));
    Place::Bytes { bytes: bytes.into(), known, homes: Some(pieces.into()) }
}

/// Memory pieces that follow each other are one place.
fn contiguous(pieces: &[Piece], size: u64) -> Option<u64> {
    let Some(Piece { home: PieceHome::Memory(first), .. }) = pieces.first() else { return None };
    let mut next = *first;
    for piece in pieces {
        match piece.home {
            PieceHome::Memory(at) if at == next => next = at.checked_add(piece.size)?,
            _ => return None,
        }
    }
    (next - first >= size).then_some(*first)
}

fn piece_bytes(p: &Process<'_>, regs: &Regs, home: &PieceHome, want: usize) -> Option<Vec<u8>> {
    match home {
        PieceHome::Memory(addr) => {
            let mut b = vec![0; want];
            p.mem.read_exact(*addr, &mut b).ok()?;
            Some(b)
        }
        PieceHome::Register(r) => regs.get(*r).map(|v| v.to_le_bytes().to_vec()),
        PieceHome::Vector(n) => regs.vector(*n).map(|v| v.to_vec()),
        PieceHome::Value(v) => Some(v.clone()),
        PieceHome::Lost => None,
    }
}
