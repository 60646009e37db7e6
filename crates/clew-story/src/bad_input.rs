//! Findings that are broken, absurd, too many, or made up by the attacker.
//!
//! One thing is not held here, for it does not hold yet: a flood of many rules in many places, more
//! than are held in all, pushes out the quiet beginning of an attack.

use std::collections::BTreeMap;

use clew_event::finding::Subject;
use clew_event::{Finding, Story, StoryId, TimestampNs};

use crate::flood::Floods;
use crate::sample::{Sample, at_ms};
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
        // Samples of one moment are of one event: those of several attacks are not.
        if !crate::tie::is_about_start(finding) {
            finding.events = vec![clew_event::EventId(finding.id.0)];
        }
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

#[test]
fn a_time_far_ahead_closes_nothing_and_joins_nothing() {
    const YEARS_MS: u64 = 75 * 365 * 86_400_000;
    let mut stories = fresh();
    let mut findings = attack(100, 0);
    let rest = findings.split_off(3);
    findings.push(Sample::new("absurd", 900).at(YEARS_MS).finding());
    findings.extend(rest);
    let stories_told = told(&mut stories, findings);
    let attack = stories_told.iter().find(|story| 1 < story.steps.len()).unwrap();
    assert_eq!(attack.steps.len(), 6);
    assert!(attack.steps.iter().all(|step| step.rule != "absurd"));
    assert_eq!(stories.counts().findings_expired, 0);
}

/// Alerts by processes of their own in the container of the attack, ten a second.
fn flood(
    rule: &str,
    (first_pid, count): (usize, usize),
    from_ms: u64,
) -> impl Iterator<Item = Finding> {
    (0..count).map(move |number| {
        let sample = Sample::new(rule, first_pid + number);
        let mut finding = sample.at(from_ms + number as u64 * 100).finding();
        finding.events = vec![clew_event::EventId(finding.id.0)];
        finding
    })
}

#[test]
fn a_flood_is_told_once_from_told_min_on_as_one_step_that_says_how_many_there_were() {
    const TOLD_MIN: usize = 1_024;
    let mut stories = fresh();
    assert!(told(&mut stories, flood("made_up", (10_000, TOLD_MIN), 0)).is_empty());
    assert_eq!(TOLD_MIN as u64, Floods::TOLD_MIN);
    let rest = flood("made_up", (20_000, 8_000), TOLD_MIN as u64 * 100);
    let stories_told = told(&mut stories, rest);
    let [story] = stories_told.as_slice() else { panic!("{} stories", stories_told.len()) };
    assert_eq!(story.steps.len(), 1);
    assert_eq!(story.title, "8193 findings of `made_up` in container `shop`: a flood");
    let said = "8192 more by others in container `shop` were folded into this one.";
    assert!(story.steps[0].sentence.ends_with(said), "{}", story.steps[0].sentence);
    assert_eq!(story.steps_untold, 8_192);
    assert_eq!(story.severity, clew_event::story::Severity::Low);
    let counts = stories.counts();
    assert!(counts.findings_kept <= 66, "{counts:?}");
    assert_eq!(counts.findings_kept + counts.findings_counted, counts.findings_seen);
}

#[test]
fn small_findings_are_folded_too_and_tell_nothing() {
    let mut stories = fresh();
    let small = flood("made_up", (10_000, 8_000), 0).map(|mut finding| {
        finding.bits = 3.0;
        finding
    });
    assert_eq!(told(&mut stories, small), []);
    assert!(stories.counts().findings_kept <= 66);
}

#[test]
fn an_attack_inside_a_flood_of_its_own_rules_is_told_whole() {
    let settings = Settings { findings_max: 512, ..Settings::default() };
    let mut stories = Stories::new(settings);
    // Some seconds apart, so that the flood goes on between the steps.
    let mut attack = attack(100, 50_000);
    for (finding, after_ms) in attack.iter_mut().zip((0_u64..).step_by(3_000)) {
        finding.time = at_ms(50_000 + after_ms);
    }
    let pids = (10_000..).step_by(2_000);
    let floods = attack.iter().zip(pids).flat_map(|(step, pid)| flood(&step.rule, (pid, 2_000), 0));
    let mut findings: Vec<Finding> = floods.chain(attack.iter().cloned()).collect();
    findings.sort_by_key(|finding| (finding.time, finding.id));
    let stories_told = told(&mut stories, findings);
    let ids: Vec<_> = attack.iter().map(|finding| finding.id).collect();
    let holds = |story: &&Story| story.steps.iter().any(|step| ids.contains(&step.finding));
    let holders: Vec<&Story> = stories_told.iter().filter(holds).collect();
    let [story] = holders.as_slice() else { panic!("{} stories", holders.len()) };
    let steps: Vec<_> = story.steps.iter().map(|step| step.finding).collect();
    assert_eq!(steps, ids);
    assert!(stories.counts().findings_kept <= 512);
}

#[test]
fn hundreds_of_interleaved_attacks_are_each_one_story() {
    let attacks: Vec<Vec<Finding>> =
        (0..300).map(|n| attack_in(&format!("c{n}"), 1_000 + n * 10, u64::from(n))).collect();
    let mut findings: Vec<Finding> = attacks.iter().flatten().cloned().collect();
    findings.sort_by_key(|finding| (finding.time, finding.id));
    let stories_told = told(&mut fresh(), findings);
    assert_eq!(stories_told.len(), attacks.len());
    assert!(stories_told.iter().all(|story| story.steps.len() == 6));
}

#[test]
fn more_attacks_than_are_held_are_bounded_and_none_is_fused() {
    let settings = Settings { findings_max: 512, ..Settings::default() };
    let mut stories = Stories::new(settings);
    let attacks = (0..1_000).map(|n| attack_in(&format!("c{n}"), 1_000 + n * 10, u64::from(n)));
    let mut findings: Vec<Finding> = attacks.flatten().collect();
    findings.sort_by_key(|finding| (finding.time, finding.id));
    let stories_told = told(&mut stories, findings);
    assert!(stories.counts().findings_kept <= 512);
    let large = stories_told.iter().find(|story| 6 < story.steps.len());
    assert_eq!(large.map(|story| &story.narrative), None);
    assert!(0 < stories.counts().stories_evicted);
}

#[test]
fn findings_that_bear_the_same_id_are_still_several() {
    let mut findings = attack_in("bank", 100, 0);
    findings.extend(attack_in("shop", 300, 100));
    findings.iter_mut().for_each(|finding| finding.id = clew_event::FindingId(7));
    let stories_told = told(&mut fresh(), findings);
    let sizes: Vec<_> = stories_told.iter().map(|story| story.steps.len()).collect();
    assert_eq!(sizes, [6, 6]);
    assert_ne!(stories_told[0].id, stories_told[1].id);
}
