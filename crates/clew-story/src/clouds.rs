//! Attacks that leave the container by a stolen credential, and what only looks like one.

use std::collections::BTreeSet;

use clew_event::finding::ProcessFacts;
use clew_event::story::EdgeClass;
use clew_event::{Finding, Priority, Story};

use crate::sample::{Sample, process};
use crate::{Settings, Stories};

const APP: &str = "c0ffee00c0ffee00";
const THIEF: &str = "198.51.100.66";

/// What a story is made from: findings, and links that wait.
#[derive(Clone)]
enum Told {
    Finding(Finding),
    Link(Finding),
}

fn app() -> [ProcessFacts; 1] {
    [process(100, "python3", "python3 app.py", 0)]
}

fn call(rule: &str, action: &str, credential: &str, ms: u64) -> Sample {
    Sample::new(rule, 1).call(action, credential, THIEF).at(ms)
}

/// The application's own library takes the credential, as it does every hour.
fn refresh(ms: u64) -> Finding {
    Sample::new("handed out", 1).lineage(&app()).at(ms).makes("ASIA1").link().finding()
}

/// A request makes the application fetch the credential, which then is used from elsewhere to make
/// a user with a key, and the key to read the data.
fn theft() -> Vec<Told> {
    let ssrf = Sample::new("ssrf", 1).lineage(&app()).at(10_050).request(7, 1.0);
    let ssrf = ssrf.techniques(&["T1552.005"]).priority(Priority::Critical).finding();
    let fetch = Sample::new("handed out", 1).lineage(&app()).at(10_060).request(7, 1.0);
    let fetch = fetch.makes("ASIA1").link().finding();
    let outside = |rule, action, ms| call(rule, action, "ASIA1", ms).outside(APP);
    let who = outside("moved", "GetCallerIdentity", 10_000).finding();
    let user = outside("user made", "CreateUser", 12_000).finding();
    let key = outside("key made", "CreateAccessKey", 13_000).makes("AKIA2").finding();
    let list = call("planted user acts", "ListBuckets", "AKIA2", 14_000).finding();
    let read = call("mass read", "GetObject", "AKIA2", 20_000).techniques(&["T1530"]).finding();
    let findings = [ssrf, who, user, key, list, read].map(Told::Finding);
    findings.into_iter().chain([Told::Link(fetch)]).collect()
}

/// An administrator makes a user, and a job reads the bucket with its own credential.
fn honest() -> Vec<Told> {
    let admin = Sample::new("user made", 1).call("CreateUser", "AKIAADMIN", "203.0.113.9");
    let job = Sample::new("mass read", 1).call("GetObject", "ASIAJOB", "10.0.0.7");
    let findings = [admin.at(11_500).finding(), job.at(19_000).finding()].map(Told::Finding);
    findings.into_iter().chain([Told::Link(refresh(5_000)), Told::Link(refresh(10_200))]).collect()
}

/// The stories of all this as they stand at the end.
fn stories(told: &[Told]) -> Vec<Story> {
    let mut stories = Stories::new(Settings::default());
    stories.observe(&crate::requests::served(app()[0].key));
    let mut revisions = Vec::new();
    for it in told {
        match it {
            Told::Finding(finding) => stories.join(finding, &mut revisions),
            Told::Link(link) => stories.link(link.clone(), &mut revisions),
        }
    }
    let mut last = std::collections::BTreeMap::new();
    revisions.into_iter().for_each(|story| drop(last.insert(story.id, story)));
    last.into_values().filter(|story| !story.steps.is_empty()).collect()
}

fn rules(story: &Story) -> Vec<&str> {
    story.steps.iter().map(|step| step.rule.as_str()).collect()
}

fn in_time(mut told: Vec<Told>) -> Vec<Told> {
    told.sort_by_key(|it| match it {
        Told::Finding(finding) | Told::Link(finding) => (finding.time, finding.id),
    });
    told
}

#[test]
fn a_theft_is_one_story_from_the_request_to_the_data_and_holds_nothing_else() {
    let told = in_time(theft().into_iter().chain(honest()).collect());
    let stories = stories(&told);
    let [story] = stories.as_slice() else { panic!("{} stories", stories.len()) };
    // The log tells of the first use in whole seconds, and so before the fetch; its cause is first.
    let all =
        ["ssrf", "handed out", "moved", "user made", "key made", "planted user acts", "mass read"];
    assert_eq!(rules(story), all);
    assert!(story.root.sentence.starts_with("A request from `198.51.100.7`"), "{story:#?}");
    let edges = story.steps.iter().filter_map(|step| step.edge.as_ref());
    assert!(edges.clone().all(|edge| edge.class == EdgeClass::C), "{story:#?}");
    assert_eq!(edges.count(), story.steps.len() - 1);
}

