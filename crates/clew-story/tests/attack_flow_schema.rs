//! Attack flows against the published schemas of STIX 2.1 and Attack Flow 2.0.
//!
//! The few keywords that those schemas use are checked here; a keyword that is not known fails
//! the test, so that none is passed over.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value};

/// The schemas by the end of their address: `common/core.json`.
struct Schemas(BTreeMap<String, Value>);

/// One value in a schema, and where complaints of it go.
struct Check<'a> {
    schemas: &'a Schemas,
    /// File that `#/…` refers to.
    file: &'a str,
    faults: Vec<String>,
}

impl Schemas {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stix");
        let folders = ["", "common", "observables", "sdos", "sros"];
        let files = folders.iter().flat_map(|folder| {
            let entries = std::fs::read_dir(root.join(folder)).expect("a folder of schemas");
            let paths = entries.map(|entry| entry.expect("an entry").path());
            paths.filter(|path| path.extension().is_some_and(|it| it == "json")).map(move |path| {
                let text = std::fs::read(&path).expect("a readable schema");
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, serde_json::from_slice(&text).expect("JSON"))
            })
        });
        Self(files.collect())
    }

    /// What is wrong with an object of a bundle.
    fn faults(&self, object: &Value) -> Vec<String> {
        let kind = object["type"].as_str().unwrap_or_default();
        let file = match kind {
            "attack-flow" | "attack-action" | "attack-asset" => {
                "attack-flow-schema-2.0.0.json".into()
            }
            other => format!("{other}.json"),
        };
        let Some(schema) = self.0.get(&file) else { return vec![format!("no schema of {kind}")] };
        let mut check = Check { schemas: self, file: &file, faults: Vec::new() };
        check.value(schema, object, kind);
        check.faults
    }
}

impl Check<'_> {
    /// Tries another schema on the same value: the names it looked at where it holds.
    fn tried(&self, schema: &Value, value: &Value) -> Result<BTreeSet<String>, Vec<String>> {
        let mut check = Check { schemas: self.schemas, file: self.file, faults: Vec::new() };
        let seen = check.value(schema, value, "");
        if check.faults.is_empty() { Ok(seen) } else { Err(check.faults) }
    }

    fn fault(&mut self, is_fault: bool, at: &str, what: impl std::fmt::Display) {
        if is_fault {
            self.faults.push(format!("{at}: {what}"));
        }
    }

    /// Checks a value; gives the names of its properties that were looked at.
    fn value(&mut self, schema: &Value, value: &Value, at: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let Value::Object(schema) = schema else {
            self.fault(schema == &Value::Bool(false), at, "is not allowed");
            return seen;
        };
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "$ref" => seen.extend(self.referred(rule, value, at)),
                "allOf" => {
                    for part in rule.as_array().expect("a list") {
                        seen.extend(self.value(part, value, at));
                    }
                }
                "anyOf" | "oneOf" => {
                    let parts = rule.as_array().expect("a list");
                    let held: Vec<_> =
                        parts.iter().filter_map(|part| self.tried(part, value).ok()).collect();
                    let is_fault = held.is_empty() || keyword == "oneOf" && held.len() != 1;
                    self.fault(is_fault, at, format!("{} of {keyword} hold", held.len()));
                    seen.extend(held.into_iter().flatten());
                }
                "not" => self.fault(self.tried(rule, value).is_ok(), at, "is what it must not be"),
                "if" => {
                    let branch = match self.tried(rule, value) {
                        Ok(found) => {
                            seen.extend(found);
                            "then"
                        }
                        Err(_) => "else",
                    };
                    if let Some(branch) = schema.get(branch) {
                        seen.extend(self.value(branch, value, at));
                    }
                }
                _ => self.keyword(keyword, rule, value, at),
            }
        }
        if let Value::Object(object) = value {
            seen.extend(self.properties(schema, object, at));
            if schema.get("unevaluatedProperties") == Some(&Value::Bool(false)) {
                let unseen = object.keys().find(|name| !seen.contains(*name));
                self.fault(unseen.is_some(), at, format!("{unseen:?} is not foreseen"));
            }
        }
        seen
    }

    fn referred(&mut self, reference: &Value, value: &Value, at: &str) -> BTreeSet<String> {
        let (file, inside) =
            reference.as_str().and_then(|it| it.split_once('#').or(Some((it, "")))).expect("text");
        let name = file.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(self.file);
        let schemas = self.schemas;
        let root = schemas.0.get(name).unwrap_or_else(|| panic!("no schema `{name}`"));
        let schema = root.pointer(inside).expect("a place in the schema");
        let mut check = Check { schemas, file: name, faults: Vec::new() };
        let seen = check.value(schema, value, at);
        self.faults.append(&mut check.faults);
        seen
    }

    /// Properties and items are values of their own.
    fn properties(
        &mut self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        at: &str,
    ) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        for (name, value) in object {
            let own = schema.get("properties").and_then(|all| all.get(name));
            let by_pattern = patterns.into_iter().flatten();
            let by_pattern = by_pattern.filter(|(it, _)| matches(it, name)).map(|(_, rule)| rule);
            let mut rules: Vec<&Value> = own.into_iter().chain(by_pattern).collect();
            if rules.is_empty() {
                rules.extend(schema.get("additionalProperties"));
            }
            for rule in rules {
                self.value(rule, value, &format!("{at}.{name}"));
                seen.insert(name.clone());
            }
        }
        seen
    }

    /// The keywords that look at a value by itself.
    fn keyword(&mut self, keyword: &str, rule: &Value, value: &Value, at: &str) {
        let size = rule.as_u64().map_or(0, |it| usize::try_from(it).expect("a small bound"));
        let (text, list, object) = (value.as_str(), value.as_array(), value.as_object());
        let is_fault = match keyword {
            "type" => !is_of_type(rule.as_str().expect("one type"), value),
            "const" => rule != value,
            "enum" => !rule.as_array().expect("a list").contains(value),
            "pattern" => text.is_some_and(|text| !matches(rule.as_str().expect("text"), text)),
            "minLength" => text.is_some_and(|text| text.chars().count() < size),
            "maxLength" => text.is_some_and(|text| size < text.chars().count()),
            "minItems" => list.is_some_and(|list| list.len() < size),
            "minProperties" => object.is_some_and(|object| object.len() < size),
            "minimum" => value.as_f64() < rule.as_f64() && value.is_number(),
            "maximum" => rule.as_f64() < value.as_f64() && value.is_number(),
            "required" => object.is_some_and(|object| {
                rule.as_array()
                    .expect("a list")
                    .iter()
                    .filter_map(Value::as_str)
                    .any(|name| !object.contains_key(name))
            }),
            "contains" => list.is_some_and(|l| !l.iter().any(|it| self.tried(rule, it).is_ok())),
            "propertyNames" => object.is_some_and(|object| {
                object.keys().any(|name| self.tried(rule, &name.as_str().into()).is_err())
            }),
            "items" => {
                for (index, item) in list.into_iter().flatten().enumerate() {
                    self.value(rule, item, &format!("{at}[{index}]"));
                }
                false
            }
            // Of the object, or of another keyword.
            "properties"
            | "patternProperties"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "then"
            | "else"
            | "$defs"
            | "definitions" => false,
            // Says something, asks nothing.
            "$id" | "$schema" | "$comment" | "title" | "description" | "format" => false,
            name if name.starts_with("x-") => false,
            other => panic!("the keyword `{other}` is not known here"),
        };
        self.fault(is_fault, at, format!("{keyword} {rule} does not hold of {value}"));
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).expect("a pattern").is_match(text)
}

