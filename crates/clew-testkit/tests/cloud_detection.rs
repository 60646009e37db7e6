//! What our rules for clouds and Kubernetes find in labelled logs, beside Sigma's own.
//!
//! The logs are in the shared data, whose READMEs say where they come from; where they are
//! absent, the tests say so and prove nothing. `docs/cloud-detection.md` has the figures;
//! `UPDATE_EXPECT=1` writes them anew.
#![allow(clippy::print_stderr, reason = "what was proved and what was not is for people")]
#![allow(clippy::unwrap_used, reason = "a test that finds its data out of shape must fail")]
#![allow(clippy::expect_used, reason = "a test that finds its data out of shape must fail")]
#![allow(clippy::indexing_slicing, reason = "a test that finds its data out of shape must fail")]

mod cloud_detection_cases;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use clew_rules::SourceFile;
use cloud_detection_cases::sets::{self, PantherRule};
use cloud_detection_cases::{
    Log, Told, Verdict, Whose, events, is_same_technique, page, rule_files, shared, told,
};

/// Verdicts of both on one behavior, with the techniques it was to be told by.
struct Line {
    set: &'static str,
    name: String,
    techniques: String,
    ours: Verdict,
    sigma: Verdict,
}

/// Judges logs with both; of ordinary work nothing is expected.
fn lines(logs: &[Log], ours: &[SourceFile], sigma: &[SourceFile]) -> Vec<Line> {
    let mut lines = Vec::new();
    for log in logs {
        let events = events(&log.records);
        let (ours, sigma) = (told(ours, &events), told(sigma, &events));
        lines.extend(log.behaviors.iter().map(|behavior| {
            assert!(!behavior.records.is_empty(), "{}: no records", behavior.name);
            Line {
                set: behavior.set,
                name: behavior.name.clone(),
                techniques: behavior.techniques.join(" or "),
                ours: behavior.judge(&ours),
                sigma: behavior.judge(&sigma),
            }
        }));
    }
    lines
}

fn cell(verdict: &Verdict) -> String {
    let right = verdict.right.iter().cloned();
    let other = verdict.other.iter().map(|rule| format!("*{rule}*"));
    let all: Vec<_> = if verdict.right.is_empty() { other.collect() } else { right.collect() };
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

fn is_told(verdict: &Verdict) -> bool {
    !verdict.right.is_empty() || !verdict.other.is_empty()
}

/// Behaviors, told by ours, rightly by ours, told by Sigma, rightly by Sigma.
fn counts<'a>(lines: impl Iterator<Item = &'a Line>) -> [usize; 5] {
    let mut counts = [0; 5];
    for line in lines {
        counts[0] += 1;
        counts[1] += usize::from(is_told(&line.ours));
        counts[2] += usize::from(!line.ours.right.is_empty());
        counts[3] += usize::from(is_told(&line.sigma));
        counts[4] += usize::from(!line.sigma.right.is_empty());
    }
    counts
}

#[test]
fn techniques_are_found_by_the_right_rule() {
    let Some(data) = shared() else { return };
    let (ours, sigma) = (rule_files(Whose::Ours, &data), rule_files(Whose::Sigma, &data));
    let mut logs = sets::stratus(&data);
    logs.push(sets::invictus(&data).0);
    logs.push(sets::audit(&data));
    logs.extend(sets::falco(&data).into_iter().filter(sets::is_attack));
    logs.push(sets::chain(&data));
    let lines = lines(&logs, &ours, &sigma);
    let rows: Vec<_> = lines
        .iter()
        .map(|it| {
            vec![
                it.set.into(),
                it.name.clone(),
                it.techniques.clone(),
                cell(&it.ours),
                cell(&it.sigma),
            ]
        })
        .collect();
    let head = ["log", "what is done", "technique", "ours (level)", "Sigma's (level)"];
    page::hold("behaviors", &page::table(&head, &rows));

    let mut rows = Vec::new();
    let row = |name: &str, counts: [usize; 5]| {
        std::iter::once(name.to_owned()).chain(counts.map(|count| count.to_string())).collect()
    };
    for set in [sets::STRATUS, sets::INVICTUS, sets::AUDIT, sets::FALCO, sets::CHAIN] {
        rows.push(row(set, counts(lines.iter().filter(|line| line.set == set))));
    }
    let all = counts(lines.iter());
    rows.push(row("all", all));
    let head = [
        "log",
        "behaviors",
        "told",
        "by the right technique",
        "told by Sigma's",
        "by the right one",
    ];
    page::hold("sums", &page::table(&head, &rows));
    let [count, _, right, ..] = all;
    assert!(95 * count <= 100 * right, "{right} of {count}");
    assert!(45 <= count, "only {count} behaviors");
}

