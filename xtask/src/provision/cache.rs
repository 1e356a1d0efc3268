//! The cache folder: `go/<version>/bin/go`, `gdbserver/bin/gdbserver`, `dlv/bin/dlv`.
//!
//! Things come into it whole: prepared in a temporary folder inside it, then renamed, under one lock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let base = match std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()) {
            Some(folder) => PathBuf::from(folder),
            None => {
                PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
                    .join(".cache")
            }
        };
        Ok(Self { root: base.join("itab-dap") })
    }

    pub(super) fn go(&self, version: &str) -> PathBuf {
        self.root.join("go").join(version).join("bin").join("go")
    }

    pub(super) fn go_versions(&self) -> Vec<String> {
        names(&self.root.join("go"))
    }

    /// Where the adapter looks as well.
    pub(super) fn gdbserver(&self) -> PathBuf {
        self.root.join("gdbserver").join("bin").join("gdbserver")
    }

    pub(super) fn dlv(&self) -> PathBuf {
        self.root.join("dlv").join("bin").join("dlv")
    }

    /// A folder to prepare something in, on the same file system; it is removed when dropped.
    pub(super) fn staging(&self) -> anyhow::Result<tempfile::TempDir> {
        fs::create_dir_all(&self.root).with_context(|| format!("creating {}", self.root.display()))?;
        Ok(tempfile::Builder::new().prefix(".staging-").tempdir_in(&self.root)?)
    }

    /// Held while something is installed; the other run waits, and then finds it done.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        fs::create_dir_all(&self.root)?;
        let file = File::create(self.root.join(".lock"))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(file)
    }

    /// Moves a finished file or folder to its place; what another run put there first stays.
    pub(super) fn publish(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        if to.exists() {
            return Ok(());
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(from, to).with_context(|| format!("moving {} to {}", from.display(), to.display()))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok()).filter(|n| !n.starts_with('.')).collect()
}
