//! The protocol's JSON schema, read into the few shapes that it is made of.
//!
//! It must never skip what it doesn't understand: a construct that a newer schema brings is an error that names it.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

/// The type of a member or a definition.
#[derive(Debug, Clone)]
pub(super) enum Type {
    Boolean,
    Integer,
    Number,
    String,
    /// A string of which some values are defined. The reader takes others too.
    Enumeration(Vec<String>),
    Any,
    IntegerOrString,
    List(Box<Type>),
    /// An object used as a dictionary.
    Dictionary(Box<Type>),
    Nullable(Box<Type>),
    /// Another definition, by name.
    Named(String),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) kind: Type,
    pub(super) required: bool,
}

/// A shape with a name: a shared type, an argument structure, the body of a response or an event.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) kind: Type,
}

/// A request with its arguments and the body of its answer, by the names of their definitions.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) command: String,
    pub(super) doc: String,
    pub(super) arguments: Option<String>,
    pub(super) body: Option<String>,
    /// Sent by the adapter (`runInTerminal`, `startDebugging`).
    pub(super) reverse: bool,
}

/// What the schema says of a message's body.
enum Body {
    None,
    Own(Vec<Member>),
    Shared(String),
}

/// An event; its body may be absent.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) event: String,
    pub(super) doc: String,
    pub(super) body: Vec<Member>,
}

/// The whole schema.
#[derive(Debug, Default)]
pub(super) struct Protocol {
    pub(super) types: Vec<Definition>,
    pub(super) arguments: Vec<Definition>,
    pub(super) bodies: Vec<Definition>,
    pub(super) requests: Vec<Request>,
    pub(super) events: Vec<Event>,
}

/// Definitions that describe the envelope, which `wire` writes by hand.
const ENVELOPE: &[&str] = &["ProtocolMessage", "Request", "Event", "Response", "ErrorResponse"];

/// Requests that the adapter sends to the client; the schema tells them by a heading only.
const REVERSE: &[&str] = &["runInTerminal", "startDebugging"];

impl Protocol {
    /// Reads the schema's text.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let root: Value = serde_json::from_str(text).context("the schema is not JSON")?;
        let definitions =
            root.get("definitions").and_then(Value::as_object).context("the schema has no definitions")?;
        let mut protocol = Self::default();
        for (name, definition) in definitions {
            if ENVELOPE.contains(&name.as_str()) {
                continue;
            }
            protocol.add(name, definition, definitions).with_context(|| format!("in definition {name}"))?;
        }
        Ok(protocol)
    }

    fn add(&mut self, name: &str, definition: &Value, all: &Map<String, Value>) -> anyhow::Result<()> {
        let Some(parts) = definition.get("allOf").and_then(Value::as_array) else {
            let shape =
                Definition { name: name.to_owned(), doc: doc(definition), kind: parse_type(definition)? };
            if name.ends_with("Arguments") {
                self.arguments.push(shape);
            } else {
                self.types.push(shape);
            }
            return Ok(());
        };
        let [base, own] = parts.as_slice() else { bail!("allOf with {} parts", parts.len()) };
        match base.get("$ref").and_then(Value::as_str).map(reference) {
            Some("Request") => self.add_request(name, own, all),
            Some("Event") => self.add_event(name, own),
            Some("Response") => {
                if let Body::Own(members) = body_of(own)? {
                    let doc = format!("The body of the answer to `{}`.", command_of_response(name));
                    self.bodies.push(Definition { name: name.to_owned(), doc, kind: Type::Object(members) });
                }
                Ok(())
            }
            Some(base) => {
                let inherited = all.get(base).with_context(|| format!("no definition {base}"))?;
                let (Type::Object(mut members), Type::Object(more)) =
                    (parse_type(inherited)?, parse_type(own)?)
                else {
                    bail!("{base} is extended but is no object");
                };
                members.extend(more);
                let kind = Type::Object(members);
                self.types.push(Definition { name: name.to_owned(), doc: doc(own), kind });
                Ok(())
            }
            None => bail!("allOf without a base"),
        }
    }

    fn add_request(&mut self, name: &str, own: &Value, all: &Map<String, Value>) -> anyhow::Result<()> {
        let short = name.strip_suffix("Request").context("a request without the suffix Request")?;
        let command = constant(own, "command")?;
        let arguments = own.pointer("/properties/arguments/$ref").and_then(Value::as_str).map(reference);
        let response = format!("{short}Response");
        let answer = all.get(&response).and_then(|r| r.pointer("/allOf/1"));
        let body = match answer.map(body_of).transpose()? {
            Some(Body::Own(_)) => Some(response),
            Some(Body::Shared(name)) => Some(name),
            Some(Body::None) | None => None,
        };
        self.requests.push(Request {
            name: short.to_owned(),
            reverse: REVERSE.contains(&command.as_str()),
            command,
            doc: doc(own),
            arguments: arguments.map(str::to_owned),
            body,
        });
        Ok(())
    }

    fn add_event(&mut self, name: &str, own: &Value) -> anyhow::Result<()> {
        let short = name.strip_suffix("Event").context("an event without the suffix Event")?;
        let body = match body_of(own)? {
            Body::Own(members) => members,
            Body::None => Vec::new(),
            Body::Shared(name) => bail!("a body shared with {name}"),
        };
        self.events.push(Event {
            name: short.to_owned(),
            event: constant(own, "event")?,
            doc: doc(own),
            body,
        });
        Ok(())
    }
}

