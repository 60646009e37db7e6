//! The rule files that Falco ships, against what Falco itself says of them.
//!
//! The files and the dumps of Falco's compiler (`falco -L`) are not part of the repository; they
//! are looked for under `$CLEW_SHARED`, or in `shared/` beside the repository.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clew_rules::{Loaded, NotRunnable, Options, RuleFacts, Severity, SourceFile, Status, load};
use serde_json::Value;

/// The folder of shared data; says on stderr why a test is skipped without it.
#[allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test is told by the environment where data lies, and says why it is skipped"
)]
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from).join("data");
    if folder.join("falco-rules").is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no {}/falco-rules; set CLEW_SHARED to have it run", folder.display());
    None
}

fn source_file(path: &Path) -> SourceFile {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    SourceFile { name, text: fs::read_to_string(path).unwrap() }
}

fn load_alone(path: &Path) -> Loaded {
    load(&[source_file(path)], &Options { includes_disabled: true, ..Options::default() })
}

fn dump(folder: &Path, name: &str) -> Value {
    let path = folder.join(format!("falco-oracle/compile/L-{name}.json.gz"));
    let mut text = String::new();
    let file = fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

const SYSCALL_FILES: [&str; 3] = ["falco_rules", "falco-incubating_rules", "falco-sandbox_rules"];

#[test]
fn every_upstream_file_is_accepted_without_an_error() {
    let Some(folder) = shared() else { return };
    let rules = folder.join("falco-rules");
    let files = [
        ("falco_rules.yaml", 25),
        ("falco-incubating_rules.yaml", 31),
        ("falco-sandbox_rules.yaml", 37),
        ("plugins/k8saudit/k8s_audit_rules.yaml", 48),
        ("plugins/cloudtrail/aws_cloudtrail_rules.yaml", 22),
        ("plugins/okta/okta_rules.yaml", 21),
        ("plugins/github/github.yaml", 15),
    ];
    for (file, rule_count) in files {
        let loaded = load_alone(&rules.join(file));
        let errors: Vec<_> =
            loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
        assert_eq!(errors, Vec::<&clew_rules::Diagnostic>::new(), "{file}");
        assert_eq!(loaded.rules_defined, rule_count, "{file}");
        let refused = loaded.facts.iter().filter(|rule| rule.status == Status::Refused).count();
        assert_eq!(refused, 0, "{file}");
    }
}

#[test]
fn all_upstream_rules_can_run() {
    let Some(folder) = shared() else { return };
    let system_calls = SYSCALL_FILES.map(|name| format!("{name}.yaml"));
    let audit_logs = [
        "plugins/k8saudit/k8s_audit_rules.yaml",
        "plugins/cloudtrail/aws_cloudtrail_rules.yaml",
        "plugins/okta/okta_rules.yaml",
        "plugins/github/github.yaml",
    ];
    for file in system_calls.iter().map(String::as_str).chain(audit_logs) {
        let loaded = load_alone(&folder.join("falco-rules").join(file));
        assert_eq!(loaded.not_runnable, Vec::<NotRunnable>::new(), "{file}");
        assert_eq!(loaded.rules.len(), loaded.rules_defined, "{file}");
    }
}

fn strings(value: &Value) -> BTreeSet<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn lists_hold_what_falco_says_they_hold() {
    let Some(folder) = shared() else { return };
    for name in SYSCALL_FILES {
        let loaded = load_alone(&folder.join(format!("falco-rules/{name}.yaml")));
        let dump = dump(&folder, name);
        let expected: BTreeMap<&str, Vec<&str>> = dump["lists"]
            .as_array()
            .unwrap()
            .iter()
            .map(|list| {
                let items = list["details"]["items_compiled"].as_array().unwrap();
                let items = items.iter().map(|item| item.as_str().unwrap()).collect();
                (list["info"]["name"].as_str().unwrap(), items)
            })
            .collect();
        let ours: BTreeMap<&str, Vec<&str>> = loaded
            .lists
            .iter()
            .map(|(name, items)| (name.as_str(), items.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(ours, expected, "{name}");
    }
}

#[test]
fn rules_are_compiled_to_what_falco_says_they_are() {
    let Some(folder) = shared() else { return };
    for name in SYSCALL_FILES {
        let loaded = load_alone(&folder.join(format!("falco-rules/{name}.yaml")));
        let dump = dump(&folder, name);
        let expected = dump["rules"].as_array().unwrap();
        let names: Vec<&str> =
            expected.iter().map(|r| r["info"]["name"].as_str().unwrap()).collect();
        let ours: Vec<&str> = loaded.facts.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(ours, names, "{name}");
        for (facts, expected) in loaded.facts.iter().zip(expected) {
            check_rule(&loaded, facts, expected);
        }
    }
}

fn check_rule(loaded: &Loaded, facts: &RuleFacts, expected: &Value) {
    let (info, details) = (&expected["info"], &expected["details"]);
    let name = facts.name.as_str();
    let (_, rule) = loaded.rules.iter().find(|(_, rule)| rule.name == name).unwrap();
    let tags: BTreeSet<String> = rule.tags.iter().cloned().collect();
    assert_eq!(rule.priority.name(), info["priority"].as_str().unwrap(), "{name}");
    assert_eq!(tags, strings(&info["tags"]), "{name}");
    assert_eq!(rule.source, info["source"].as_str().unwrap(), "{name}");
    assert_eq!(rule.description.trim(), info["description"].as_str().unwrap().trim(), "{name}");
    let condition_fields: BTreeSet<String> = facts.condition_fields.iter().cloned().collect();
    assert_eq!(condition_fields, strings(&details["condition_fields"]), "{name}");
    let output_fields: BTreeSet<String> = facts.output_fields.iter().cloned().collect();
    // The dump was made with fields of containers and pods appended to every output.
    let appended = [
        "container.id",
        "container.name",
        "container.image.repository",
        "container.image.tag",
        "k8s.pod.name",
        "k8s.ns.name",
    ];
    let mut expected_output = strings(&details["output_fields"]);
    expected_output
        .retain(|field| output_fields.contains(field) || !appended.contains(&field.as_str()));
    assert_eq!(output_fields, expected_output, "{name}");
    // Falco adds its asynchronous events to every rule, whatever the condition says.
    let mut types = strings(&details["events"]);
    types.remove("asyncevent");
    let ours: BTreeSet<String> =
        facts.event_types.iter().map(|event_type| event_type.name().to_owned()).collect();
    assert_eq!(ours, types, "{name}");
}

#[test]
fn the_stable_rules_use_as_many_fields_as_falco_counts() {
    let Some(folder) = shared() else { return };
    let loaded = load_alone(&folder.join("falco-rules/falco_rules.yaml"));
    let used: BTreeSet<&str> = loaded
        .facts
        .iter()
        .flat_map(|rule| rule.condition_fields.iter().map(String::as_str))
        .collect();
    // Counted in Falco's own dump.
    assert_eq!(used.iter().filter(|name| !name.is_empty()).count(), 52, "{used:?}");
}
