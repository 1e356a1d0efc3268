//! The compiler's own record: its `-S` listing names the interface and the slot of every interface call that it lowered
//! (R_USEIFACEMETHOD). Every decided site must be in its function's set, and every pair must have a site or a direct call, unless the
//! call was removed later: then all indirect calls of the function's listing have their site.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::common::Mode;
use crate::plan::{self, Build, percent};
use dispatch::{Claim, Engine, SiteKind};
use image::Image;

/// Function -> (interface, slot) pairs.
type Truth = HashMap<String, BTreeSet<(String, u16)>>;
/// Function -> calls through a register in its listing.
type Indirect = HashMap<String, usize>;
/// How often a function's name occurs.
type Seen = BTreeMap<String, usize>;

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

fn parse(listing: &str) -> (Truth, Seen, Indirect) {
    let mut truth = Truth::new();
    let mut indirect = Indirect::new();
    let mut seen = Seen::new();
    let mut current = String::new();
    for l in listing.lines() {
        if let Some(at) = l.find(" STEXT ")
            && !l.starts_with(['\t', ' '])
        {
            current = l[..at].split('#').next().unwrap_or("").to_string();
            *seen.entry(current.clone()).or_default() += 1;
            continue;
        }
        if through_register(l) {
            *indirect.entry(current.clone()).or_default() += 1;
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
    (truth, seen, indirect)
}

/// `CALL\tCX`, `CALL\t(R2)`: no symbol.
fn through_register(l: &str) -> bool {
    let Some((_, operand)) = l.split_once("\tCALL\t") else { return false };
    let operand = operand.trim().trim_start_matches('(').trim_end_matches(')');
    operand.len() <= 3 && operand.bytes().all(|b| b.is_ascii_alphanumeric())
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
    /// Pairs whose call was removed after the record was made: all calls of the listing have their site.
    dead: usize,
}

fn score(image: &Image, truth: &Truth, seen: &Seen, indirect: &Indirect) -> Score {
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
        let mut calls = 0;
        for site in engine.sites(image, f.id()).iter() {
            if let SiteKind::Static { target } = site.kind
                && let Some(g) = image.functions().at(target)
            {
                direct.push(g.name().to_string());
            }
            calls += usize::from(!site.tail && !matches!(site.kind, SiteKind::Static { .. }));
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
            let devirtualised = method.is_some_and(|m| direct.iter().any(|d| d.ends_with(&format!(".{m}"))));
            if !devirtualised && indirect.get(name).copied().unwrap_or(0) == calls {
                s.dead += 1;
            } else if !devirtualised {
                s.missing.push(format!("{name}: {p} slot {slot}"));
            }
        }
    }
    s
}

/// The parsed listing; kept beside the binary because a real program's is 200 MB of text.
fn record(b: &Build) -> (Truth, Seen, Indirect) {
    // Stripping happens in the linker.
    let kind = if b.is_debug() { "debug" } else { "opt" };
    let name = b.program.name.replace('/', "-");
    let file = format!("{name}-{}-{}-{kind}.listing", b.go.version, b.mode.arch());
    let kept = gofixture::folder().join(file);
    let text = std::fs::read_to_string(&kept).ok().filter(|_| !b.is_own());
    let text = text.unwrap_or_else(|| {
        let text = relevant(&listing(b));
        let temp = kept.with_extension(format!("{}", std::process::id()));
        std::fs::write(&temp, &text).unwrap();
        std::fs::rename(&temp, &kept).unwrap();
        text
    });
    parse(&text)
}

/// The lines that [`parse`] reads.
fn relevant(listing: &str) -> String {
    let keep = |l: &&str| {
        (l.contains(" STEXT ") && !l.starts_with(['\t', ' ']))
            || through_register(l)
            || l.contains(" t=R_USEIFACEMETHOD ")
            || l.contains(" t=24 type:")
    };
    listing.lines().filter(keep).flat_map(|l| [l, "\n"]).collect()
}

fn listing(b: &Build) -> String {
    let mut c = plan::command(b.go, &b.dir);
    c.env("GOARCH", b.mode.arch()).args(["build", "-o", "/dev/null"]);
    let extra = if b.is_debug() { "-N -l " } else { "" };
    if b.is_debug() {
        c.arg("-gcflags=all=-N -l");
    }
    for p in b.program.listed {
        c.arg(format!("-gcflags={p}={extra}-S"));
    }
    let out = c.arg(b.program.package).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "go build -S failed: {}", text.lines().last().unwrap_or(""));
    text
}

/// Undecided sites that are too many, in percent: the goals are in docs/ACCURACY.md, a build that is worse than this has regressed.
fn limit(b: &Build) -> f64 {
    match (b.mode.has_dwarf(), b.is_own()) {
        (false, true) => 35.0,
        (false, false) => 20.0,
        (_, true) => 4.0,
        (_, false) if b.program.name == "cmd/compile" || b.go.version.starts_with("1.21.") => 3.5,
        _ => 2.5,
    }
}

#[test]
fn interface_types_agree_with_the_compilers_record() {
    let modes =
        [Mode::Optimised, Mode::Debug, Mode::Stripped, Mode::Arm64, Mode::Arm64Debug, Mode::Arm64Stripped];
    let mut faults = Vec::new();
    for b in plan::builds(&modes) {
        let program = b.binary();
        let (truth, seen, indirect) = record(&b);
        let image = Image::open(&program).unwrap();
        let s = score(&image, &truth, &seen, &indirect);
        let undecided = s.unknown.len() + s.ambiguous.len();
        plan::row(
            "interface type",
            &b.label(),
            &[
                ("sites", s.sites.to_string()),
                ("decided", plan::share(s.sites - undecided, s.sites)),
                ("unknown", s.unknown.len().to_string()),
                ("ambiguous", s.ambiguous.len().to_string()),
                ("wrong", s.wrong.len().to_string()),
                ("pairs", s.pairs.to_string()),
                ("of these dead code", s.dead.to_string()),
                ("pairs without a site", s.missing.len().to_string()),
            ],
        );
        for (what, list) in [
            ("wrong", &s.wrong),
            ("pair without a site", &s.missing),
            ("unknown", &s.unknown),
            ("ambiguous", &s.ambiguous),
        ] {
            plan::examples(what, list);
        }
        let enough = s.sites > 20;
        let few = undecided <= 2 || percent(undecided, s.sites) <= limit(&b);
        if !s.wrong.is_empty() || !s.missing.is_empty() || !enough || !few {
            faults.push(b.label());
        }
    }
    assert!(faults.is_empty(), "wrong, missing or too often undecided: {faults:?}");
}
