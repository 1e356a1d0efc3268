//! itab-dap: the program.
fn main() {}
