//! Attributes that `launch` and `attach` share.
//!
//! Field docs are shown to users in their editor.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{ConfigError, read, value};

/// Which native debugger does the process work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BackendKind {
    /// The best that is there. Delve's `default` means the same.
    #[default]
    Auto,
    /// GDB's server over its remote protocol.
    Gdbserver,
    /// GDB over MI. Not yet.
    Gdb,
    /// LLDB's server. Not yet.
    Lldb,
    /// The adapter's own ptrace; needs no debugger installed.
    Native,
    /// rr. Not yet.
    Rr,
}

const BACKENDS: &str = "one of auto, default, gdbserver, gdb, lldb, native, rr";

impl BackendKind {
    fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "" | "auto" | "default" => Self::Auto,
            "gdbserver" => Self::Gdbserver,
            "gdb" => Self::Gdb,
            "lldb" => Self::Lldb,
            "native" => Self::Native,
            "rr" => Self::Rr,
            _ => return None,
        })
    }
}

impl<'de> Deserialize<'de> for BackendKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        value::named(d, BACKENDS, Self::by_name)
    }
}

/// `backend`: a name, or a name and where its program is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BackendConfig {
    pub kind: BackendKind,
    /// The server's program, where it is not the one that would be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl<'de> Deserialize<'de> for BackendConfig {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = BackendConfig;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{BACKENDS}, or an object with kind and path")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<BackendConfig, E> {
                match BackendKind::by_name(v) {
                    Some(kind) => Ok(BackendConfig { kind, path: None }),
                    None => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BackendConfig, A::Error> {
                let mut backend = BackendConfig::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "kind" => backend.kind = map.next_value()?,
                        "path" => backend.path = map.next_value()?,
                        _ => drop(map.next_value::<de::IgnoredAny>()?),
                    }
                }
                Ok(backend)
            }
        }
        d.deserialize_any(V)
    }
}

/// What the schema says of `backend`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum BackendSchema {
    Name(BackendKind),
    DelvesName(DelvesName),
    Given { kind: BackendKind, path: String },
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only its schema is used")]
enum DelvesName {
    /// The same as `auto`.
    Default,
}

/// When an interface value gets its `[itab]` or `[type]` child.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShowItab {
    /// All but the `[type]` of basic and unnamed types without methods.
    #[default]
    Auto,
    Always,
    Never,
}

impl Serialize for ShowItab {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => s.serialize_str("auto"),
            Self::Always => s.serialize_bool(true),
            Self::Never => s.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for ShowItab {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = ShowItab;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\", true or false")
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<ShowItab, E> {
                Ok(if v { ShowItab::Always } else { ShowItab::Never })
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<ShowItab, E> {
                match v {
                    "" | "auto" => Ok(ShowItab::Auto),
                    _ => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
                }
            }
        }
        d.deserialize_any(V)
    }
}

/// Whether in-process probes may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Probes {
    #[default]
    Auto,
    Never,
}

impl<'de> Deserialize<'de> for Probes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        value::named(d, "auto or never", |name| match name {
            "auto" => Some(Probes::Auto),
            "never" => Some(Probes::Never),
            _ => None,
        })
    }
}

/// One rule of `substitutePath`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "an object with from and to")]
pub struct PathRule {
    /// Path on the client's side (in the editor).
    pub from: String,
    /// Path on the program's side (as compiled into the binary).
    pub to: String,
}

/// How much of a value is read at first. Zero or absent: the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", expecting = "an object of whole numbers")]
pub struct Limits {
    /// Bytes of a string (512).
    #[serde(deserialize_with = "value::opt_count", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub string: Option<u32>,
    /// Elements of an array, slice or channel (64).
    #[serde(deserialize_with = "value::opt_count", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub array: Option<u32>,
    /// Entries of a map (64).
    #[serde(deserialize_with = "value::opt_count", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub map: Option<u32>,
    /// Fields of a struct (all).
    #[serde(
        rename = "struct",
        deserialize_with = "value::opt_count",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "u32")]
    pub struct_: Option<u32>,
    /// Levels of nesting in a value's text (1).
    #[serde(deserialize_with = "value::opt_count", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub depth: Option<u32>,
    /// Time that one request may take to read values.
    #[serde(deserialize_with = "value::opt_count", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub milliseconds: Option<u32>,
}

