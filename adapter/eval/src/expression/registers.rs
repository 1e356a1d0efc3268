//! Registers as operands: `RAX`, `_rax`, `XMM0.float64`. A variable of the same name comes first; `_RAX` is always the register.

use golang::{Place, Value};
use image::{Piece, PieceHome};
use machine::{Arch, Reg, Regs};

use super::cx::Cx;

/// A register, or a vector register seen as lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegisterRef {
    General(Reg),
    Flags,
    /// Thread pointer (`FS_BASE`, `TPIDR_EL0`).
    ThreadPointer,
    Vector {
        number: u16,
        lane: Lane,
    },
}

/// Type of the lanes of a vector register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    name: &'static str,
    size: u64,
}

const LANES: [Lane; 10] = [
    Lane { name: "uint8", size: 1 },
    Lane { name: "uint16", size: 2 },
    Lane { name: "uint32", size: 4 },
    Lane { name: "uint64", size: 8 },
    Lane { name: "int8", size: 1 },
    Lane { name: "int16", size: 2 },
    Lane { name: "int32", size: 4 },
    Lane { name: "int64", size: 8 },
    Lane { name: "float32", size: 4 },
    Lane { name: "float64", size: 8 },
];

/// The register of that name, in any case, with or without `_` before it.
pub(crate) fn by_name(name: &str, arch: Arch) -> Option<RegisterRef> {
    let name = name.strip_prefix('_').unwrap_or(name).to_ascii_uppercase();
    let general = (0..33).map(Reg).find(|r| r.name(arch).to_ascii_uppercase() == name);
    if let Some(r) = general.filter(|r| !is_vector(*r, arch)) {
        return Some(RegisterRef::General(r));
    }
    let alias = match (arch, name.as_str()) {
        (_, "PC") => Some(RegisterRef::General(arch.pc())),
        (_, "SP") => Some(RegisterRef::General(arch.sp())),
        (Arch::Amd64, "RFLAGS" | "EFLAGS") | (Arch::Arm64, "NZCV" | "PSTATE") => Some(RegisterRef::Flags),
        (Arch::Amd64, "FS_BASE" | "FSBASE") | (Arch::Arm64, "TPIDR_EL0" | "TPIDR") => {
            Some(RegisterRef::ThreadPointer)
        }
        _ => None,
    };
    let (prefix, count) = match arch {
        Arch::Amd64 => ("XMM", 16),
        Arch::Arm64 => ("V", 32),
    };
    let vector = || {
        let number = name.strip_prefix(prefix)?.parse::<u16>().ok().filter(|n| *n < count)?;
        LANES.first().map(|lane| RegisterRef::Vector { number, lane: *lane })
    };
    alias.or_else(vector)
}

fn is_vector(r: Reg, arch: Arch) -> bool {
    arch == Arch::Amd64 && r.0 > 16
}

impl RegisterRef {
    /// `XMM0.float64`: the same register with other lanes; None: there are no such lanes (then the message).
    pub(crate) fn with_lanes(self, name: &str) -> Result<RegisterRef, String> {
        match self {
            RegisterRef::Vector { number, .. } => match LANES.into_iter().find(|l| l.name == name) {
                Some(lane) => Ok(RegisterRef::Vector { number, lane }),
                None => {
                    let all: Vec<&str> = LANES.iter().map(|l| l.name).collect();
                    Err(format!("a vector register has no lanes {name}; use one of {}", all.join(", ")))
                }
            },
            _ => Err(format!("a general register has no .{name}")),
        }
    }

    /// Name of its type: `uint64`, `[2]float64`.
    pub(crate) fn type_name(self) -> (&'static str, u64) {
        match self {
            RegisterRef::Vector { lane, .. } => (lane.name, 16 / lane.size),
            _ => ("uint64", 0),
        }
    }
}

impl Cx<'_> {
    pub(crate) fn register_type(&self, r: RegisterRef) -> Result<image::TypeId, String> {
        let (name, count) = r.type_name();
        let lane = self.basic(name)?;
        Ok(if count == 0 { lane } else { self.process.array_of(lane, count) })
    }

    /// The register's value in the frame, with its home, so that it can be assigned.
    pub(crate) fn register(&self, r: RegisterRef, regs: &Regs) -> Result<Value, String> {
        let ty = self.register_type(r)?;
        let unknown = || "the register's value is not known in this frame".to_string();
        let (bytes, home) = match r {
            RegisterRef::General(reg) => {
                (regs.get(reg).ok_or_else(unknown)?.to_le_bytes().to_vec(), Some(PieceHome::Register(reg)))
            }
            RegisterRef::Flags => (regs.flags.to_le_bytes().to_vec(), None),
            RegisterRef::ThreadPointer => (regs.tls.to_le_bytes().to_vec(), None),
            RegisterRef::Vector { number, .. } => {
                (regs.vector(number).ok_or_else(unknown)?.to_vec(), Some(PieceHome::Vector(number)))
            }
        };
        let homes = home.map(|home| [Piece { size: bytes.len() as u64, home }].into());
        Ok(Value { ty, place: Place::Bytes { bytes: bytes.into(), known: None, homes } })
    }
}
