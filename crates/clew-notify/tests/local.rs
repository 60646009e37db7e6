//! Outputs to files and programs, and what is sent at all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod receivers;

use std::fs;
use std::path::Path;
use std::time::Duration;

use clew_event::Priority;
use clew_notify::{Outputs, Settings};
use receivers::{finding, number, outputs, wait_for, wait_until};

/// True where no such process runs; one that is not yet waited for has ended too.
fn has_ended(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

fn numbers(path: &Path) -> Vec<u64> {
    fs::read_to_string(path).unwrap_or_default().lines().map(number).collect()
}

#[test]
fn a_file_that_is_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("clew.json"), folder.path().join("clew.json.1"));
    fs::write(&path, "{\"before\":\"number=0 \"}\n").unwrap();
    let outputs = outputs(&[&format!("file:{}", path.display())]);
    outputs.send(&finding(1));
    wait_for(&outputs, |figures| figures.sent == 1);
    fs::rename(&path, &moved).unwrap();
    outputs.send(&finding(2));
    wait_for(&outputs, |figures| figures.sent == 2);
    fs::remove_file(&path).unwrap();
    outputs.send(&finding(3));
    outputs.close();
    assert_eq!((numbers(&moved), numbers(&path)), (vec![0, 1], vec![3]));
}

#[test]
fn a_file_is_opened_anew_when_asked_and_truncated_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clew.json");
    let outputs = outputs(&[&format!("file:{}", path.display())]);
    outputs.send(&finding(1));
    wait_for(&outputs, |figures| figures.sent == 1);
    fs::write(&path, "").unwrap();
    outputs.monitor().reopen();
    outputs.send(&finding(2));
    outputs.close();
    assert_eq!(numbers(&path), [2]);
}

#[test]
fn a_full_disk_is_a_failure_that_passes() {
    if !Path::new("/dev/full").exists() {
        eprintln!("SKIPPED: a full disk: this machine has no /dev/full");
        return;
    }
    let outputs = outputs(&["file:/dev/full"]);
    outputs.send(&finding(1));
    let figures = wait_for(&outputs, |figures| figures.failed == 1);
    assert!(figures.retried > 0 && figures.last_error.is_some(), "{figures:?}");
    outputs.close();
}

#[test]
fn a_program_gets_each_line_on_its_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seen");
    let outputs = outputs(&[&format!("program:cat >> {}", path.display())]);
    outputs.send(&clew_event::Finding { output: "number=1 $(touch x) `'\"".into(), ..finding(1) });
    outputs.send(&finding(2));
    outputs.close();
    assert_eq!(numbers(&path), [1, 2]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing of an alert is run");
}

#[test]
fn a_program_that_fails_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs");
    let outputs = outputs(&[&format!("program:cat >> {}; exit 3", path.display())]);
    outputs.send(&finding(1));
    let figures = wait_for(&outputs, |figures| figures.failed == 1);
    assert_eq!(figures.last_error.as_deref(), Some("the program ended with exit status: 3"));
    outputs.close();
    assert_eq!(numbers(&path), [1]);
}

#[test]
fn a_program_that_never_ends_is_ended_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let command = format!("program:sleep 1000 & echo $! > {}; wait,timeout=1", path.display());
    let outputs = outputs(&[&command]);
    outputs.send(&finding(1));
    let figures = wait_for(&outputs, |figures| figures.failed == 1);
    assert_eq!(figures.last_error.as_deref(), Some("the program was ended: its time was over"));
    outputs.close();
    let pid = fs::read_to_string(&path).unwrap();
    wait_until(|| has_ended(&pid).then_some(()));
}

#[test]
fn a_program_that_is_kept_is_started_anew_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, starts) = (folder.path().join("lines"), folder.path().join("starts"));
    let command = format!(
        "program:echo $$ >> {}; head -n 2 >> {},keep=yes",
        starts.display(),
        lines.display()
    );
    let outputs = outputs(&[&command]);
    for expected in 1..=2 {
        outputs.send(&finding(expected));
        wait_for(&outputs, |figures| figures.sent == expected);
    }
    wait_until(|| (numbers(&lines) == [1, 2]).then_some(()));
    let pid = fs::read_to_string(&starts).unwrap();
    wait_until(|| has_ended(&pid).then_some(()));
    outputs.send(&finding(3));
    let figures = wait_for(&outputs, |figures| figures.sent == 3);
    assert_eq!(figures.last_error.as_deref(), Some("the program ended with exit status: 0"));
    outputs.close();
    assert_eq!(numbers(&lines), [1, 2, 3]);
    assert_eq!(fs::read_to_string(starts).unwrap().lines().count(), 2);
}

#[test]
fn a_program_that_is_kept_and_does_not_read_is_left_in_time() {
    let spec = "program:exec sleep 1000,keep=yes,timeout=1".parse().unwrap();
    let settings = Settings { close_span: Duration::ZERO, ..Settings::default() };
    let outputs = Outputs::start(vec![spec], &settings).unwrap();
    // More than a pipe holds, so that the write has to wait.
    let long = "x".repeat(1 << 20);
    outputs.send(&clew_event::Finding { output: long, ..finding(1) });
    let figures = wait_for(&outputs, |figures| figures.last_error.is_some());
    assert!(figures.last_error.unwrap().starts_with("the program does not read"));
    outputs.close();
}

#[test]
fn each_output_has_its_own_priority_form_and_subjects() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let outputs = outputs(&[
        &format!("file:{},priority=warning,format=falco", path("a").display()),
        &format!("file:{},format=ocsf", path("b").display()),
        &format!("file:{},only=stories", path("c").display()),
    ]);
    for (number, priority) in [(1, Priority::Notice), (2, Priority::Warning), (3, Priority::Alert)]
    {
        outputs.send(&clew_event::Finding { priority, ..finding(number) });
    }
    outputs.close();
    assert_eq!(numbers(&path("a")), [2, 3]);
    assert_eq!(numbers(&path("b")), [1, 2, 3]);
    assert!(numbers(&path("c")).is_empty());
    let first = fs::read_to_string(path("b")).unwrap();
    assert!(first.contains("\"class_uid\":2004"), "{first}");
}
