//! An attack beside ordinary requests, from events to one story.

use std::sync::LazyLock;

use clew_engine::{Engine, Output, Settings, State};
use clew_event::{Event, EventKind, TimestampNs};
use clew_rules::{Options, RuleSet, SourceFile, load};
use clew_testkit::scenario;

/// Two ordinary requests, and one that was injected.
const REQUESTS: &str = "
exec pid=10 container=web args=netcheck
exec pid=20 ppid=10 args=\"sh -c 'ping -c 1 127.0.0.1'\"
exec pid=21 ppid=20 args=\"ping -c 1 127.0.0.1\"
exec pid=30 ppid=10 args=\"sh -c 'ping -c 1 127.0.0.1; cat /etc/shadow; /tmp/x'\"
exec pid=31 ppid=30 args=\"cat /etc/shadow\"
open pid=31 path=/etc/shadow
exec pid=40 ppid=10 args=\"sh -c 'ping -c 1 127.0.0.2'\"
exec pid=32 ppid=30 args=/tmp/x exe=/tmp/x flags=upper_layer
connect pid=32 to=10.9.8.7:4444
";

const RULES: &str = "
- rule: shell
  desc: a server ran a shell
  condition: evt.type = execve and proc.name = sh and proc.pname = netcheck
  output: 'shell: %proc.cmdline'
  priority: NOTICE
  tags: [T1059.004]
- rule: shadow
  desc: the password hashes were read
  condition: evt.type in (open, openat) and fd.name = /etc/shadow
  output: 'shadow read by %proc.name'
  priority: WARNING
  tags: [T1003.008]
- rule: dropped
  desc: a dropped binary ran
  condition: evt.type = execve and proc.is_exe_upper_layer = true
  output: 'dropped %proc.exepath'
  priority: WARNING
  tags: [T1105]
- rule: called
  desc: a dropped binary connected
  condition: evt.type = connect and proc.is_exe_upper_layer = true
  output: 'connected to %fd.name'
  priority: NOTICE
  tags: [T1571]
";

fn rules() -> RuleSet {
    static LOADED: LazyLock<RuleSet> = LazyLock::new(|| {
        let file = SourceFile { name: "attack.yaml".into(), text: RULES.into() };
        let loaded = load(&[file], &Options::default());
        assert_eq!(loaded.diagnostics, []);
        loaded.rules
    });
    LOADED.clone()
}

fn run(engine: &mut Engine, events: &[Event]) -> Output {
    let mut output = Output::default();
    for event in events {
        engine.step(event, &mut output);
    }
    output
}

#[test]
fn an_injected_request_is_one_story_and_ordinary_ones_are_none() {
    let mut engine = Engine::new(rules(), Settings::default());
    let output = run(&mut engine, &scenario::events(REQUESTS).unwrap());
    let story = output.stories.last().unwrap();
    assert!(output.stories.iter().all(|other| other.id == story.id), "more than one story");
    let told: Vec<_> = story.steps.iter().map(|step| step.rule.as_str()).collect();
    assert_eq!(told, ["shell", "shadow", "dropped", "called"]);
    let root = story.root.process.unwrap();
    assert_eq!(root.pid, 30, "{}", story.narrative);
    assert_eq!(output.findings.len(), 6);
    assert_eq!(output.evidence.len(), 6, "each deciding event is kept once");
}

#[test]
fn two_runs_over_the_same_events_give_the_same_output() {
    let events = scenario::events(REQUESTS).unwrap();
    let mut first = Engine::new(rules(), Settings::default());
    let mut second = Engine::new(rules(), Settings::default());
    let (one, two) = (run(&mut first, &events), run(&mut second, &events));
    assert_eq!((one.findings, one.stories), (two.findings, two.stories));
    assert_eq!(first.snapshot().unwrap(), second.snapshot().unwrap());
}

#[test]
fn an_engine_resumed_anywhere_tells_what_it_would_have_told() {
    let events = scenario::events(REQUESTS).unwrap();
    let mut whole = Engine::new(rules(), Settings::default());
    let told = run(&mut whole, &events);
    for cut in 0..events.len() {
        let mut before = Engine::new(rules(), Settings::default());
        run(&mut before, &events[..cut]);
        let state = State::read(&before.snapshot().unwrap()).unwrap();
        let mut after = Engine::resume(rules(), state);
        let output = run(&mut after, &events[cut..]);
        assert!(told.findings.ends_with(&output.findings), "cut before event {cut}");
        assert!(told.stories.ends_with(&output.stories), "cut before event {cut}");
        assert_eq!(after.counts(), whole.counts());
    }
}

