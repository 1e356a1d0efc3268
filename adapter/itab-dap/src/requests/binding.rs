//! From what a breakpoint was set on to places in the code, with condition and log message compiled for each: refused when set, with
//! the column. Reads only; writing the breakpoints is `breakpoints.rs`.

use eval::{HitCondition, LogTemplate};
use golang::Process;
use image::Image;
use wire::types as t;

use crate::{
    control::{
        breakpoints::{Breakpoint, Options, Place, Spot, Watch},
        guards::Guard,
        inferior::Inferior,
        locate::{Located, locate},
        methods::{self, Spec, Target},
        plan::body_of,
        table::BreakpointId,
    },
    session::{Session, State},
};

/// Bodies that a message names at most.
const MAX_NAMED: usize = 4;

/// Where a place was found.
struct Found {
    targets: Vec<Target>,
    file: Option<String>,
    line: Option<u32>,
    watch: Option<Watch>,
    remark: Option<String>,
}

impl Session {
    pub(crate) fn make_breakpoint(&mut self, id: BreakpointId, place: Place, options: Options) -> Breakpoint {
        let mut b = Breakpoint::unbound(id, place, options);
        if let Err(why) = self.bind(&mut b) {
            b.spots.clear();
            b.watch = None;
            b.message = Some(why);
        }
        b
    }

    /// Finds the places and compiles the options.
    fn bind(&mut self, b: &mut Breakpoint) -> Result<(), String> {
        if let Some(text) = &b.options.hit_condition {
            b.hit_condition =
                Some(HitCondition::parse(text).map_err(|e| format!("hit condition: {}", located(&e, text)))?);
        }
        if let Some(text) = &b.options.log_message {
            LogTemplate::check(text).map_err(|e| format!("log message: column {}: {e}", e.column))?;
        }
        let inf = self.inferior.as_ref().ok_or(match self.state {
            State::Ended => "the program has ended",
            _ => "no program is being debugged yet",
        })?;
        let found = match &b.place {
            Place::Source { path, line } => self.find_source(inf, path, *line),
            Place::Function { name } => find_function(inf, name),
            Place::Instruction { reference, addr } => find_instruction(&inf.image, reference, *addr),
            Place::Method { interface, method, concrete } => {
                find_method(inf, interface, method, concrete.as_deref())
            }
        }?;
        b.file = found.file;
        b.line = found.line;
        b.watch = found.watch;
        self.add_spots(b, found.targets, found.remark)
    }

    /// Compiles the options for each target and adds those where they compile; an error where they compile nowhere.
    pub(crate) fn add_spots(
        &mut self,
        b: &mut Breakpoint,
        targets: Vec<Target>,
        remark: Option<String>,
    ) -> Result<(), String> {
        let mut failed: Vec<(String, String)> = Vec::new();
        for target in targets {
            if b.spot(target.addr).is_some() {
                continue;
            }
            match self.compile_spot(&b.options, &target) {
                Ok(mut spot) => {
                    if matches!(b.place, Place::Method { .. }) {
                        spot.id = Some(self.breakpoints.next_id());
                    }
                    b.spots.push(spot);
                }
                Err(why) => failed.push((target.body, why)),
            }
        }
        b.spots.sort_by_key(|s| s.addr);
        if b.spots.is_empty()
            && let Some((_, why)) = failed.first()
        {
            return Err(why.clone());
        }
        b.message = self.remark_on(b, failed_text(&failed), remark);
        if b.file.is_none() {
            let at = b.spots.first().and_then(|s| self.location(s.addr));
            (b.file, b.line) = at.map_or((None, None), |(f, l)| (Some(f), Some(l)));
        }
        Ok(())
    }

