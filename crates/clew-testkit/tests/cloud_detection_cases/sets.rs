//! The labelled logs, read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Behavior, Log};

/// What no label says: the technique of a behavior, and where its records are.
const EXPECTED: &str = include_str!("expected.csv");

pub(crate) const STRATUS: &str = "stratus-red-team";
pub(crate) const INVICTUS: &str = "invictus-aws";
pub(crate) const AUDIT: &str = "k8s-audit-1.36";
pub(crate) const FALCO: &str = "falco-k8saudit";
pub(crate) const CHAIN: &str = "cloud-chain";

/// A row of the table: where the records are, the behavior, its techniques.
type Row = (&'static str, &'static str, Vec<String>);

fn rows(set: &str) -> Vec<Row> {
    let row = |line: &'static str| {
        let mut cells = line.split(';');
        let mut cell = || cells.next().unwrap();
        let (of, place, name, techniques) = (cell(), cell(), cell(), cell());
        (of == set).then(|| (place, name, techniques.split('|').map(Into::into).collect()))
    };
    EXPECTED.lines().skip(1).filter_map(row).collect()
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "json" || end == "jsonl"));
    files.sort();
    files
}

/// Every record of a file: one a line, an array, or under `Records`.
pub(crate) fn records(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    match serde_json::from_str(&text) {
        Ok(Value::Array(items)) => items,
        Ok(Value::Object(mut whole)) => match whole.remove("Records") {
            Some(Value::Array(items)) => items,
            _ => vec![Value::Object(whole)],
        },
        _ => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Techniques that the index of Stratus gives its own; the catalog's ids (`T1666.A002`) count as
/// their parents.
fn indexed(index: &str) -> BTreeMap<&str, BTreeSet<String>> {
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut current = "";
    for line in index.lines() {
        let line = line.trim().trim_start_matches("- ");
        let Some(id) = line.strip_prefix("id: ") else { continue };
        if id.contains('.') && !id.starts_with('T') {
            current = id;
        } else if id.starts_with('T') {
            let id = id.split(".A").next().unwrap_or(id);
            found.entry(current).or_default().insert(id.to_owned());
        }
    }
    found
}

/// One log a technique.
pub(crate) fn stratus(data: &Path) -> Vec<Log> {
    let folder = data.join(STRATUS);
    let index = fs::read_to_string(folder.join("techniques-index.yaml")).unwrap();
    let (indexed, rows) = (indexed(&index), rows(STRATUS));
    let log = |file: &PathBuf| {
        let name = stem(file);
        let ours = rows.iter().find(|(place, ..)| *place == name).map(|row| row.2.clone());
        let theirs = indexed.get(name.as_str()).map(|ids| ids.iter().cloned().collect());
        whole(STRATUS, name.clone(), theirs.or(ours).unwrap_or_default(), records(file))
    };
    logs(&folder).iter().map(log).collect()
}

/// A log that is one behavior.
fn whole(set: &'static str, name: String, techniques: Vec<String>, records: Vec<Value>) -> Log {
    let places = (0..records.len()).collect();
    let name = name.trim_start_matches("aws.").to_owned();
    Log { records, behaviors: vec![Behavior { set, name, techniques, records: places }] }
}

/// One log a file; those without a technique are ordinary work, and named by `None`.
pub(crate) fn falco(data: &Path) -> Vec<Log> {
    let rows = rows(FALCO);
    let log = |file: &PathBuf| {
        let name = stem(file);
        let row = rows.iter().find(|(place, ..)| *place == name);
        whole(FALCO, name, row.map(|row| row.2.clone()).unwrap_or_default(), records(file))
    };
    logs(&data.join(FALCO)).iter().map(log).collect()
}

/// One log with the behaviors at the lines of the table.
fn by_line(set: &'static str, file: &Path) -> Log {
    let behavior = |(place, name, techniques): Row| {
        let (first, last) = place.split_once('-').unwrap_or((place, place));
        let lines = first.parse::<usize>().unwrap()..=last.parse().unwrap();
        let records = lines.map(|line| line - 1).collect();
        Behavior { set, name: name.into(), techniques, records }
    };
    Log { records: records(file), behaviors: rows(set).into_iter().map(behavior).collect() }
}

pub(crate) fn audit(data: &Path) -> Log {
    by_line(AUDIT, &data.join(AUDIT).join("attack-events.jsonl"))
}

pub(crate) fn chain(data: &Path) -> Log {
    by_line(CHAIN, &data.join("app-layer/cloud-chain/cloudtrail.jsonl"))
}

/// The bodies of the webhook: the cluster's start and ordinary work.
pub(crate) fn audit_benign(data: &Path) -> Vec<Value> {
    let bodies = records(&data.join(AUDIT).join("webhook-bodies.jsonl"));
    let items = |body: &Value| body.pointer("/body/items").and_then(Value::as_array).cloned();
    bodies.iter().filter_map(items).flatten().collect()
}

/// The account of Invictus, and the label of each record.
pub(crate) fn invictus(data: &Path) -> (Log, Vec<String>) {
    let folder = data.join(INVICTUS);
    let records: Vec<Value> = logs(&folder).iter().flat_map(|file| records(file)).collect();
    let table = fs::read_to_string(folder.join("labels.csv")).unwrap();
    let label = |line: &'_ str| {
        let cells: Vec<_> = line.split(',').map(ToOwned::to_owned).collect();
        (cells[1].clone(), (cells[2].clone(), cells[3].clone()))
    };
    let labels: BTreeMap<_, _> = table.lines().skip(1).map(label).collect();
    let of = |record: &Value| {
        let id = record.get("eventID").and_then(Value::as_str).unwrap_or_default();
        labels.get(id).cloned().unwrap_or_default()
    };
    let marks: Vec<_> = records.iter().map(of).collect();
    let behavior = |(run, name, techniques): Row| {
        let is_of = |mark: &(String, String)| mark.0 == "attack_stratus" && mark.1.contains(run);
        let places = marks.iter().enumerate().filter(|(_, mark)| is_of(mark));
        let records = places.map(|(place, _)| place).collect();
        Behavior { set: INVICTUS, name: name.into(), techniques, records }
    };
    let behaviors = rows(INVICTUS).into_iter().map(behavior).collect();
    (Log { records, behaviors }, marks.into_iter().map(|mark| mark.0).collect())
}

/// Cells of one line of CSV; a quote inside a quoted cell is doubled.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut is_quoted) = (vec![String::new()], false);
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

/// Rows of the benign cluster as audit events, and how many rows are broken.
pub(crate) fn perfspec(data: &Path) -> (Vec<Value>, usize) {
    let text = fs::read_to_string(data.join("k8s-perfspec/audit-logs.csv")).unwrap();
    let (mut events, mut broken) = (Vec::new(), 0);
    for line in text.lines() {
        let cells = cells(line);
        match <[String; 15]>::try_from(cells) {
            Ok(row) => events.push(perfspec_event(&row)),
            Err(_) => broken += 1,
        }
    }
    (events, broken)
}

fn perfspec_event(row: &[String; 15]) -> Value {
    let [_, time, user, verb, resource, subresource, name, _, uri, id, stage, code, ..] = row;
    // The column of namespaces is empty in every row; the path has them.
    let namespace = uri.split_once("/namespaces/").map_or("", |(_, rest)| rest);
    let namespace = namespace.split_once('/').map_or("", |(namespace, _)| namespace);
    let mut object = Map::new();
    let parts = [("resource", resource), ("subresource", subresource), ("name", name)];
    let parts = parts.map(|(key, value)| (key, value.as_str()));
    for (key, value) in parts.into_iter().chain([("namespace", namespace)]) {
        if !value.is_empty() {
            object.insert(key.into(), value.into());
        }
    }
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": id,
        "stage": stage, "requestURI": uri, "verb": verb, "user": {"username": user},
        "requestReceivedTimestamp": time, "stageTimestamp": time,
    });
    if !resource.is_empty() {
        event["objectRef"] = Value::Object(object);
    }
    if let Ok(code) = code.parse::<u16>() {
        event["responseStatus"] = json!({ "code": code });
    }
    event
}

