//! What a profile finds goes the way of what a rule finds; and what a rule finds is not learned.
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use clew_engine::{Engine, Output, Profiling, Settings, State};
use clew_event::{Event, Text, TimestampNs};
use clew_rules::{Options, SourceFile, load};
use clew_testkit::scenario;

const DROPPED: &str = "
exec pid=10 container=web args=server
exec pid=20 ppid=10 args=\"date +%s\"
exec pid=32 ppid=10 args=/tmp/x exe=/tmp/x flags=upper_layer
";

const RULE: &str = "
- rule: dropped
  desc: a dropped binary ran
  condition: evt.type = execve and proc.is_exe_upper_layer = true
  output: 'dropped %proc.exepath'
  priority: NOTICE
  tags: [T1105]
";

fn run(rules: &str, profiling: Profiling) -> (Engine, Output) {
    let file = SourceFile { name: "rules.yaml".into(), text: rules.into() };
    let rules = load(&[file], &Options::default()).rules;
    let mut engine = Engine::new(rules, Settings { profiling, ..Settings::default() });
    let mut output = Output::default();
    for event in scenario::events(DROPPED).unwrap() {
        engine.step(&event, &mut output);
    }
    (engine, output)
}

#[test]
fn what_is_not_in_the_image_is_found_without_any_rule_with_the_bits_of_a_seed() {
    let (engine, output) = run("", Profiling::On);
    let [finding] = &output.findings[..] else { panic!("{:?}", output.findings) };
    assert_eq!(finding.rule, "Behavior new to this workload: exec");
    assert!(8.0 <= finding.bits);
    assert!(finding.output_fields.contains_key("profile.item"));
    assert!(engine.profiles().known().contains_key(&Text::from("web")));
    assert_eq!(run("", Profiling::Off).1.findings, []);
}

#[test]
fn what_a_rule_finds_too_is_told_once_with_more_bits_and_its_unit_is_taken_back() {
    let (_, without) = run(RULE, Profiling::Off);
    let (_, with) = run(RULE, Profiling::On);
    assert_eq!((without.findings.len(), with.findings.len()), (1, 1));
    assert_eq!(with.findings[0].rule, "dropped");
    assert!(without.findings[0].bits < with.findings[0].bits);
    let (engine, _) = run(&RULE.replace("NOTICE", "CRITICAL"), Profiling::On);
    assert_eq!(engine.profiles().counts().quarantined, 1);
    let known = engine.profiles().known();
    let web = known.get(&Text::from("web")).unwrap();
    let learned = web.versions()[0].profile.items().any(|(_, record)| 0 < record.units);
    assert!(!learned, "{web:?}");
}

#[test]
fn a_story_takes_back_what_its_steps_taught_in_units_that_ended_before_it() {
    const ATTACK: &str = "
exec pid=10 container=web args=server
exec pid=20 ppid=10 args=\"sh -c id\"
exec pid=32 ppid=20 args=/tmp/x exe=/tmp/x flags=upper_layer
";
    let shell = RULE.replace("proc.is_exe_upper_layer = true", "proc.name = sh");
    let rules = || {
        let file = SourceFile { name: "rules.yaml".into(), text: shell.clone() };
        load(&[file], &Options::default()).rules
    };
    let events = scenario::events(ATTACK).unwrap();
    let (last, before) = events.split_last().unwrap();
    let mut engine = Engine::new(rules(), Settings::default());
    let mut output = Output::default();
    let has_learned_shell = |engine: &Engine| {
        let known = engine.profiles().known();
        let web = known.get(&Text::from("web")).unwrap();
        let mut items = web.versions()[0].profile.items();
        items.any(|(item, record)| item.parts.contains(&"/usr/bin/sh") && 0 < record.units)
    };
    before.iter().for_each(|event| engine.step(event, &mut output));
    assert_eq!((output.findings.len(), output.stories.len()), (1, 0), "{:?}", output.findings);
    assert!(has_learned_shell(&engine), "few bits are learned like any behavior");

    // Half an hour later, and after a restart, what the shell left behind runs.
    let state = State::read(&engine.snapshot().unwrap()).unwrap();
    engine = Engine::resume(rules(), state);
    let time = TimestampNs::from_unix_ns(last.time.unix_ns() + 1_800_000_000_000);
    engine.step(&Event { time, arrived: time, ..last.clone() }, &mut output);
    let story = output.stories.last().unwrap();
    assert_eq!(story.steps.len(), 2, "{story:?}");
    assert!(!has_learned_shell(&engine));
    assert_eq!(engine.profiles().counts().quarantined, 2, "its unit, and that of the shell");
}
