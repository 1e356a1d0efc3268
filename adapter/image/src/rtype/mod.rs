//! Runtime type descriptors (internal/abi/type.go) decoded from memory: works stripped, and for types made by reflect.
//! Must never believe a descriptor: kinds, counts, lengths and depths are all bounded, names are built structurally.

mod naming;

use std::cell::Cell;
use std::sync::Arc;

use machine::{MemError, Memory, MemoryExt};

use crate::core::Core;
use crate::layout::direct_iface_bit;
use crate::layout::table::Column;
use crate::types::{Field, FuncSig, Imethod, Itab, Kind, Method, Shape, Type, TypeId};

const FLAG_UNCOMMON: u8 = 1;
pub(super) const FLAG_EXTRA_STAR: u8 = 2;
pub(super) const FLAG_NAMED: u8 = 4;
pub(super) const NAME_EXPORTED: u8 = 1;
const NAME_TAG: u8 = 2;
const NAME_PKG_PATH: u8 = 4;
pub(super) const NAME_EMBEDDED: u8 = 8;

/// Bounds of what is believed.
const MAX_NAME: u64 = 1 << 14;
const MAX_VISITS: u64 = 1 << 16;
const MAX_MEMBERS: u64 = 10_000;
const MAX_SIZE: u64 = 1 << 47;

/// Reads descriptors; static ones from the file, others from `mem`.
pub(crate) struct Rtypes<'a> {
    core: &'a Core,
    mem: &'a dyn Memory,
    /// Descriptors and members that one question may still visit: a garbage type may consist of itself a thousand times.
    budget: Cell<u64>,
}

/// The common head of a descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) addr: u64,
    pub(super) size: u64,
    pub(super) hash: u32,
    pub(super) flags: u8,
    pub(super) kind: Kind,
    pub(super) str_off: i32,
    pub(super) direct: bool,
}

/// A decoded abi.Name.
pub(super) struct Name {
    pub(super) text: String,
    pub(super) tag: String,
    pub(super) flags: u8,
    /// Package of an unexported name that is not its type's.
    pub(super) package: Option<String>,
}

pub(super) type Result<T> = std::result::Result<T, MemError>;

