//! The program's entry: reads the command line, sets up logging, runs sessions. Must not print to stdout but for the one line
//! that announces the address, and what a command that serves nobody answers: stdout is the protocol.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = itab_dap::cli::Cli::parse_from(itab_dap::cli::normalise(std::env::args_os()));
    match itab_dap::cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // stderr is for people; the protocol is on stdout or a socket.
            let _closed =
                std::io::Write::write_all(&mut std::io::stderr(), format!("itab-dap: {e:#}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
