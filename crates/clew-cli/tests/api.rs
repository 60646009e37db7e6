//! `clew api` on files of access logs.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fmt::Write as _;
use std::process::{Command, Output};

use serde_json::Value;

/// Requests of two clients, ten minutes long.
fn log() -> String {
    let mut log = String::new();
    for minute in 0..10 {
        for client in ["198.51.100.7", "203.0.113.9"] {
            let time = format!("25/Nov/2026:10:{minute:02}:00 +0000");
            writeln!(
                log,
                "{client} - - [{time}] \"GET /orders/{minute} HTTP/1.1\" 200 512 \"-\" \"curl/8\""
            )
            .unwrap();
        }
    }
    log
}

fn api(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("access.log"), log()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    command.current_dir(folder.path()).arg("api").args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_api_that_a_log_tells_of_is_listed_and_exported() {
    let listed = api(&["list", "--json", "access.log"]);
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
    let [listed] = lines(&listed).try_into().unwrap();
    assert_eq!((&listed["type"], &listed["endpoints"]), (&"api".into(), &1.into()), "{listed}");
    assert_eq!(listed["requests"], 20);

    let workload = listed["workload"].as_str().unwrap();
    let arguments = ["openapi", "--json", "--workload", workload, "access.log"];
    let [document] = lines(&api(&arguments)).try_into().unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["paths"].as_object().unwrap().len(), 1, "{document}");
}

#[test]
fn an_api_that_nobody_asked_is_no_answer_and_a_file_that_is_absent_bad_input() {
    assert_eq!(api(&["list", "--host", "absent", "access.log"]).status.code(), Some(1));
    assert_eq!(api(&["list", "absent.log"]).status.code(), Some(2));
    assert_eq!(api(&["list"]).status.code(), Some(2));
}
