//! Prints the JSON schemas of launch and attach configurations: what `cargo xtask codegen` writes into the extension's
//! `package.json`, and what other editors' plugins may use. Prints nothing else.

use std::io::Write as _;

use itab_dap::config::{attach_schema, launch_schema};

fn main() -> std::io::Result<()> {
    let schemas = serde_json::json!({ "launch": launch_schema(), "attach": attach_schema() });
    writeln!(std::io::stdout(), "{schemas:#}")
}