fn is_of_type(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("`{other}` is no type"),
    }
}

/// The flow that a test of `attack_flow` keeps equal to what is made.
fn flow() -> Value {
    serde_json::from_str(include_str!("../src/export/attack_flow.json")).expect("JSON")
}

#[test]
fn every_object_of_a_flow_is_as_the_published_schemas_say() {
    let schemas = Schemas::read();
    let flow = flow();
    let objects = flow["objects"].as_array().expect("objects");
    assert!(10 < objects.len());
    for object in objects {
        assert_eq!(schemas.faults(object), Vec::<String>::new());
    }
}

#[test]
fn what_the_schemas_forbid_is_a_fault() {
    let schemas = Schemas::read();
    let spoiled = |kind: &str, name: &str, value: Option<Value>| {
        let mut flow = flow();
        let objects = flow["objects"].as_array_mut().expect("objects");
        let object = objects.iter_mut().find(|it| it["type"] == kind).expect("such an object");
        let fields = object.as_object_mut().expect("an object");
        match value {
            Some(value) => fields.insert(name.into(), value),
            None => fields.remove(name),
        };
        schemas.faults(object)
    };
    for (kind, name, value) in [
        ("attack-flow", "scope", Some("whatever".into())),
        ("attack-flow", "start_refs", Some(Value::Array(Vec::new()))),
        ("attack-flow", "start_refs", Some(Value::Array(vec!["process--1".into()]))),
        ("attack-flow", "extensions", None),
        ("attack-action", "name", None),
        ("attack-action", "id", Some("attack-action--1".into())),
        ("attack-action", "X", Some("not foreseen".into())),
        ("relationship", "target_ref", None),
        ("process", "pid", Some("12".into())),
        ("identity", "created", Some("yesterday".into())),
    ] {
        let faults = spoiled(kind, name, value);
        assert!(!faults.is_empty(), "{kind} {name}");
    }
}