fn command_of_response(name: &str) -> String {
    super::vocabulary::camel_case(name.strip_suffix("Response").unwrap_or(name))
}

fn doc(value: &Value) -> String {
    value.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn reference(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn constant(own: &Value, member: &str) -> anyhow::Result<String> {
    own.pointer(&format!("/properties/{member}/enum/0"))
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("no constant {member}"))
}

fn body_of(own: &Value) -> anyhow::Result<Body> {
    let Some(body) = own.pointer("/properties/body") else { return Ok(Body::None) };
    match parse_type(body)? {
        Type::Object(members) => Ok(Body::Own(members)),
        Type::Named(name) => Ok(Body::Shared(name)),
        other => bail!("a body that is no object: {other:?}"),
    }
}

fn parse_type(value: &Value) -> anyhow::Result<Type> {
    if let Some(path) = value.get("$ref").and_then(Value::as_str) {
        return Ok(Type::Named(reference(path).to_owned()));
    }
    if value.get("oneOf").is_some() {
        return Ok(Type::Any);
    }
    match value.get("type") {
        Some(Value::String(name)) => parse_simple(name, value),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            match names.as_slice() {
                ["integer", "string"] => Ok(Type::IntegerOrString),
                [one, "null"] => Ok(Type::Nullable(Box::new(parse_simple(one, value)?))),
                many if many.len() >= 7 => Ok(Type::Any),
                other => bail!("a union of {other:?}"),
            }
        }
        other => bail!("a type given as {other:?}"),
    }
}

fn parse_simple(name: &str, value: &Value) -> anyhow::Result<Type> {
    Ok(match name {
        "boolean" => Type::Boolean,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "string" => match value.get("enum").or_else(|| value.get("_enum")).and_then(Value::as_array) {
            Some(values) => {
                Type::Enumeration(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            None => Type::String,
        },
        "array" => Type::List(Box::new(parse_type(value.get("items").context("a list without items")?)?)),
        "object" => match (value.get("properties"), value.get("additionalProperties")) {
            (None, Some(Value::Bool(true))) => Type::Dictionary(Box::new(Type::Any)),
            (None, Some(values)) => Type::Dictionary(Box::new(parse_type(values)?)),
            (members, _) => Type::Object(parse_members(members, value.get("required"))?),
        },
        other => bail!("type {other}"),
    })
}

fn parse_members(members: Option<&Value>, required: Option<&Value>) -> anyhow::Result<Vec<Member>> {
    let Some(members) = members.and_then(Value::as_object) else { return Ok(Vec::new()) };
    let required: Vec<&str> =
        required.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let parse = |(name, value): (&String, &Value)| -> anyhow::Result<Member> {
        Ok(Member {
            name: name.clone(),
            doc: doc(value),
            kind: parse_type(value).with_context(|| format!("member {name}"))?,
            required: required.contains(&name.as_str()),
        })
    };
    members.iter().map(parse).collect()
}
