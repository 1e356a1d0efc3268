//! A value described for a user: what a row of a variables view shows, and what its children are made from.

use std::sync::Arc;

use golang::Value;

/// A place in a source file, as the compiler wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLocation {
    pub file: Arc<str>,
    pub line: u32,
}

/// What kind of row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A value of the program.
    Data,
    /// Made by the debugger: `[itab]`, `[type]`, a fact about a value.
    Virtual,
    /// An entry of a method table or method set.
    Method,
}

/// Where children come from.
#[derive(Clone, Debug)]
pub enum Content {
    /// There are none.
    None,
    /// The parts of the item's value.
    Value,
    /// The parts of another value: the key of a map entry. With its expression.
    Other(Box<Value>, Option<String>),
    /// The itab at this address, and the data word beside it in the interface value.
    Itab(u64, Option<u64>),
    /// The type with this descriptor.
    Type(u64),
    /// The method set of the type with this descriptor.
    Methods(u64),
    /// The goroutines that wait to receive from (true) or send to the channel that is the item's value.
    Waiters(bool),
    /// Ready rows.
    Rows(Arc<[Item]>),
}

/// One row.
#[derive(Clone, Debug)]
pub struct Item {
    /// Shadowed variables are in parentheses.
    pub name: String,
    pub value: Value,
    pub text: String,
    /// With full import paths; for an interface value `Interface(Concrete)`.
    pub type_name: String,
    /// An expression that gives this value in the same frame; None: there is none.
    pub evaluate_name: Option<String>,
    /// Children that are not indexed, virtual ones included.
    pub named: u64,
    /// Elements of an array, slice, map or channel.
    pub indexed: u64,
    /// True if it has children.
    pub expandable: bool,
    /// Run-time address of what the row shows.
    pub memory_reference: Option<u64>,
    /// Source of the function that the value is.
    pub value_location: Option<SourceLocation>,
    pub kind: ItemKind,
    /// The value can't be assigned to.
    pub read_only: bool,
    pub content: Content,
}

/// Which children are asked for (DAP `variables`: filter, start, count).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    #[default]
    All,
    Named,
    Indexed,
}

/// A window of the children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub filter: Filter,
    /// First child, counted within the filter.
    pub start: u64,
    /// 0: all of them, indexed ones up to the limit of the view.
    pub count: u64,
}

/// Children of an item.
#[derive(Clone, Debug, Default)]
pub struct Children {
    pub items: Vec<Item>,
    /// Why there are fewer than asked for.
    pub incomplete: Option<String>,
}
