//! Builds Go fixtures once for each version and mode, runs them, reads their memory, and writes values as the fixtures do.

#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) use gofixture::Mode;

use eval::Evaluated;
use golang::{Interface, Process, Value};
use image::{Kind, Shape};
use machine::{MemError, Memory};

pub(crate) fn oracle_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// Expressions of the table: no comments, no empty lines.
pub(crate) fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string(oracle_folder().join("expressions.txt")).unwrap();
    text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).map(str::to_string).collect()
}

/// Names of the package variables in `prelude.go`.
fn variables() -> Vec<String> {
    let text = std::fs::read_to_string(oracle_folder().join("prelude.go")).unwrap();
    let block = text.split("var (\n").nth(1).unwrap().split("\n)\n").next().unwrap();
    let lines =
        block.lines().filter(|l| l.starts_with('\t') && !l.starts_with("\t\t") && !l.starts_with("\t}"));
    let names = lines.flat_map(|l| {
        let declared =
            l.split('=').next().unwrap().split(',').map(|n| n.split_whitespace().next().unwrap().to_string());
        declared.collect::<Vec<_>>()
    });
    names.collect()
}

/// `check("e", e)` for each expression, on the package's variables and on local copies of all of them.
fn checks(expressions: &[String]) -> String {
    let imports =
        ["io", "os", "strings", "unsafe", "example.com/oracle/shapes"].map(|p| format!("\t{p:?}\n")).concat();
    let all: String = expressions.iter().map(|e| format!("\tcheck({e:?}, {e})\n")).collect();
    let copies: String = variables().iter().map(|v| format!("\t{v} := {v}\n\t_ = {v}\n")).collect();
    // What is used again afterwards still has its place when the debugger looks.
    let uses: String = variables().iter().map(|v| format!("\tcheck(\"\", {v})\n")).collect();
    format!(
        "package main\n\nimport (\n{imports})\n\nfunc checks() {{\n{all}}}\n\nfunc locals() {{\n{copies}{all}\tfinish()\n{uses}}}\n"
    )
}

/// The oracle's program.
pub(crate) fn oracle(version: &str, mode: Mode) -> Option<PathBuf> {
    fixture("oracle", version, mode, &[("checks.go", checks(&expressions()))])
}

/// The versions that tests run on.
pub(crate) fn versions() -> Vec<&'static str> {
    gofixture::matrix().into_iter().map(|go| go.version.as_str()).collect()
}

/// The program of `tests/<name>` with some files added, built for one version and mode; none is a counted skip.
pub(crate) fn fixture(name: &str, version: &str, mode: Mode, files: &[(&str, String)]) -> Option<PathBuf> {
    let mut program =
        gofixture::Program::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name));
    for (file, text) in files {
        program = program.file(file, text.clone());
    }
    Some(program.build(gofixture::exact(version)?, mode))
}

/// A program that printed its table and waits.
pub(crate) struct Running {
    child: Child,
    pub(crate) memory: ProcessMemory,
    /// Expression, type, value.
    pub(crate) lines: Vec<(String, String, String)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct ProcessMemory(fs::File);

impl ProcessMemory {
    pub(crate) fn of(pid: u32) -> ProcessMemory {
        ProcessMemory(fs::File::open(format!("/proc/{pid}/mem")).unwrap())
    }
}

impl Memory for ProcessMemory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        let mut done = 0;
        while done < buf.len() {
            match self.0.read_at(&mut buf[done..], addr + done as u64) {
                Ok(n) if n > 0 => done += n,
                _ => break,
            }
        }
        Ok(done)
    }
}

/// Runs the program until it has printed `END`.
pub(crate) fn run_until_end(program: &Path, arguments: &[&str]) -> Running {
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().flush().unwrap();
    let memory = ProcessMemory(fs::File::open(format!("/proc/{}/mem", child.id())).unwrap());
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = Vec::new();
    for line in out.lines().map_while(Result::ok) {
        if line == "END" {
            break;
        }
        let mut parts = line.split('\t').map(str::to_string);
        lines.push((parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap()));
    }
    Running { child, memory, lines }
}

/// The frame of a function on the stack of the first goroutine that has one.
pub(crate) fn frame_of(p: &Process<'_>, function: &str) -> golang::Frame {
    frame_where(p, |f| f.symbol == function)
}

pub(crate) fn frame_where(p: &Process<'_>, wanted: impl Fn(&golang::Frame) -> bool) -> golang::Frame {
    let all = p.goroutines(100).goroutines;
    let stacks = all.iter().map(|g| p.stack(golang::StackOf::Goroutine(g), 0, 50));
    let frames: Vec<golang::Frame> = stacks.flat_map(|s| s.frames).collect();
    let names: Vec<&str> = frames.iter().map(|f| f.symbol.as_str()).collect();
    frames.iter().find(|f| wanted(f)).unwrap_or_else(|| panic!("not among {names:?}")).clone()
}

