//! The JSON schema of launch and attach configurations, in the form that VS Code's `contributes.debuggers` takes.
//!
//! Generated from the structs' docs and types; `xtask codegen` writes it into the extension's `package.json`. The output is
//! deterministic: same structs, same bytes.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{AttachConfig, Common, LaunchConfig};

/// `configurationAttributes.launch`.
pub fn launch_schema() -> Value {
    schema(properties::<LaunchConfig>(), &["program"])
}

/// `configurationAttributes.attach`.
pub fn attach_schema() -> Value {
    schema(properties::<AttachConfig>(), &["processId"])
}

fn schema(mut own: Map<String, Value>, required: &[&str]) -> Value {
    own.extend(properties::<Common>());
    json!({ "required": required, "properties": own })
}

/// The `properties` of one struct, with everything inlined: VS Code resolves no `$ref` there.
fn properties<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft07().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    match schema.remove("properties") {
        Some(Value::Object(properties)) => properties.into_iter().map(|(k, v)| (k, for_editor(v))).collect(),
        _ => Map::new(),
    }
}

/// `description` becomes `markdownDescription` (our docs use backquotes); formats that editors don't know are dropped.
fn for_editor(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out = Map::new();
            for (key, member) in members {
                match (key.as_str(), &member) {
                    ("description", Value::String(text)) if text.contains('`') => {
                        out.insert("markdownDescription".into(), member);
                    }
                    ("format", _) => {}
                    _ => {
                        out.insert(key, for_editor(member));
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(for_editor).collect()),
        other => other,
    }
}
