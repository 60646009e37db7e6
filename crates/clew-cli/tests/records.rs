//! `clew replay` on JSON files of audit logs.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const RULES: &str = "\
- rule: user made
  desc: d
  condition: ct.name = CreateUser and not ct.error exists
  output: made %ct.request.username
  priority: WARNING
  source: aws_cloudtrail
- rule: pod entered
  desc: d
  condition: ka.verb = create and ka.target.subresource = exec
  output: entered %ka.target.name
  priority: NOTICE
  source: k8s_audit
";

const LATE: &str = r#"{"Records":[{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2024-01-01T00:00:02Z","requestParameters":{"userName":"eve"}}]}"#;
const EARLY: &str = r#"{"auditID":"a","verb":"create","stageTimestamp":"2024-01-01T00:00:01Z","objectRef":{"resource":"pods","subresource":"exec","name":"web"}}
broken
"#;

fn replay(folder: &Path, files: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    command.current_dir(folder).args(["replay", "--json", "--no-default-rules"]);
    command.args(["--rules", "rules.yaml"]).args(files).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_of_several_files_are_judged_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    fs::write(folder.path().join("late.json"), LATE).unwrap();
    fs::write(folder.path().join("early.jsonl"), EARLY).unwrap();
    let output = replay(folder.path(), &["late.json", "early.jsonl"]);
    assert_eq!(output.status.code(), Some(0));
    let lines = lines(&output);
    let told: Vec<_> = lines.iter().map(|line| (line["type"].as_str(), line)).collect();
    let [(_, complaint), (_, first), (_, second), (_, summary)] = told.as_slice() else {
        panic!("{lines:#?}");
    };
    assert_eq!(
        (&complaint["where"], &complaint["code"]),
        (&"record 2".into(), &"json-malformed".into())
    );
    assert_eq!((&first["output"], &first["source"]), (&"entered web".into(), &"k8s_audit".into()));
    assert_eq!((&second["output"], &second["hostname"]), (&"made eve".into(), &"".into()));
    assert_eq!((&summary["events"], &summary["complaints"]), (&2.into(), &1.into()));
}

#[test]
fn a_file_without_any_known_record_is_unreadable_input() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
    fs::write(folder.path().join("other.json"), "{\"a\":1}\n{\"b\":2}\n").unwrap();
    fs::write(folder.path().join("empty.json"), "{\"Records\":[]}").unwrap();
    let output = replay(folder.path(), &["other.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(lines(&output).len(), 3);
    assert_eq!(replay(folder.path(), &["empty.json"]).status.code(), Some(0));
}
