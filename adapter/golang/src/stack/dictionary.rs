//! Dictionaries of shaped functions: which word of a frame holds it.

use image::{Function, PieceHome, VarContext};
use machine::{Arch, MemoryExt};

use super::walk::Physical;
use super::{Frame, FrameKind};
use crate::Process;

/// Bytes of code before a call in which its dictionary is looked for.
const CALL_WINDOW: u64 = 120;
/// Captured words that are looked at.
const MAX_CAPTURED: u64 = 16;
/// Words of a dictionary that are looked at.
const MAX_WORDS: u64 = 256;

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

    /// Frames of generic code whose dictionary is lost, called by generic code whose dictionary is known: it was one of the words in
    /// there, if only one of them belongs to the callee.
    pub(super) fn dictionaries_from_callers(&self, frames: &mut [Frame]) {
        for i in (0..frames.len()).rev() {
            let Some((here, outer)) = frames.get(i).cloned().zip(frames.get(i + 1..)) else { continue };
            if here.inlined || here.dict.is_some() || !here.symbol.contains("go.shape.") {
                continue;
            }
            let Some(dict) = outer.first().filter(|c| c.cfa != here.cfa).and_then(|c| c.dict) else {
                continue;
            };
            let Some(found) = self.sub_dictionary(dict, &here.symbol) else { continue };
            for frame in frames.iter_mut().filter(|f| f.cfa == here.cfa && f.function == here.function) {
                frame.dict = Some(found);
                frame.name = self.symbol_display_name(&frame.symbol, frame.dict);
            }
        }
    }

    /// The only dictionary of `symbol` among the words of the dictionary at `dict`.
    fn sub_dictionary(&self, dict: u64, symbol: &str) -> Option<u64> {
        let (own, _) = self.image.symbol_at(dict)?;
        let mut found = None;
        for i in 0..MAX_WORDS {
            let at = dict.wrapping_add(8 * i);
            if self.image.symbol_at(at).is_none_or(|(name, _)| name != own) {
                break;
            }
            let Ok(word) = self.mem.read_u64(at) else { break };
            if crate::names::is_dictionary_of(self.image, word, symbol) {
                if found.is_some_and(|f| f != word) {
                    return None;
                }
                found = Some(word);
            }
        }
        found
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

    /// A hidden parameter after the receiver (cmd/compile/internal/noder, unified IR). A value receiver may take several registers:
    /// the dictionary's own name tells which one is behind them.
    fn dictionary_at_entry(&self, symbol: &str, physical: &Physical) -> Option<u64> {
        let arch = self.image.arch();
        let words = || arch.int_args().iter().filter_map(|r| physical.regs.get(*r));
        // Where dictionaries have names, it is found behind a receiver of any size.
        if let Some(word) = words().find(|w| self.type_arguments(symbol, *w).is_some()) {
            return Some(word);
        }
        // Only a closure is called with a context: elsewhere the register holds what some other code left there.
        if symbol.rsplit('.').next().is_some_and(|last| last.starts_with("func")) {
            let is_its = |w: &u64| crate::names::is_dictionary_of(self.image, *w, symbol);
            if let Some(word) = self.captured(physical).into_iter().find(is_its) {
                return Some(word);
            }
        }
        let word = words().nth(usize::from(is_pointer_method(symbol)))?;
        self.is_dictionary(word).then_some(word)
    }

    /// The first words that a closure has captured: generic code passes its dictionary on in one of them.
    fn captured(&self, physical: &Physical) -> Vec<u64> {
        let Some(context) = physical.regs.get(self.image.arch().context()) else { return Vec::new() };
        let word = |i: u64| self.mem.read_u64(context.wrapping_add(8 * i)).ok();
        (1..MAX_CAPTURED).map_while(word).collect()
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
