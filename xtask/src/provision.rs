//! What a command needs and the machine lacks, it gets itself: Go, gdbserver, Delve.
//!
//! Looks at `$GO`, PATH and the cache (`${XDG_CACHE_HOME:-~/.cache}/itab-dap/`); installs with apt-get when root, else from Python
//! wheels into the cache, under a lock and with a rename, so that two runs never see half of anything. Never sudo; nothing at all
//! with `--offline`. What can't be had becomes one line each and exit code 2, not an error halfway.

mod apt;
mod cache;
mod go;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use cache::Cache;
pub(crate) use go::Version;

/// The oldest Go whose programs can be debugged.
const OLDEST: Version = Version(1, 21, 0);

/// A thing that is missing and what to do about it.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

/// Gathers tools; what is missing is collected so that a user sees all of it at once.
pub(crate) struct Provision {
    offline: bool,
    cache: Cache,
    missing: Vec<Missing>,
    apt: apt::Apt,
}

impl Provision {
    pub(crate) fn new(offline: bool) -> anyhow::Result<Self> {
        Ok(Self { offline, cache: Cache::locate()?, missing: Vec::new(), apt: apt::Apt::default() })
    }

    /// Any supported Go: `$GO`, PATH, the newest in the cache, else installed.
    pub(crate) fn any_go(&mut self) -> Option<PathBuf> {
        let found =
            go::given().into_iter().chain(go::on_path()).find(|path| go::version_of(path) >= Some(OLDEST));
        let found = found.or_else(|| self.newest_cached_go());
        found.or_else(|| self.get("go", |p| p.install_any_go()))
    }

    /// Exactly this version, from the cache, `$GO` or PATH, else installed.
    pub(crate) fn exact_go(&mut self, version: &str) -> Option<PathBuf> {
        let wanted = Version::parse(version);
        let cached = self.cache.go(version);
        if go::version_of(&cached).is_some() {
            return Some(cached);
        }
        let found = go::given().into_iter().chain(go::on_path()).find(|path| go::version_of(path) == wanted);
        found.or_else(|| self.get(&format!("go {version}"), |p| wheel::go(&p.cache, Some(version))))
    }

    /// gdbserver: PATH, the cache, else installed.
    pub(crate) fn gdbserver(&mut self) -> Option<PathBuf> {
        let found =
            on_path("gdbserver").into_iter().chain([self.cache.gdbserver()]).find(|path| answers(path));
        found.or_else(|| self.get("gdbserver", |p| p.install_gdbserver()))
    }

    /// A C compiler, for capstone and for cgo fixtures. Cargo needed one to get here, so that it is only checked.
    pub(crate) fn c_compiler(&mut self) -> Option<PathBuf> {
        let found =
            std::env::var_os("CC").map(PathBuf::from).or_else(|| on_path("cc")).or_else(|| on_path("gcc"));
        found.or_else(|| {
            self.get("a C compiler", |p| {
                p.apt.install("gcc", "libc6-dev")?;
                on_path("gcc").ok_or_else(|| anyhow::anyhow!("gcc is not there after its installation"))
            })
        })
    }

    /// Delve: `--dlv`, `$DLV`, PATH, the cache, else `go install` of its module.
    pub(crate) fn delve(&mut self, given: Option<&Path>) -> Option<PathBuf> {
        let given = given.map(Path::to_owned).or_else(|| std::env::var_os("DLV").map(PathBuf::from));
        if let Some(path) = given {
            if answers_to(&path, "version") {
                return Some(path);
            }
            self.missing.push(Missing(format!("dlv: {} does not run", path.display())));
            return None;
        }
        let found = on_path("dlv").or_else(|| Some(self.cache.dlv())).filter(|p| answers_to(p, "version"));
        found.or_else(|| self.get("dlv", |p| p.install_delve()))
    }

    /// Prints one line for each missing thing and ends the process with exit code 2, if there is one.
    pub(crate) fn require(&self) {
        for Missing(line) in &self.missing {
            eprintln!("missing: {line}");
        }
        if !self.missing.is_empty() {
            std::process::exit(2);
        }
    }

    /// Installs, unless offline; a failure becomes a line.
    fn get(
        &mut self,
        what: &str,
        install: impl FnOnce(&mut Self) -> anyhow::Result<PathBuf>,
    ) -> Option<PathBuf> {
        if self.offline {
            self.missing.push(Missing(format!("{what} (not installed because of --offline)")));
            return None;
        }
        eprintln!("getting {what} ...");
        match install(self) {
            Ok(path) => Some(path),
            Err(error) => {
                self.missing.push(Missing(format!("{what}: {error:#}")));
                None
            }
        }
    }

    fn newest_cached_go(&self) -> Option<PathBuf> {
        let all = self.cache.go_versions().into_iter().map(|v| self.cache.go(&v));
        all.filter_map(|path| Some((go::version_of(&path)?, path))).max().map(|(_, path)| path)
    }

    /// The distribution's Go where it is new enough (Debian 12's is not), else the newest wheel.
    fn install_any_go(&mut self) -> anyhow::Result<PathBuf> {
        if self.apt.usable()
            && self.apt.candidate("golang-go").and_then(|v| Version::parse(&v)) >= Some(OLDEST)
        {
            let installed = self.apt.install("golang-go", "").is_ok();
            if let Some(path) = on_path("go").filter(|_| installed) {
                return Ok(path);
            }
        }
        wheel::go(&self.cache, None)
    }

    fn install_gdbserver(&mut self) -> anyhow::Result<PathBuf> {
        let installed = self.apt.usable() && self.apt.install("gdbserver", "").is_ok();
        if let Some(path) = on_path("gdbserver").filter(|path| installed && answers(path)) {
            return Ok(path);
        }
        let path = wheel::gdbserver(&self.cache)?;
        anyhow::ensure!(answers(&path), "{} does not run on this machine", path.display());
        Ok(path)
    }

    fn install_delve(&mut self) -> anyhow::Result<PathBuf> {
        let go = self.any_go().ok_or_else(|| anyhow::anyhow!("go is needed to build it"))?;
        let folder = self.cache.staging()?;
        let _lock = self.cache.lock()?;
        let status = Command::new(go)
            .args(["install", "github.com/go-delve/delve/cmd/dlv@latest"])
            .current_dir(folder.path())
            .env("GOBIN", folder.path())
            .env("GOFLAGS", "-mod=mod")
            .status()?;
        anyhow::ensure!(status.success(), "go install github.com/go-delve/delve/cmd/dlv@latest: {status}");
        self.cache.publish(&folder.path().join("dlv"), &self.cache.dlv())?;
        Ok(self.cache.dlv())
    }
}

/// A program in PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn answers(path: &Path) -> bool {
    answers_to(path, "--version")
}

fn answers_to(path: &Path, argument: &str) -> bool {
    Command::new(path).arg(argument).output().is_ok_and(|out| out.status.success())
}

/// PATH with these programs' folders in front: how children find what was provisioned.
pub(crate) fn path_with(programs: &[&Path]) -> std::ffi::OsString {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders = programs.iter().filter_map(|p| p.parent()).map(Path::to_owned);
    std::env::join_paths(folders.chain(std::env::split_paths(&old))).unwrap_or(old)
}
