//! Attributes of the `attach` request.
//!
//! Field docs are shown to users in their editor.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::common::Common;
use super::{ConfigError, NotYet, asked_for, pending_common, read, value};

/// Where the process is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AttachMode {
    /// On this machine.
    #[default]
    Local,
    /// Under a debug server that this adapter is already connected to. Not yet.
    Remote,
}

impl<'de> Deserialize<'de> for AttachMode {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        value::named(d, "local or remote", |name| match name {
            "" | "local" => Some(AttachMode::Local),
            "remote" => Some(AttachMode::Remote),
            _ => None,
        })
    }
}

/// A parsed and validated `attach` configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AttachConfig {
    /// Where the process is.
    pub mode: AttachMode,
    /// Id of the process.
    #[serde(deserialize_with = "value::pid", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PidSchema", extend("default" = "${command:pickProcess}"))]
    pub process_id: Option<i32>,
    /// Instead of `processId`: wait for a process whose command line, or whose program's file name, begins with this.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub wait_for: Option<String>,
    /// The binary, where the process's own (`/proc/PID/exe`) can't be read.
    #[serde(deserialize_with = "value::opt_text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub program: Option<String>,
    /// Attributes that `launch` has as well.
    #[serde(skip)]
    pub common: Common,
    /// Attributes given that have no effect in this version.
    #[serde(skip)]
    pub not_yet: Vec<NotYet>,
}

/// What the schema says of `processId`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum PidSchema {
    Number(u32),
    Text(String),
}

impl AttachConfig {
    /// Reads and validates the arguments of an `attach` request. Attributes that nobody knows are ignored.
    pub fn parse(arguments: &Value) -> Result<Self, ConfigError> {
        let mut config: AttachConfig = read(arguments)?;
        config.common = Common::parse(arguments)?;
        let mut pending = pending_common();
        pending.push(("guessSubstitutePath", Value::Object(Default::default()), "give substitutePath"));
        config.not_yet = asked_for(arguments, pending);
        config.check()?;
        Ok(config)
    }

    /// What the command of the process to wait for begins with.
    pub fn awaited(&self) -> Option<&str> {
        self.wait_for.as_deref().filter(|name| !name.is_empty())
    }

    fn check(&self) -> Result<(), ConfigError> {
        let waits = self.awaited().is_some();
        match (self.mode, self.process_id, waits) {
            (AttachMode::Remote, ..) => Err(ConfigError::Conflict(
                "\"mode\": \"remote\" is not yet supported for attach: use \"local\"".into(),
            )),
            (_, Some(1..), true) => {
                Err(ConfigError::Conflict("\"processId\" and \"waitFor\" can't be given together".into()))
            }
            (_, None | Some(0), false) => Err(ConfigError::Missing {
                attribute: "processId",
                help: "the id of a running Go process (or give \"waitFor\", the beginning of its command)",
            }),
            (_, Some(_), false) | (_, _, true) => Ok(()),
        }
    }
}