/// What an expression gives, as text: type and value, or the error with its column.
pub(crate) fn outcome(text: &str, names: &eval::Names<'_>, scope: &eval::Scope<'_>) -> String {
    let process = scope.process;
    match eval::compile(text, names, eval::Purpose::Value).and_then(|p| eval::run(&p, scope)) {
        Ok(Evaluated::Value(v)) => format!("{}\t{}", process.display_name(v.ty), show(process, &v, 12)),
        Ok(Evaluated::Nil) => "nil".into(),
        Ok(Evaluated::Text(t)) => t,
        Ok(Evaluated::Place(place)) => {
            let symbol = place.symbol.as_ref().map_or_else(String::new, |(name, _)| format!(" {name}"));
            format!("{}{symbol}", place.region.as_str())
        }
        Ok(Evaluated::Type(t)) => format!("type {}", process.display_name(t)),
        Ok(Evaluated::Function(f)) => format!("func {}", f.name),
        Ok(Evaluated::Itab(addr)) => match process.image.itab(addr, process.mem) {
            Ok(i) => format!("itab of {}", process.display_name(process.image.type_from_runtime(i.typ))),
            Err(e) => format!("bad itab {e}"),
        },
        Err(e) => format!("error at {}: {e}", e.column),
    }
}

/// Go's reflection says `interface {}`, `uint8`, `int32` where sources say `any`, `byte`, `rune`.
pub(crate) fn same_but_for_alias(a: &str, b: &str) -> bool {
    let plain = |s: &str| s.replace("any", "interface {}");
    plain(a) == plain(b)
}

/// As the fixture's `show`.
pub(crate) fn show(p: &Process<'_>, v: &Value, depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else { return "...".into() };
    try_show(p, v, depth).unwrap_or_else(|why| format!("({why})"))
}

fn try_show(p: &Process<'_>, v: &Value, depth: usize) -> Result<String, String> {
    let ty = golang::underlying(p, v.ty).map_err(|e| e.to_string())?;
    let int = |signed: bool| -> Result<String, String> {
        let mut b = golang::bytes(p, v, 0, ty.size as usize)?;
        let fill = if signed && b.last().is_some_and(|b| *b >= 0x80) { 0xff } else { 0 };
        b.resize(16, fill);
        Ok(i128::from_le_bytes(b.try_into().unwrap()).to_string())
    };
    let hex = |offset: u64, n: usize| -> Result<String, String> {
        let mut b = golang::bytes(p, v, offset, n)?;
        b.resize(8, 0);
        Ok(format!("{:x}", u64::from_le_bytes(b.try_into().unwrap())))
    };
    let list = |n: u64| -> Result<String, String> {
        let parts: Result<Vec<String>, String> =
            (0..n).map(|i| golang::element(p, v, i).map(|e| show(p, &e, depth))).collect();
        Ok(format!("[{}]", parts?.join(" ")))
    };
    Ok(match &ty.shape {
        Shape::Struct { .. } => {
            let fields = golang::fields(p, v)?.into_iter().filter(|f| &*f.0.name != "_");
            format!("{{{}}}", fields.map(|f| show(p, &f.1, depth)).collect::<Vec<_>>().join(" "))
        }
        Shape::Array { len, .. } => list(*len)?,
        Shape::Slice { .. } => match golang::slice_header(p, v)? {
            _ if golang::word(p, v, 0)? == 0 => "nil".into(),
            _ => {
                let (len, cap) = (golang::word(p, v, 8)?, golang::word(p, v, 16)?);
                format!("{len}/{cap}{}", list(len)?)
            }
        },
        Shape::Interface { .. } => match golang::interface(p, v) {
            Interface::Nil => "nil".into(),
            Interface::Dynamic(d) => format!("<{} {}>", p.display_name(d.value.ty), show(p, &d.value, depth)),
            other => format!("{other:?}"),
        },
        _ => match ty.kind {
            Kind::Bool => (golang::bytes(p, v, 0, 1)?[0] != 0).to_string(),
            Kind::Int | Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => int(true)?,
            Kind::Uint | Kind::Uint8 | Kind::Uint16 | Kind::Uint32 | Kind::Uint64 | Kind::Uintptr => {
                int(false)?
            }
            Kind::Float32 | Kind::Float64 => format!("f{}", hex(0, ty.size as usize)?),
            Kind::Complex64 | Kind::Complex128 => {
                let half = ty.size / 2;
                format!("c{},{}", hex(0, half as usize)?, hex(half, half as usize)?)
            }
            Kind::String => {
                let (addr, len) = golang::string_header(p, v)?;
                let mut b = vec![0; len as usize];
                let n = p.mem.read(addr, &mut b).map_err(|e| e.to_string())?;
                if n < b.len() {
                    return Err("short string".into());
                }
                format!("s{}", b.iter().map(|b| format!("{b:02x}")).collect::<String>())
            }
            // reflect.Value.Pointer of a func is the code's address, behind the closure's first word.
            Kind::Func => match golang::word(p, v, 0)? {
                0 => "0x0".into(),
                _ => format!("{:#x}", golang::function_of(p, v)?.map_or(0, |f| f.entry)),
            },
            _ => format!("{:#x}", golang::word(p, v, 0)?),
        },
    })
}
