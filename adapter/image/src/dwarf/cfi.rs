//! Call frame information of code that is not Go's: `.eh_frame` and `.debug_frame`. One frame at a time.
//! Must never loop: a rule that does not move the frame outward is refused.

use std::sync::Arc;

use gimli::{
    BaseAddresses, CfaRule, LittleEndian, RegisterRule, UnwindContext, UnwindSection, UnwindTableRow,
};
use machine::{Memory, MemoryExt, Reg, Regs};

use super::{Bytes, Slice};
use crate::core::Static;

/// The unwind tables of a file.
pub(crate) struct Cfi {
    eh: Option<(gimli::EhFrame<Slice>, Slice, BaseAddresses)>,
    debug: Option<(gimli::DebugFrame<Slice>, Slice)>,
    /// Keep what the sections borrow.
    _bytes: Vec<Bytes>,
}

type Row = UnwindTableRow<usize>;

impl Cfi {
    pub(crate) fn load(st: &Arc<Static>) -> Cfi {
        let eh = Bytes::load(st, ".eh_frame");
        let debug = Bytes::load(st, ".debug_frame");
        let addr = |name: &str| st.elf.section(name).map_or(0, |s| s.addr);
        let bases = BaseAddresses::default()
            .set_eh_frame(addr(".eh_frame"))
            .set_text(addr(".text"))
            .set_got(addr(".got"));
        let frame = |b: &Bytes| {
            let mut f = gimli::EhFrame::new(b.slice().slice(), LittleEndian);
            f.set_address_size(8);
            f
        };
        let plain = |b: &Bytes| {
            let mut f = gimli::DebugFrame::new(b.slice().slice(), LittleEndian);
            f.set_address_size(8);
            f
        };
        Cfi {
            eh: eh.as_ref().map(|b| (frame(b), b.slice(), bases)),
            debug: debug.as_ref().map(|b| (plain(b), b.slice())),
            _bytes: eh.into_iter().chain(debug).collect(),
        }
    }

    /// The rules at a link address.
    fn row(&self, pc: u64) -> Option<(Row, gimli::Encoding, Slice)> {
        let mut cx = UnwindContext::new();
        if let Some((eh, section, bases)) = &self.eh
            && let Ok(fde) = eh.fde_for_address(bases, pc, gimli::EhFrame::cie_from_offset)
            && let Ok(row) = fde.unwind_info_for_address(eh, bases, &mut cx, pc)
        {
            return Some((row.clone(), fde.cie().encoding(), *section));
        }
        let (debug, section) = self.debug.as_ref()?;
        let bases = BaseAddresses::default();
        let fde = debug.fde_for_address(&bases, pc, gimli::DebugFrame::cie_from_offset).ok()?;
        let row = fde.unwind_info_for_address(debug, &bases, &mut cx, pc).ok()?;
        Some((row.clone(), fde.cie().encoding(), *section))
    }

    /// Replaces `regs` by the caller's.
    pub(crate) fn unwind(&self, regs: &mut Regs, mem: &dyn Memory, bias: u64) -> Result<(), String> {
        let pc = regs.pc();
        let (row, encoding, section) =
            self.row(pc.wrapping_sub(bias)).ok_or_else(|| format!("no call frame information at {pc:#x}"))?;
        let value = |r: &RegisterRule<usize>, cfa: u64, old: Option<u64>| -> Result<Option<u64>, String> {
            let load = |a: u64| mem.read_u64(a).map(Some).map_err(|e| e.to_string());
            match r {
                RegisterRule::SameValue => Ok(old),
                RegisterRule::Offset(n) => load(cfa.wrapping_add(*n as u64)),
                RegisterRule::ValOffset(n) => Ok(Some(cfa.wrapping_add(*n as u64))),
                RegisterRule::Register(r) => Ok(regs.get(Reg(r.0))),
                RegisterRule::Expression(x) => {
                    let x = expression(x, section)?;
                    load(evaluate(x, encoding, regs, mem, Some(cfa))?)
                }
                RegisterRule::ValExpression(x) => {
                    evaluate(expression(x, section)?, encoding, regs, mem, Some(cfa)).map(Some)
                }
                _ => Ok(None),
            }
        };
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                let base = regs.get(Reg(register.0)).ok_or("the frame's base register is not known")?;
                base.wrapping_add(*offset as u64)
            }
            CfaRule::Expression(x) => evaluate(expression(x, section)?, encoding, regs, mem, None)?,
        };
        if cfa <= regs.sp() {
            return Err("call frame information does not lead outward".into());
        }
        let arch = regs.arch();
        // amd64: the return address has a column of its own (16); arm64: the link register (30).
        let ra = Reg(if arch == machine::Arch::Amd64 { 16 } else { 30 });
        let mut out = Regs::new(arch);
        (out.tls, out.flags) = (regs.tls, regs.flags);
        for n in 0..33u16 {
            let old = regs.get(Reg(n));
            let v = match row.register(gimli::Register(n)) {
                Some(rule) => value(&rule, cfa, old)?,
                // Without a rule callee-saved registers and a leaf's link register keep their value; the others may not.
                None if is_callee_saved(n, arch) || n == 30 && ra.0 == 30 => old,
                None => None,
            };
            if let Some(v) = v {
                out.set(Reg(n), v);
            }
        }
        let back = out.get(ra).filter(|pc| *pc != 0).ok_or("the outermost frame")?;
        out.set_pc(back);
        out.set_sp(cfa);
        *regs = out;
        Ok(())
    }
}

fn is_callee_saved(n: u16, arch: machine::Arch) -> bool {
    match arch {
        machine::Arch::Amd64 => matches!(n, 3 | 6 | 12..=15),
        machine::Arch::Arm64 => matches!(n, 19..=29),
    }
}

fn expression(
    x: &gimli::UnwindExpression<usize>,
    section: Slice,
) -> Result<gimli::Expression<Slice>, String> {
    let bytes = x.offset.checked_add(x.length).and_then(|end| section.slice().get(x.offset..end));
    let bytes = bytes.ok_or("damaged call frame information")?;
    Ok(gimli::Expression(Slice::new(bytes, LittleEndian)))
}

fn evaluate(
    x: gimli::Expression<Slice>,
    encoding: gimli::Encoding,
    regs: &Regs,
    mem: &dyn Memory,
    initial: Option<u64>,
) -> Result<u64, String> {
    let damaged = |e: gimli::Error| format!("damaged call frame information: {e}");
    let mut eval = x.evaluation(encoding);
    eval.set_max_iterations(256);
    if let Some(v) = initial {
        eval.set_initial_value(v);
    }
    let mut state = eval.evaluate().map_err(damaged)?;
    for _ in 0..256 {
        state = match state {
            gimli::EvaluationResult::Complete => {
                return match eval.result().first().map(|p| &p.location) {
                    Some(gimli::Location::Address { address }) => Ok(*address),
                    _ => Err("damaged call frame information".into()),
                };
            }
            gimli::EvaluationResult::RequiresRegister { register, .. } => {
                let v = regs.get(Reg(register.0)).ok_or("a register is not known")?;
                eval.resume_with_register(gimli::Value::Generic(v))
            }
            gimli::EvaluationResult::RequiresMemory { address, .. } => {
                let v = mem.read_u64(address).map_err(|e| e.to_string())?;
                eval.resume_with_memory(gimli::Value::Generic(v))
            }
            _ => return Err("an operation of call frame information that is not supported".into()),
        }
        .map_err(damaged)?;
    }
    Err("damaged call frame information".into())
}
