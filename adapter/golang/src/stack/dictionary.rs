//! Dictionaries of shaped functions: which word of a frame holds it.

use image::{Function, PieceHome, VarContext};
use machine::{Arch, MemoryExt};

use super::walk::Physical;
use super::{Frame, FrameKind};
use crate::Process;

/// Bytes of code before a call in which its dictionary is looked for.
const CALL_WINDOW: u64 = 120;

impl Process<'_> {
    /// The frame with its dictionary looked for; [`Process::frame_at`] and [`Process::caller_of`] leave it out.
    pub fn with_dictionary(&self, frame: Frame) -> Frame {
        if frame.dict.is_some() || frame.kind != FrameKind::Go {
            return frame;
        }
        let physical = Physical {
            pc: frame.pc,
            lookup_pc: frame.lookup_pc,
            regs: frame.regs.clone(),
            cfa: frame.cfa,
            function: frame.function,
            kind: frame.kind,
            stack_hi: None,
        };
        let dict = self.dictionary_of(&physical);
        Frame { dict, name: self.symbol_display_name(&frame.symbol, dict), ..frame }
    }

    /// The real type arguments that generic code runs with: by its dictionary, else by the name of the wrapper that called it.
    pub fn arguments_of_frame(&self, frame: &Frame) -> Option<Vec<String>> {
        let by_dictionary = frame.dict.and_then(|dict| self.type_arguments(&frame.symbol, dict));
        by_dictionary.or_else(|| {
            let up = self.caller_of(frame).filter(|up| up.wrapper && !frame.inlined)?;
            self.arguments_by_name(&frame.symbol, &up.symbol)
        })
    }

    /// Address of the dictionary that a shaped function was called with; None where it is lost, or the function has none.
    pub(crate) fn dictionary_of(&self, physical: &Physical) -> Option<u64> {
        let f = self.image.functions().get(physical.function?)?;
        if !f.name().contains("go.shape.") {
            return None;
        }
        let exact = physical.pc == physical.lookup_pc;
        if exact && (f.entry()..=f.prologue_end()).contains(&physical.pc) {
            // A prologue leaves the arguments where they are.
            return self
                .dictionary_at_entry(f.name(), physical)
                .or_else(|| self.dictionary_of_call(f, physical));
        }
        self.dictionary_variable(physical).or_else(|| self.dictionary_of_call(f, physical))
    }

    /// A call with a constant dictionary loads its address right before: `lea REG, [rip+dictionary]; ...; call f`. Between that
    /// and the call no other call lies, so what is found belongs to this one.
    fn dictionary_of_call(&self, f: Function<'_>, physical: &Physical) -> Option<u64> {
        if self.image.arch() != Arch::Amd64 {
            return None;
        }
        let ret = self.mem.read_u64(physical.cfa.checked_sub(8)?).ok()?;
        let caller = self.image.functions().at(ret.checked_sub(1)?)?;
        let start = ret.checked_sub(5 + CALL_WINDOW)?.max(caller.entry());
        let code = self.image.read_vec(start, usize::try_from(ret.checked_sub(start)?).ok()?, 256).ok()?;
        let call = code.len().checked_sub(5)?;
        if self.call_target(&code, start, call) != Some(f.entry()) {
            return None;
        }
        for at in (0..call).rev() {
            let is_other_call = self.call_target(&code, start, at).is_some_and(|t| self.is_entry(t))
                || matches!(code.get(at..at + 2), Some([0xff, 0xd0..=0xd7]));
            if is_other_call {
                return None;
            }
            let Some(&[0x48 | 0x4c, 0x8d, modrm, a, b, c, d]) = code.get(at..at + 7) else { continue };
            if modrm & 0xc7 != 0x05 || at + 7 > call {
                continue;
            }
            let next = start.wrapping_add(at as u64 + 7);
            let word = next.wrapping_add_signed(i64::from(i32::from_le_bytes([a, b, c, d])));
            if self.type_arguments(f.name(), word).is_some() {
                return Some(word);
            }
        }
        None
    }

    /// Target of a `call rel32` at `code[at]`.
    fn call_target(&self, code: &[u8], start: u64, at: usize) -> Option<u64> {
        let Some(&[0xe8, a, b, c, d]) = code.get(at..at + 5) else { return None };
        let next = start.wrapping_add(at as u64 + 5);
        Some(next.wrapping_add_signed(i64::from(i32::from_le_bytes([a, b, c, d]))))
    }

    /// A hidden parameter after the receiver (cmd/compile/internal/noder, unified IR).
    fn dictionary_at_entry(&self, symbol: &str, physical: &Physical) -> Option<u64> {
        let arch = self.image.arch();
        let words = || arch.int_args().iter().filter_map(|reg| physical.regs.get(*reg));
        // Where dictionaries have names, it is found behind a receiver of any size.
        if let Some(word) = words().find(|w| self.type_arguments(symbol, *w).is_some()) {
            return Some(word);
        }
        let index = usize::from(is_pointer_method(symbol));
        words().nth(index).filter(|word| self.is_dictionary(*word))
    }

    /// The variable `.dict`, where debug information says that it is.
    fn dictionary_variable(&self, physical: &Physical) -> Option<u64> {
        let depth = self.image.functions().inline_stack(physical.lookup_pc).len().saturating_sub(1);
        let variables = self.image.variables(physical.lookup_pc, depth);
        let dict = variables.iter().find(|v| v.name == ".dict")?;
        let cx =
            VarContext { pc: physical.lookup_pc, regs: &physical.regs, cfa: physical.cfa, mem: self.mem };
        let pieces = self.image.locate(dict, &cx).ok()?;
        let word = match pieces.first()?.home {
            PieceHome::Memory(at) => self.mem.read_u64(at).ok()?,
            PieceHome::Register(reg) => physical.regs.get(reg)?,
            _ => return None,
        };
        self.is_dictionary(word).then_some(word)
    }

    /// Dictionaries are read-only data; with a symbol table they have names.
    fn is_dictionary(&self, word: u64) -> bool {
        match self.image.symbol_at(word) {
            Some((name, 0)) => name.contains("..dict."),
            Some(_) => false,
            None => word != 0 && self.image.is_read_only(word),
        }
    }
}

/// `main.(*Stack[go.shape.int]).Push`.
fn is_pointer_method(symbol: &str) -> bool {
    symbol.split_once(".(*").is_some_and(|(before, _)| !before.contains('['))
}
