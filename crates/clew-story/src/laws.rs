//! What holds whatever comes: order of arrival, bounds, no percolation, restoring a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{Finding, Priority, Story};
use proptest::prelude::*;

use crate::sample::{Sample, process};
use crate::scenario::{attack, honest_request};
use crate::{Settings, Stories};

/// Findings, shown briefly where a law is broken.
#[derive(Clone)]
struct History(Vec<Finding>);

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(brief)).finish()
    }
}

/// Rule, process and second of a finding.
fn brief(finding: &Finding) -> String {
    let pid = finding.subject.lineage.first().map_or(0, |process| process.key.pid);
    format!("{} {pid} {}", finding.rule, finding.time.time_of_day())
}

/// The last revision of each story.
fn last(revisions: Vec<Story>) -> BTreeMap<String, Story> {
    revisions.into_iter().map(|story| (story.id.to_string(), story)).collect()
}

fn told(findings: &[Finding]) -> Vec<Story> {
    let mut stories = Stories::new(Settings::default());
    let mut revisions = Vec::new();
    for finding in findings {
        stories.join(finding, &mut revisions);
    }
    revisions
}

/// Which findings are told together.
fn clusters(findings: &[Finding]) -> BTreeSet<BTreeSet<String>> {
    let names: BTreeMap<_, _> =
        findings.iter().map(|finding| (finding.id, brief(finding))).collect();
    let stories = last(told(findings)).into_values();
    let of_story =
        |story: Story| story.steps.iter().map(|step| names[&step.finding].clone()).collect();
    stories.map(of_story).filter(|cluster: &BTreeSet<_>| !cluster.is_empty()).collect()
}

/// A warning by a process of its own, far from any server.
fn lone(rule: &str, pid: u32, ms: u64) -> Finding {
    let lineage = [process(pid, "job", "job", ms)];
    Sample::new(rule, 1).priority(Priority::Warning).lineage(&lineage).at(ms).finding()
}

/// One process drops a file and speaks with its master; another, unrelated by birth, runs it.
fn carry(path: &str, [hand, runner]: [u32; 2], [dropped, ran]: [u64; 2]) -> [Finding; 2] {
    let fetch = Sample::new("fetched", 1).priority(Priority::Notice).peer("10.0.0.9:80");
    let mut program = process(runner, "p", "p", ran);
    (program.exe, program.is_dropped) = (path.into(), true);
    [
        fetch.lineage(&[process(hand, "wget", "wget", dropped)]).file(path).at(dropped).finding(),
        Sample::new("ran", 1).peer("10.0.0.9:81").lineage(&[program]).at(ran).finding(),
    ]
}

/// An hour of one container: attacks, honest requests, alerts that stand alone, repetitions.
fn history() -> impl Strategy<Value = History> {
    let attacks = proptest::collection::vec(0_u64..3_000_000, 0..4);
    let honest = proptest::collection::vec(0_u64..3_000_000, 0..12);
    let alone = proptest::collection::vec((0_u64..3_000_000, 0_u8..4), 0..4);
    let carried = proptest::collection::vec((0_u64..3_000_000, 1_u64..900_000, 0_u8..2), 0..3);
    let asked = proptest::collection::vec((0_u64..3_000_000, 0_u128..4, 0_u8..8, 1_u32..4), 0..8);
    let all = (attacks, honest, alone, carried, asked);
    all.prop_map(|(attacks, honest, alone, carried, asked)| {
        let mut findings = Vec::new();
        let mut pid = 1_000;
        let mut next = || {
            pid += 10;
            pid
        };
        for ms in attacks {
            findings.extend(attack(next(), ms));
        }
        findings.extend(honest.into_iter().map(|ms| honest_request(next(), ms)));
        for (ms, rule) in alone {
            let first = lone(&format!("rule_{rule}"), next(), ms);
            let again = {
                let lineage = first.subject.lineage.clone();
                let sample = Sample::new(&first.rule, 1).priority(Priority::Warning);
                sample.lineage(&lineage).at(ms + 5).finding()
            };
            findings.extend([first, again]);
        }
        for (ms, later, file) in carried {
            findings.extend(carry(&format!("/tmp/{file}"), [next(), next()], [ms, ms + later]));
        }
        findings.extend(asked.into_iter().map(|(ms, exchange, what, pid)| {
            let sample = Sample::new(&format!("request_{what}"), 1);
            let sample = sample.lineage(&[process(pid, "app", "app", 0)]).at(ms);
            let probability = [1.0, 0.8, 0.3][usize::from(what) % 3];
            match what {
                0 | 1 => sample.payload(exchange).finding(),
                _ => sample.request(exchange, probability).finding(),
            }
        }));
        findings.sort_by_key(|finding| (finding.time, finding.id));
        History(findings)
    })
}