impl<'a> Rtypes<'a> {
    pub(crate) fn new(core: &'a Core, mem: &'a dyn Memory) -> Rtypes<'a> {
        Rtypes { core, mem, budget: Cell::new(MAX_VISITS) }
    }

    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<()> {
        let link = self.core.link(addr);
        let is_static = self.core.module.as_ref().is_some_and(|m| m.types.contains(&link));
        if is_static && self.core.st.read(link, buf, self.core.bias()) == buf.len() {
            return Ok(());
        }
        self.mem.read_exact(addr, buf)
    }

    fn array<const N: usize>(&self, addr: u64) -> Result<[u8; N]> {
        let mut b = [0; N];
        self.read(addr, &mut b)?;
        Ok(b)
    }

    pub(super) fn word(&self, addr: u64) -> Result<u64> {
        self.array(addr).map(u64::from_le_bytes)
    }

    pub(super) fn u32(&self, addr: u64) -> Result<u32> {
        self.array(addr).map(u32::from_le_bytes)
    }

    fn u16(&self, addr: u64) -> Result<u16> {
        self.array(addr).map(u16::from_le_bytes)
    }

    pub(super) fn head(&self, addr: u64) -> Result<Head> {
        let bad = Err(MemError::Unmapped(addr));
        if addr == 0 || !addr.is_multiple_of(8) {
            return bad;
        }
        let b: [u8; 48] = self.array(addr)?;
        let word = |at| crate::elf::le_u64(&b, at).unwrap_or(0);
        let half = |at| crate::elf::le_u32(&b, at).unwrap_or(0);
        let byte = |at: u64| b.get(at as usize).copied().unwrap_or(0);
        let kind = Kind::from_number(byte(23) & 31).filter(|k| *k != Kind::Invalid);
        let (size, pointers) = (word(0), word(8));
        let Some(kind) = kind else { return bad };
        if size > MAX_SIZE || pointers > size || !byte(21).is_power_of_two() {
            return bad;
        }
        let (at, mask) = direct_iface_bit(self.core.version);
        Ok(Head {
            addr,
            size,
            hash: half(16),
            flags: byte(20),
            kind,
            str_off: half(40) as i32,
            direct: byte(at) & mask != 0,
        })
    }

    /// True if an interface's data word holds the value itself.
    pub(crate) fn is_direct(&self, addr: u64) -> Result<bool> {
        self.head(addr).map(|h| h.direct)
    }

    pub(crate) fn hash(&self, addr: u64) -> Result<u32> {
        self.head(addr).map(|h| h.hash)
    }

    /// Address of a nameOff or typeOff that `holder` contains; None for 0 and -1, and for types that reflect made.
    pub(super) fn resolve(&self, holder: u64, off: i32) -> Option<u64> {
        let types = &self.core.module.as_ref()?.types;
        let base = self.core.run(types.start);
        let inside = types.contains(&self.core.link(holder));
        (inside && off > 0).then(|| base.wrapping_add(off as u64))
    }

    fn varint(&self, addr: &mut u64) -> Result<u64> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [b] = self.array(*addr)?;
            *addr = addr.wrapping_add(1);
            value |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(MemError::Unmapped(*addr))
    }

    fn text(&self, addr: &mut u64) -> Result<String> {
        let len = self.varint(addr)?;
        if len > MAX_NAME {
            return Err(MemError::Unmapped(*addr));
        }
        let mut b = vec![0; len as usize];
        self.read(*addr, &mut b)?;
        *addr = addr.wrapping_add(len);
        Ok(String::from_utf8_lossy(&b).into_owned())
    }

    pub(super) fn name(&self, addr: u64) -> Result<Name> {
        let [flags] = self.array(addr)?;
        let mut at = addr.wrapping_add(1);
        let text = self.text(&mut at)?;
        let tag = if flags & NAME_TAG != 0 { self.text(&mut at)? } else { String::new() };
        let mut package = None;
        if flags & NAME_PKG_PATH != 0 {
            let off = self.u32(at)? as i32;
            package = self.resolve(addr, off).and_then(|a| self.name(a).ok()).map(|n| n.text);
        }
        Ok(Name { text, tag, flags, package })
    }

    /// A `Name` field: a pointer to the bytes, nil for none.
    pub(super) fn name_field(&self, at: u64) -> Result<Option<String>> {
        match self.word(at)? {
            0 => Ok(None),
            p => self.name(p).map(|n| Some(n.text)),
        }
    }

    /// Where the uncommon data of a descriptor is.
    pub(super) fn uncommon(&self, h: &Head) -> Option<u64> {
        let base = match h.kind {
            Kind::Array => 72,
            Kind::Chan => 64,
            Kind::Func | Kind::Pointer | Kind::Slice => 56,
            Kind::Interface | Kind::Struct => 80,
            Kind::Map => Column::of(self.core.version).size("internal/abi.MapType")?,
            _ => 48,
        };
        (h.flags & FLAG_UNCOMMON != 0).then(|| h.addr.wrapping_add(base))
    }

    /// Takes `n` from the budget.
    pub(super) fn spend(&self, n: u64, at: u64) -> Result<()> {
        self.budget.set(self.budget.get().checked_sub(n).ok_or(MemError::Unmapped(at))?);
        Ok(())
    }

    pub(super) fn slice(&self, at: u64) -> Result<(u64, u64)> {
        let (ptr, len) = (self.word(at)?, self.word(at.wrapping_add(8))?);
        if len > MAX_MEMBERS {
            return Err(MemError::Unmapped(at));
        }
        self.spend(len, at)?;
        Ok((ptr, len))
    }

    pub(super) fn signature(&self, h: &Head) -> Result<FuncSig> {
        let (ins, outs) = (self.u16(h.addr.wrapping_add(48))?, self.u16(h.addr.wrapping_add(50))?);
        let variadic = outs & 0x8000 != 0;
        let (ins, outs) = (u64::from(ins), u64::from(outs & 0x7fff));
        if ins + outs > MAX_MEMBERS {
            return Err(MemError::Unmapped(h.addr));
        }
        self.spend(ins + outs, h.addr)?;
        let list = h.addr.wrapping_add(56 + if h.flags & FLAG_UNCOMMON != 0 { 16 } else { 0 });
        let one = |i: u64| self.word(list.wrapping_add(i * 8)).map(TypeId::Runtime);
        let params = (0..ins).map(one).collect::<Result<_>>()?;
        let results = (ins..ins + outs).map(one).collect::<Result<_>>()?;
        Ok(FuncSig { params, results, variadic })
    }

    /// Number of parameters of a function type.
    pub(crate) fn parameter_count(&self, addr: u64) -> Result<usize> {
        self.signature(&self.head(addr)?).map(|s| s.params.len())
    }

    /// The methods of an interface type in slot order.
    pub(crate) fn interface_methods(&self, addr: u64) -> Result<Vec<Imethod>> {
        let package = self.name_field(addr.wrapping_add(48))?;
        let (ptr, len) = self.slice(addr.wrapping_add(56))?;
        let mut out = Vec::new();
        for i in 0..len {
            let at = ptr.wrapping_add(i * 8);
            let (name, ty) = (self.u32(at)? as i32, self.u32(at.wrapping_add(4))? as i32);
            let name = self.name(self.resolve(addr, name).ok_or(MemError::Unmapped(at))?)?;
            let exported = name.flags & NAME_EXPORTED != 0;
            out.push(Imethod {
                package: unexported_package(exported, &name, package.as_deref()),
                name: name.text.into(),
                ty: self.resolve(addr, ty).map(TypeId::Runtime),
            });
        }
        Ok(out)
    }

    fn fields(&self, addr: u64) -> Result<Vec<Field>> {
        let (ptr, len) = self.slice(addr.wrapping_add(56))?;
        let mut out = Vec::new();
        for i in 0..len {
            let at = ptr.wrapping_add(i * 24);
            let name = self.name(self.word(at)?)?;
            out.push(Field {
                embedded: name.flags & NAME_EMBEDDED != 0,
                name: name.text.into(),
                ty: TypeId::Runtime(self.word(at.wrapping_add(8))?),
                offset: self.word(at.wrapping_add(16))?,
            });
        }
        Ok(out)
    }

    /// Decodes the descriptor at `addr`.
    pub(crate) fn decode(&self, addr: u64) -> Result<Type> {
        let h = self.head(addr)?;
        let at = |off: u64| self.word(addr.wrapping_add(off));
        let elem = |off: u64| at(off).map(TypeId::Runtime);
        let shape = match h.kind {
            Kind::Array => Shape::Array { elem: elem(48)?, len: at(64)? },
            Kind::Slice => Shape::Slice { elem: elem(48)? },
            Kind::Map => Shape::Map { key: elem(48)?, elem: elem(56)?, header: None },
            Kind::Chan => Shape::Chan { elem: elem(48)?, header: None },
            Kind::Pointer => Shape::Pointer { elem: Some(elem(48)?) },
            Kind::Struct => Shape::Struct { fields: self.fields(addr)? },
            Kind::Func => Shape::Func(self.signature(&h)?),
            Kind::Interface => {
                let methods = self.interface_methods(addr)?;
                Shape::Interface { empty: methods.is_empty(), methods: Some(methods) }
            }
            _ => Shape::Basic,
        };
        Ok(Type {
            id: TypeId::Runtime(addr),
            name: self.full_name(addr, 0)?.into(),
            kind: h.kind,
            size: h.size,
            named: h.flags & FLAG_NAMED != 0,
            shape,
            runtime: Some(addr),
        })
    }

    /// The methods of a concrete type.
    pub(crate) fn methods(&self, addr: u64) -> Result<Vec<Method>> {
        let h = self.head(addr)?;
        let Some(u) = self.uncommon(&h) else { return Ok(Vec::new()) };
        let package = self.resolve(addr, self.u32(u)? as i32).and_then(|a| self.name(a).ok()).map(|n| n.text);
        let count = u64::from(self.u16(u.wrapping_add(4))?);
        let first = u.wrapping_add(u64::from(self.u32(u.wrapping_add(8))?));
        let mut out = Vec::new();
        for i in 0..count.min(MAX_MEMBERS) {
            let at = first.wrapping_add(i * 16);
            let field = |n: u64| self.u32(at.wrapping_add(n * 4)).map(|v| v as i32);
            let name = self.name(self.resolve(addr, field(0)?).ok_or(MemError::Unmapped(at))?)?;
            let exported = name.flags & NAME_EXPORTED != 0;
            out.push(Method {
                package: unexported_package(exported, &name, package.as_deref()),
                name: name.text.into(),
                ty: self.resolve(addr, field(1)?).map(TypeId::Runtime),
                ifn: self.code(field(2)?),
                tfn: self.code(field(3)?),
            });
        }
        Ok(out)
    }

    /// Address of a textOff; None for what the linker removed.
    fn code(&self, off: i32) -> Option<u64> {
        (off > 0).then(|| self.core.run(self.core.pcln.text_addr(off as u32)))
    }

    /// Reads and checks an itab.
    pub(crate) fn itab(&self, addr: u64) -> Result<Itab> {
        let bad = Err(MemError::Unmapped(addr));
        if addr == 0 || !addr.is_multiple_of(8) {
            return bad;
        }
        let (inter, typ) = (self.word(addr)?, self.word(addr.wrapping_add(8))?);
        let (i, _) = (self.head(inter)?, self.head(typ)?);
        if i.kind != Kind::Interface {
            return bad;
        }
        let (_, methods) = self.slice(inter.wrapping_add(56))?;
        let hash = self.u32(addr.wrapping_add(16))?;
        // In a position-independent program the linker does not relocate the entry of a method that it removed.
        let elf = &self.core.st.elf;
        let unmoved = |w: u64| elf.is_pie && elf.is_text(w) && !elf.is_text(self.core.link(w));
        let slot = |n: u64| {
            let word = self.word(addr.wrapping_add(24 + n * 8))?;
            Ok(if unmoved(word) { self.core.run(word) } else { word })
        };
        let negative = slot(0)? == 0;
        let fun = if negative { Vec::new() } else { (0..methods).map(slot).collect::<Result<_>>()? };
        Ok(Itab { addr, inter, typ, hash, fun, negative })
    }
}

fn unexported_package(exported: bool, name: &Name, of_type: Option<&str>) -> Option<Arc<str>> {
    if exported {
        return None;
    }
    name.package.as_deref().or(of_type).map(Arc::from)
}