#[test]
fn a_theft_is_the_same_story_in_every_order_of_arrival() {
    let told = in_time(theft().into_iter().chain(honest()).collect());
    let steps = |told: &[Told]| -> BTreeSet<BTreeSet<String>> {
        let names = |story: &Story| rules(story).into_iter().map(str::to_owned).collect();
        stories(told).iter().map(names).collect()
    };
    let expected = steps(&told);
    let mut seed = 1_u64;
    for _ in 0..300 {
        let mut shuffled = told.clone();
        for place in (1..shuffled.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(place, (seed >> 33) as usize % (place + 1));
        }
        assert_eq!(steps(&shuffled), expected);
    }
}

#[test]
fn whoever_uses_a_credential_inside_its_workload_is_not_tied_to_who_was_handed_it() {
    let inside = Sample::new("mass read", 1).call("GetObject", "ASIA1", "10.0.0.2").at(30_000);
    let mut told = theft();
    told.push(Told::Finding(inside.finding()));
    let stories = stories(&in_time(told));
    let read = stories.iter().flat_map(|story| &story.steps);
    assert_eq!(read.filter(|step| step.rule == "mass read").count(), 1);
}

#[test]
fn a_key_that_sleeps_for_a_month_still_belongs_to_the_story_that_planted_it() {
    let month_ms = 30 * 86_400 * 1_000;
    let mut told = in_time(theft());
    told.push(Told::Finding(call("planted user acts", "ListSecrets", "AKIA2", month_ms).finding()));
    let stories = stories(&told);
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].steps.last().map(|step| step.time), Some(crate::sample::at_ms(month_ms)));
}

/// Findings of others on each day of a month, by which it gets late.
fn days_of_others() -> Vec<Told> {
    let day = |day: u64| {
        (0..4).map(move |n| {
            let name = format!("10.0.{day}.{n}");
            let sample = Sample::new("looked at", 1).call("Get", &format!("ASIA{day}{n}"), &name);
            Told::Finding(sample.at(day * 86_400_000 + n).finding())
        })
    };
    (1..30).flat_map(day).collect()
}

#[test]
fn of_a_story_without_news_only_what_leads_to_what_it_planted_is_kept() {
    let run = |told: &[Told]| {
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        stories.observe(&crate::requests::served(app()[0].key));
        for it in told {
            match it {
                Told::Finding(finding) => stories.join(finding, &mut revisions),
                Told::Link(link) => stories.link(link.clone(), &mut revisions),
            }
        }
        (stories, revisions)
    };
    let (young, mut revisions) = run(&in_time(theft()));
    let before = revisions.pop().unwrap();
    let mut told = in_time(theft());
    told.extend(days_of_others());
    let (settled, _) = run(&told);
    assert_eq!((young.counts().stories_open, settled.counts().stories_open), (1, 1));
    // The three last days of others, what made the key and what led to it.
    assert!(settled.counts().findings_kept < 4 * 4 + young.counts().findings_kept);

    let month_ms = 30 * 86_400 * 1_000;
    told.push(Told::Finding(call("planted user acts", "ListSecrets", "AKIA2", month_ms).finding()));
    let (_, revisions) = run(&told);
    let after = revisions.last().unwrap();
    assert_eq!((after.id, &after.root), (before.id, &before.root));
    assert_eq!(after.steps.last().map(|step| step.time), Some(crate::sample::at_ms(month_ms)));
    assert!(rules(after).contains(&"key made"), "{:?}", rules(after));
    assert!(0 < after.steps_untold && after.steps.len() < before.steps.len());
    assert!(before.likelihood_bits <= after.likelihood_bits);
}

#[test]
fn a_skeleton_has_at_most_skeleton_max_findings() {
    let makes = (0..100).map(|n| {
        let sample = call(&format!("key made {n}"), "CreateAccessKey", "AKIA9", n * 1_000);
        Told::Finding(sample.makes(&format!("AKIA1{n}")).finding())
    });
    let mut stories = Stories::new(Settings::default());
    let mut revisions = Vec::new();
    for it in makes.chain(days_of_others()) {
        if let Told::Finding(finding) = it {
            stories.join(&finding, &mut revisions);
        }
    }
    let young = 4 * 4;
    let most = young + crate::forest::Forest::SKELETON_MAX as u64;
    assert_eq!(stories.counts().stories_open, 1);
    assert!(stories.counts().findings_kept <= most, "{:?}", stories.counts());
}

