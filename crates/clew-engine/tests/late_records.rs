//! The records of an account come in any order, and what is found of them is the same.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::LazyLock;

use clew_engine::{Engine, Output, Settings, State};
use clew_event::{Event, FindingId};
use clew_rules::{Options, RuleSet, SourceFile, load};
use clew_testkit::scenario;

type Outcome<T> = Result<T, Box<dyn Error>>;

const RULES: &str = "
- rule: steps
  desc: a session took a role, from further away than one step
  condition: ct.name = AssumeRole and identity.lineage.depth >= 2
  output: '%identity.lineage.depth from %identity.credential.root'
  priority: WARNING
  source: aws_cloudtrail
- rule: planted
  desc: a user acts whose key an instance made
  condition: ct.user.identitytype = IAMUser and identity.root.kind = instance
  output: '%ct.name by the work of %identity.credential.root'
  priority: ERROR
  source: aws_cloudtrail
- rule: outside
  desc: a credential that an instance handed on is used elsewhere
  condition: ct.name = GetObject and identity.credential.outside = public
  output: '%identity.workload'
  priority: ERROR
  source: aws_cloudtrail
- rule: always
  desc: needs no lineage
  condition: ct.name in (AssumeRole, GetObject)
  output: '%ct.name'
  priority: NOTICE
  source: aws_cloudtrail
";

/// A role is taken by way of two others.
const CHAIN: [&str; 3] = [
    "aws AssumeRole service=sts by=user/alice request.roleArn=arn:aws:iam::111122223333:role/a \
     response.credentials.accessKeyId=ASIAA \
     response.assumedRoleUser.arn=arn:aws:sts::111122223333:assumed-role/a/s",
    "aws AssumeRole service=sts by=role/a/s key=ASIAA \
     request.roleArn=arn:aws:iam::111122223333:role/b response.credentials.accessKeyId=ASIAB \
     response.assumedRoleUser.arn=arn:aws:sts::111122223333:assumed-role/b/s after=5",
    "aws AssumeRole service=sts by=role/b/s key=ASIAB \
     request.roleArn=arn:aws:iam::111122223333:role/c response.credentials.accessKeyId=ASIAC \
     response.assumedRoleUser.arn=arn:aws:sts::111122223333:assumed-role/c/s after=5",
];

/// An instance's credential makes a key for somebody, and the key is used.
const PLANTED: [&str; 3] = [
    "aws CreateAccessKey service=iam by=role/web/i-0abc1234def567890 request.userName=eve \
     response.accessKey.accessKeyId=AKIAEVE response.accessKey.userName=eve after=60",
    "aws ListBuckets service=s3 by=user/eve key=AKIAEVE after=5",
    "aws DeleteBucket service=s3 by=user/eve key=AKIAEVE after=1",
];

/// An instance's credential takes a role, and the session is used elsewhere.
const HANDED_ON: [&str; 3] = [
    "aws ListBuckets service=s3 by=role/web/i-0abc1234def567890 from=192.0.2.10",
    "aws AssumeRole service=sts by=role/web/i-0abc1234def567890 from=192.0.2.10 \
     request.roleArn=arn:aws:iam::111122223333:role/d response.credentials.accessKeyId=ASIAD \
     response.assumedRoleUser.arn=arn:aws:sts::111122223333:assumed-role/d/s after=5",
    "aws GetObject service=s3 by=role/d/s key=ASIAD from=203.0.113.9 after=5",
];

fn rules() -> RuleSet {
    static LOADED: LazyLock<RuleSet> = LazyLock::new(|| {
        let file = SourceFile { name: "rules.yaml".into(), text: RULES.into() };
        let loaded = load(&[file], &Options::default());
        assert_eq!(loaded.diagnostics, []);
        loaded.rules
    });
    LOADED.clone()
}

/// Rules and ids of what is found, in order; what is found twice stands twice. The sentences say
/// what was known when it was told, and differ.
fn found(events: &[Event], restart_at: Option<usize>) -> Outcome<Vec<(String, FindingId)>> {
    let mut engine = Engine::new(rules(), Settings::default());
    let mut output = Output::default();
    for (at, event) in events.iter().enumerate() {
        if restart_at == Some(at) {
            engine = Engine::resume(rules(), State::read(&engine.snapshot()?)?);
        }
        engine.step(event, &mut output);
    }
    let told = output.findings.iter().map(|finding| (finding.rule.clone(), finding.id));
    let mut told: Vec<(String, FindingId)> = told.collect();
    told.sort();
    let kept: BTreeSet<_> = output.evidence.iter().map(|event| event.id).collect();
    let is_kept = |event| kept.contains(event);
    assert!(output.findings.iter().flat_map(|finding| &finding.events).all(is_kept));
    Ok(told)
}

/// The events in every order, each once.
fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    let with = |order: Vec<Event>, event: &Event| {
        let at_each_place = (0..=order.len()).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, event.clone());
            longer
        });
        at_each_place.collect::<Vec<_>>()
    };
    events.iter().fold(vec![Vec::new()], |orders, event| {
        orders.into_iter().flat_map(|order| with(order, event)).collect()
    })
}

fn in_any_order(records: &[&str], expected: &[&str]) -> Outcome<()> {
    let events = scenario::events(&records.join("\n"))?;
    let first = found(&events, None)?;
    assert_eq!(first.iter().map(|(rule, _)| rule.as_str()).collect::<Vec<_>>(), expected);
    for order in orders(&events) {
        let ids: Vec<_> = order.iter().map(|event| event.id).collect();
        assert_eq!(found(&order, None)?, first, "in the order {ids:?}");
    }
    Ok(())
}

#[test]
fn a_chain_of_roles_is_found_in_any_order_of_its_records() -> Outcome<()> {
    in_any_order(&CHAIN, &["always", "always", "always", "steps"])
}

#[test]
fn what_a_planted_user_does_is_found_in_any_order_of_records() -> Outcome<()> {
    in_any_order(&PLANTED, &["planted", "planted"])
}

#[test]
fn a_session_that_was_handed_on_is_of_its_workload_though_its_making_is_told_last() -> Outcome<()> {
    in_any_order(&HANDED_ON, &["always", "always", "outside"])
}

#[test]
fn a_restart_forgets_none_that_waits() -> Outcome<()> {
    let mut events = scenario::events(&[CHAIN, PLANTED, HANDED_ON].concat().join("\n"))?;
    events.reverse();
    let whole = found(&events, None)?;
    assert_eq!(whole.len(), 9);
    for at in 1..events.len() {
        assert_eq!(found(&events, Some(at))?, whole, "restarted at {at}");
    }
    Ok(())
}
