//! The compiler's own record: its `-S` listing names the interface and the slot of every interface call that it lowered
//! (R_USEIFACEMETHOD). Every decided site must be in its function's set, and every pair must have a site or a direct call.
//!
//! `ITAB_DISPATCH_REAL=cmd/go` (or another package of the distribution) measures a real program in addition.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use crate::common::{Go, Mode};
use dispatch::{Claim, Engine, SiteKind};
use image::Image;

/// Function -> (interface, slot) pairs.
type Truth = HashMap<String, BTreeSet<(String, u16)>>;

fn strip(name: &str) -> String {
    // Local types carry ·N.
    let mut out = String::new();
    let mut skip = false;
    for c in name.chars() {
        match c {
            '·' => skip = true,
            c if skip && c.is_ascii_digit() => {}
            c => {
                skip = false;
                out.push(c);
            }
        }
    }
    out
}

fn parse(listing: &str) -> (Truth, BTreeMap<String, usize>) {
    let mut truth = Truth::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut current = String::new();
    for l in listing.lines() {
        if let Some(at) = l.find(" STEXT ")
            && !l.starts_with(['\t', ' '])
        {
            current = l[..at].split('#').next().unwrap_or("").to_string();
            *seen.entry(current.clone()).or_default() += 1;
            continue;
        }
        let Some(rest) = l.trim_start().strip_prefix("rel ") else { continue };
        let Some((_, rest)) =
            rest.split_once(" t=R_USEIFACEMETHOD type:").or_else(|| rest.split_once(" t=24 type:"))
        else {
            continue;
        };
        let Some((name, off)) = rest.rsplit_once('+') else { continue };
        let off: i64 = off.trim().parse().unwrap_or(0);
        let literal = name.starts_with("interface {") || name.starts_with("go.shape.");
        let slot = (off - if literal { 80 } else { 96 }) / 8;
        truth.entry(current.clone()).or_default().insert((strip(name), slot as u16));
    }
    (truth, seen)
}

#[derive(Debug, Default)]
struct Score {
    sites: usize,
    right: usize,
    shape: usize,
    unknown: Vec<String>,
    ambiguous: Vec<String>,
    wrong: Vec<String>,
    pairs: usize,
    missing: Vec<String>,
}

fn score(image: &Image, truth: &Truth, seen: &BTreeMap<String, usize>) -> Score {
    let engine = Engine::new();
    let mut s = Score::default();
    for (name, n) in seen {
        if *n > 1 {
            continue;
        }
        let functions = image.functions().by_name(name);
        let [f] = functions.as_slice() else { continue };
        let empty = BTreeSet::new();
        let pairs = truth.get(name).unwrap_or(&empty);
        let mut hit: BTreeSet<u16> = BTreeSet::new();
        let mut direct: Vec<String> = Vec::new();
        for site in engine.sites(image, f.id()).iter() {
            if let SiteKind::Static { target } = site.kind
                && let Some(g) = image.functions().at(target)
            {
                direct.push(g.name().to_string());
            }
            let (SiteKind::Interface, Some(slot)) = (site.kind, site.slot) else { continue };
            s.sites += 1;
            hit.insert(slot);
            let at = format!("{name} {:#x} {}:{} slot {slot}", site.pc, site.file, site.line);
            match &site.interface {
                Claim::Known { interface, .. } => {
                    let ty = image.type_of(*interface, image).unwrap();
                    let said = strip(&ty.name);
                    if pairs.contains(&(said.clone(), slot)) {
                        s.right += 1;
                    } else if pairs.iter().any(|(p, n)| *n == slot && p.starts_with("go.shape."))
                        || (said.starts_with("interface {")
                            && pairs.iter().any(|(p, n)| *n == slot && p.starts_with("interface {")))
                    {
                        s.shape += 1;
                    } else {
                        s.wrong.push(format!("{at}: said {said}, recorded {pairs:?}"));
                    }
                }
                Claim::Ambiguous(_) => s.ambiguous.push(at),
                Claim::Unknown(_) => s.unknown.push(at),
            }
        }
        s.pairs += pairs.len();
        for (p, slot) in pairs {
            if hit.contains(slot) {
                continue;
            }
            let ty = image.find_type(p).and_then(|t| image.type_of(t, image).ok());
            let method = ty.and_then(|t| match &t.shape {
                image::Shape::Interface { methods: Some(m), .. } => {
                    m.get(*slot as usize).map(|m| m.name.to_string())
                }
                _ => None,
            });
            if !method.is_some_and(|m| direct.iter().any(|d| d.ends_with(&format!(".{m}")))) {
                s.missing.push(format!("{name}: {p} slot {slot}"));
            }
        }
    }
    s
}

