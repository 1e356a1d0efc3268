//! Attributes of the `launch` request.
//!
//! Field docs are shown to users in their editor: they say what the attribute does, not how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::common::Common;
use super::{ConfigError, FlagError, NotYet, asked_for, pending_common, read, split_flags, value};

/// What `program` is and what happens to it before it is debugged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Build the package without optimisations and debug it.
    #[default]
    Debug,
    /// Build the package's tests and debug them.
    Test,
    /// Debug an existing binary.
    Exec,
    /// `test` for a `_test.go` file, else `debug`.
    Auto,
    /// Replay a recorded trace.
    Replay,
    /// Look at a core file.
    Core,
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        value::named(d, "one of debug, test, exec, auto, replay, core", |name| {
            Some(match name {
                "" | "debug" => Mode::Debug,
                "test" => Mode::Test,
                "exec" => Mode::Exec,
                "auto" => Mode::Auto,
                "replay" => Mode::Replay,
                "core" => Mode::Core,
                _ => return None,
            })
        })
    }
}

/// How the program's output reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutputMode {
    /// The adapter's own standard output and error, where they are not the protocol's.
    Local,
    /// As `output` events.
    Remote,
}

impl<'de> Deserialize<'de> for OutputMode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        value::named(d, "local or remote", |name| match name {
            "" | "local" => Some(OutputMode::Local),
            "remote" => Some(OutputMode::Remote),
            _ => None,
        })
    }
}

/// A parsed and validated `launch` configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LaunchConfig {
    /// What to do with `program`: `debug` and `test` build it first, `exec` takes a binary.
    pub mode: Mode,
    /// For `debug` and `test`: a package folder, a Go file or an import path. For `exec`: a binary. A relative path starts at the adapter's directory (after `dlvCwd`).
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("default" = "${workspaceFolder}"))]
    pub program: Option<String>,
    /// Arguments of the program.
    #[serde(deserialize_with = "value::texts")]
    pub args: Vec<String>,
    /// Working directory of the program. Default: the adapter's directory; in mode `test` the package's.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub cwd: Option<String>,
    /// Directory that the adapter itself changes to before anything else: the build runs there, relative paths start there.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub dlv_cwd: Option<String>,
    /// Environment variables for the build and the program, added to the adapter's own. `null` unsets one.
    #[serde(deserialize_with = "value::env")]
    pub env: BTreeMap<String, Option<String>>,
    /// Flags for `go build`: a string as on a command line (single and double quotes), or a list. `-gcflags` are added to the ones that switch optimisation off.
    #[schemars(with = "FlagsSchema")]
    pub build_flags: BuildFlags,
    /// Where the built binary goes; it is deleted at the end. Default: a private temporary file.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub output: Option<String>,
    /// Run without debugging.
    pub no_debug: bool,
    /// How the program's output reaches the client: `remote` as output events, `local` on the adapter's own standard output where that is not the protocol's. Default: output events.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OutputMode")]
    pub output_mode: Option<OutputMode>,
    /// File for the program's standard input. Default: empty.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub stdin_from: Option<String>,
    /// File for the program's standard output.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub stdout_to: Option<String>,
    /// File for the program's standard error.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub stderr_to: Option<String>,
    /// Trace folder for mode `replay`. Not yet.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub trace_dir_path: Option<String>,
    /// Core file for mode `core`. Not yet.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub core_file_path: Option<String>,
    /// Attributes that `attach` has as well.
    #[serde(skip)]
    pub common: Common,
    /// Attributes given that have no effect in this version.
    #[serde(skip)]
    pub not_yet: Vec<NotYet>,
}

impl LaunchConfig {
    /// Reads and validates the arguments of a `launch` request. Attributes that nobody knows are ignored.
    pub fn parse(arguments: &Value) -> Result<Self, ConfigError> {
        let mut config: LaunchConfig = read(arguments)?;
        config.common = Common::parse(arguments)?;
        config.not_yet = asked_for(arguments, pending_common());
        config.resolve_auto();
        config.check()?;
        Ok(config)
    }

    /// `auto` is decided by the file's name alone, as in Delve's VS Code extension.
    fn resolve_auto(&mut self) {
        if self.mode == Mode::Auto {
            let tests = self.program.as_deref().is_some_and(|p| p.ends_with("_test.go"));
            self.mode = if tests { Mode::Test } else { Mode::Debug };
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let empty = |field: &Option<String>| field.as_deref().is_none_or(str::is_empty);
        if empty(&self.program) && self.mode != Mode::Replay {
            let help =
                "a package folder, Go file or import path (modes debug and test), or a binary (mode exec)";
            return Err(ConfigError::Missing { attribute: "program", help });
        }
        if self.mode == Mode::Replay && empty(&self.trace_dir_path) {
            return Err(ConfigError::Missing {
                attribute: "traceDirPath",
                help: "mode replay needs a trace folder",
            });
        }
        if self.mode == Mode::Core && empty(&self.core_file_path) {
            return Err(ConfigError::Missing {
                attribute: "coreFilePath",
                help: "mode core needs a core file",
            });
        }
        let redirected = !empty(&self.stdout_to) || !empty(&self.stderr_to);
        if redirected && self.output_mode == Some(OutputMode::Remote) {
            let text = "\"stdoutTo\" and \"stderrTo\" can't be combined with \"outputMode\": \"remote\"";
            return Err(ConfigError::Conflict(text.into()));
        }
        Ok(())
    }

    /// The program as written; [`LaunchConfig::parse`] guarantees one outside mode `replay`.
    pub fn program(&self) -> &str {
        self.program.as_deref().unwrap_or_default()
    }
}

/// `buildFlags`, already split into arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct BuildFlags(pub Vec<String>);

/// What the schema says of `buildFlags`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum FlagsSchema {
    Line(String),
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for BuildFlags {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> serde::de::Visitor<'de> for V {
            type Value = BuildFlags;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<BuildFlags, E> {
                split_flags(v).map(BuildFlags).map_err(|e: FlagError| E::custom(e))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<BuildFlags, A::Error> {
                let mut all = Vec::new();
                while let Some(value::Text(flag)) = seq.next_element()? {
                    all.push(flag);
                }
                Ok(BuildFlags(all))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<BuildFlags, A::Error> {
                match map.next_key::<String>()? {
                    None => Ok(BuildFlags::default()),
                    Some(_) => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Map, &self)),
                }
            }
        }
        d.deserialize_any(V)
    }
}