/// Attributes of both requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Common {
    /// Stop at the program's entry.
    pub stop_on_entry: bool,
    /// The native debugger that does the process work: `auto` takes the best that is there.
    #[schemars(with = "BackendSchema", extend("default" = "auto"))]
    #[serde(serialize_with = "backend_default")]
    pub backend: BackendConfig,
    /// Frames in a stack when the client does not say how many.
    #[serde(deserialize_with = "value::count")]
    pub stack_trace_depth: u32,
    /// Bytes of a string that are read at first (0: 512).
    #[serde(deserialize_with = "value::count")]
    pub max_string_len: u32,
    /// Elements of an array, slice or map that are read at first (0: 64).
    #[serde(deserialize_with = "value::count")]
    pub max_array_values: u32,
    /// Show the variables of the frame's package in a scope of their own.
    pub show_global_variables: bool,
    /// Show the registers in a scope of their own.
    pub show_registers: bool,
    /// Show strings without quotes and escapes.
    pub show_raw_strings: bool,
    /// Leave the runtime's own goroutines out of the thread list.
    pub hide_system_goroutines: bool,
    /// Which goroutines are listed, as in Delve's `goroutines` command: `-with user -without userloc main.worker`, also `curloc`, `goloc`, `startloc`, `label KEY=VALUE`, `running`.
    pub goroutine_filters: String,
    /// pprof labels that are shown in goroutine names; `*` shows all.
    #[serde(deserialize_with = "value::texts")]
    pub show_pprof_labels: Vec<String>,
    /// Source paths: `from` is the client's, `to` the one compiled into the binary.
    #[serde(deserialize_with = "value::objects")]
    pub substitute_path: Vec<PathRule>,
    /// Debug child processes too. Not yet.
    pub follow_exec: bool,
    /// Only child processes whose command line matches. Not yet.
    pub follow_exec_regex: String,
    /// The `[itab]` child of interface values: `auto` leaves out what would say nothing, `true` shows it always, `false` never.
    #[schemars(extend("default" = "auto", "enum" = ["auto", true, false]), with = "serde_json::Value")]
    pub show_itab: ShowItab,
    /// Run `Error` and `String` methods for display. Not yet.
    pub show_stringer: bool,
    /// Packages in which plain steps don't stop: globs of import paths; `std` is the standard library.
    #[serde(deserialize_with = "value::texts")]
    pub skip_packages: Vec<String>,
    /// Run callees of the line in a sandbox, without any effect on the program, to predict targets that are not decided yet.
    pub speculate: bool,
    /// In-process probes for fast tracing. Not yet.
    pub probes: Probes,
    /// How much of a value is read at first.
    #[schemars(extend("default" = {}))]
    pub limits: Limits,
    /// Interface calls to trace from the start: a filter as in the console's `trace dispatch` (`io.Writer.Write`, `package=main`,
    /// `main.go:12`), or `asserts` and a filter.
    pub trace: String,
}

/// What `trace` means in configurations for VS Code's Go extension: how much it logs.
const GO_LOG_LEVELS: &[&str] = &["verbose", "trace", "log", "info", "warn", "error"];

/// The default is written as the name that a user would write.
fn backend_default<S: serde::Serializer>(backend: &BackendConfig, s: S) -> Result<S::Ok, S::Error> {
    match backend.path {
        None => backend.kind.serialize(s),
        Some(_) => backend.serialize(s),
    }
}

impl Default for Common {
    fn default() -> Self {
        Self {
            stop_on_entry: false,
            backend: BackendConfig::default(),
            stack_trace_depth: 50,
            max_string_len: 0,
            max_array_values: 0,
            show_global_variables: false,
            show_registers: false,
            show_raw_strings: false,
            hide_system_goroutines: false,
            goroutine_filters: String::new(),
            show_pprof_labels: Vec::new(),
            substitute_path: Vec::new(),
            follow_exec: false,
            follow_exec_regex: String::new(),
            show_itab: ShowItab::default(),
            show_stringer: false,
            skip_packages: Vec::new(),
            speculate: false,
            probes: Probes::default(),
            limits: Limits::default(),
            trace: String::new(),
        }
    }
}

impl Common {
    pub(super) fn parse(arguments: &Value) -> Result<Self, ConfigError> {
        let mut common: Common = read(arguments)?;
        if common.stack_trace_depth == 0 {
            common.stack_trace_depth = Common::default().stack_trace_depth;
        }
        if GO_LOG_LEVELS.contains(&common.trace.as_str()) {
            common.trace.clear();
        }
        Ok(common)
    }

    /// Bytes of a string: `limits.string`, else `maxStringLen`, else 512.
    pub fn string_limit(&self) -> u32 {
        first_set([self.limits.string.unwrap_or(0), self.max_string_len], 512)
    }

    /// Elements of an array, slice or channel: `limits.array`, else `maxArrayValues`, else 64.
    pub fn array_limit(&self) -> u32 {
        first_set([self.limits.array.unwrap_or(0), self.max_array_values], 64)
    }

    /// Entries of a map: `limits.map`, else `maxArrayValues`, else 64.
    pub fn map_limit(&self) -> u32 {
        first_set([self.limits.map.unwrap_or(0), self.max_array_values], 64)
    }
}

fn first_set(candidates: [u32; 2], default: u32) -> u32 {
    candidates.into_iter().find(|&n| n != 0).unwrap_or(default)
}
