//! Which dynamic calls the samples went through, and whom these calls reached.
//!
//! A caller in a stack is known by its return address; the call before it is one of the engine's sites, and the next frame inwards is
//! what it called. Each sample counts once for each pair of site and target, whatever the recursion, and belongs to one pair at most:
//! the innermost. The profile has no receivers: a concrete type is named where only one type has that body, else all that have it.

use std::{collections::BTreeSet, sync::Arc};

use dispatch::{Claim, Engine, Placement, Site, SiteKind};
use image::{FuncId, Image, TypeId};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::proto::{Function, Location, Profile};

/// Types with one body in common that are named; the number of the others is said.
const MAX_NAMED: usize = 4;

/// A site with a target that it reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    /// `main.Shape.Area`, or what else the site calls through.
    pub(super) call: String,
    method: String,
    /// As the compiler wrote it.
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: Option<u32>,
    pub(super) target: String,
    /// `*main.Square`, `A or B`, or that it is not known.
    pub(super) concrete: String,
    /// Samples whose innermost dynamic call this is.
    pub(super) flat: i128,
    /// Samples that go through it anywhere.
    pub(super) cum: i128,
}

impl Edge {
    /// `main.go:33:12`.
    pub(super) fn place(&self) -> String {
        let file = self.file.rsplit('/').next().unwrap_or(&self.file);
        let column = self.column.map(|c| format!(":{c}")).unwrap_or_default();
        format!("{file}:{}{column}", self.line)
    }

    pub(super) fn title(&self) -> String {
        format!("{} at {} -> {}", self.call, self.place(), self.target)
    }
}

/// All samples, attributed.
#[derive(Default)]
pub(super) struct Attribution {
    pub(super) edges: Vec<Edge>,
    /// For each sample, from the leaf outwards: index of a frame and of the edge between it and its caller.
    pub(super) samples: Vec<Vec<(usize, usize)>>,
    /// Without a dynamic call in the stack.
    pub(super) rest: i128,
    pub(super) total: i128,
}

/// Attributes value `value` of each sample.
pub(super) fn attribute(
    profile: &Profile,
    image: &Image,
    value: usize,
    source: &dyn dispatch::SourceText,
) -> Attribution {
    let engine = Engine::new();
    let locations: FxHashMap<u64, &Location> = profile.location.iter().map(|l| (l.id, l)).collect();
    let callers = callers(profile, image, &engine, &locations, source);
    let mut names = Targets {
        profile,
        image,
        engine: &engine,
        functions: profile.function.iter().map(|f| (f.id, f)).collect(),
        known: FxHashMap::default(),
    };
    let mut out = Attribution::default();
    let mut index: FxHashMap<(u64, u64, String), usize> = FxHashMap::default();
    let mut bodies: Vec<(Arc<Site>, Target)> = Vec::new();
    for s in &profile.sample {
        let amount = s.value.get(value).copied().map_or(0, i128::from);
        out.total += amount;
        let mut found = Vec::new();
        let pairs = s.location_id.iter().zip(s.location_id.iter().skip(1)).enumerate();
        for (at, (callee, caller)) in pairs {
            let (Some(caller), Some(callee)) = (callers.get(caller), locations.get(callee)) else { continue };
            let target = names.of(callee);
            let site = &caller.site;
            let edge = *index.entry((site.pc, target.entry, target.name.clone())).or_insert_with(|| {
                out.edges.push(edge(image, caller, &target));
                bodies.push((site.clone(), target));
                out.edges.len() - 1
            });
            found.push((at, edge));
        }
        count(&mut out, amount, &found);
        out.samples.push(found);
    }
    name_types(image, &engine, &mut out.edges, &bodies);
    out
}

fn count(out: &mut Attribution, amount: i128, found: &[(usize, usize)]) {
    match found.first().and_then(|f| out.edges.get_mut(f.1)) {
        Some(innermost) => innermost.flat += amount,
        None => out.rest += amount,
    }
    let once: BTreeSet<usize> = found.iter().map(|f| f.1).collect();
    for e in once {
        if let Some(e) = out.edges.get_mut(e) {
            e.cum += amount;
        }
    }
}

/// The dynamic calls at callers' locations, by the location's number.
fn callers(
    profile: &Profile,
    image: &Image,
    engine: &Engine,
    locations: &FxHashMap<u64, &Location>,
    source: &dyn dispatch::SourceText,
) -> FxHashMap<u64, Placement> {
    let ids: FxHashSet<u64> =
        profile.sample.iter().flat_map(|s| s.location_id.iter().skip(1)).copied().collect();
    // The address is inside the call or behind it: in the same function but for a call that never returns.
    let function = |a: u64| image.functions().at(a.checked_sub(1)?).filter(|f| f.package() != "runtime");
    let functions: FxHashSet<FuncId> =
        ids.iter().filter_map(|id| Some(function(locations.get(id)?.address)?.id())).collect();
    let functions: Vec<FuncId> = functions.into_iter().collect();
    let sites: FxHashMap<u64, Placement> = functions
        .par_iter()
        .flat_map_iter(|f| engine.placements(image, *f, source))
        .filter(|p| p.site.return_pc != 0)
        .map(|p| (p.site.return_pc, p))
        .collect();
    let at = |plus: u64| {
        let found = ids.iter().filter_map(|id| {
            let address = locations.get(id)?.address.checked_add(plus)?;
            Some((*id, sites.get(&address)?.clone()))
        });
        found.collect::<Vec<_>>()
    };
    // Go writes the return address less one; some tools write it as it is. In a file of the first kind an address that equals a
    // return address is an interrupted instruction, no call.
    let (inside, behind) = (at(1), at(0));
    let chosen = if behind.len() > inside.len() { behind } else { inside };
    chosen.into_iter().collect()
}

