//! `cargo xtask bench --against dlv`: both adapters on the same programs in the same run, interleaved.
//!
//! Times are those that a client sees, over TCP for both. Each round starts both adapters anew, the order alternates, and one
//! round before the first warms the page cache. Where an adapter stops in another place than asked for, the run fails: a
//! fast wrong answer is no measurement.

mod measure;
mod session;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::demo::marked_line;
use crate::provision::{Provision, path_with};
use session::{Adapter, Crowd, Program};
use table::Table;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to compare with
    #[arg(long, value_parser = ["dlv"], default_value = "dlv")]
    against: String,
    /// The dlv to use (default: $DLV, PATH, the cache, else it is built from its module)
    #[arg(long, value_name = "FILE")]
    dlv: Option<PathBuf>,
    /// How often each adapter runs; a figure needs at least 7
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Leave out the large program
    #[arg(long)]
    small: bool,
    /// The adapter to use (default: the one of this workspace, built)
    #[arg(long, value_name = "FILE")]
    adapter: Option<PathBuf>,
    /// Install nothing; say what is missing
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let mut provision = Provision::new(arguments.offline)?;
    let newest = gofixture::MATRIX.last().copied().unwrap_or_default();
    let (go, gdbserver) = (provision.exact_go(newest), provision.gdbserver());
    let dlv = provision.delve(arguments.dlv.as_deref());
    provision.c_compiler();
    provision.require();
    let (go, gdbserver, dlv) = (go.context("go")?, gdbserver.context("gdbserver")?, dlv.context("dlv")?);
    let programs = programs(root, &go, arguments.small)?;
    let ours = crate::adapter::given_or_built(arguments.adapter.as_deref(), root, "release")?;
    let path = path_with(&[&go, &gdbserver]);
    let adapters = [Adapter::ours(ours, &path)?, Adapter::delve(dlv, &path)?];
    println!("{} against {}", adapters[0].version, adapters[1].version);
    println!("{} rounds, interleaved; machine: {}", arguments.rounds, machine());
    let mut table = Table::default();
    for round in 0..=arguments.rounds {
        for turn in 0..adapters.len() {
            let which = (turn + usize::try_from(round)?) % adapters.len();
            let Some(adapter) = adapters.get(which) else { continue };
            for program in &programs {
                let figures = session::run(adapter, program)
                    .with_context(|| format!("{} on {}", adapter.version, program.name))?;
                if round > 0 {
                    table.add(which, program.name, figures);
                }
            }
        }
        eprint!("\rround {round} of {}  ", arguments.rounds);
    }
    eprintln!();
    table.print();
    if arguments.rounds < 7 {
        println!("fewer than 7 rounds: not a result");
    }
    Ok(())
}

/// Builds what is debugged, without optimisations, with the newest Go.
fn programs(root: &Path, go: &Path, small: bool) -> anyhow::Result<Vec<Program>> {
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let source = root.join("examples/shapes/main.go");
    let line = marked_line(&source, "sum")?;
    let shapes = build(go, &root.join("examples"), "./shapes", &folder.join("shapes"))?;
    let mut all = vec![Program {
        name: "shapes",
        binary: shapes,
        nexts: 4,
        call: Some((source, line)),
        crowd: None,
        arguments: &[],
    }];
    let source = root.join("tests/programs/crowd/main.go");
    let crowd = Crowd { parked: marked_line(&source, "parked")?, hit: marked_line(&source, "hit")?, source };
    all.push(Program {
        name: "crowd",
        binary: build(go, &root.join("tests/programs/crowd"), ".", &folder.join("crowd"))?,
        nexts: 0,
        call: None,
        crowd: Some(crowd),
        arguments: &[],
    });
    if !small {
        let goroot = go.parent().and_then(Path::parent).context("go lies in GOROOT/bin")?;
        let compile = build(go, &goroot.join("src"), "cmd/compile", &folder.join("compile"))?;
        all.push(Program {
            name: "cmd/compile",
            binary: compile,
            nexts: 4,
            call: None,
            crowd: None,
            arguments: &["-V"],
        });
    }
    for program in &all {
        let bytes = std::fs::metadata(&program.binary)?.len();
        println!("{}: {:.1} MB", program.name, bytes as f64 / 1e6);
    }
    Ok(all)
}

fn build(go: &Path, directory: &Path, package: &str, binary: &Path) -> anyhow::Result<PathBuf> {
    eprintln!("building {package} ...");
    let status = Command::new(go)
        .args(["build", "-gcflags", "all=-N -l", "-o"])
        .arg(binary)
        .arg(package)
        .current_dir(directory)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .status()?;
    ensure!(status.success(), "go build {package}: {status}");
    Ok(binary.to_owned())
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cpus} CPUs, load {}", load.split(' ').next().unwrap_or("?"))
}
