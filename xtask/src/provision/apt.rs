//! apt-get, when we are root. Never sudo.

use std::process::{Command, Stdio};

#[derive(Default)]
pub(super) struct Apt {
    /// Package lists are fetched once a run.
    updated: bool,
}

impl Apt {
    pub(super) fn usable(&self) -> bool {
        rustix::process::geteuid().is_root() && super::on_path("apt-get").is_some()
    }

    /// The version that would be installed, without its epoch.
    pub(super) fn candidate(&mut self, package: &str) -> Option<String> {
        self.update().ok()?;
        let out = Command::new("apt-cache").args(["policy", package]).output().ok()?;
        let text = String::from_utf8(out.stdout).ok()?;
        let version = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
        Some(version.split_once(':').map_or(version, |(_, v)| v).to_owned())
    }

    /// Installs a package and, if named, a second one.
    pub(super) fn install(&mut self, package: &str, second: &str) -> anyhow::Result<()> {
        anyhow::ensure!(self.usable(), "install the package {package} (needs root)");
        self.update()?;
        let packages = [package, second];
        let mut arguments = vec!["install", "-y", "--no-install-recommends"];
        arguments.extend(packages.iter().filter(|p| !p.is_empty()));
        run(&arguments)
    }

    fn update(&mut self) -> anyhow::Result<()> {
        if !self.updated {
            run(&["update"])?;
            self.updated = true;
        }
        Ok(())
    }
}

/// apt-get's own chatter goes nowhere; its errors are shown.
fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get")
        .arg("-qq")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "apt-get {}: {status}", arguments.join(" "));
    Ok(())
}