/// Findings by the label of the event that decided them.
fn by_label(told: &[Told], labels: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for it in told {
        let label = it.records.first().map_or("", |place| labels[*place].as_str());
        *counts.entry(label.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn ordinary_work_is_quiet() {
    let Some(data) = shared() else { return };
    let mut rows = Vec::new();
    for whose in [Whose::Ours, Whose::Sigma] {
        let files = rule_files(whose, &data);
        let (log, labels) = sets::invictus(&data);
        let counts = by_label(&told(&files, &events(&log.records)), &labels);
        let of = |label: &str| counts.get(label).copied().unwrap_or_default();
        let infra = of("infra_terraform") + of("aws_service");
        let (perfspec, broken) = sets::perfspec(&data);
        assert_eq!((perfspec.len(), broken), (16_563, 1));
        let busy = told(&files, &events(&perfspec)).len();
        let cluster = told(&files, &events(&sets::audit_benign(&data))).len();
        let mut daily = 0;
        for log in sets::falco(&data).iter().filter(|log| !sets::is_attack(log)) {
            daily += told(&files, &events(&log.records)).len();
        }
        let cells = [infra, of("attack_stratus"), of("unlabelled"), busy, cluster, daily];
        let name = format!("{whose:?}");
        rows.push(std::iter::once(name).chain(cells.map(|cell| cell.to_string())).collect());
        if whose == Whose::Ours {
            assert!(infra < 5, "{infra} findings on infrastructure: {counts:?}");
            assert_eq!([busy, cluster, daily], [0; 3]);
        }
    }
    let head = [
        "rules",
        "invictus: infrastructure",
        "invictus: attack",
        "invictus: unlabelled",
        "k8s-perfspec",
        "k8s-audit-1.36, ordinary",
        "falco-k8saudit, ordinary",
    ];
    page::hold("quiet", &page::table(&head, &rows));
}

const DAY: Duration = Duration::from_secs(86_400);

/// What is told of the records of a rule, each alone: they are a day apart. Which record it is
/// about is known by its time, for made-up records share their ids.
fn alone(files: &[SourceFile], rule: &PantherRule) -> Vec<(usize, Told)> {
    let records: Vec<_> = rule.fires.iter().chain(&rule.silent).cloned().collect();
    let mut events = events(&records);
    events.sort_by_key(|(place, _)| *place);
    for (days, (_, event)) in (0..).zip(&mut events) {
        event.time = event.time.after(DAY * days);
    }
    let places: BTreeMap<_, _> = events.iter().map(|(place, event)| (event.time, *place)).collect();
    told(files, &events).into_iter().map(|it| (places[&it.finding.time], it)).collect()
}

/// Rules of Panther's that count there as medium or above: how many have an event told, how many
/// by a technique that they carry; and how many events that they leave alone are told.
fn panther(
    files: &[SourceFile],
    rules: &BTreeMap<String, PantherRule>,
) -> ([usize; 5], Vec<String>) {
    let mut counts = [0; 5];
    let mut missed = Vec::new();
    let is_urgent =
        |rule: &PantherRule| matches!(rule.severity.as_str(), "Medium" | "High" | "Critical");
    for (name, rule) in rules.iter().filter(|(_, rule)| is_urgent(rule) && !rule.fires.is_empty()) {
        let (fires, silent): (Vec<_>, Vec<_>) =
            alone(files, rule).into_iter().partition(|(place, _)| *place < rule.fires.len());
        let is_same = |found: &String, theirs: &String| {
            is_same_technique(found, theirs) || is_same_technique(theirs, found)
        };
        let is_right = |(_, it): &(usize, Told)| {
            let found = &it.finding.techniques;
            rule.techniques.iter().any(|theirs| found.iter().any(|found| is_same(found, theirs)))
        };
        let silent: BTreeSet<usize> = silent.iter().map(|(place, _)| *place).collect();
        counts[0] += 1;
        counts[1] += usize::from(!fires.is_empty());
        counts[2] += usize::from(fires.iter().any(is_right));
        counts[3] += rule.silent.len();
        counts[4] += silent.len();
        if fires.is_empty() {
            missed.push(format!("`{name}`"));
        }
    }
    (counts, missed)
}

#[test]
fn behaviors_of_another_rule_set_are_found() {
    let Some(data) = shared() else { return };
    let (ours, sigma) = (rule_files(Whose::Ours, &data), rule_files(Whose::Sigma, &data));
    let mut rows = Vec::new();
    let mut aside = String::new();
    let sets: [(&str, &str, &[&str]); 4] = [
        ("AWS", "/aws/", &["aws_cloudtrail"]),
        ("Kubernetes", "/kubernetes/", &["kubernetes"]),
        ("Azure", "/azure/", &["azure_activity", "azure_signin"]),
        ("Google Cloud", "/gcp/", &["gcp_audit", "gcp_k8s"]),
    ];
    for (name, folder, files) in sets {
        let rules = sets::panther(&data, files);
        let sigma: Vec<_> =
            sigma.iter().filter(|file| file.name.contains(folder)).cloned().collect();
        let row = |whose: &str, counts: [usize; 5]| {
            let names = [name.to_owned(), whose.to_owned()];
            names.into_iter().chain(counts.map(|count| count.to_string())).collect::<Vec<_>>()
        };
        if matches!(name, "AWS" | "Kubernetes") {
            let (counts, missed) = panther(&ours, &rules);
            aside.push_str(&format!("\n{name}, not told by ours: {}.\n", missed.join(", ")));
            rows.push(row("ours", counts));
        }
        rows.push(row("Sigma's", panther(&sigma, &rules).0));
    }
    let head = [
        "control plane",
        "rules",
        "Panther's rules of medium and above",
        "told",
        "by one of its techniques",
        "events that they leave alone",
        "of these told",
    ];
    page::hold("panther", &(page::table(&head, &rows) + &aside));
}

#[test]
fn every_rule_that_the_page_names_is_one_of_ours() {
    let files = rule_files(Whose::Ours, Path::new(""));
    let names = page::rules_named();
    assert!(20 <= names.len(), "{names:?}");
    for name in names {
        let is_there = |file: &SourceFile| {
            let mut lines = file.text.lines();
            lines.any(|line| {
                line.trim_start_matches("- rule: ").trim_start_matches("name: ") == name
            })
        };
        assert!(files.iter().any(is_there), "there is no rule `{name}`");
    }
}