/// What one rule of Panther's is tested with.
#[derive(Debug, Default)]
pub(crate) struct PantherRule {
    pub(crate) severity: String,
    pub(crate) techniques: Vec<String>,
    pub(crate) fires: Vec<Value>,
    pub(crate) silent: Vec<Value>,
}

pub(crate) fn panther(data: &Path, files: &[&str]) -> BTreeMap<String, PantherRule> {
    let mut rules: BTreeMap<String, PantherRule> = BTreeMap::new();
    for file in files {
        for mut row in records(&data.join("panther-tests").join(format!("{file}_rules.jsonl"))) {
            let rule = rules.entry(row["rule"].as_str().unwrap().to_owned()).or_default();
            row["severity"].as_str().unwrap_or_default().clone_into(&mut rule.severity);
            let ids = row["mitre"].as_array().cloned().unwrap_or_default();
            let id = |id: &Value| Some(id.as_str()?.split_once(':')?.1.to_owned());
            rule.techniques = ids.iter().filter_map(id).collect();
            let is_fire = row["expected"] == true;
            let side = if is_fire { &mut rule.fires } else { &mut rule.silent };
            side.push(row["event"].take());
        }
    }
    rules
}

/// True where something of the log has to be told.
pub(crate) fn is_attack(log: &Log) -> bool {
    log.behaviors.iter().any(|behavior| !behavior.techniques.is_empty())
}
