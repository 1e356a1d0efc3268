//! Every message against the protocol's JSON schema, with no member that the schema doesn't name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

static PROTOCOL: LazyLock<Option<Map<String, Value>>> = LazyLock::new(load);
static EXTENSIONS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("extensions.json")).expect("extensions.json is JSON"));
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

fn load() -> Option<Map<String, Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/dap/debugAdapterProtocol.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        crate::skip("validation of messages", &format!("no schema at {}", file.display()));
        return None;
    };
    let root: Value = serde_json::from_str(&text).expect("the schema is JSON");
    let all = root["definitions"].as_object().expect("definitions");
    Some(all.iter().map(|(name, value)| (name.clone(), close(flatten(value, all)))).collect())
}

/// Joins `allOf` into one object, the later parts winning, so that members can be counted.
fn flatten(definition: &Value, all: &Map<String, Value>) -> Value {
    let Some(parts) = definition.get("allOf").and_then(Value::as_array) else { return definition.clone() };
    let mut members = Map::new();
    let mut required = Vec::new();
    for part in parts {
        let part = match part.get("$ref").and_then(Value::as_str) {
            Some(path) => flatten(&all[path.rsplit('/').next().unwrap()], all),
            None => part.clone(),
        };
        members.extend(part["properties"].as_object().cloned().unwrap_or_default());
        for name in part["required"].as_array().into_iter().flatten() {
            if !required.contains(name) {
                required.push(name.clone());
            }
        }
    }
    json!({"type": "object", "properties": members, "required": required})
}

/// Forbids members that are not named, at every depth.
fn close(schema: Value) -> Value {
    match schema {
        Value::Object(mut members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            Value::Object(members.into_iter().map(|(name, value)| (name, close(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(close).collect()),
        other => other,
    }
}

/// What the schema has against a message of the adapter; empty when it is right (or there is no schema).
pub fn objections(message: &Value) -> Vec<String> {
    let Some(definitions) = PROTOCOL.as_ref() else { return Vec::new() };
    let text = |member: &str| message[member].as_str().unwrap_or_default().to_owned();
    let (name, extension) = match message["type"].as_str() {
        Some("response") if message["success"] == json!(false) => ("ErrorResponse".to_owned(), None),
        Some("response") => (format!("{}Response", pascal(&text("command"))), Some(text("command"))),
        Some("event") => (format!("{}Event", pascal(&text("event"))), Some(text("event"))),
        Some("request") => (format!("{}Request", pascal(&text("command"))), None),
        other => return vec![format!("a message of type {other:?}")],
    };
    let extension = extension.filter(|name| name.starts_with("itab/"));
    let key = extension.clone().unwrap_or_else(|| name.clone());
    let mut validators = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let validator = match validators.get(&key) {
        Some(validator) => *validator,
        None => {
            let Some(schema) = schema_of(&name, extension.as_deref(), definitions) else {
                return vec![format!("the schema knows no {key}")];
            };
            let compiled = jsonschema::validator_for(&schema).expect("a schema that compiles");
            let validator: &'static Validator = Box::leak(Box::new(compiled));
            validators.insert(key.clone(), validator);
            validator
        }
    };
    let objection =
        |error: jsonschema::ValidationError<'_>| format!("{key}{}: {error}", error.instance_path());
    validator.iter_errors(message).map(objection).collect()
}

fn schema_of(name: &str, extension: Option<&str>, definitions: &Map<String, Value>) -> Option<Value> {
    let mut all = definitions.clone();
    let Some(extension) = extension else {
        all.get(name)?;
        return Some(json!({"$ref": format!("#/definitions/{name}"), "definitions": all}));
    };
    all.extend(EXTENSIONS["definitions"].as_object()?.clone());
    let body = EXTENSIONS["messages"].get(extension)?;
    let schema = if body.is_null() {
        json!({"not": {"required": ["body"]}})
    } else {
        json!({"properties": {"body": close(body.clone())}, "required": ["body"]})
    };
    Some(json!({"allOf": [schema], "definitions": close(Value::Object(all))}))
}

/// `setBreakpoints` -> `SetBreakpoints`.
fn pascal(command: &str) -> String {
    let mut letters = command.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complains(message: Value, about: &str) {
        let objections = objections(&message);
        if PROTOCOL.is_some() {
            assert!(objections.iter().any(|text| text.contains(about)), "{message}: {objections:?}");
        }
    }

    #[test]
    fn right_messages_pass() {
        for message in [
            json!({"seq": 1, "type": "event", "event": "initialized"}),
            json!({"seq": 1, "type": "event", "event": "stopped", "body": {"reason": "step", "threadId": 1}}),
            json!({"seq": 1, "type": "response", "request_seq": 1, "success": true, "command": "next"}),
            json!({"seq": 1, "type": "response", "request_seq": 1, "success": true, "command": "itab/dispatchStep"}),
            json!({"seq": 1, "type": "response", "request_seq": 1, "success": true, "command": "itab/dispatch",
                "body": {"sites": [{"id": 1, "kind": "interface", "order": 0, "state": "known",
                    "target": {"role": "body", "name": "main.f", "address": "0x1"}}], "total": 1}}),
        ] {
            assert_eq!(objections(&message), Vec::<String>::new(), "{message}");
        }
    }

    #[test]
    fn wrong_messages_fail() {
        complains(
            json!({"seq": 1, "type": "event", "event": "stopped", "body": {"reason": "step", "thread_id": 1}}),
            "thread_id",
        );
        complains(json!({"seq": 0, "type": "event", "event": "initialized"}), "minimum");
        complains(json!({"seq": 1, "type": "event", "event": "stopped", "body": {}}), "reason");
        complains(json!({"seq": 1, "type": "event", "event": "strange"}), "knows no");
        complains(
            json!({"seq": 1, "type": "event", "event": "output", "body": {"output": "x", "source": null}}),
            "null",
        );
        complains(
            json!({"seq": 1, "type": "response", "request_seq": 1, "success": true, "command": "itab/dispatch",
                "body": {"sites": [{"id": 1, "kind": "wrong", "order": 0, "state": "known"}], "total": 1}}),
            "wrong",
        );
    }
}
