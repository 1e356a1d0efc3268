//! Dictionaries of shaped functions: which word of a frame holds it.

use image::{PieceHome, VarContext};
use machine::MemoryExt;

use super::walk::Physical;
use crate::Process;

impl Process<'_> {
    /// Address of the dictionary that a shaped function was called with; None where it is lost, or the function has none.
    pub(crate) fn dictionary_of(&self, physical: &Physical) -> Option<u64> {
        let f = self.image.functions().get(physical.function?)?;
        if !f.name().contains("go.shape.") {
            return None;
        }
        if physical.pc == physical.lookup_pc && physical.pc == f.entry() {
            return self.dictionary_at_entry(f.name(), physical);
        }
        self.dictionary_variable(physical)
    }

    /// A hidden parameter after the receiver (cmd/compile/internal/noder, unified IR).
    fn dictionary_at_entry(&self, symbol: &str, physical: &Physical) -> Option<u64> {
        let arch = self.image.arch();
        let index = usize::from(is_pointer_method(symbol));
        let reg = arch.int_args().get(index)?;
        let word = physical.regs.get(*reg)?;
        self.is_dictionary(word).then_some(word)
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