    fn remark_on(&self, b: &Breakpoint, failed: Option<String>, remark: Option<String>) -> Option<String> {
        let bodies = b.watch.as_ref().map(|w| match b.spots.len() {
            0 => format!("no body of {} is in the program yet: it binds when a type with one comes", w.title),
            1 => format!("{}: 1 body", w.title),
            n => format!("{}: {n} bodies", w.title),
        });
        let parts: Vec<String> = [bodies, failed, remark].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn compile_spot(&self, options: &Options, target: &Target) -> Result<Spot, String> {
        let condition = match &options.condition {
            Some(text) => {
                Some(self.compile_condition(text, target.addr).map_err(|e| format!("condition: {e}"))?)
            }
            None => None,
        };
        let log = match &options.log_message {
            Some(text) => Some(self.compile_log(text, target.addr).map_err(|e| format!("log message: {e}"))?),
            None => None,
        };
        Ok(Spot { addr: target.addr, condition, log, guards: target.guards.clone(), id: None })
    }

    fn location(&self, addr: u64) -> Option<(String, u32)> {
        let at = self.inferior.as_ref()?.image.functions().location(addr)?;
        Some((at.file.to_string(), at.line))
    }

    /// One body of a method's breakpoint, as the client sees it.
    pub(crate) fn present_body(&self, b: &Breakpoint, spot: &Spot) -> t::Breakpoint {
        let at = self.location(spot.addr);
        t::Breakpoint {
            id: spot.id.map(|id| id.0),
            verified: true,
            message: self.inferior.as_ref().and_then(|i| body_name(&i.process(), spot.addr)),
            source: at.as_ref().and_then(|(file, _)| self.source_of(file)),
            line: at.map(|(_, line)| i64::from(line)).or(b.line.map(i64::from)),
            instruction_reference: Some(format!("{:#x}", spot.addr)),
            ..Default::default()
        }
    }

    fn find_source(&self, inf: &Inferior, path: &str, line: u32) -> Result<Found, String> {
        let server = self.sources.to_server(path);
        let functions = inf.image.functions();
        if let Some((line, addrs)) = functions.breakpoint_locations(&server, line)
            && !addrs.is_empty()
        {
            return Ok(plain(inf, Located { addrs, file: server, line, arguments: None }));
        }
        let known = functions.files().iter().any(|f| **f == *server);
        if known {
            return Err(format!(
                "could not find statement at {path}:{line} or after it in its function, please use a line with a statement"
            ));
        }
        let name = server.rsplit('/').next().unwrap_or(&server);
        let same_name: Vec<_> =
            functions.files().iter().filter(|f| f.rsplit('/').next() == Some(name)).take(2).collect();
        Err(match same_name.as_slice() {
            [] => format!("could not find file {server} in the program"),
            [other, ..] => format!(
                "could not find file {server} in the program; it has {other}: a substitutePath rule may be needed"
            ),
        })
    }
}

/// Places that count whoever called.
fn plain(inf: &Inferior, l: Located) -> Found {
    let process = inf.process();
    let guards: Vec<Guard> = l.arguments.into_iter().map(Guard::Instance).collect();
    let targets = l
        .addrs
        .iter()
        .map(|addr| Target {
            addr: *addr,
            body: body_name(&process, *addr).unwrap_or_else(|| format!("{addr:#x}")),
            guards: guards.clone(),
        })
        .collect();
    Found { targets, file: Some(l.file), line: Some(l.line), watch: None, remark: None }
}

/// A function that the author wrote, else the method of an interface, else a wrapper of that name.
fn find_function(inf: &Inferior, name: &str) -> Result<Found, String> {
    let process = inf.process();
    let function = locate(&process, name, &|entry| body_of(&inf.engine, &inf.image, process.mem, entry));
    let Some(spec) = Spec::parse(name) else { return function.map(|l| plain(inf, l)) };
    if spec.concrete.is_some() {
        return find_method(inf, spec.interface, spec.method, spec.concrete);
    }
    let (exact, short) = interfaces_of(&process, spec.interface);
    let wrapper = |a: &u64| inf.image.functions().at(*a).is_none_or(|f| f.is_wrapper());
    match function {
        Ok(l) if !exact && !l.addrs.iter().all(wrapper) => match short.first() {
            Some(interface) => Err(format!(
                "{name} is ambiguous: the method of the interface {interface}, and a function; write the import path"
            )),
            None => Ok(plain(inf, l)),
        },
        other => match find_method(inf, spec.interface, spec.method, None) {
            Ok(found) => Ok(found),
            Err(why) if exact || !short.is_empty() => Err(why),
            Err(_) => other.map(|l| plain(inf, l)),
        },
    }
}

/// Whether an interface has exactly this name, and the full names of those for which it is the short one.
fn interfaces_of(process: &Process<'_>, name: &str) -> (bool, Vec<String>) {
    let is_interface =
        |id: image::TypeId| process.type_of(id).is_ok_and(|t| t.kind == image::Kind::Interface);
    if process.image.find_type(name).is_some_and(is_interface) {
        return (true, Vec::new());
    }
    let short = process.image.find_types_short(name);
    (false, short.into_iter().filter(|id| is_interface(*id)).map(|id| process.qualified_name(id)).collect())
}

fn find_method(
    inf: &Inferior,
    interface: &str,
    method: &str,
    concrete: Option<&str>,
) -> Result<Found, String> {
    let process = inf.process();
    let interfaces = methods::interfaces(&inf.engine, &process, interface, method)?;
    let found = methods::find(&inf.engine, &process, &interfaces, method, concrete)?;
    Ok(Found {
        targets: found.targets,
        file: None,
        line: None,
        watch: Some(found.watch),
        remark: found.remark,
    })
}

fn find_instruction(image: &Image, reference: &str, addr: Option<u64>) -> Result<Found, String> {
    let addr = addr.ok_or_else(|| format!("{reference:?} is not an address"))?;
    if !image.is_text(addr) {
        return Err(format!("{addr:#x} is not in the program's code"));
    }
    let at = image.functions().location(addr);
    let target = Target { addr, body: format!("{addr:#x}"), guards: Vec::new() };
    Ok(Found {
        targets: vec![target],
        file: at.as_ref().map(|l| l.file.to_string()),
        line: at.map(|l| l.line),
        watch: None,
        remark: None,
    })
}

/// The function whose code begins at an address, as the user reads it.
fn body_name(process: &Process<'_>, addr: u64) -> Option<String> {
    let stack = process.image.functions().inline_stack(addr);
    stack.first().map(|f| process.symbol_display_name(&f.name, None))
}

/// `not in main.Circle.Area (condition: column 1: undefined: side), ...`.
fn failed_text(failed: &[(String, String)]) -> Option<String> {
    if failed.is_empty() {
        return None;
    }
    let more = failed.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let listed: Vec<String> =
        failed.iter().take(MAX_NAMED).map(|(body, why)| format!("{body} ({why})")).collect();
    Some(format!("not in {}{more}", listed.join(", ")))
}

/// A fault with its column, 1-based.
fn located(e: &expr::SyntaxError, text: &str) -> String {
    format!("column {}: {e}", e.span.column(text))
}