#[test]
fn a_snapshot_of_another_version_is_refused_with_the_way_out() {
    let error = State::read(br#"{"version":9999}"#).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("9999") && message.contains("delete it"), "{message}");
    assert!(State::read(b"{").is_err());
}

#[test]
fn a_rule_over_its_rate_is_held_back_counted_and_remembered_across_a_restart() {
    let events = scenario::events(REQUESTS).unwrap();
    let rate = "1/h".parse().ok();
    let mut whole = Engine::new(rules(), Settings::default());
    whole.set_rule_rate(rate);
    let told = run(&mut whole, &events);
    let counts = whole.counts();
    assert_eq!((told.findings.len(), told.evidence.len(), counts.suppressed), (4, 4, 2));
    let shell = whole.tallies().find(|(rule, _)| *rule == "shell").unwrap().1;
    assert_eq!((shell.matches, shell.suppressed), (3, 2));
    for cut in 0..events.len() {
        let mut before = Engine::new(rules(), Settings::default());
        before.set_rule_rate(rate);
        run(&mut before, &events[..cut]);
        let state = State::read(&before.snapshot().unwrap()).unwrap();
        let mut after = Engine::resume(rules(), state);
        after.set_rule_rate(rate);
        let output = run(&mut after, &events[cut..]);
        assert!(told.findings.ends_with(&output.findings), "cut before event {cut}");
        assert_eq!(after.counts(), counts);
    }
}

#[test]
fn a_story_says_what_was_forgotten_for_want_of_room() {
    let context = clew_context::Limits { identities_max: 2, ..Default::default() };
    let mut engine = Engine::new(rules(), Settings { context, ..Settings::default() });
    let calls = (0..3).map(|user| format!("aws ListUsers service=iam by=user/u{user}\n"));
    let events: String = calls.chain([REQUESTS.to_owned()]).collect();
    let output = run(&mut engine, &scenario::events(&events).unwrap());
    let count = engine.context().counts().identities_dropped;
    assert!(0 < count);
    assert!(engine.forgotten().contains(&(clew_engine::Forgotten::Identity, count)));
    let told = format!("{count} identities or what ties them were forgotten for want of room");
    let spots = &output.stories.last().unwrap().blind_spots;
    assert!(spots.iter().any(|spot| spot.starts_with(&told)), "{spots:?}");
}

#[test]
fn a_harmful_answer_of_another_service_is_found_once_its_answers_are_known() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let exchange = |note: &str| {
        format!(
            "request pid=10 to=10.0.0.9:80 target=/price header.Host=prices\n\
             response pid=10 header.Content-Type=application/json body={{'note':'{note}'}}\n"
        )
    };
    let ordinary = exchange("fresh").repeat(400);
    let text = format!("exec pid=10 args=app\n{ordinary}{}", exchange("<script>x</script>"));
    let mut events = scenario::events(&text).unwrap();
    for event in &mut events {
        if let EventKind::Http(http) = &mut event.kind
            && let Some(response) = &mut http.response
        {
            response.body = response.body.to_string().replace('\'', "\"").into();
        }
    }
    let last = events.last_mut().unwrap();
    last.time = TimestampNs::from_unix_ns(last.time.unix_ns() + HOUR_NS);
    let mut engine = Engine::new(rules(), Settings::default());
    let output = run(&mut engine, &events);
    let told: Vec<_> = output.findings.iter().map(|it| it.rule.as_str()).collect();
    assert_eq!(told, ["Harmful answer of another service"]);
}

#[test]
fn who_took_a_role_leads_on_and_a_service_that_hands_out_a_workloads_role_leads_to_nobody() {
    const RULE: &str = "
- rule: user made
  desc: Somebody made a user.
  condition: ct.name = CreateUser
  output: made
  priority: CRITICAL
  source: aws_cloudtrail
";
    let file = SourceFile { name: "rules.yaml".into(), text: RULE.into() };
    let rules = || load(std::slice::from_ref(&file), &Options::default()).rules;
    let linked = |by: &str| {
        let text = format!(
            "aws AssumeRole service=sts by={by} request.roleArn=arn:aws:iam::111122223333:role/web \
             response.credentials.accessKeyId=ASIA1\n\
             aws CreateUser service=iam by=role/web/s key=ASIA1 after=60\n"
        );
        let mut engine = Engine::new(rules(), Settings::default());
        let output = run(&mut engine, &scenario::events(&text).unwrap());
        assert_eq!((output.findings.len(), output.stories.is_empty()), (1, false), "{by}");
        output.links.len()
    };
    assert_eq!(linked("user/eve"), 1);
    assert_eq!(linked("ec2.amazonaws.com"), 0);
}

/// A request of which two effects are found, and one that was answered before.
const EFFECTS: &str = "
exec pid=10 container=web args=netcheck
request pid=10 target=/calm
response pid=10 status=200
request pid=10 target=/check?host=a
open pid=10 path=/etc/shadow
open pid=10 path=/etc/shadow
";

#[test]
fn the_request_behind_an_effect_is_evidence_once() {
    let mut engine = Engine::new(rules(), Settings::default());
    let output = run(&mut engine, &scenario::events(EFFECTS).unwrap());
    let told = |event: &Event| match &event.kind {
        EventKind::Http(http) => format!("{}?{}", http.request.path, http.request.query),
        _ => format!("{:?}", event.event_type),
    };
    let kept: Vec<String> = output.evidence.iter().map(told).collect();
    assert_eq!(kept, ["/check?host=a", "Openat", "Openat"]);
    let asked = output.findings.iter().map(|it| it.subject.request.as_ref().unwrap().exchange);
    assert!(asked.eq([output.evidence[0].id; 2]));
}
