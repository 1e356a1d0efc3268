//! One representation of Go types, whether they come from DWARF or from a runtime descriptor (internal/abi.Type).

use std::sync::Arc;

/// Handle of a type. `Copy`, comparable; two handles may denote one type (its DIE and its descriptor): compare with
/// `golang`'s identity, not `==`, where that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TypeId {
    /// Offset of the DIE in .debug_info.
    Dwarf(u64),
    /// Run-time address of the abi.Type.
    Runtime(u64),
    /// Made by the evaluator (a pointer to a type that has no DIE, ...); index into `golang`'s table.
    Made(u32),
}

/// reflect.Kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    Invalid = 0,
    Bool,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uintptr,
    Float32,
    Float64,
    Complex64,
    Complex128,
    Array,
    Chan,
    Func,
    Interface,
    Map,
    Pointer,
    Slice,
    String,
    Struct,
    UnsafePointer,
}

impl Kind {
    /// The kind with a number of package reflect; None above the last.
    pub fn from_number(n: u8) -> Option<Kind> {
        use Kind::*;
        const ALL: [Kind; 27] = [
            Invalid,
            Bool,
            Int,
            Int8,
            Int16,
            Int32,
            Int64,
            Uint,
            Uint8,
            Uint16,
            Uint32,
            Uint64,
            Uintptr,
            Float32,
            Float64,
            Complex64,
            Complex128,
            Array,
            Chan,
            Func,
            Interface,
            Map,
            Pointer,
            Slice,
            String,
            Struct,
            UnsafePointer,
        ];
        ALL.get(usize::from(n)).copied()
    }
}

/// One type, however it was described.
#[derive(Clone, Debug)]
pub struct Type {
    pub id: TypeId,
    /// Full name with import paths, as DWARF spells it, escapes undone: `*example.com/x.T`, `map[string]os.File`, `main.Stack[int]`.
    pub name: Arc<str>,
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Named (defined) type, not a composite literal type.
    pub named: bool,
    pub shape: Shape,
    /// Address of its abi.Type, if the binary has one.
    pub runtime: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum Shape {
    /// Bool, numbers, string, unsafe.Pointer.
    Basic,
    Array {
        elem: TypeId,
        len: u64,
    },
    Slice {
        elem: TypeId,
    },
    /// `header`: the DWARF struct `map<K,V>` / `hash<K,V>` behind the word, when DWARF describes it.
    Map {
        key: TypeId,
        elem: TypeId,
        header: Option<TypeId>,
    },
    Chan {
        elem: TypeId,
        header: Option<TypeId>,
    },
    Pointer {
        elem: Option<TypeId>,
    },
    Struct {
        fields: Vec<Field>,
    },
    Func(FuncSig),
    /// `empty`: eface. Methods in slot order, from the descriptor; None if there is no descriptor (then their number is unknown).
    Interface {
        empty: bool,
        methods: Option<Vec<Imethod>>,
    },
    /// `typedef .paramN` in a shaped function: the real type is word `dict_index` of the dictionary; `under` is the shape.
    Param {
        dict_index: u64,
        under: TypeId,
    },
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: Arc<str>,
    pub ty: TypeId,
    pub offset: u64,
    pub embedded: bool,
}

#[derive(Clone, Debug, Default)]
pub struct FuncSig {
    pub params: Vec<TypeId>,
    pub results: Vec<TypeId>,
    pub variadic: bool,
}

/// One method of an interface type.
#[derive(Clone, Debug)]
pub struct Imethod {
    pub name: Arc<str>,
    /** package path of an unexported name */
    pub package: Option<Arc<str>>,
    pub ty: Option<TypeId>,
}

/// One method of a concrete type's uncommon data. `ifn`/`tfn`: run-time code addresses; None when the linker removed it.
#[derive(Clone, Debug)]
pub struct Method {
    pub name: Arc<str>,
    pub package: Option<Arc<str>>,
    pub ty: Option<TypeId>,
    pub ifn: Option<u64>,
    pub tfn: Option<u64>,
}

/// internal/abi.ITab as read from memory.
#[derive(Clone, Debug)]
pub struct Itab {
    pub addr: u64,
    pub inter: u64,
    pub typ: u64,
    pub hash: u32,
    /** code addresses in slot order; empty for a negative entry */
    pub fun: Vec<u64>,
    pub negative: bool,
}
