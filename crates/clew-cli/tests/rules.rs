//! `clew rules` and rules read again, as users meet them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use clew_event::process::ExecFailed;
use clew_event::{EventId, EventKind};
use clew_store::tape::{TapeHeader, TapeWriter};
use clew_suite::scenario;
use serde_json::Value;

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

const EVENTS: &str =
    "exec pid=10 args=cat\nopen pid=10 path=/etc/shadow\nopen pid=10 path=/etc/passwd\n";

fn rule(name: &str, path: &str) -> String {
    format!(
        "- rule: {name}\n  desc: d\n  condition: evt.type in (open, openat) and fd.name = {path}\n  \
         output: \"%proc.name read %fd.name\"\n  priority: WARNING\n  tags: [T1003.008]\n"
    )
}

fn clew(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clew")).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder with a tape and one rule file.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.path("rules.yaml"), rule("shadow", "/etc/shadow")).unwrap();
        let file = File::create(folder.path("x.tape")).unwrap();
        let mut tape = TapeWriter::create(file, &TapeHeader::of_recorder("test")).unwrap();
        for event in scenario::events(EVENTS).unwrap() {
            tape.append(&event).unwrap();
        }
        tape.finish().unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

#[test]
fn rules_are_listed_with_what_they_lack() {
    let folder = Folder::new();
    let lacking = rule("later", "/x").replace("fd.name = /x", "evt.rawarg.flags = 1");
    fs::write(folder.path("rules.yaml"), rule("shadow", "/etc/shadow") + &lacking).unwrap();
    let listed = clew(&["rules", "list", "--json", &folder.text("rules.yaml")]);
    let [runs, later] = lines(&listed).try_into().unwrap();
    assert_eq!((&runs["name"], &runs["status"]), (&"shadow".into(), &"runs".into()));
    assert_eq!(runs["event_types"], serde_json::json!(["open", "openat"]));
    assert_eq!((&later["status"], &later["line"]), (&"not-runnable".into(), &7.into()));
    assert_eq!(later["missing"], serde_json::json!(["evt.rawarg"]));
}

#[test]
fn an_event_is_explained_by_its_number_and_by_its_id() {
    let folder = Folder::new();
    let (tape, rules) = (folder.text("x.tape"), folder.text("rules.yaml"));
    let explain = |event: &str| {
        let arguments = ["rules", "explain", "shadow", event, "--json", "--tape", &tape, "--rules"];
        clew(&[&arguments[..], &[&rules]].concat())
    };
    let count = scenario::events(EVENTS).unwrap().len();
    let matching = explain(&(count - 1).to_string());
    assert_eq!(matching.status.code(), Some(0));
    let found = lines(&matching).remove(0);
    assert_eq!((&found["matches"], &found["condition"]["kind"]), (&true.into(), &"and".into()));
    let by_id = explain(found["event"].as_str().unwrap());
    assert_eq!(by_id.stdout, matching.stdout);
    let other = explain(&count.to_string());
    assert_eq!(other.status.code(), Some(1));
    let decided = &lines(&other)[0]["condition"]["parts"][1];
    assert_eq!((&decided["decides"], &decided["value"]), (&true.into(), &"/etc/passwd".into()));
    assert_eq!(explain(&(count + 1).to_string()).status.code(), Some(2));
}

#[test]
fn a_broken_claim_is_told_and_no_update_mends_it() {
    let folder = Folder::new();
    let page = |claim: &str, findings: &str| {
        format!(
            "## shadow\n\n### {claim} x\n\n```event\n{EVENTS}```\n\n```findings\n{findings}```\n"
        )
    };
    let test = |page: &str, arguments: &[&str]| {
        fs::write(folder.path("rules.md"), page).unwrap();
        let directory = folder.0.path().display().to_string();
        let output = clew(&[&["rules", "test", "--json", &directory], arguments].concat());
        let summary = lines(&output).pop().unwrap();
        (output.status.code().unwrap(), summary["broken"].as_u64(), summary["stale"].as_u64())
    };
    let found = "Warning shadow: cat read /etc/shadow\n";
    assert_eq!(test(&page("Fires on", found), &[]), (0, Some(0), Some(0)));
    assert_eq!(test(&page("Fires on", ""), &[]), (1, Some(0), Some(1)));
    assert_eq!(test(&page("Fires on", ""), &["--update"]), (0, Some(0), Some(0)));
    assert_eq!(fs::read_to_string(folder.path("rules.md")).unwrap(), page("Fires on", found));
    assert_eq!(test(&page("Silent on", ""), &["--update"]), (1, Some(1), Some(0)));
}

#[test]
fn a_falco_installation_is_imported_and_judges() {
    let folder = Folder::new();
    fs::create_dir(folder.path("rules.d")).unwrap();
    fs::write(folder.path("rules.d/more.yaml"), rule("passwd", "/etc/passwd")).unwrap();
    let config = format!(
        "rules_files: [{}, {}, {}]\nrule_matching: all\nrules:\n- disable: {{rule: \"sha*\"}}\n\
         append_output:\n- extra_output: by %user.uid\ngrpc: {{enabled: true}}\n",
        folder.text("rules.yaml"),
        folder.text("rules.d"),
        folder.text("absent.yaml"),
    );
    fs::write(folder.path("falco.yaml"), config).unwrap();
    let config = folder.text("falco.yaml");
    let imported = lines(&clew(&["rules", "import", "--json", &config]));
    let summary = imported.last().unwrap();
    assert_eq!(
        (&summary["rules"], &summary["run"], &summary["disabled"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!(summary["keys_not_taken"], 1);
    assert!(imported.iter().any(|line| line["type"] == "absent"));
    let judged = clew(&["replay", "--json", "--falco-config", &config, &folder.text("x.tape")]);
    let findings: Vec<Value> =
        lines(&judged).into_iter().filter(|line| line["type"] == "finding").collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["output"], "cat read /etc/passwd by 0");
}

#[test]
fn what_a_rate_holds_back_is_counted() {
    let folder = Folder::new();
    let both =
        rule("both", "/etc/shadow").replace("fd.name = /etc/shadow", "fd.name startswith /etc/");
    fs::write(folder.path("rules.yaml"), both).unwrap();
    let (tape, rules) = (folder.text("x.tape"), folder.text("rules.yaml"));
    let chosen = ["--no-default-rules", "--rule-rate", "1/h", "--json", "--rules", &rules];
    let replayed = lines(&clew(&[&["replay", &tape], &chosen[..]].concat()));
    let summary = replayed.last().unwrap();
    assert_eq!((&summary["findings"], &summary["suppressed"]), (&1.into(), &1.into()));
    let stats = lines(&clew(&[&["rules", "stats", "--tape", &tape], &chosen[..]].concat()));
    assert_eq!((&stats[0]["matches"], &stats[0]["suppressed"]), (&2.into(), &1.into()));
    let cost = lines(&clew(&[&["rules", "cost", "--tape", &tape], &chosen[..]].concat()));
    assert_eq!(
        (&cost[0]["rule"], &cost[0]["events"], &cost[0]["matches"]),
        (&"both".into(), &2.into(), &2.into())
    );
}

const TRIED: &str = "\
- rule: exec
  desc: d
  condition: evt.type = execve and proc.name = cat
  output: o
  priority: INFO
- rule: again
  desc: d
  condition: evt.type = execve and proc.name startswith ca
  output: o
  priority: INFO
";

/// A tape on which `cat` starts, and fails to start another program; with that event's number.
fn tape_of_a_failed_exec(folder: &Folder) -> String {
    let mut events = scenario::events("exec pid=10 args=cat").unwrap();
    let mut failed = events.last().unwrap().clone();
    failed.id = EventId(failed.id.0 + 1);
    let tried = ExecFailed { result: -2, filename: "/bin/id".into(), ..ExecFailed::default() };
    failed.kind = EventKind::ExecFailed(Box::new(tried));
    events.push(failed);
    let file = File::create(folder.path("tried.tape")).unwrap();
    let mut tape = TapeWriter::create(file, &TapeHeader::of_recorder("test")).unwrap();
    events.iter().for_each(|event| tape.append(event).unwrap());
    tape.finish().unwrap();
    events.len().to_string()
}

#[test]
fn falco_is_followed_where_it_is_asked_for_and_the_first_rule_or_all_match() {
    let folder = Folder::new();
    tape_of_a_failed_exec(&folder);
    fs::write(folder.path("tried.yaml"), TRIED).unwrap();
    let (tape, rules) = (folder.text("tried.tape"), folder.text("tried.yaml"));
    let found = |more: &[&str]| {
        let arguments = ["replay", "--json", "--no-default-rules", "--rules", &rules, &tape];
        let lines = lines(&clew(&[&arguments[..], more].concat()));
        let findings = lines.iter().filter(|line| line["type"] == "finding");
        findings.map(|line| line["rule"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&[]), ["exec", "again"]);
    assert_eq!(found(&["--rule-matching", "first"]), ["exec"]);
    assert_eq!(found(&["--compat", "falco"]), ["exec", "exec"]);
    let all = found(&["--compat", "falco", "--rule-matching", "all"]);
    assert_eq!(all, ["exec", "again", "exec", "again"]);
}

#[test]
fn a_failed_exec_is_explained_as_not_judged_where_falco_is_not_followed() {
    let folder = Folder::new();
    let number = tape_of_a_failed_exec(&folder);
    fs::write(folder.path("tried.yaml"), TRIED).unwrap();
    let (tape, rules) = (folder.text("tried.tape"), folder.text("tried.yaml"));
    let explain = |more: &[&str]| {
        let arguments = ["rules", "explain", "exec", &number, "--tape", &tape, "--rules", &rules];
        let output = clew(&[&arguments[..], &["--json"], more].concat());
        (output.status.code().unwrap(), lines(&output).remove(0))
    };
    let (code, ours) = explain(&[]);
    assert_eq!(
        (code, &ours["matches"], &ours["condition"]["holds"]),
        (1, &false.into(), &true.into())
    );
    assert!(ours["not_judged"].as_str().unwrap().starts_with("the call put no program in place"));
    let (code, falcos) = explain(&["--compat", "falco"]);
    assert_eq!((code, &falcos["matches"]), (0, &true.into()));
    assert!(falcos.get("not_judged").is_none());
}

#[test]
fn rules_are_checked_as_falco_reads_them_where_that_is_asked_for() {
    let folder = Folder::new();
    let quoted =
        rule("r", "/x") + "  exceptions: [{name: e, fields: [proc.name], values: [[\"a(b\"]]}]\n";
    fs::write(folder.path("rules.yaml"), quoted).unwrap();
    let check = |more: &[&str]| {
        let arguments = ["rules", "check", &folder.text("rules.yaml")];
        clew(&[&arguments[..], more].concat()).status.code()
    };
    assert_eq!(check(&[]), Some(0));
    assert_eq!(check(&["--compat", "falco"]), Some(1));
}

const SIGMA: &str = "\
title: User made
id: 0f0a1b2c-0000-4000-8000-000000000001
author: Ann
license: DRL-1.1
level: high
tags: [attack.t1136.003]
logsource: {product: aws, service: cloudtrail}
detection: {selection: {action: CreateUser}, condition: 1 of selection*}
";
const PIPELINE: &str = "\
name: ours
transformations: [{type: field_name_mapping, mapping: {action: eventName}}]
";
const RECORD: &str = r#"{"Records":[{"eventVersion":"1.08","eventID":"1","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2024-01-01T00:00:02Z"}]}"#;

#[test]
fn sigma_rules_are_listed_checked_explained_and_run_with_their_pipeline() {
    let folder = Folder::new();
    fs::write(folder.path("sigma.yml"), SIGMA).unwrap();
    fs::write(folder.path("pipeline.yml"), PIPELINE).unwrap();
    fs::write(folder.path("broken.yml"), PIPELINE.replace("field_name", "field_game")).unwrap();
    fs::write(folder.path("log.json"), RECORD).unwrap();
    let [rules, pipeline, broken, log] =
        ["sigma.yml", "pipeline.yml", "broken.yml", "log.json"].map(|name| folder.text(name));

    let listed = lines(&clew(&["rules", "list", "--json", &rules])).remove(0);
    let said = ["title", "author", "license", "level", "logsource"].map(|key| &listed[key]);
    assert_eq!(said, ["User made", "Ann", "DRL-1.1", "high", "aws/cloudtrail"]);
    assert_eq!(listed["event_types"], serde_json::json!(["pluginevent"]));
    let both = folder.text("rules.yaml");
    let covered = lines(&clew(&["rules", "coverage", "--json", &rules, &both]));
    let runs: Vec<_> =
        covered.iter().filter(|line| line["runs"] == 1).map(|it| &it["id"]).collect();
    assert_eq!(runs, ["T1136.003", "T1003.008"]);

    let check = |pipeline: &str| clew(&["rules", "check", "--pipeline", pipeline, &rules]).status;
    assert_eq!((check(&pipeline).code(), check(&broken).code()), (Some(0), Some(1)));

    let chosen = ["--no-default-rules", "--json", "--rules", &rules];
    let found = |more: &[&str]| {
        let output = clew(&[&["replay", &log], &chosen[..], more].concat());
        lines(&output).pop().unwrap()["findings"].as_u64()
    };
    assert_eq!((found(&[]), found(&["--pipeline", &pipeline])), (Some(0), Some(1)));

    let explain = ["rules", "explain", "User made", "1", "--tape", &log, "--pipeline", &pipeline];
    let output = clew(&[&explain[..], &chosen].concat());
    let explained = lines(&output).remove(0);
    assert_eq!((output.status.code(), &explained["matches"]), (Some(0), &true.into()));
    let words = &explained["condition"]["parts"][1];
    assert_eq!(words["text"], "1 of selection*");
    let item = &words["parts"][0]["parts"][0];
    let told = ["kind", "text", "value"].map(|key| item[key].as_str().unwrap());
    assert_eq!(told, ["check", "eventName: CreateUser", "CreateUser"]);
}

/// `clew run` on a tape, with what it says on standard error.
struct Running {
    child: Child,
    said: Receiver<String>,
}

impl Running {
    fn start(folder: &Folder) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_clew"))
            .args(["run", "--listen", "127.0.0.1:0", "--no-default-rules", "--state"])
            .arg(folder.path("state"))
            .arg("--rules")
            .arg(folder.path("rules.yaml"))
            .arg(folder.path("x.tape"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, said }
    }

    fn wait_for(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while let Ok(line) = self.said.recv_timeout(deadline - Instant::now()) {
            if line.contains(wanted) {
                return;
            }
            heard.push(line);
        }
        panic!("`{wanted}` was not said:\n{}", heard.join("\n"));
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[test]
fn a_running_clew_reads_rules_again_and_keeps_the_old_ones_on_an_error() {
    let folder = Folder::new();
    let running = Running::start(&folder);
    running.wait_for("page: ");
    let file = folder.path("rules.yaml");
    let two = rule("shadow", "/etc/shadow") + &rule("passwd", "/etc/passwd");
    replace(&file, &two);
    running.wait_for("rules read again: 2 run");
    replace(&file, &format!("{two}- rule: broken\n"));
    running.wait_for("error[R103]");
    running.wait_for("the rules stay as they are: 1 errors");
    replace(&file, &two);
    running.wait_for("rules read again: 2 run");
    running.signal("-HUP");
    running.wait_for("rules read again: 2 run");
}
