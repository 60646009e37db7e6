//! `clew run` with outputs on a small tape: what arrives, what `/metrics` says, and signals.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use clew_event::file::FileEvent;
use clew_event::{Event, EventId, EventKind, EventType, TimestampNs};
use clew_store::tape::{TapeHeader, TapeWriter};

/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(20);
/// Events of the tape, each of which the rule finds.
const EVENT_COUNT: u64 = 3;

const RULE: &str = "\
- rule: file_opened
  desc: d
  condition: evt.type = openat
  output: opened %fd.name
  priority: WARNING
  tags: [T1005]
";

/// A run of the program on a tape in `folder`.
struct Run {
    child: Child,
    /// Address of the page, as `host:port`.
    address: String,
    stderr: BufReader<std::process::ChildStderr>,
}

fn write_tape(path: &Path) {
    let header = TapeHeader::of_recorder("test");
    let mut tape = TapeWriter::create(File::create(path).unwrap(), &header).unwrap();
    for number in 1..=EVENT_COUNT {
        let time = TimestampNs::from_unix_ns(1_764_000_000_000_000_000 + number);
        let file = FileEvent { path: "/etc/shadow".into(), ..FileEvent::default() };
        let event = Event {
            id: EventId(number.into()),
            time,
            arrived: time,
            event_type: EventType::Openat,
            actor: None,
            kind: EventKind::File(file),
        };
        tape.append(&event).unwrap();
    }
    tape.finish().unwrap();
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    write_tape(&folder.join("a.tape"));
    fs::write(folder.join("rules.yaml"), RULE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_clew"));
    command
        .current_dir(folder)
        .args(["run", "--listen", "127.0.0.1:0", "--state", "state", "--no-default-rules"])
        .args(["--rules", "rules.yaml"])
        .args(arguments)
        .arg("a.tape");
    command
}

impl Run {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("page: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it served");
        }
        let address = line.trim().trim_start_matches("page: http://").trim_end_matches('/');
        Self { child, address: address.to_owned(), stderr }
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n", self.address);
        write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    fn wait_for_metric(&self, sample: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.metrics().lines().any(|line| line == sample) {
            assert!(Instant::now() < deadline, "no `{sample}` in {}", self.metrics());
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Ends it as a service manager does; returns exit code, standard output and error.
    fn end(mut self) -> (Option<i32>, String, String) {
        self.signal("TERM");
        let (mut out, mut err) = (String::new(), String::new());
        self.stderr.read_to_string(&mut err).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

#[test]
fn findings_go_to_every_output_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let outputs = ["--output", "stdout,format=falco", "--output", "file:all.json"];
    let run = Run::start(folder.path(), &outputs);
    run.wait_for_metric(&format!("clew_output_sent_total{{output=\"stdout\"}} {EVENT_COUNT}"));
    let found = "clew_findings_total{rule=\"file_opened\",priority=\"Warning\"} 3";
    run.wait_for_metric(found);
    run.wait_for_metric("clew_events_total{kind=\"file\"} 3");
    run.wait_for_metric("clew_rules_loaded 1");
    let (code, out, _) = run.end();
    assert_eq!(code, Some(0));
    let alerts: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(alerts.len() as u64, EVENT_COUNT, "standard output is the output's alone: {out}");
    assert!(
        alerts.iter().all(|alert| alert["rule"] == "file_opened" && alert["priority"] == "Warning")
    );
    let all = fs::read_to_string(folder.path().join("all.json")).unwrap();
    assert!(
        all.lines().filter(|line| line.contains("\"type\":\"finding\"")).count() as u64
            == EVENT_COUNT
    );
}

#[test]
fn a_hangup_does_not_end_a_run_that_has_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), &["--output", "file:all.json"]);
    run.wait_for_metric("clew_events_total{kind=\"file\"} 3");
    run.signal("HUP");
    run.wait_for_metric("clew_rules_loaded 1");
    assert_eq!(run.end().0, Some(0));
}

#[test]
fn what_did_not_arrive_is_said_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), &["--output", "program:cat > /dev/null; exit 4"]);
    run.wait_for_metric("clew_output_failed_total{output=\"program:cat\"} 3");
    let (_, _, err) = run.end();
    let said = "output program:cat: 0 sent, 3 failed, 0 dropped: the program ended with exit \
                status: 4";
    assert!(err.contains(said), "{err}");
}

#[test]
fn bad_outputs_are_bad_use() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let Output { status, stderr, .. } = command(folder.path(), arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    check(&["--output", "stdout,fromat=falco"], "option 1 is `fromat`, but `stdout` takes");
    check(&["--output", "file:/nonexistent/a"], "output `file:/nonexistent/a`: cannot open");
    check(&["--json", "--output", "stdout"], "would mix their lines");
}
