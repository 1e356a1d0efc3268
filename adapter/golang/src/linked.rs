//! Types that the program has descriptors of but no debug information: those that only ever stand in interfaces. Found by name,
//! through the static itabs and the linker's list of types. Must never trust an offset: everything found is decoded and checked.

use image::{Shape, Type, TypeId};
use machine::MemoryExt;

use crate::Process;

/// Bytes of the linker's list that are read at most.
const MAX_LIST: usize = 4 << 20;

impl Process<'_> {
    /// The type called `name` (with its import path), if the program has its descriptor. Walks a list: for names that debug information
    /// doesn't have.
    pub fn linked_type(&self, name: &str) -> Option<TypeId> {
        self.itab_types().chain(self.listed_types()).find_map(|rtype| {
            let ty = self.image.type_of(TypeId::Runtime(rtype), self.mem).ok()?;
            self.named(&ty, name).or_else(|| match ty.shape {
                Shape::Pointer { elem: Some(elem) } => self.named(&*self.type_of(elem).ok()?, name),
                _ => None,
            })
        })
    }

    fn named(&self, ty: &Type, name: &str) -> Option<TypeId> {
        (*ty.name == *name).then_some(ty.id)
    }

    /// Concrete types of the static itabs.
    fn itab_types(&self) -> impl Iterator<Item = u64> {
        let itabs = self.image.static_itabs().into_iter();
        itabs.filter_map(|addr| self.image.itab(addr, self.mem).ok().map(|t| t.typ))
    }

    /// `moduledata.typelinks`: offsets of unnamed types, among them pointers to the named ones (until Go 1.26).
    fn listed_types(&self) -> impl Iterator<Item = u64> {
        let range = self.image.type_range();
        let list = || {
            let at = self
                .image
                .moduledata()?
                .checked_add(self.image.layout().offset("runtime.moduledata", "typelinks")?)?;
            let (addr, len) = (self.mem.read_u64(at).ok()?, self.mem.read_u64(at + 8).ok()?);
            let bytes = usize::try_from(len).ok()?.checked_mul(4)?;
            self.mem.read_vec(addr, bytes, MAX_LIST).ok()
        };
        let list = list().unwrap_or_default();
        let offsets: Vec<u64> = list
            .chunks_exact(4)
            .filter_map(|c| Some(u64::from(u32::from_le_bytes(c.try_into().ok()?))))
            .collect();
        offsets.into_iter().filter_map(move |o| range.start.checked_add(o).filter(|a| range.contains(a)))
    }
}
