//! Where a variable is: DW_AT_location through gimli's evaluation. Must never invent a place: what the compiler did not
//! describe at this pc is lost, and said to be.

use gimli::constants as dw;
use gimli::{EvaluationResult, Location, ValueType};
use machine::{Arch, MemoryExt, Reg};

use super::die;
use super::units::Unit;
use super::{Dwarf, Entry, Slice, Value};
use crate::types::TypeId;
use crate::variables::{Piece, PieceHome, VarContext};

/// Steps of one expression.
const MAX_STEPS: usize = 256;
const LOST: &str = "optimised away at this point";

impl Dwarf {
    /// The pieces of the variable whose DIE is `die`; `bias` turns its addresses into run-time ones.
    pub(crate) fn locate(&self, at: u64, cx: &VarContext<'_>, bias: u64) -> Result<Vec<Piece>, String> {
        let (unit, e) = self.entry(at).ok_or("its debug information is damaged")?;
        let size = self.variable_size(unit, &e);
        let expression = match e.attr_value(dw::DW_AT_location) {
            Some(Value::Exprloc(x)) => x,
            Some(v) => self.listed(unit, v, cx.pc.wrapping_sub(bias)).ok_or(LOST)?,
            None => {
                let known = e.attr_value(dw::DW_AT_const_value).ok_or(LOST)?;
                return constant(known, size).ok_or_else(|| LOST.to_string());
            }
        };
        if expression.0.is_empty() {
            return Err(LOST.into());
        }
        self.evaluate(unit, expression, size, cx, bias)
    }

    /// Size of a variable: of the pointer for one that escaped.
    fn variable_size(&self, unit: &Unit, e: &Entry) -> u64 {
        let own = self.type_ref(unit, e, dw::DW_AT_type);
        let origin = || {
            let (u, o) = self.entry(die::reference(&unit.inner, e, dw::DW_AT_abstract_origin)?)?;
            self.type_ref(u, &o, dw::DW_AT_type)
        };
        match own.or_else(origin) {
            Some(TypeId::Dwarf(t)) => self.read_type(t).map_or(0, |t| t.size),
            _ => 0,
        }
    }

    /// The expression of a location list that covers the pc.
    fn listed(&self, unit: &Unit, v: Value, pc: u64) -> Option<gimli::Expression<Slice>> {
        let mut list = self.inner.attr_locations(&unit.inner, v).ok()??;
        while let Ok(Some(entry)) = list.next() {
            if entry.range.begin <= pc && pc < entry.range.end {
                return Some(entry.data);
            }
        }
        None
    }

    fn evaluate(
        &self,
        unit: &Unit,
        expression: gimli::Expression<Slice>,
        size: u64,
        cx: &VarContext<'_>,
        bias: u64,
    ) -> Result<Vec<Piece>, String> {
        let damaged = |e: gimli::Error| format!("its location is damaged: {e}");
        let mut eval = expression.evaluation(unit.inner.encoding());
        eval.set_max_iterations(MAX_STEPS as u32);
        let mut state = eval.evaluate().map_err(damaged)?;
        for _ in 0..MAX_STEPS {
            state = match state {
                EvaluationResult::Complete => {
                    return pieces(eval.result(), size, cx.regs.arch());
                }
                EvaluationResult::RequiresFrameBase => eval.resume_with_frame_base(cx.cfa),
                EvaluationResult::RequiresCallFrameCfa => eval.resume_with_call_frame_cfa(cx.cfa),
                EvaluationResult::RequiresRelocatedAddress(a) => {
                    eval.resume_with_relocated_address(a.wrapping_add(bias))
                }
                EvaluationResult::RequiresIndexedAddress { index, relocate } => {
                    let a = self.inner.address(&unit.inner, index).map_err(damaged)?;
                    eval.resume_with_indexed_address(if relocate { a.wrapping_add(bias) } else { a })
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    let v = cx.regs.get(Reg(register.0)).ok_or("its register is not known in this frame")?;
                    eval.resume_with_register(gimli::Value::Generic(v))
                }
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let mut b = [0; 8];
                    let n = usize::from(size).min(8);
                    let part = b.get_mut(..n).ok_or(LOST)?;
                    cx.mem.read_exact(address, part).map_err(|e| e.to_string())?;
                    eval.resume_with_memory(gimli::Value::Generic(u64::from_le_bytes(b)))
                }
                EvaluationResult::RequiresBaseType(_) => eval.resume_with_base_type(ValueType::Generic),
                EvaluationResult::RequiresTls(_) => {
                    return Err("thread-local variables of C can't be read".into());
                }
                EvaluationResult::RequiresEntryValue(_) => return Err(LOST.into()),
                _ => return Err("its location uses an operation that is not supported".into()),
            }
            .map_err(damaged)?;
        }
        Err("its location does not end".into())
    }
}

fn pieces(found: Vec<gimli::Piece<Slice>>, size: u64, arch: Arch) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    for p in &found {
        let bits = p.size_in_bits.unwrap_or_else(|| size.saturating_mul(8));
        let whole = bits % 8 == 0 && p.bit_offset.is_none_or(|o| o == 0);
        let home = match &p.location {
            _ if !whole => PieceHome::Lost,
            Location::Address { address } => PieceHome::Memory(*address),
            Location::Register { register } => home_of(register.0, arch),
            Location::Value { value } => {
                PieceHome::Value(value.to_u64(u64::MAX).unwrap_or(0).to_le_bytes().to_vec())
            }
            Location::Bytes { value } => PieceHome::Value(value.slice().to_vec()),
            Location::Empty | Location::ImplicitPointer { .. } => PieceHome::Lost,
        };
        out.push(Piece { size: bits / 8, home });
    }
    if out.iter().all(|p| p.home == PieceHome::Lost) && size > 0 {
        return Err(LOST.into());
    }
    Ok(out)
}

/// DWARF register numbers: vectors are 17-32 on amd64, 64-95 on arm64.
fn home_of(register: u16, arch: Arch) -> PieceHome {
    match (arch, register) {
        (Arch::Amd64, 0..=16) | (Arch::Arm64, 0..=32) => PieceHome::Register(Reg(register)),
        (Arch::Amd64, n @ 17..=32) => PieceHome::Vector(n - 17),
        (Arch::Arm64, n @ 64..=95) => PieceHome::Vector(n - 64),
        _ => PieceHome::Lost,
    }
}

/// DW_AT_const_value.
fn constant(v: Value, size: u64) -> Option<Vec<Piece>> {
    let bytes = match v {
        Value::Block(b) => b.slice().to_vec(),
        Value::String(s) => s.slice().to_vec(),
        v => {
            let n = v.sdata_value().or_else(|| v.udata_value().map(|u| u as i64))?;
            n.to_le_bytes().get(..usize::try_from(size.min(8)).ok()?)?.to_vec()
        }
    };
    Some(vec![Piece { size: bytes.len() as u64, home: PieceHome::Value(bytes) }])
}
