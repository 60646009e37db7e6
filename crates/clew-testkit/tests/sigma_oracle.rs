//! Sigma's rules as Clew judges them, beside two other opinions.
//!
//! One is another engine, the other a plain reading of the specification that lies beside this
//! test. The recorded logs and the rules of SigmaHQ are in the shared data, looked for under
//! `$CLEW_SHARED` or in `shared/` beside the repository; where they are absent, the tests say so
//! and prove nothing.
#![allow(clippy::print_stderr, reason = "what was proved and what was not is for people")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds its data out of shape must fail"
)]

mod sigma_oracle_cases;

use std::collections::BTreeMap;

use clew_event::control_plane::ApiSource;
use serde_json::{Value, json};
use sigma_oracle_cases::generate::{self, Random};
use sigma_oracle_cases::logs::{self, LOGS};
use sigma_oracle_cases::naive::Quirk;
use sigma_oracle_cases::{Judges, Places, Rule, Verdicts};

const RULES: usize = 1_500;
const EVENTS_PER_RULE: usize = 10;

/// Where the other engine reads the language differently, how often over the generated pairs and
/// over the recorded logs, and what the specification says of it.
const EXPLAINED: [(Quirk, usize, usize, &str); 9] = [
    (
        Quirk::EveryDash,
        138,
        0,
        "all of \"the aforementioned characters\"; pySigma: of \"command line flags\"",
    ),
    (
        Quirk::LastLetter,
        82,
        0,
        "not \"the first and last byte\", but the \"static part in the middle\"",
    ),
    (Quirk::NullIsAbsent, 10, 0, "\"the presence of a field, not its value, be it empty or null\""),
    (Quirk::NullInLists, 18, 0, "of nulls in lists the text says nothing"),
    (Quirk::WordsAreValues, 57, 0, "keywords are \"applied to the full log message\""),
    (Quirk::NeqOfAbsent, 80, 0, "\"different from the specified values\": so is what is absent"),
    (Quirk::FieldrefOfLists, 24, 0, "of `fieldref` and lists the text says nothing"),
    (Quirk::WithinLines, 3, 0, "`*` is for \"an unbounded length\" of any characters"),
    (Quirk::ObjectsAreNoText, 0, 8, "\"all values are treated as case-insensitive strings\""),
];

/// What the other engine refuses, in its words; of a rule with both it names either. "Single item values are not allowed
/// to have an `all` modifier": Clew takes them; of orders of parts of times the text says nothing.
const REFUSED: [&str; 2] =
    ["|all modifier requires more than one value", "at most one operator may be set per field"];

/// How many of the generated rules it refuses.
const REFUSED_COUNT: usize = 207;

/// Counts where the other engine differs, by the quirk that explains it; panics where Clew does.
fn compare(
    judges: &Judges,
    record: &Value,
    found: &Verdicts,
    quirks: &mut BTreeMap<Option<Quirk>, usize>,
) {
    assert_eq!(found.clew, found.naive, "Clew and the specification on {record}");
    for name in found.rsigma.symmetric_difference(&found.naive) {
        if judges.refused.contains_key(name) {
            continue;
        }
        let quirk = judges.explanation(record, name);
        if quirk.is_none() {
            eprintln!("nobody explained `{name}` on {record}");
        }
        *quirks.entry(quirk).or_default() += 1;
    }
}

#[test]
fn recorded_logs_are_judged_alike() {
    let Some(folder) = logs::shared("sigma-rules/rules") else { return };
    let mut quirks = BTreeMap::new();
    let mut pairs = 0;
    for log in &LOGS {
        let Some(records) = log.records() else { return };
        let rules = logs::rules(&folder, log.rules);
        let mut judges = Judges::new(log.source, log.places(&rules), &rules);
        let mut holding = 0;
        for record in &records {
            let record = log.named(record);
            let found = judges.verdicts(&record);
            holding += found.naive.len();
            compare(&judges, &record, &found, &mut quirks);
        }
        let (name, rules, records) = (log.source.name(), rules.len(), records.len());
        eprintln!("{name}: {rules} rules hold {holding} times of {records} records");
        pairs += rules * records;
    }
    let counts = EXPLAINED.iter().map(|(quirk, _, count, _)| (Some(*quirk), *count));
    let expected: BTreeMap<_, _> = counts.filter(|(_, count)| *count != 0).collect();
    assert_eq!(quirks, expected);
    assert!(100_000 < pairs, "{pairs} pairs");
}

#[test]
fn generated_rules_and_events_are_judged_alike() {
    let mut random = Random(7);
    let mut quirks = BTreeMap::new();
    let mut refused = 0;
    let mut holding = 0;
    for number in 0..RULES {
        let made = generate::rule(&mut random);
        let source = json!({"product": "aws", "service": "cloudtrail"});
        let rule = json!({"title": "made", "logsource": source, "detection": made.detection});
        let rule = Rule { name: format!("rule {number}"), text: rule.to_string() };
        let mut judges = Judges::new(ApiSource::Cloudtrail, Places::new(), &[rule]);
        for reason in judges.refused.values() {
            assert!(REFUSED.iter().any(|words| reason.contains(words)), "{reason}");
            refused += 1;
        }
        for _ in 0..EVENTS_PER_RULE {
            let event = generate::event(&mut random, &made);
            let found = judges.verdicts(&event);
            holding += found.naive.len();
            compare(&judges, &event, &found, &mut quirks);
        }
    }
    let pairs = RULES * EVENTS_PER_RULE;
    eprintln!("{holding} of {pairs} pairs hold");
    assert!((pairs / 3..pairs * 2 / 3).contains(&holding), "both verdicts are frequent");
    let counts = EXPLAINED.iter().map(|(quirk, count, ..)| (Some(*quirk), *count));
    let expected: BTreeMap<_, _> = counts.filter(|(_, count)| *count != 0).collect();
    assert_eq!(quirks, expected);
    assert_eq!(refused, REFUSED_COUNT);
}
