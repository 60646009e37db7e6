//! Findings that are broken, absurd, too many, or made up by the attacker.
//!
//! Two things are not held here, for they do not hold yet: a finding whose time lies far ahead closes
//! what is open, and a flood of seeds pushes out the quiet beginning of an attack.

use std::collections::BTreeMap;

use clew_event::finding::Subject;
use clew_event::{Finding, Story, StoryId, TimestampNs};

use crate::sample::Sample;
use crate::scenario::attack;
use crate::{Settings, Stories};

/// The last revision of each story that is left.
fn told(stories: &mut Stories, findings: impl IntoIterator<Item = Finding>) -> Vec<Story> {
    let mut last: BTreeMap<StoryId, Story> = BTreeMap::new();
    let mut revisions = Vec::new();
    for finding in findings {
        stories.join(&finding, &mut revisions);
        last.extend(revisions.drain(..).map(|story| (story.id, story)));
    }
    last.into_values().filter(|story| !story.steps.is_empty()).collect()
}

fn fresh() -> Stories {
    Stories::new(Settings::default())
}

/// The attack in another container, by other processes.
fn attack_in(container: &str, pid: u32, ms: u64) -> Vec<Finding> {
    let mut findings = attack(pid, ms);
    for finding in &mut findings {
        finding.subject.container =
            Sample::new("x", 1).container(container).finding().subject.container;
    }
    findings
}

#[test]
fn findings_that_come_twice_are_told_once() {
    let twice = attack(100, 0).into_iter().flat_map(|finding| [finding.clone(), finding]);
    let (once, twice) = (told(&mut fresh(), attack(100, 0)), told(&mut fresh(), twice));
    assert_eq!((once.len(), twice.len()), (1, 1));
    let steps = |stories: &[Story]| -> Vec<_> {
        stories[0].steps.iter().map(|step| (step.finding, step.edge.clone())).collect()
    };
    assert_eq!(steps(&twice), steps(&once));
    assert!((twice[0].likelihood_bits - once[0].likelihood_bits).abs() < 1e-9);
}

#[test]
fn times_before_all_others_join_nothing_and_leave_an_attack_whole() {
    for ns in [0, 1] {
        let mut absurd = Sample::new("absurd", 900).at(5).finding();
        absurd.time = TimestampNs::from_unix_ns(ns);
        let mut findings = attack(100, 0);
        findings.insert(3, absurd.clone());
        let stories = told(&mut fresh(), findings);
        let attack = stories.iter().find(|story| 1 < story.steps.len()).unwrap();
        assert_eq!(attack.steps.iter().filter(|step| step.rule != "absurd").count(), 6, "{ns}");
        assert!(attack.steps.iter().all(|step| step.rule != "absurd"), "{ns}");
    }
}

#[test]
fn findings_without_anything_that_they_are_about_have_nothing_in_common() {
    let nobody = (0..100).map(|number| {
        let mut finding = Sample::new(&format!("r{number}"), 1).at(number).finding();
        finding.subject = Subject::default();
        finding.hostname.clear();
        finding.events.clear();
        finding
    });
    let stories = told(&mut fresh(), nobody);
    assert!(stories.iter().all(|story| story.steps.len() == 1), "{}", stories.len());
}

#[test]
fn a_flood_on_one_value_is_bounded_and_an_attack_after_it_is_told_without_it() {
    let settings = Settings { findings_max: 512, ..Settings::default() };
    let mut stories = Stories::new(settings);
    // The attacker makes alerts with the very peer that the attack speaks with.
    let flood = (0..20_000_u64).map(|number| {
        let pid = 10_000 + usize::try_from(number).unwrap();
        Sample::new("made_up", pid).peer("10.0.0.9:4444").at(number).finding()
    });
    let flooded = told(&mut stories, flood);
    assert!(stories.counts().findings_kept <= 512);
    let attacks = told(&mut stories, attack_in("bank", 100, 20_100));
    let has = |story: &Story, rule: &str| story.steps.iter().any(|step| step.rule == rule);
    let attack = attacks.iter().find(|story| has(story, "dropped_binary_connected")).unwrap();
    assert!(!has(attack, "made_up"));
    assert!(flooded.len() <= 512, "{}", flooded.len());
}

#[test]
fn alerts_that_an_attacker_makes_up_do_not_fuse_two_attacks() {
    let (one, other) = (attack_in("bank", 100, 0), attack_in("shop", 300, 100));
    // Each names what both attacks touched, in either container in turn.
    let bridge = (0..500_u64).map(|number| {
        let container = if number.is_multiple_of(2) { "bank" } else { "shop" };
        let pid = 10_000 + usize::try_from(number).unwrap();
        let sample = Sample::new("made_up", pid).container(container).peer("10.0.0.9:4444");
        sample.file("/tmp/.other").at(number).finding()
    });
    let mut findings: Vec<Finding> = one.iter().chain(&other).cloned().chain(bridge).collect();
    findings.sort_by_key(|finding| finding.time);
    let stories = told(&mut fresh(), findings);
    let holds = |story: &Story, attack: &[Finding]| {
        story.steps.iter().any(|step| attack.iter().any(|finding| finding.id == step.finding))
    };
    assert!(stories.iter().any(|story| holds(story, &one)));
    assert!(stories.iter().any(|story| holds(story, &other)));
    assert!(!stories.iter().any(|story| holds(story, &one) && holds(story, &other)));
}
