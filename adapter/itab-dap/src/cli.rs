//! The command line: `itab-dap` speaks DAP on stdio; `itab-dap dap` takes `dlv dap`'s flags and listens or dials;
//! `itab-dap profile` reads a CPU profile.
//!
//! One session per process, as Delve: a second client of a listening server finds the port closed.

use std::{
    ffi::OsString,
    io::Write,
    net::{TcpListener, TcpStream},
    path::PathBuf,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};

use crate::{profile, session, source::Sources};

/// A debug adapter for Go that sees through dynamic dispatch. Without a command it speaks DAP on stdin and stdout.
#[derive(Debug, Parser)]
#[command(name = "itab-dap", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    log: LogArgs,
    /// Listen on HOST:PORT instead of stdio (same as `dap --listen`).
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Speak on stdio: the default, accepted for clients that say so.
    #[arg(long)]
    stdio: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve one session over TCP, with the flags of `dlv dap`.
    Dap(Box<DapArgs>),
    /// Attribute a CPU profile to the methods and funcs that interface and closure calls reached.
    Profile(ProfileArgs),
    /// Print the version.
    Version,
}

#[derive(Debug, Args)]
struct ProfileArgs {
    /// The program that wrote the profile; without it the one that the profile names.
    #[arg(long, value_name = "PROGRAM")]
    binary: Option<PathBuf>,
    /// Write the profile with the targets as frames and labels, for `go tool pprof`.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sort by cum instead of flat.
    #[arg(long)]
    cum: bool,
    /// Rows to show.
    #[arg(long, short = 'n', value_name = "ROWS", default_value_t = profile::ROWS)]
    rows: usize,
    /// A CPU profile of runtime/pprof.
    profile: PathBuf,
}

#[derive(Debug, Default, Args)]
struct LogArgs {
    /// Write a log.
    #[arg(long, global = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    log: Option<bool>,
    /// Components to log; any list turns on debug messages.
    #[arg(long, global = true, value_name = "LIST")]
    log_output: Option<String>,
    /// File, or number of an open file descriptor, for the log (and the listening line).
    #[arg(long, global = true, value_name = "PATH|FD")]
    log_dest: Option<String>,
}

#[derive(Debug, Default, Args)]
struct DapArgs {
    /// Address to listen on; `unix:PATH` for a socket. Port 0 takes a free one.
    #[arg(long, short, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
    listen: String,
    /// Dial out to this address instead of listening.
    #[arg(long, value_name = "HOST:PORT")]
    client_addr: Option<String>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    check_go_version: Option<bool>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    only_same_user: Option<bool>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    disable_aslr: Option<bool>,
    // Accepted and ignored, as `dlv dap` does.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    headless: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    accept_multiclient: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    r#continue: Option<bool>,
    #[arg(long, hide = true)]
    api_version: Option<String>,
    #[arg(long, hide = true)]
    backend: Option<String>,
    #[arg(long, hide = true)]
    build_flags: Option<String>,
    #[arg(long, hide = true)]
    init: Option<String>,
    #[arg(long, hide = true)]
    wd: Option<String>,
    #[arg(long, short = 'r', hide = true)]
    redirect: Vec<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    allow_non_terminal_interactive: Option<bool>,
    #[arg(hide = true)]
    ignored: Vec<String>,
}

/// `dlv` takes flags with one dash too (`-listen`); clap does not.
pub fn normalise(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    args.map(|a| match a.to_str() {
        Some(s)
            if s.len() > 2
                && s.starts_with('-')
                && !s.starts_with("--")
                && s.as_bytes().get(2) != Some(&b'=') =>
        {
            format!("-{s}").into()
        }
        _ => a,
    })
    .collect()
}

