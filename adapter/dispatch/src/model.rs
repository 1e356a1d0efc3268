//! Our own model of machine code: what an instruction moves, computes and where it goes, the same for both architectures.
//!
//! [`crate::decode`] lifts instructions into it; the data flow ([`crate::flow`]) and the interpreter ([`crate::interp`]) read
//! nothing else. What isn't modelled is a [`Op::Clobber`] of everything that the instruction writes: never silently nothing.

/// General registers by DWARF number (amd64 0-15, arm64 0-31 with 31 = SP); vectors counted from 0.
pub(crate) type R = u8;

/// One memory operand: `base + index * scale + disp`; without base and index `disp` is the address (RIP-relative is resolved).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mem {
    pub(crate) base: Option<R>,
    pub(crate) index: Option<R>,
    pub(crate) scale: u8,
    pub(crate) disp: i64,
    /// The index is the low half of its register: zero- (`false`) or sign-extended (`true`).
    pub(crate) extend: Option<bool>,
    /// Relative to the thread pointer (fs).
    pub(crate) thread: bool,
}

impl Mem {
    pub(crate) fn at(base: R, disp: i64) -> Mem {
        Mem { base: Some(base), index: None, scale: 1, disp, extend: None, thread: false }
    }

    pub(crate) fn absolute(addr: u64) -> Mem {
        Mem { base: None, index: None, scale: 1, disp: addr as i64, extend: None, thread: false }
    }

    pub(crate) fn plus(mut self, n: i64) -> Mem {
        self.disp = self.disp.wrapping_add(n);
        self
    }
}

/// Something that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Src {
    Reg(R),
    /// Half 0 or 1 of a vector register.
    Vec(R, u8),
    Imm(i64),
    Mem(Mem),
}

/// Something that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dst {
    Reg(R),
    Vec(R, u8),
    Mem(Mem),
    /// Only the flags (cmp, test).
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alu {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Sar,
    Rol,
    Ror,
    Mul,
    Adc,
    Sbb,
    /// a & !b
    AndNot,
    /// a | !b
    OrNot,
}

/// How an [`Op::Alu`] treats the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flags {
    Keep,
    Set,
    /// inc, dec: all but the carry.
    KeepCarry,
    /// Written with something that isn't modelled.
    Lost,
}

/// Conditions in amd64's sense (carry = borrow; arm64's are translated).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cond {
    Eq,
    Ne,
    /// unsigned
    Below,
    AboveEq,
    BelowEq,
    Above,
    /// signed
    Less,
    GreaterEq,
    LessEq,
    Greater,
    Neg,
    NotNeg,
    Overflow,
    NoOverflow,
    Parity,
    NoParity,
    /// cbz, cbnz: the register (bytes compared) is zero.
    Zero(R, u8),
    NotZero(R, u8),
    /// tbz, tbnz: bit n of the register.
    BitClear(R, u8),
    BitSet(R, u8),
    /// Not modelled (jrcxz, loop).
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// RDX:RAX = RAX * src.
    MulWide {
        signed: bool,
    },
    Div {
        signed: bool,
    },
    /// RDX = sign of RAX.
    SignRdx,
    Bswap,
    Bsf,
    Bsr,
    Popcnt,
    Lzcnt,
    Tzcnt,
    /// Bit test only: carry = bit.
    BitTest,
    BitSet,
    BitReset,
    BitFlip,
    /// dst <-> src; sum in dst.
    Xadd,
    Xchg,
    CmpXchg,
    /// rep movs / rep stos with elements of `size` bytes.
    RepMovs,
    RepStos,
}

/// Vector operations; `dst` takes part as the first operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Simd {
    Xor,
    Or,
    And,
    /// !dst & src
    AndNot,
    /// 0xff where bytes are equal.
    EqualBytes,
    UnpackLowBytes,
    ShuffleBytes,
    ShuffleLowWords,
    ShuffleHighWords,
    ShuffleDwords,
    ShiftLeftBytes,
    ShiftRightBytes,
    /// An element of so many bytes, at the place that `imm` says.
    Insert(u8),
    /// The top bit of each byte, into a general register.
    SignMask,
    AesRound,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    /// `size` bytes of `src`, extended to `wide` bytes, into `dst`. A 4-byte register write zeroes the upper half; 1- and 2-byte ones keep it.
    Mov {
        dst: Dst,
        src: Src,
        size: u8,
        wide: u8,
        sign: bool,
    },
    Lea {
        dst: R,
        mem: Mem,
        size: u8,
    },
    Alu {
        op: Alu,
        dst: Dst,
        a: Src,
        b: Src,
        size: u8,
        flags: Flags,
    },
    /// cond ? a : b
    Select {
        cond: Cond,
        dst: Dst,
        a: Src,
        b: Src,
        size: u8,
    },
    /// cond ? a : f(b), of arm64 (csinc, csinv, csneg): `b` changed is not a copy.
    Choose {
        cond: Cond,
        dst: R,
        a: Src,
        b: Src,
        size: u8,
        how: SelectHow,
    },
    SetCond {
        cond: Cond,
        dst: Dst,
    },
    Special {
        op: Special,
        dst: Dst,
        src: Src,
        size: u8,
    },
    /// 16 bytes: a vector register as a whole, or memory.
    Simd {
        op: Simd,
        dst: Dst,
        src: Src,
        imm: u8,
    },
    /// Written with an unknown value; `size` bytes.
    Clobber {
        dst: Dst,
        size: u8,
    },
    /// The flags are written with an unknown value.
    ClobberFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelectHow {
    Inc,
    Not,
    Neg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Const(u64),
    Reg(R),
    Mem(Mem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Jump(Target),
    Branch(Cond, u64),
    Call(Target),
    Ret,
    /// ud2, int3, hlt, brk: execution doesn't go on here.
    Trap,
    /// The kernel decides what memory and registers hold after it.
    Syscall,
}

/// One instruction. `ops` happen in order; then the flow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inst {
    pub(crate) addr: u64,
    pub(crate) size: u8,
    pub(crate) ops: Ops,
    pub(crate) flow: Flow,
}

impl Inst {
    pub(crate) fn end(&self) -> u64 {
        self.addr.wrapping_add(u64::from(self.size))
    }
}

/// The operations of an instruction: mostly none or one.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) enum Ops {
    #[default]
    None,
    One(Op),
    Many(Box<[Op]>),
}

impl Ops {
    pub(crate) fn from_vec(v: &mut Vec<Op>) -> Ops {
        match v.len() {
            0 => Ops::None,
            1 => v.pop().map_or(Ops::None, Ops::One),
            _ => Ops::Many(std::mem::take(v).into_boxed_slice()),
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Op> {
        match self {
            Ops::None => [].iter(),
            Ops::One(op) => std::slice::from_ref(op).iter(),
            Ops::Many(ops) => ops.iter(),
        }
    }
}
