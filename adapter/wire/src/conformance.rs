//! Fills every definition of the protocol's schema, with every value of every enumeration, and reads it through our
//! types: nothing may be lost or added. Where the schema's file is absent this is a printed skip, in CI a failure.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::generated::list::every_definition;

/// More rounds than any enumeration has values, so that each is tried.
const ROUNDS: usize = 24;
/// How deep a definition may contain itself.
const DEPTH: usize = 3;

fn schema() -> Option<Map<String, Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/dap/debugAdapterProtocol.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(std::env::var("CI").is_err(), "CI must have the schema at {}", file.display());
        eprintln!("skipped 1: no schema at {}", file.display());
        return None;
    };
    let Value::Object(mut root) = serde_json::from_str(&text).unwrap() else { panic!("no object") };
    let Some(Value::Object(definitions)) = root.remove("definitions") else { panic!("no definitions") };
    Some(definitions)
}

/// Makes values of the schema's types.
struct Filler<'a> {
    definitions: &'a Map<String, Value>,
    /// Which value of each enumeration.
    round: usize,
    /// Optional members too.
    optional: bool,
}

impl Filler<'_> {
    fn definition(&self, name: &str, depth: usize) -> Value {
        let definition = &self.definitions[name];
        let Some(parts) = definition.get("allOf").and_then(Value::as_array) else {
            return self.fill(definition, depth);
        };
        let base = parts[0]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        match base {
            "Response" | "Event" => {
                parts[1].pointer("/properties/body").map_or_else(|| json!({}), |body| self.fill(body, depth))
            }
            other => {
                let mut value = self.definition(other, depth);
                let Value::Object(own) = self.fill(&parts[1], depth) else { panic!("{name}") };
                value.as_object_mut().unwrap().extend(own);
                value
            }
        }
    }

    fn fill(&self, schema: &Value, depth: usize) -> Value {
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            return self.definition(path.rsplit('/').next().unwrap(), depth + 1);
        }
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            return self.fill(&choices[self.round % choices.len()], depth);
        }
        match &schema["type"] {
            Value::String(kind) => self.simple(kind, schema, depth),
            Value::Array(kinds) if kinds.len() < 7 => {
                let kind = kinds[self.round % kinds.len()].as_str().unwrap();
                self.simple(kind, schema, depth)
            }
            Value::Array(_) => json!({"any": [1, null, "text", {"deep": -2.5}]}),
            other => panic!("type {other}"),
        }
    }

    fn simple(&self, kind: &str, schema: &Value, depth: usize) -> Value {
        match kind {
            "null" => Value::Null,
            "boolean" => json!(self.round.is_multiple_of(2)),
            "integer" => match self.round % 3 {
                0 => schema.get("maximum").cloned().unwrap_or(json!(i32::MAX)),
                1 => schema.get("minimum").cloned().unwrap_or(json!(0)),
                _ => json!(7),
            },
            "number" => [json!(50), json!(12.5), json!(0)][self.round % 3].clone(),
            "string" => self.string(schema),
            "array" => json!([self.fill(&schema["items"], depth), self.fill(&schema["items"], depth)]),
            "object" => self.object(schema, depth),
            other => panic!("type {other}"),
        }
    }

    fn string(&self, schema: &Value) -> Value {
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values[self.round % values.len()].clone();
        }
        let open = schema.get("_enum").and_then(Value::as_array);
        let defined = open.and_then(|values| values.get(self.round % (values.len() + 1)));
        defined.cloned().unwrap_or_else(|| json!("another \"text\" \u{1F600}\n"))
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let mut out = Map::new();
        if let Some(values) = schema.get("additionalProperties") {
            let value = if values.is_object() { self.fill(values, depth) } else { json!({"x": 1}) };
            out.insert("key".to_owned(), value);
        }
        let required = schema.get("required").and_then(Value::as_array);
        for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let needed = required.is_some_and(|names| names.contains(&json!(name)));
            if needed || (self.optional && depth < DEPTH) {
                out.insert(name.clone(), self.fill(member, depth));
            }
        }
        Value::Object(out)
    }
}

/// What the adapter only reads may write absent members as null: it is never written.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn round_trip<T: Serialize + DeserializeOwned>(
    definitions: &Map<String, Value>,
    name: &str,
    faults: &mut String,
) {
    for round in 0..ROUNDS {
        for optional in [false, true] {
            let value = Filler { definitions, round, optional }.definition(name, 0);
            let read: T = match serde_json::from_value(value.clone()) {
                Ok(read) => read,
                Err(error) => {
                    let _ = writeln!(faults, "{name} can't be read: {error}\n  {value}");
                    return;
                }
            };
            let mut back = serde_json::to_value(&read).unwrap();
            let mut expected = value;
            if name.ends_with("Arguments") {
                (back, expected) = (without_nulls(back), without_nulls(expected));
            }
            if back != expected {
                let _ = writeln!(faults, "{name} differs:\n  {expected}\n  {back}");
                return;
            }
        }
    }
}

#[test]
fn every_definition_is_lossless() {
    let Some(definitions) = schema() else { return };
    let mut faults = String::new();
    let mut covered = BTreeSet::new();
    macro_rules! check {
        ($name:ident, $kind:ty) => {
            covered.insert(stringify!($name).to_owned());
            round_trip::<$kind>(&definitions, stringify!($name), &mut faults);
        };
    }
    every_definition!(check);
    let envelope = ["ProtocolMessage", "Request", "Event", "Response", "ErrorResponse"];
    for (name, definition) in &definitions {
        let bodyless = name.ends_with("Response") && definition.pointer("/allOf/1/properties/body").is_none();
        let shared = name == "InitializeResponse";
        if !(covered.contains(name)
            || name.ends_with("Request")
            || envelope.contains(&name.as_str())
            || bodyless
            || shared)
        {
            let _ = writeln!(faults, "{name} is not covered");
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(covered.len() > 100, "{} definitions", covered.len());
}

/// What the round trip above rests on: a shape that loses a member is noticed.
#[test]
fn a_lossy_shape_is_noticed() {
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Lossy {
        thread_id: i64,
    }
    let Some(definitions) = schema() else { return };
    let mut faults = String::new();
    round_trip::<Lossy>(&definitions, "PauseArguments", &mut faults);
    assert!(faults.is_empty(), "{faults}");
    round_trip::<Lossy>(&definitions, "NextArguments", &mut faults);
    assert!(faults.contains("NextArguments differs"), "{faults}");
}

/// Shapes that clients never send all of: absent members stay absent, unknown values of enumerations are kept.
#[test]
fn defaults_write_no_nulls() {
    use crate::types::*;
    fn members<T: Serialize + Default>() -> String {
        serde_json::to_string(&T::default()).unwrap()
    }
    for text in [
        members::<StoppedEvent>(),
        members::<Variable>(),
        members::<StackFrame>(),
        members::<Scope>(),
        members::<Breakpoint>(),
        members::<Capabilities>(),
        members::<EvaluateResponse>(),
        members::<crate::itab::CallSite>(),
        members::<crate::itab::PointeeResponse>(),
    ] {
        assert!(!text.contains("null"), "{text}");
    }
    let context: EvaluateContext = serde_json::from_str("\"future\"").unwrap();
    assert_eq!(context, EvaluateContext::Other("future".into()));
}
