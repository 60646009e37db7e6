//! What is at stake, and how bad that makes a story.

use std::collections::BTreeSet;

use clew_event::Finding;
use clew_event::story::{Impact, ImpactLevel, Severity};

use crate::attack::{Tactic, technique};
use crate::words;

/// Techniques that reach past the container to the machine.
const MACHINE_TECHNIQUES: [&str; 4] = ["T1014", "T1068", "T1547.006", "T1611"];
/// Values that one reason lists.
const LISTED_MAX: usize = 5;

/// What the findings say was reached; the highest level counts, and each reason is told.
pub(crate) fn impact(findings: &[&Finding]) -> Impact {
    let mut reasons: Vec<(ImpactLevel, String)> = Vec::new();
    let mut add = |level, reason: Option<String>| {
        reasons.extend(reason.map(|reason| (level, reason)));
    };
    add(ImpactLevel::Critical, machine(findings));
    add(ImpactLevel::High, reached(findings, Tactic::CredentialAccess, "Credentials were reached"));
    add(ImpactLevel::High, spoke_out(findings));
    add(ImpactLevel::High, reached(findings, Tactic::Exfiltration, "Data may have left"));
    add(ImpactLevel::High, reached(findings, Tactic::Impact, "Something was broken or misused"));
    add(ImpactLevel::High, host(findings));
    add(ImpactLevel::Medium, dropped(findings));
    add(ImpactLevel::Medium, reached(findings, Tactic::Persistence, "It may come back by itself"));
    add(ImpactLevel::Medium, container(findings));
    let level = reasons.iter().map(|(level, _)| *level).max().unwrap_or_default();
    reasons.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    Impact { level, reasons: reasons.into_iter().map(|(_, reason)| reason).collect() }
}

fn has(finding: &Finding, tactic: Tactic) -> bool {
    finding.techniques.iter().any(|id| technique(id).is_some_and(|found| found.tactic == tactic))
}

fn machine(findings: &[&Finding]) -> Option<String> {
    let ids = findings.iter().flat_map(|finding| &finding.techniques);
    let found: BTreeSet<&str> =
        ids.map(String::as_str).filter(|id| MACHINE_TECHNIQUES.contains(id)).collect();
    let names: Vec<String> = found
        .into_iter()
        .map(|id| format!("{} ({id})", technique(id).map_or("", |found| found.name)))
        .collect();
    (!names.is_empty()).then(|| {
        format!("It reached for the machine below the container: {}.", words::listed(&names))
    })
}

/// The reason, with the files or peers that findings of this tactic name.
fn reached(findings: &[&Finding], tactic: Tactic, what: &str) -> Option<String> {
    let of_tactic: Vec<_> = findings.iter().filter(|finding| has(finding, tactic)).collect();
    if of_tactic.is_empty() {
        return None;
    }
    let files: BTreeSet<_> =
        of_tactic.iter().map(|finding| &finding.subject.file).filter(|f| !f.is_empty()).collect();
    let names: Vec<String> = files.into_iter().take(LISTED_MAX).map(words::quoted).collect();
    let names =
        if names.is_empty() { String::new() } else { format!(": {}", words::listed(&names)) };
    Some(format!("{what}{names}."))
}

fn spoke_out(findings: &[&Finding]) -> Option<String> {
    let peers: BTreeSet<_> = findings
        .iter()
        .filter(|finding| {
            has(finding, Tactic::CommandAndControl) || has(finding, Tactic::Exfiltration)
        })
        .map(|finding| &finding.subject.peer)
        .filter(|peer| !peer.is_empty())
        .collect();
    let names: Vec<String> = peers.into_iter().take(LISTED_MAX).map(words::quoted).collect();
    (!names.is_empty())
        .then(|| format!("There is a way out: it spoke with {}.", words::listed(&names)))
}

fn host(findings: &[&Finding]) -> Option<String> {
    let is_host =
        findings.iter().any(|f| f.subject.container.is_none() && !f.subject.lineage.is_empty());
    is_host.then(|| "It ran on the machine itself, outside any container.".to_owned())
}

