//! Launch and attach attributes: what a client may write in its configuration, as Rust structs.
//!
//! One definition serves three readers: the session (parsed, validated values), `xtask codegen` (the JSON schema in the VS Code
//! extension's `package.json`; field docs are what a user reads there) and this module's tests. Meanings and defaults follow
//! `dlv dap`'s `LaunchConfig` and `AttachConfig`; attributes that it does not know are ours.
//!
//! Must never touch the file system, start a process or read the environment: a configuration is only read here.

mod attach;
mod common;
mod flags;
mod launch;
mod schema;
mod value;

pub use attach::{AttachConfig, AttachMode};
pub use common::{BackendConfig, BackendKind, Common, Limits, PathRule, Probes, ShowItab};
pub(crate) use flags::flag_value;
pub use flags::{FlagError, merge_build_flags, split_flags};
pub use launch::{LaunchConfig, Mode, OutputMode};
pub use schema::{attach_schema, launch_schema};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A configuration that can't be used. The text names the attribute and what it should be; it is made for `showUser`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A JSON value of the wrong type, by attribute path (`args[1]`, `substitutePath[0].from`).
    #[error("invalid debug configuration - \"{path}\": {message}")]
    Type { path: String, message: String },
    /// The arguments are not a JSON object at all.
    #[error("invalid debug configuration - the arguments must be an object, found {0}")]
    NotAnObject(&'static str),
    /// An attribute that the mode needs is absent or empty.
    #[error("invalid debug configuration - the \"{attribute}\" attribute is missing: {help}")]
    Missing { attribute: &'static str, help: &'static str },
    /// Attributes that contradict one another.
    #[error("invalid debug configuration - {0}")]
    Conflict(String),
}

/// An attribute that the user gave, that is known, and that has no effect in this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYet {
    /// The attribute's name in the configuration.
    pub attribute: &'static str,
    /// What happens instead, one clause.
    pub instead: &'static str,
}

impl std::fmt::Display for NotYet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "attribute \"{}\" is not yet supported: {}", self.attribute, self.instead)
    }
}

/// Name, the value that asks for nothing, and what happens instead.
type Pending = (&'static str, Value, &'static str);

/// Attributes of both requests that are accepted and do nothing yet.
fn pending_common() -> Vec<Pending> {
    vec![
        ("followExec", Value::Bool(false), "child processes run untraced"),
        ("followExecRegex", Value::String(String::new()), "child processes run untraced"),
        ("showStringer", Value::Bool(false), "String and Error methods are not called"),
        ("probes", Value::String("auto".into()), "no probes are set in any case"),
    ]
}

/// Which of `pending` the user asked for.
fn asked_for(value: &Value, pending: Vec<Pending>) -> Vec<NotYet> {
    let given = |name: &str, idle: &Value| value.get(name).is_some_and(|v| !v.is_null() && v != idle);
    pending
        .into_iter()
        .filter(|(name, idle, _)| given(name, idle))
        .map(|(attribute, _, instead)| NotYet { attribute, instead })
        .collect()
}

/// Reads one struct out of the arguments. Members that are `null` count as absent (as for Delve), except inside `env`.
fn read<T: DeserializeOwned>(value: &Value) -> Result<T, ConfigError> {
    let Value::Object(members) = value else {
        return Err(ConfigError::NotAnObject(value::kind(value)));
    };
    let mut members = members.clone();
    members.retain(|_, v| !v.is_null());
    if let Some(Value::Object(limits)) = members.get_mut("limits") {
        limits.retain(|_, v| !v.is_null());
    }
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| ConfigError::Type {
        path: error.path().to_string(),
        message: error.inner().to_string(),
    })
}

#[cfg(test)]
mod tests;