/// A history and the same in another order.
fn shuffled() -> impl Strategy<Value = (History, History)> {
    history().prop_flat_map(|findings| {
        let shuffled = Just(findings.0.clone()).prop_shuffle().prop_map(History);
        (Just(findings), shuffled)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever order they arrive in, the same findings are told together.
    #[test]
    fn the_order_of_arrival_changes_no_story((in_order, shuffled) in shuffled()) {
        let (expected, got) = (clusters(&in_order.0), clusters(&shuffled.0));
        prop_assert_eq!(expected, got);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A snapshot taken anywhere goes on as if it had never been taken.
    #[test]
    fn a_restored_snapshot_tells_the_same((findings, cut) in (history(), 0_usize..20)) {
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        for (index, finding) in findings.0.iter().enumerate() {
            if index == cut {
                let json = serde_json::to_string(&stories).unwrap();
                stories = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(&serde_json::to_string(&stories).unwrap(), &json);
            }
            stories.join(finding, &mut revisions);
        }
        prop_assert_eq!(revisions, told(&findings.0));
    }

    /// However many come, no more are held than allowed, and all are accounted for.
    #[test]
    fn no_more_is_held_than_allowed(findings in history(), findings_max in 1_usize..10) {
        let settings = Settings { findings_max, ..Settings::default() };
        let mut stories = Stories::new(settings);
        let mut revisions = Vec::new();
        for finding in &findings.0 {
            stories.join(finding, &mut revisions);
            let counts = stories.counts();
            prop_assert!(counts.findings_kept <= findings_max as u64);
            let gone = counts.findings_evicted + counts.findings_expired;
            let known = counts.findings_kept + counts.findings_counted + gone;
            prop_assert_eq!(known, counts.findings_seen);
        }
    }
}

#[test]
fn ten_thousand_unrelated_alerts_in_one_container_do_not_fuse() {
    let rules = ["a", "b", "c", "d", "e"];
    let findings: Vec<_> = (0_u32..10_000)
        .map(|n| lone(rules[n as usize % rules.len()], 100 + n, u64::from(n) * 300))
        .collect();
    let largest = clusters(&findings).iter().map(BTreeSet::len).max().unwrap_or(0);
    assert!(largest <= 20, "{largest} findings in one story");
}

#[test]
fn one_process_with_a_hundred_thousand_findings_is_told_briefly_and_held_within_bounds() {
    let mut stories = Stories::new(Settings::default());
    let (mut count, mut steps_max) = (0, 0);
    let (shell, server) = (process(100, "sh", "sh", 0), process(1, "server", "server", 0));
    let mut revisions = Vec::new();
    for n in 0_u32..100_000 {
        let child = process(1_000 + n, "x", "x", u64::from(n));
        let rule = format!("rule_{}", n % 50);
        let sample =
            Sample::new(&rule, 1).lineage(&[child, shell.clone(), server.clone()]).at(u64::from(n));
        stories.join(&sample.about_start().finding(), &mut revisions);
        count += revisions.len();
        if let Some(story) = revisions.pop() {
            steps_max = story.steps.len().max(steps_max);
            revisions.clear();
        }
    }
    assert!(stories.counts().findings_kept <= 512, "{:?}", stories.counts());
    assert_eq!(steps_max, Story::STEPS_MAX);
    assert!(count < 2_000, "{count} revisions");
}
