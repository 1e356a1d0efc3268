//! Finding the go command. Looks only; never downloads.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::environment;

/// The go command: `$GO`, PATH, the usual place, then the newest in the cache. The user's `env` counts for the first two.
pub fn find_go(env: &BTreeMap<String, Option<String>>) -> Option<PathBuf> {
    let env = environment(env);
    let get = |name: &str| env.get(OsStr::new(name)).filter(|v| !v.is_empty());
    if let Some(go) = get("GO").map(PathBuf::from).filter(|p| p.is_absolute() && is_executable(p)) {
        return Some(go);
    }
    let on_path = get("PATH").and_then(|path| {
        std::env::split_paths(path).map(|dir| dir.join("go")).find(|p| p.is_absolute() && is_executable(p))
    });
    let usual = || Some(PathBuf::from("/usr/local/go/bin/go")).filter(|p| is_executable(p));
    let cached = || {
        let base = match get("XDG_CACHE_HOME") {
            Some(dir) => PathBuf::from(dir),
            None => Path::new(get("HOME")?).join(".cache"),
        };
        newest(&base.join("itab-dap").join("go"))
    };
    on_path.or_else(usual).or_else(cached)
}

/// The go command of the highest version among folders named by version.
fn newest(folder: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(folder).ok()?.flatten();
    versions
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version: Vec<u32> = name.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            let go = entry.path().join("bin").join("go");
            is_executable(&go).then_some((version, go))
        })
        .max()
        .map(|(_, go)| go)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
