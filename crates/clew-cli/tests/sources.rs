//! `clew run` with sources, killed again and again: every record is judged, and kept once.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(30);
/// Times that it is killed.
const KILLS: usize = 4;
/// Records that are written, and sent, before each of them.
const RECORDS: usize = 300;

const RULES: &str = "\
- rule: user made
  desc: d
  condition: ct.name = CreateUser
  output: made %ct.request.username
  priority: WARNING
  source: aws_cloudtrail
- rule: pods listed
  desc: d
  condition: ka.verb = list
  output: listed %ka.auditid
  priority: NOTICE
  source: k8s_audit
";

struct Run {
    child: Child,
    /// Where the webhook listens, and where the page is.
    webhook: String,
    page: String,
}

impl Run {
    fn start(folder: &Path) -> Self {
        fs::write(folder.join("rules.yaml"), RULES).unwrap();
        fs::write(folder.join("token"), "secret\n").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_clew"))
            .current_dir(folder)
            .args(["run", "--listen", "127.0.0.1:0", "--state", "state", "--no-default-rules"])
            .args(["--rules", "rules.yaml", "--no-sensor"])
            .args(["--source", "files:logs"])
            .args(["--source", "kubernetes:127.0.0.1:0,name=k8s,token=token"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut place = |begin: &str| {
            let mut line = String::new();
            while !line.starts_with(begin) {
                line = lines.next().unwrap().unwrap();
            }
            line[begin.len()..].trim_end_matches('/').to_owned()
        };
        let webhook = place("source: k8s at http://");
        let page = place("page: http://");
        // Nobody reads the rest; it must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, webhook, page }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn metric(&self, sample: &str) -> Option<f64> {
        let page = request(&self.page, "GET /metrics HTTP/1.1\r\n", "")?;
        let line = page.lines().find(|line| line.starts_with(sample))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}

fn request(address: &str, head: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let rest = format!("Host: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    write!(stream, "{head}{rest}{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

const HEAD: &str = "POST /audit HTTP/1.1\r\nAuthorization: Bearer secret\r\n";

/// Sends a batch as an API server does: until it is taken.
fn send(run: &Run, number: usize) -> bool {
    let answer = request(&run.webhook, HEAD, &batch(number));
    answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// Sends a batch whose answer nobody will hear, or only half of it.
fn begin(run: &Run, number: usize, is_half: bool) -> TcpStream {
    let body = batch(number);
    let sent = if is_half { &body[..body.len() / 2] } else { &body };
    let mut stream = TcpStream::connect(&run.webhook).unwrap();
    let length = body.len();
    write!(stream, "{HEAD}Host: x\r\nContent-Length: {length}\r\n\r\n{sent}").unwrap();
    stream
}

fn batch(number: usize) -> String {
    let id = |part: usize| number * 10 + part;
    let event = |part| {
        format!(
            r#"{{"kind":"Event","auditID":"a{}","stage":"ResponseComplete","verb":"list","requestURI":"/","objectRef":{{"resource":"pods"}},"stageTimestamp":"2026-11-24T10:00:00Z"}}"#,
            id(part)
        )
    };
    let events: Vec<_> = (0..10).map(event).collect();
    format!(r#"{{"kind":"EventList","items":[{}]}}"#, events.join(","))
}

fn write(path: &Path, numbers: std::ops::Range<usize>) {
    let line = |number: usize| {
        format!(
            "{{\"eventVersion\":\"1.08\",\"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"CreateUser\",\"eventTime\":\"2026-11-24T10:00:00Z\",\"eventID\":\"c{number}\",\"requestParameters\":{{\"userName\":\"u{number}\"}}}}\n"
        )
    };
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(numbers.map(line).collect::<String>().as_bytes()).unwrap();
}

/// Findings in the store, and how many of them tell something that no other does.
fn kept(folder: &Path) -> (i64, i64) {
    let path = folder.join("state").join("clew.db");
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    store.busy_timeout(DEADLINE).unwrap();
    let sql = "SELECT count(*), count(DISTINCT body ->> 'output') FROM finding";
    store.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let log = logs.join("trail.jsonl");
    let mut sent = 0;
    for round in 0..KILLS {
        let run = Run::start(folder.path());
        write(&log, round * RECORDS..(round + 1) * RECORDS);
        if round == 1 {
            fs::rename(&log, logs.join("trail.jsonl.1")).unwrap();
        }
        // What is under way when it is killed differs from round to round.
        for _ in 0..=round * 3 {
            sent += usize::from(send(&run, sent));
        }
        // It comes again to the next run, as from a sender that was told nothing.
        let _under_way = begin(&run, sent, round % 2 == 0);
        run.kill();
    }
    let run = Run::start(folder.path());
    while sent < RECORDS / 10 {
        sent += usize::from(send(&run, sent));
    }
    assert!(send(&run, 0), "a batch whose answer was lost comes again");
    let expected = i64::try_from((KILLS + 1) * RECORDS).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while kept(folder.path()).0 < expected {
        assert!(Instant::now() < deadline, "{:?} of {expected}", kept(folder.path()));
    }
    while run.metric("clew_source_duplicates_total{source=\"k8s\"}") < Some(10.0) {
        assert!(Instant::now() < deadline, "no duplicate was counted");
    }
    run.kill();
    assert_eq!(kept(folder.path()), (expected, expected));
}

/// A figure, not a claim: how fast it is depends on the machine.
#[test]
fn bodies_that_an_api_server_sent_become_findings_and_how_fast_is_printed() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("CLEW_SHARED").map_or_else(beside, Into::into);
    let path = shared.join("data/k8s-audit-1.36/webhook-bodies.jsonl");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("SKIPPED: `{}` is not there: set CLEW_SHARED", path.display());
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let run = Run::start(folder.path());
    let (mut spans, mut found) = (Vec::new(), 0);
    for line in text.lines() {
        let body = line.split_once("\"body\":").unwrap().1;
        let body = body.rsplit_once('}').unwrap().0;
        let begin = Instant::now();
        let answer = request(&run.webhook, HEAD, body).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        // It is answered once findings are kept.
        let now = kept(folder.path()).0;
        if found < now {
            spans.push(begin.elapsed());
        }
        found = now;
    }
    run.kill();
    spans.sort();
    assert!(0 < found, "the rule on lists found nothing");
    let (half, last) = (spans[spans.len() / 2], spans.last().unwrap());
    eprintln!("{found} findings; from POST to store: half within {half:?}, all within {last:?}");
}
