//! An intake with its engine's side, and records to send.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![allow(clippy::print_stderr, reason = "a test that cannot run says so")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clew_event::{Complaint, Event};
use clew_intake::{Committer, Intake, SourceFigures};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// An intake, and everything that came out of it.
pub(crate) struct Run {
    pub(crate) intake: Intake,
    pub(crate) committer: Committer,
    pub(crate) events: Vec<Event>,
    pub(crate) complaints: Vec<Complaint>,
}

impl Run {
    pub(crate) fn start(sources: &[&str], state: &Path) -> Self {
        let specs = sources.iter().map(|source| source.parse().unwrap()).collect();
        let (intake, committer) = Intake::start(specs, state).unwrap();
        Self { intake, committer, events: Vec::new(), complaints: Vec::new() }
    }

    /// Takes and commits until `is_enough`.
    pub(crate) fn until(&mut self, what: &str, is_enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_enough(self) {
            let figures = self.intake.monitor().figures();
            assert!(Instant::now() < deadline, "{what}: {figures:#?} {:?}", self.complaints);
            if let Some(delivered) = self.intake.poll(Duration::from_millis(10)) {
                self.events.extend(delivered.events);
                self.complaints.extend(delivered.complaints);
                self.committer.commit(vec![delivered.ack]).unwrap();
            }
        }
    }

    pub(crate) fn until_events(&mut self, count: usize) {
        self.until(&format!("{count} events"), |run| count <= run.events.len());
        assert_eq!(self.events.len(), count, "{:#?}", self.names());
    }

    /// What each event says its name is.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |event: &Event| event.api_call().unwrap().action.to_string();
        self.events.iter().map(name).collect()
    }

    pub(crate) fn figures(&self) -> SourceFigures {
        self.intake.monitor().figures().remove(0)
    }

    /// Where the first source listens, once it does.
    pub(crate) fn address(&self) -> String {
        self.figures().address
    }
}

/// A record of CloudTrail named `name`, without a line end.
pub(crate) fn record(name: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::1:user/a"}},"eventTime":"2026-11-24T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","eventID":"id-{name}"}}"#
    )
}

/// A file of CloudTrail with records of these names.
pub(crate) fn trail(names: &[String]) -> String {
    let records: Vec<_> = names.iter().map(|name| record(name)).collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A certificate that the tests of outputs use too.
pub(crate) fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../clew-notify/tests/certificates").join(name)
}

/// A file of the shared data; where it is absent, says so aloud.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CLEW_SHARED").map_or_else(beside, PathBuf::from);
    let path = folder.join("data").join(path);
    if !path.exists() {
        eprintln!("SKIPPED: `{}` is not there: set CLEW_SHARED", path.display());
        return None;
    }
    Some(path)
}
