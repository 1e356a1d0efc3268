//! Copies of functions that the compiler inlined into others, from pclntab's inline trees: where each begins.
//! Must never give an address that belongs to another function's source.

use rustc_hash::FxHashMap;

use crate::functions::{FuncId, Functions};
use crate::pclntab::FUNCDATA_INL_TREE;

/// One inlined copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlinedCopy {
    /// Linker name of the inlined function.
    pub name: String,
    /// The first statement of the copy.
    pub pc: u64,
    /// The function whose machine code contains it.
    pub function: FuncId,
}

impl Functions {
    /// The inlined copies of all functions whose linker name is wanted, in address order. Copies without an instruction of their own
    /// are left out. Walks the whole program.
    pub fn inlined_copies(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<InlinedCopy> {
        let (pcln, file, elf) = (&self.core.pcln, &self.core.st.file, &self.core.st.elf);
        // Few names, many copies.
        let mut known: FxHashMap<u32, bool> = FxHashMap::default();
        let mut out = Vec::new();
        for f in self.iter() {
            let Some(tree) = pcln.funcdata(file, &f.raw, FUNCDATA_INL_TREE) else { continue };
            let runs = f.instances();
            let mut indices: Vec<i32> = runs.iter().map(|r| r.2).filter(|i| *i >= 0).collect();
            indices.sort_unstable();
            indices.dedup();
            for index in indices {
                let Some(call) = pcln.inlined_call(elf, file, tree, index) else { continue };
                let Some(name) = pcln.name(file, call.name) else { continue };
                if !*known.entry(call.name).or_insert_with(|| wanted(name)) {
                    continue;
                }
                if let Some(pc) = f.first_statement(&runs, index) {
                    out.push(InlinedCopy { name: name.to_string(), pc: self.core.run(pc), function: f.id() });
                }
            }
        }
        out.sort_by_key(|c| c.pc);
        out
    }
}