fn edge(image: &Image, caller: &Placement, target: &Target) -> Edge {
    let site = &caller.site;
    let interface = match &site.interface {
        Claim::Known { interface, .. } => {
            image.type_of(*interface, image).map_or_else(|_| String::new(), |t| image::names::short(&t.name))
        }
        _ => String::new(),
    };
    let method = caller.method.clone().unwrap_or_default();
    let by_method = matches!(site.kind, SiteKind::Interface | SiteKind::Dictionary { .. });
    let call = match (by_method, interface.is_empty(), method.is_empty()) {
        (true, false, false) => format!("{interface}.{method}"),
        (true, true, false) => format!("?.{method}"),
        (true, _, true) => "method call".into(),
        (false, _, true) => "func value".into(),
        (false, ..) => format!("func value {method}"),
    };
    Edge {
        call,
        method,
        file: site.file.to_string(),
        line: site.line,
        column: caller.span.map(|s| s.column),
        target: target.name.clone(),
        ..Edge::default()
    }
}

/// What a call reached.
#[derive(Clone)]
struct Target {
    /// Of the physical function that contains the body; 0 where that is unknown.
    entry: u64,
    name: String,
    /// The linker's name, where it is Go code of the binary.
    symbol: Option<String>,
}

/// Targets by the address that was sampled in them.
struct Targets<'a> {
    profile: &'a Profile,
    image: &'a Image,
    engine: &'a Engine,
    functions: FxHashMap<u64, &'a Function>,
    known: FxHashMap<u64, Target>,
}

impl Targets<'_> {
    fn of(&mut self, callee: &Location) -> Target {
        if let Some(t) = self.known.get(&callee.id) {
            return t.clone();
        }
        let made = self.make(callee);
        self.known.insert(callee.id, made.clone());
        made
    }

    fn make(&self, callee: &Location) -> Target {
        let Some(f) = self.image.functions().at(callee.address) else {
            let outer = callee.line.last().and_then(|l| self.functions.get(&l.function_id));
            let name = outer.map(|f| self.profile.text(f.name)).filter(|n| !n.is_empty());
            let name = name.unwrap_or_else(|| format!("{:#x}, which is not in the binary", callee.address));
            return Target { entry: 0, name, symbol: None };
        };
        match self.engine.resolve(self.image, self.image, f.entry(), None).body {
            Some(b) => Target { entry: b.entry, name: b.name, symbol: Some(b.qualified_name) },
            None => Target {
                entry: f.entry(),
                name: image::names::short(&golang::real_symbol(self.image, f.name(), None)),
                symbol: Some(f.name().to_string()),
            },
        }
    }
}

/// The types whose method each body is.
fn name_types(image: &Image, engine: &Engine, edges: &mut [Edge], bodies: &[(Arc<Site>, Target)]) {
    let descriptor = |site: &Site| match &site.interface {
        Claim::Known { interface: TypeId::Runtime(at), .. } => Some(*at),
        Claim::Known { interface, .. } => image.type_of(*interface, image).ok()?.runtime,
        _ => None,
    };
    let asked: Vec<Option<(u64, String)>> = bodies
        .iter()
        .zip(edges.iter())
        .map(|((site, _), e)| {
            Some((descriptor(site)?, e.method.clone())).filter(|_| site.kind == SiteKind::Interface)
        })
        .collect();
    let each: FxHashSet<&(u64, String)> = asked.iter().flatten().collect();
    let found: FxHashMap<&(u64, String), dispatch::Implementations> = each
        .into_par_iter()
        .filter_map(|key| Some((key, engine.implementations(image, image, key.0, &key.1).ok()?)))
        .collect();
    for ((edge, (site, target)), key) in edges.iter_mut().zip(bodies).zip(&asked) {
        if site.kind != SiteKind::Interface {
            continue;
        }
        // Several bodies may be inlined into one function, but it is the body of one method only.
        let is_it = |i: &&dispatch::Implementation| {
            i.body.entry == target.entry
                && (!i.body.inlined || Some(&i.body.qualified_name) == target.symbol.as_ref())
        };
        let all = key.as_ref().and_then(|k| found.get(k)).map_or(&[][..], |all| &all.found);
        let known: Vec<_> = all.iter().filter(is_it).collect();
        let types = |embedded| -> Vec<&str> {
            let of = known.iter().filter(|i| i.embedded == embedded).map(|i| i.concrete_type.as_str());
            of.collect::<BTreeSet<_>>().into_iter().collect()
        };
        edge.concrete = concrete(&types(false), &types(true));
        // Of generic code the way from the type's itab tells the type arguments, if there is one such way.
        let names: BTreeSet<&str> = known.iter().map(|i| i.body.name.as_str()).collect();
        if let (1, Some(name)) = (names.len(), names.first()) {
            edge.target = (*name).to_string();
        }
    }
}

/// `own` have the method themselves; `around` embed an interface that may hold one of them.
fn concrete(own: &[&str], around: &[&str]) -> String {
    let list = |types: &[&str]| {
        let named: Vec<String> = types.iter().take(MAX_NAMED).map(|t| image::names::short(t)).collect();
        let more = types.len().saturating_sub(MAX_NAMED);
        let more = if more == 0 { String::new() } else { format!(" or {more} more") };
        format!("{}{more}", named.join(" or "))
    };
    let around: BTreeSet<&str> = around.iter().map(|t| t.trim_start_matches('*')).collect();
    let around: Vec<&str> = around.into_iter().collect();
    match (own.is_empty(), around.is_empty()) {
        (true, true) => "type not known".into(),
        (false, true) => list(own),
        (true, false) => format!("in {}", list(&around)),
        (false, false) => format!("{}, maybe in {}", list(own), list(&around)),
    }
}