/// Runs what the command line says until the session is over.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    set_up_log(&cli.log)?;
    match cli.command {
        Some(Command::Version) => {
            std::io::stdout().write_all(concat!("itab-dap ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())?;
            Ok(())
        }
        Some(Command::Profile(args)) => {
            let sort = if args.cum { profile::Sort::Cum } else { profile::Sort::Flat };
            let request = profile::Request {
                profile: args.profile,
                binary: args.binary,
                output: args.output,
                sort,
                rows: args.rows,
            };
            let text = profile::run(&request, &Sources::default()).map_err(anyhow::Error::msg)?;
            std::io::stdout().write_all(format!("{text}\n").as_bytes())?;
            Ok(())
        }
        Some(Command::Dap(args)) => {
            warn_ignored(&args);
            match &args.client_addr {
                Some(addr) => dial(addr).with_context(|| format!("can't connect to {addr}")),
                None => listen(&args.listen, cli.log.log_dest.as_deref()),
            }
        }
        None => match &cli.listen {
            Some(addr) => listen(addr, cli.log.log_dest.as_deref()),
            None => {
                session::serve(std::io::stdin(), std::io::stdout(), session::Transport::Stdio);
                Ok(())
            }
        },
    }
}

/// Reverse mode: the client listens, we serve the one connection that we make to it.
fn dial(addr: &str) -> anyhow::Result<()> {
    match addr.strip_prefix("unix:") {
        Some(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            session::serve(stream.try_clone()?, stream, session::Transport::Socket);
            Ok(())
        }
        None => serve_socket(TcpStream::connect(dial_address(addr))?),
    }
}

/// `:4711` means this host.
fn dial_address(addr: &str) -> String {
    if addr.starts_with(':') { format!("127.0.0.1{addr}") } else { addr.to_string() }
}

fn warn_ignored(args: &DapArgs) {
    let given = [
        ("--headless", args.headless.is_some()),
        ("--accept-multiclient", args.accept_multiclient.is_some()),
        ("--continue", args.r#continue.is_some()),
        ("--backend", args.backend.is_some()),
        ("--build-flags", args.build_flags.is_some()),
        ("--init", args.init.is_some()),
        ("--wd", args.wd.is_some()),
        ("--redirect", !args.redirect.is_empty()),
        ("--allow-non-terminal-interactive", args.allow_non_terminal_interactive.is_some()),
        ("arguments", !args.ignored.is_empty()),
    ];
    for (name, _) in given.into_iter().filter(|g| g.1) {
        let line =
            format!("Warning: dap mode ignores {name}; use the launch or attach request's attributes\n");
        let _closed = std::io::stderr().write_all(line.as_bytes());
    }
}

fn listen(addr: &str, log_dest: Option<&str>) -> anyhow::Result<()> {
    if let Some(path) = addr.strip_prefix("unix:") {
        let listener = std::os::unix::net::UnixListener::bind(path)
            .with_context(|| format!("can't listen on {addr}"))?;
        announce(addr, log_dest)?;
        let (stream, _) = listener.accept()?;
        drop(listener);
        session::serve(stream.try_clone()?, stream, session::Transport::Socket);
        return Ok(());
    }
    let listener =
        TcpListener::bind(dial_address(addr)).with_context(|| format!("can't listen on {addr}"))?;
    announce(&listener.local_addr()?.to_string(), log_dest)?;
    let (stream, peer) = listener.accept()?;
    if !peer.ip().is_loopback() {
        tracing::warn!(%peer, "client from another machine");
    }
    drop(listener);
    serve_socket(stream)
}

fn serve_socket(stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    session::serve(stream.try_clone()?, stream, session::Transport::Socket);
    Ok(())
}

/// The line that clients wait for, word for word Delve's; it goes to the log's destination when one is given.
fn announce(addr: &str, log_dest: Option<&str>) -> anyhow::Result<()> {
    let line = format!("DAP server listening at: {addr}\n");
    match log_dest {
        Some(dest) => open_log(dest)?.write_all(line.as_bytes())?,
        None => {
            let mut out = std::io::stdout();
            out.write_all(line.as_bytes())?;
            out.flush()?;
        }
    }
    Ok(())
}

/// A path, or the number of a descriptor that the parent opened for us.
fn open_log(dest: &str) -> anyhow::Result<std::fs::File> {
    let path = match dest.parse::<u32>() {
        Ok(fd) => PathBuf::from(format!("/proc/self/fd/{fd}")),
        Err(_) => PathBuf::from(dest),
    };
    match std::fs::OpenOptions::new().append(true).create(dest.parse::<u32>().is_err()).open(&path) {
        Ok(f) => Ok(f),
        Err(e) => bail!("can't write the log to {dest}: {e}"),
    }
}

fn set_up_log(args: &LogArgs) -> anyhow::Result<()> {
    use tracing_subscriber::EnvFilter;
    let wanted = args.log == Some(true) || std::env::var_os("ITAB_DAP_LOG").is_some();
    if !wanted {
        return Ok(());
    }
    let filter = EnvFilter::try_from_env("ITAB_DAP_LOG")
        .unwrap_or_else(|_| EnvFilter::new(if args.log_output.is_some() { "debug" } else { "info" }));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match &args.log_dest {
        Some(dest) => builder.with_writer(std::sync::Mutex::new(open_log(dest)?)).init(),
        None => builder.with_writer(std::io::stderr).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(normalise(line.split(' ').map(OsString::from)))
    }

    /// What VS Code's Go extension, nvim-dap-go and users' configurations start `dlv` with.
    #[test]
    fn command_lines_of_editors_are_accepted() {
        for line in [
            "dlv dap",
            "dlv dap --listen=127.0.0.1:38697 --log-dest=3",
            "dlv dap --listen=:0 --log --log-output=dap,debugger --check-go-version=false --only-same-user=false",
            "dlv dap -l 127.0.0.1:0 --log=true",
            "dlv dap --client-addr=:4711 --log-dest=3",
            "dlv dap --client-addr unix:/tmp/s",
            "dlv dap -listen=127.0.0.1:0 -log",
            "dlv --listen=127.0.0.1:0 dap",
            "dlv dap --headless --accept-multiclient --api-version=2 --continue --backend=default --disable-aslr",
            "dlv dap --build-flags=-tags=x --init f --wd /tmp --redirect stdin:f",
            "dlv version",
        ] {
            assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line).err().map(|e| e.to_string()));
        }
        assert!(parsed("dlv dap --nosuch").is_err());
    }
}
