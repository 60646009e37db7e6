//! Correlation rules in the engine: findings that name several events, also across a snapshot.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use clew_engine::{Engine, Output, Settings, State};
use clew_rules::{Options, RuleSet, SourceFile, load};
use clew_testkit::scenario;

const RULES: &str = "
title: Downloader
name: downloader
author: Ann
logsource: {product: linux, category: process_creation}
detection: {s: {CommandLine|contains: curl}, condition: s}
---
title: Many downloads
author: Ann
level: high
tags: [attack.t1105]
correlation:
  type: event_count
  rules: [downloader]
  group-by: [Computer]
  timespan: 1h
  condition: {gte: 3}
";

const EXECS: &str = "
exec pid=10 args=curl
exec pid=11 args=curl
exec pid=12 args=ls
exec pid=13 args=curl
";

fn rules() -> RuleSet {
    let file = SourceFile { name: "rules.yml".into(), text: RULES.into() };
    let loaded = load(&[file], &Options::default());
    assert_eq!(loaded.diagnostics, []);
    loaded.rules
}

/// What comes of it; the engine is written and read back before each event where that is asked for.
fn found(with_restarts: bool) -> Output {
    let mut engine = Engine::new(rules(), Settings::default());
    let mut output = Output::default();
    for event in &scenario::events(EXECS).unwrap() {
        if with_restarts {
            let state = State::read(&engine.snapshot().unwrap()).unwrap();
            engine = Engine::resume(rules(), state);
        }
        engine.step(event, &mut output);
    }
    output
}

#[test]
fn a_correlation_names_all_its_events_and_a_restart_changes_nothing() {
    let Output { findings, evidence, .. } = found(false);
    let told: Vec<_> = findings.iter().map(|it| (it.rule.as_str(), it.events.len())).collect();
    assert_eq!(told, [("Many downloads", 3)]);
    assert!(findings.iter().all(|it| it.output.starts_with("Many downloads (by Ann)")));
    assert!(findings.iter().all(|it| it.techniques == ["T1105"]));
    let named: Vec<_> = evidence.iter().map(|event| event.id).collect();
    let mut deciding = findings[0].events.clone();
    deciding.sort_unstable();
    assert_eq!(named, deciding, "each event that it names is kept as evidence");
    let restarted = found(true);
    assert_eq!((restarted.findings, restarted.evidence), (findings, evidence));
}
