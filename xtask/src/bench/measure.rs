//! Memory of the adapter and its servers: proportional set sizes out of /proc, so that shared pages count once.

use std::collections::HashMap;
use std::fs;

use anyhow::Context as _;

/// Bytes of a process and its descendants, without the program that is debugged and what that started.
pub(super) fn pss_without(adapter: u32, debuggee: u32) -> anyhow::Result<u64> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut total = 0;
    let mut waiting = vec![adapter];
    while let Some(pid) = waiting.pop() {
        if pid == debuggee {
            continue;
        }
        total += pss(pid).with_context(|| format!("memory of process {pid}"))?;
        waiting.extend(children.get(&pid).into_iter().flatten());
    }
    Ok(total)
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // pid (name) state ppid: the name may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn pss(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|l| l.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
    Ok(kilobytes.context("no Pss in smaps_rollup")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_size_and_the_debuggee_is_left_out() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        // Until it has executed its program it is a few pages of ours.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while pss_without(pid, 0).unwrap() <= 10_000 && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let sizes = (pss_without(pid, 0), pss_without(pid, pid));
        child.kill().unwrap();
        child.wait().unwrap();
        let (alone, nothing) = (sizes.0.unwrap(), sizes.1.unwrap());
        assert!(alone > 10_000 && nothing == 0, "{alone} {nothing}");
    }
}
