//! Runs the cases of `tests/suite/*.md`: what files and conditions mean, claim by claim.
//!
//! A case is a heading with fenced blocks: `yaml` is a rule file (several are `a.yaml`, `b.yaml`,
//! … in order), `conditions` one condition a line, `event` one event a line (a type and fields as
//! JSON), and `expect` what comes of it. `UPDATE_EXPECT=1` rewrites the last.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clew_event::field::{FIELDS, Multiplicity, ValueKind};
use clew_event::{EventType, FieldValue, Scalar};
use clew_rules::{Loaded, Options, SourceFile, load, render};
use common::Fields;
use serde_json::Value;

#[derive(Debug, Default)]
struct Case {
    heading: String,
    files: Vec<String>,
    conditions: Vec<String>,
    events: Vec<String>,
    expected: String,
}

#[test]
fn every_case_of_the_suite_comes_out_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut failures = String::new();
    let mut count = 0;
    for path in &paths {
        let text = fs::read_to_string(path).unwrap();
        let mut rewritten = text.clone();
        for case in cases(&text) {
            count += 1;
            let found = run(&case);
            if found != case.expected {
                let name = path.file_name().unwrap().to_string_lossy();
                let Case { heading, expected, .. } = &case;
                writeln!(failures, "{name}: {heading}\nexpected:\n{expected}found:\n{found}")
                    .unwrap();
                rewritten = with_expectation(&rewritten, &case.heading, &found);
            }
        }
        if updates() && rewritten != text {
            fs::write(path, rewritten).unwrap();
        }
    }
    assert!(80 < count, "only {count} cases were found");
    assert!(updates() || failures.is_empty(), "{failures}");
}

#[allow(
    clippy::disallowed_methods,
    reason = "the switch that rewrites expectations is in the environment"
)]
fn updates() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            cases.push(Case { heading: heading.to_owned(), ..Case::default() });
        }
        let (Some(kind), Some(case)) = (line.strip_prefix("```"), cases.last_mut()) else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let joined = block.iter().map(|line| format!("{line}\n")).collect::<String>();
        let all = || block.iter().map(|line| (*line).to_owned()).collect();
        match kind {
            "yaml" => case.files.push(joined),
            "conditions" => case.conditions = all(),
            "event" => case.events = all(),
            "expect" => case.expected = joined,
            other => panic!("a block of `{other}` in {}", case.heading),
        }
    }
    cases
}

/// The text with the `expect` block of a case replaced.
fn with_expectation(text: &str, heading: &str, found: &str) -> String {
    let heading = format!("## {heading}\n");
    let (before, rest) = text.split_once(&heading).unwrap();
    let (middle, rest) = rest.split_once("```expect\n").unwrap();
    let (_, after) = rest.split_once("```\n").unwrap();
    format!("{before}{heading}{middle}```expect\n{found}```\n{after}")
}

fn run(case: &Case) -> String {
    let mut found = String::new();
    let texts = if case.conditions.is_empty() {
        case.files.clone()
    } else {
        let mut texts = case.files.clone();
        texts.push(case.conditions.iter().map(|c| condition_rule(c)).collect());
        texts
    };
    let files: Vec<SourceFile> = texts
        .iter()
        .zip('a'..)
        .map(|(text, letter)| SourceFile { name: format!("{letter}.yaml"), text: text.clone() })
        .collect();
    let mut loaded = load(&files, &Options::default());
    for diagnostic in &loaded.diagnostics {
        let is_condition =
            !case.conditions.is_empty() && diagnostic.file == files.last().unwrap().name;
        if is_condition {
            // Each condition has its own six lines, the third of which has it from column 15 on.
            let condition = &case.conditions[(diagnostic.line as usize - 1) / 6];
            let code = diagnostic.code;
            let column = diagnostic.column.saturating_sub(14).max(1);
            write!(
                found,
                "{condition}\n{}^ {code}: {}",
                " ".repeat(column as usize - 1),
                diagnostic.message
            )
            .unwrap();
            let help = if diagnostic.help.is_empty() {
                String::new()
            } else {
                format!(" ({})", diagnostic.help)
            };
            writeln!(found, "{help}").unwrap();
        } else {
            let file = files.iter().find(|file| file.name == diagnostic.file).unwrap();
            found.push_str(&render(diagnostic, &file.text));
        }
    }
    for event in &case.events {
        found.push_str(&judged(&mut loaded, event));
    }
    found
}

/// A rule named like its condition, in six lines, with the condition from column 15 on.
fn condition_rule(condition: &str) -> String {
    let name = condition.replace('\\', "\\\\").replace('"', "\\\"");
    // A literal block would move the text to another line; so the condition is quoted once.
    let quoted = condition.replace('\'', "''");
    format!(
        "- rule: \"{name}\"\n  desc: d\n  condition: '{quoted}'\n  output: o\n  priority: info\n  warn_evttypes: false\n"
    )
}

fn judged(loaded: &mut Loaded, event: &str) -> String {
    let (name, fields) = event.split_once(' ').unwrap_or((event, "{}"));
    let event_type = EventType::from_name(name).unwrap_or_default();
    let json: Value = serde_json::from_str(fields).unwrap();
    let mut source = Fields::default().with_text("evt.type", name);
    for (name, value) in json.as_object().unwrap() {
        source = source.with(name, field_value(name, value));
    }
    let mut matches = Vec::new();
    loaded.rules.judge(event_type, "syscall", &source, &mut matches);
    let mut found = format!("{event}\n");
    if matches.is_empty() {
        found.push_str("  nothing\n");
    }
    for index in matches {
        let output = loaded.rules.output(index, &source);
        writeln!(found, "  {}", loaded.rules.rule(index).unwrap().name).unwrap();
        if output.text != "o" {
            writeln!(found, "    {}", output.text).unwrap();
            writeln!(found, "    {}", serde_json::to_string(&output.fields).unwrap()).unwrap();
        }
    }
    found
}

fn field_value(name: &str, value: &Value) -> FieldValue<'static> {
    let base = name.split('[').next().unwrap();
    let spec =
        FIELDS.iter().filter(|spec| base.starts_with(spec.name)).max_by_key(|s| s.name.len());
    let spec = spec.unwrap_or_else(|| panic!("no field {name}"));
    match value {
        Value::Array(values) => {
            assert_ne!(spec.multiplicity, Multiplicity::One, "{name}");
            FieldValue::Many(values.iter().map(|value| scalar(spec.kind, value)).collect())
        }
        value => FieldValue::One(scalar(spec.kind, value)),
    }
}

fn scalar(kind: ValueKind, value: &Value) -> Scalar<'static> {
    match (kind, value) {
        (ValueKind::Ip | ValueKind::Net, Value::String(text)) => Scalar::Ip(text.parse().unwrap()),
        (_, Value::String(text)) => Scalar::Text(text.clone().into_bytes().into()),
        (_, Value::Bool(flag)) => Scalar::Bool(*flag),
        (ValueKind::Signed, value) => Scalar::Signed(value.as_i64().unwrap()),
        (_, value) => Scalar::Unsigned(value.as_u64().unwrap()),
    }
}