#[test]
fn quiet_calls_with_the_same_credential_make_the_story_whole_and_no_likelier() {
    let quiet = |action: &str, ms| {
        let sample = call("looked at", action, "AKIA9", ms).priority(Priority::Informational);
        Told::Finding(sample.finding())
    };
    let loud = || {
        let silenced = call("log silenced", "StopLogging", "AKIA9", 300_000);
        Told::Finding(silenced.priority(Priority::Critical).finding())
    };
    let alone = stories(&[loud()]);
    let all = [quiet("GetCallerIdentity", 0), quiet("ListUsers", 60_000), loud()];
    let whole = stories(&all);
    let [story] = whole.as_slice() else { panic!("{} stories", whole.len()) };
    assert_eq!(rules(story), ["looked at", "looked at", "log silenced"]);
    assert_eq!(story.root.finding, story.steps[0].finding);
    assert!((story.likelihood_bits - alone[0].likelihood_bits).abs() < 1e-9, "{story:#?}");
    assert_eq!(stories(&all[..2]).len(), 0);
    let busy = (0..40).map(|n| quiet(&format!("List{n}"), n * 1_000));
    let stories = stories(&busy.chain([loud()]).collect::<Vec<_>>());
    assert_eq!(rules(&stories[0]), ["log silenced"]);
}

#[test]
fn a_credential_handed_to_several_requests_was_taken_by_whoever_asked_from_the_same_address() {
    let fetch = |number, client: &str, ms| {
        let sample = Sample::new("handed out", 1).lineage(&app()).at(ms).request(number, 1.0);
        Told::Link(sample.client(client).makes("ASIA1").link().finding())
    };
    let ssrf = |number, client: &str, ms| {
        let sample = Sample::new("ssrf", 1).lineage(&app()).at(ms).request(number, 1.0);
        Told::Finding(sample.client(client).priority(Priority::Critical).finding())
    };
    let told = [
        ssrf(1, THIEF, 10),
        fetch(1, THIEF, 11),
        ssrf(2, "203.0.113.7", 20),
        fetch(2, "203.0.113.7", 21),
        Told::Finding(call("moved", "GetCallerIdentity", "ASIA1", 60_000).outside(APP).finding()),
    ];
    let stories = stories(&told);
    let [first, second] = stories.as_slice() else { panic!("{} stories", stories.len()) };
    let own = if rules(first).contains(&"moved") { first } else { second };
    assert_eq!(rules(own), ["ssrf", "handed out", "moved"]);
    assert!(own.root.sentence.contains(THIEF), "{}", own.root.sentence);
}

#[test]
fn two_thieves_of_one_credential_are_two_stories() {
    let outside = |rule: &str, action, address: &str, ms| {
        let sample = Sample::new(rule, 1).call(action, "ASIA1", address).at(ms).outside(APP);
        Told::Finding(sample.priority(Priority::Critical).finding())
    };
    let first = outside("moved", "GetCallerIdentity", THIEF, 0);
    let both = |address| [first.clone(), outside("user made", "CreateUser", address, 600_000)];
    assert_eq!(stories(&both(THIEF)).len(), 1);
    assert_eq!(stories(&both("203.0.113.7")).len(), 2);
}

#[test]
fn where_a_workload_calls_from_does_not_say_who_made_it() {
    let call = |workload: &str| {
        let sample = call("user made", "CreateUser", "ASIA1", 0).outside(workload);
        let mut finding = sample.finding();
        finding.subject.call.as_mut().unwrap().is_outside = false;
        crate::key::caller_address(&finding).cloned()
    };
    assert_eq!(call(""), Some(THIEF.into()));
    assert_eq!(call(APP), None);
}

#[test]
fn a_thief_who_rests_between_new_steps_is_one_story_and_a_nightly_job_is_not() {
    let hours = |hours: u64| hours * 3_600_000;
    let step = |rule: &str, at| {
        let sample = call(rule, rule, "AKIA9", hours(at)).priority(Priority::Critical);
        Told::Finding(sample.finding())
    };
    let slow = [step("log silenced", 0), step("versions off", 10), step("key destroyed", 20)];
    let whole = stories(&slow);
    let [story] = whole.as_slice() else { panic!("{} stories", whole.len()) };
    assert_eq!(rules(story), ["log silenced", "versions off", "key destroyed"]);
    let job: Vec<_> = (0..3).map(|day| step("mass read", 24 * day)).collect();
    assert_eq!(stories(&job).len(), 3);
}

#[test]
fn a_shell_that_waits_for_a_day_goes_on_with_its_story() {
    let shell = process(200, "sh", "sh -i", 10);
    let started = Sample::new("shell started", 1).lineage(&[shell.clone(), app()[0].clone()]);
    let started = started.at(10).priority(Priority::Critical).about_start().finding();
    let day = 86_400_000;
    let lineage = [process(201, "curl", "curl", day), shell, app()[0].clone()];
    let later = Sample::new("data sent out", 1).lineage(&lineage).at(day);
    let later = later.priority(Priority::Critical).finding();
    let stories = stories(&[Told::Finding(started), Told::Finding(later)]);
    let [story] = stories.as_slice() else { panic!("{} stories", stories.len()) };
    assert_eq!(rules(story), ["shell started", "data sent out"]);
}