fn dropped(findings: &[&Finding]) -> Option<String> {
    let programs: BTreeSet<_> = findings
        .iter()
        .filter_map(|finding| finding.subject.lineage.first())
        .filter(|process| process.is_dropped)
        .map(|process| if process.exe.is_empty() { &process.name } else { &process.exe })
        .collect();
    let names: Vec<String> = programs.into_iter().take(LISTED_MAX).map(words::quoted).collect();
    (!names.is_empty())
        .then(|| format!("What is not part of the image ran: {}.", words::listed(&names)))
}

fn container(findings: &[&Finding]) -> Option<String> {
    let names: BTreeSet<_> = findings.iter().filter_map(|f| words::container_name(f)).collect();
    let names: Vec<String> =
        names.iter().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    let what = if names.len() == 1 { "Container" } else { "Containers" };
    (!names.is_empty())
        .then(|| format!("{what} {} ran commands for someone.", words::listed(&names)))
}

/// How far along an attack is that uses these techniques: 0 looks around, 1 settles in, 2 acts.
fn stage(findings: &[&Finding]) -> u8 {
    let ids = findings.iter().flat_map(|finding| &finding.techniques);
    let tactics = ids.filter_map(|id| technique(id)).map(|found| found.tactic);
    let stages = tactics.map(|tactic| match tactic {
        Tactic::Reconnaissance
        | Tactic::ResourceDevelopment
        | Tactic::InitialAccess
        | Tactic::Execution
        | Tactic::Discovery => 0,
        Tactic::Persistence
        | Tactic::PrivilegeEscalation
        | Tactic::DefenseEvasion
        | Tactic::CredentialAccess
        | Tactic::LateralMovement => 1,
        Tactic::Collection | Tactic::CommandAndControl | Tactic::Exfiltration | Tactic::Impact => 2,
    });
    stages.max().unwrap_or(0)
}

/// Points for how far the likelihood exceeds what was needed (0 to 2), for the impact (0 to 3)
/// and for the stage (0 to 2); 6 are critical, 4 high, 2 medium.
pub(crate) fn severity(excess_bits: f64, level: ImpactLevel, findings: &[&Finding]) -> Severity {
    let likelihood = if 16.0 <= excess_bits { 2 } else { u8::from(6.0 <= excess_bits) };
    let impact = match level {
        ImpactLevel::Low => 0,
        ImpactLevel::Medium => 1,
        ImpactLevel::High => 2,
        ImpactLevel::Critical => 3,
    };
    match likelihood + impact + stage(findings) {
        6.. => Severity::Critical,
        4.. => Severity::High,
        2.. => Severity::Medium,
        _ => Severity::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn reasons_name_what_was_reached_the_worst_first() {
        let findings = [
            Sample::new("a", 1).techniques(&["T1059.004"]).finding(),
            Sample::new("b", 2).techniques(&["T1003.008"]).file("/etc/shadow").finding(),
            Sample::new("c", 3).techniques(&["T1611"]).finding(),
        ];
        let impact = impact(&findings.iter().collect::<Vec<_>>());
        assert_eq!(impact.level, ImpactLevel::Critical);
        expect_test::expect![[r#"
            [
                "It reached for the machine below the container: Escape to Host (T1611).",
                "Credentials were reached: `/etc/shadow`.",
                "Container `shop` ran commands for someone.",
            ]
        "#]]
        .assert_debug_eq(&impact.reasons);
    }

    #[test]
    fn severity_grows_with_likelihood_impact_and_stage() {
        let check = |excess, level, technique: &str, expected| {
            let finding = Sample::new("a", 1).techniques(&[technique]).finding();
            assert_eq!(severity(excess, level, &[&finding]), expected);
        };
        check(0.0, ImpactLevel::Low, "T1082", Severity::Low);
        check(0.0, ImpactLevel::Medium, "T1053.003", Severity::Medium);
        check(7.0, ImpactLevel::High, "T1003.008", Severity::High);
        check(20.0, ImpactLevel::High, "T1071", Severity::Critical);
    }

    #[test]
    fn a_reason_lists_at_most_listed_max_files() {
        let findings: Vec<_> = (0..20)
            .map(|n| {
                let sample = Sample::new("a", n).techniques(&["T1003.008"]);
                sample.file(&format!("/secret/{n}")).finding()
            })
            .collect();
        let impact = impact(&findings.iter().collect::<Vec<_>>());
        assert_eq!(impact.reasons[0].matches("/secret/").count(), LISTED_MAX);
    }
}
