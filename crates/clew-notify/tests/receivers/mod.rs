//! Findings to send, outputs under test, and waiting for what becomes of them.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic, in its helpers too")]
#![allow(dead_code, reason = "each test takes a part of it")]

pub(crate) mod web;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clew_event::finding::Subject;
use clew_event::{Finding, FindingId, Priority, TimestampNs};
use clew_notify::{OutputFigures, Outputs, Settings};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A finding with a number by which it is known again.
pub(crate) fn finding(number: u64) -> Finding {
    Finding {
        id: FindingId(number.into()),
        time: TimestampNs::from_unix_ns(1_764_000_000_000_000_000 + number),
        source: "syscall".into(),
        rule: "Shadow read".into(),
        priority: Priority::Warning,
        techniques: vec!["T1003.008".into()],
        tags: vec!["T1003.008".into(), "container".into()],
        bits: 8.0,
        entities: Vec::new(),
        events: Vec::new(),
        output: format!("Shadow read | number={number} by=cat parent=sh file=/etc/shadow"),
        output_fields: BTreeMap::from([("proc.name".into(), "cat".into())]),
        hostname: "node-1".into(),
        subject: Subject::default(),
    }
}

/// Outputs with short waits.
pub(crate) fn outputs(specs: &[&str]) -> Outputs {
    let specs = specs.iter().map(|spec| spec.parse().expect("a legal output")).collect();
    let settings = Settings {
        hostname: "node-1".into(),
        first_wait: Duration::from_millis(1),
        close_span: DEADLINE,
    };
    Outputs::start(specs, &settings).expect("outputs that can begin")
}

/// The figures of the only output once `is_met` is true of them.
pub(crate) fn wait_for(
    outputs: &Outputs,
    is_met: impl Fn(&OutputFigures) -> bool,
) -> OutputFigures {
    let monitor = outputs.monitor();
    wait_until(|| monitor.figures().into_iter().find(|figures| is_met(figures)))
}

/// Asks again and again until there is an answer, at most until the deadline.
pub(crate) fn wait_until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::yield_now();
    }
    panic!("not before the deadline")
}

/// The number of a finding, found in whatever form it was sent.
pub(crate) fn number(line: &str) -> u64 {
    let (_, rest) = line.split_once("number=").expect("a number");
    rest.split(' ').next().and_then(|digits| digits.parse().ok()).expect("a number")
}