fn listing(go: &Go, dir: &Path, target: &str, packages: &[&str], mode: Mode, arch: &str) -> String {
    let mut c = Command::new(&go.go);
    c.current_dir(dir)
        .env("GOTOOLCHAIN", "local")
        .env("GOARCH", arch)
        .env("GOOS", "linux")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=mod")
        .arg("build")
        .arg("-o")
        .arg("/dev/null");
    let extra = if mode == Mode::Debug { "-N -l " } else { "" };
    if mode == Mode::Debug {
        c.arg("-gcflags=all=-N -l");
    }
    for p in packages {
        c.arg(format!("-gcflags={p}={extra}-S"));
    }
    let out = c.arg(target).output().unwrap();
    assert!(out.status.success(), "go build -S failed");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn report(name: &str, s: &Score) {
    println!(
        "{name}: {} sites, {} in the set, {} shape of it, {} unknown, {} ambiguous, {} wrong, {} pairs, {} without a site",
        s.sites,
        s.right,
        s.shape,
        s.unknown.len(),
        s.ambiguous.len(),
        s.wrong.len(),
        s.pairs,
        s.missing.len()
    );
    let show = std::env::var_os("SHOW").is_some();
    for (what, list) in
        [("wrong", &s.wrong), ("missing", &s.missing), ("unknown", &s.unknown), ("ambiguous", &s.ambiguous)]
    {
        for l in list.iter().take(if show { 1000 } else { 5 }) {
            println!("  {what}: {l}");
        }
    }
}

#[test]
fn interface_types_agree_with_the_compilers_record() {
    let mut measured = 0;
    for version in crate::common::versions() {
        let Some(go) = crate::common::go(version) else { continue };
        for (mode, arch) in [
            (Mode::Optimised, "amd64"),
            (Mode::Debug, "amd64"),
            (Mode::Optimised, "arm64"),
            (Mode::Stripped, "amd64"),
        ] {
            let dir = crate::common::source("disp");
            let program = crate::common::build(go, &dir, ".", mode, arch);
            let (truth, seen) = parse(&listing(go, &dir, ".", &["."], mode, arch));
            let image = Image::open(&program).unwrap();
            let s = score(&image, &truth, &seen);
            report(&format!("disp {version} {} {arch}", mode.name()), &s);
            assert!(s.wrong.is_empty(), "{:?}", s.wrong);
            assert!(s.missing.is_empty(), "{:?}", s.missing);
            let allowed = if mode == Mode::Stripped { s.sites / 4 } else { s.sites / 20 + 1 };
            assert!(s.unknown.len() <= allowed, "{:?}", s.unknown);
            assert!(s.sites > 40);
            measured += 1;
        }
    }
    println!("{measured} builds measured");
}

#[test]
fn real_programs_agree_with_the_compilers_record() {
    let Ok(package) = std::env::var("ITAB_DISPATCH_REAL") else {
        println!("skipped: ITAB_DISPATCH_REAL names no program");
        return;
    };
    let packages: &[&str] = if package == "cmd/compile" {
        &[
            "cmd/compile/internal/ir",
            "cmd/compile/internal/escape",
            "cmd/compile/internal/walk",
            "cmd/compile/internal/ssagen",
            "cmd/compile/internal/typecheck",
            "cmd/compile/internal/types2",
            "cmd/compile/internal/noder",
        ]
    } else {
        &[
            "go/types",
            "net/http",
            "reflect",
            "encoding/json",
            "text/template",
            "go/printer",
            "crypto/tls",
            "cmd/go/internal/...",
        ]
    };
    let versions = std::env::var("ITAB_DISPATCH_GO").unwrap_or_else(|_| "1.21.13,1.24.11,1.27.3".into());
    let mut wrong = Vec::new();
    for version in versions.split(',') {
        let Some(go) = crate::common::go(version) else { continue };
        let dir = go.go.parent().unwrap().parent().unwrap().join("src");
        for (mode, arch) in [
            (Mode::Optimised, "amd64"),
            (Mode::Debug, "amd64"),
            (Mode::Stripped, "amd64"),
            (Mode::Optimised, "arm64"),
        ] {
            let program = crate::common::build(go, &dir, &package, mode, arch);
            let (truth, seen) = parse(&listing(go, &dir, &package, packages, mode, arch));
            let image = Image::open(&program).unwrap();
            let t = std::time::Instant::now();
            let s = score(&image, &truth, &seen);
            report(&format!("{package} {version} {} {arch} in {:?}", mode.name(), t.elapsed()), &s);
            wrong.extend(s.wrong);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
