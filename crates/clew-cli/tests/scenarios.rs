//! What the lab's scenarios recorded, judged again: the same tapes, pages and judge as in a live run.
//! `lab/scenario NAME --record lab/scenarios/NAME/recorded.tape` records one anew.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn lab() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab")
}

/// Scenarios that have a tape, by name.
fn recorded() -> Vec<String> {
    let folders = std::fs::read_dir(lab().join("scenarios")).unwrap().map(|it| it.unwrap().path());
    let recorded = folders.filter(|folder| folder.join("recorded.tape").is_file());
    let mut names: Vec<String> =
        recorded.map(|it| it.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What the lab's judge says of the tape of one scenario by the page of another.
fn judged(tape: &str, page: &str) -> (bool, String) {
    let state = tempfile::tempdir().unwrap();
    let scenarios = lab().join("scenarios");
    let mut replay = Command::new(env!("CARGO_BIN_EXE_clew"))
        .args(["replay", "--json"])
        .arg(scenarios.join(tape).join("recorded.tape"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = std::fs::File::create(state.path().join("lines")).unwrap();
    let stamped = Command::new(lab().join("judge"))
        .arg("stamp")
        .stdin(replay.stdout.take().unwrap())
        .stdout(lines)
        .status()
        .unwrap();
    assert!(replay.wait().unwrap().success() && stamped.success(), "{tape} cannot be replayed");
    std::fs::write(state.path().join("marks"), "begun 0\n").unwrap();
    let verdict = Command::new(lab().join("judge"))
        .arg("verdict")
        .arg(scenarios.join(page).join("scenario.md"))
        .arg(state.path())
        .arg("--text")
        .output()
        .unwrap();
    (verdict.status.success(), String::from_utf8_lossy(&verdict.stdout).into_owned())
}

#[test]
fn each_recorded_attack_is_told_as_its_page_expects() {
    let names = recorded();
    assert!(!names.is_empty(), "no scenario has a tape");
    for name in names {
        let (is_as_expected, report) = judged(&name, &name);
        assert!(is_as_expected, "{name}:\n{report}");
    }
}

#[test]
fn the_attack_of_another_page_is_not_told() {
    let (is_as_expected, report) = judged("webshell", "ssrf");
    assert!(!is_as_expected, "{report}");
}
