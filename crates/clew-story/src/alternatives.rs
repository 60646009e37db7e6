//! What else a story could be, and how much speaks against each reading.
//!
//! Each reading is asked for one thing that it would explain badly. The bits are first guesses of
//! how seldom honest work of that kind looks so; they do not enter the story's likelihood, they
//! help whoever has to decide.

use clew_event::Finding;
use clew_event::finding::CallFacts;
use clew_event::story::Alternative;

use crate::words;

/// Bits of what honest work of a kind hardly ever does.
const STRANGE_BITS: f64 = 10.0;
/// Bits of one proven effect of a request; and how many count.
const EFFECT_BITS: f64 = 20.0;
const EFFECTS_MAX: usize = 2;
/// Seconds after a container's start in which a deploy does new things: e-folding time.
const DEPLOY_SECONDS: f64 = 600.0;
/// Bits that the age of a container gives at most.
const AGE_BITS_MAX: f64 = 20.0;

/// Other readings of these findings, the likeliest first.
pub(crate) fn alternatives(root: &Finding, findings: &[&Finding]) -> Vec<Alternative> {
    let mut all: Vec<Alternative> = [
        deploy(root),
        administrator(root, findings),
        scanner(root, findings),
        own_credentials(findings),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by(|a, b| a.bits_against.total_cmp(&b.bits_against));
    all
}

fn reading(hypothesis: &str, bits: f64, because: String) -> Option<Alternative> {
    let bits_against = (bits * 10.0).round() / 10.0;
    Some(Alternative { hypothesis: hypothesis.to_owned(), bits_against, because })
}

/// New behavior that a new container brings.
fn deploy(root: &Finding) -> Option<Alternative> {
    let name = words::container_name(root)?;
    let first = root.subject.lineage.last()?.started;
    let age = root.time.since(first).as_secs_f64();
    let bits = (age / DEPLOY_SECONDS * std::f64::consts::LOG2_E).min(AGE_BITS_MAX);
    let because = format!("What acted in container `{name}` had run for {:.0} min.", age / 60.0);
    reading("A deploy or restart", bits, because)
}

/// Somebody who may do all this.
fn administrator(root: &Finding, findings: &[&Finding]) -> Option<Alternative> {
    let mut reasons = Vec::new();
    if root.subject.request.is_some() {
        reasons.push("it began with a request to the application".to_owned());
    }
    if let Some(call) = outside(findings) {
        let (credential, address) = (words::quoted(&call.credential), words::quoted(&call.address));
        reasons.push(format!("a workload's credential, {credential}, was used from {address}"));
    }
    let bits = STRANGE_BITS * reasons.len() as f64;
    let because = match reasons.is_empty() {
        true => "Nothing that was seen speaks against it.".to_owned(),
        false => format!("Administrators do not work so: {}.", words::listed(&reasons)),
    };
    reading("An administrator at work", bits, because)
}

/// Payloads that try and do nothing.
fn scanner(root: &Finding, findings: &[&Finding]) -> Option<Alternative> {
    let request = root.subject.request.as_ref()?;
    let is_effect = |finding: &&&Finding| {
        let of = finding.subject.request.as_ref();
        of.is_some_and(|of| of.exchange == request.exchange)
            && finding.events.first() != Some(&request.exchange)
            && 0.0 < finding.bits
    };
    let effects = findings.iter().filter(is_effect).count();
    let bits = EFFECT_BITS * effects.min(EFFECTS_MAX) as f64;
    reading("A scanner", bits, format!("{effects} effects of the request were seen."))
}

/// The application's own library, which takes its credential every hour.
fn own_credentials(findings: &[&Finding]) -> Option<Alternative> {
    let handed =
        |finding: &&Finding| !finding.subject.makes.is_empty() && finding.subject.call.is_none();
    if !findings.iter().any(handed) {
        return None;
    }
    let (bits, because) = match outside(findings) {
        Some(call) => {
            let address = words::quoted(&call.address);
            (STRANGE_BITS, format!("It was used from {address}, outside its workload."))
        }
        None => (0.0, "Nothing was seen of its use.".to_owned()),
    };
    reading("The application's own use of its credential", bits, because)
}

fn outside<'a>(findings: &[&'a Finding]) -> Option<&'a CallFacts> {
    let mut calls = findings.iter().filter_map(|finding| finding.subject.call.as_deref());
    calls.find(|call| call.is_outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, process};

    fn readings(findings: &[Finding]) -> Vec<(String, f64)> {
        let all: Vec<&Finding> = findings.iter().collect();
        let told = alternatives(all[0], &all).into_iter();
        told.map(|it| (it.hypothesis, it.bits_against)).collect()
    }

    #[test]
    fn a_shell_by_itself_may_be_an_administrator_of_a_young_container() {
        let shell = Sample::new("shell", 1).lineage(&[process(5, "sh", "sh", 0)]).at(60_000);
        let expected = [("A deploy or restart", 0.1), ("An administrator at work", 0.0)];
        let mut told = readings(&[shell.finding()]);
        told.reverse();
        assert_eq!(told, expected.map(|(name, bits)| (name.to_owned(), bits)));
    }

    #[test]
    fn what_a_request_did_and_a_credential_elsewhere_speak_against_every_honest_reading() {
        let app = [process(1, "app", "app", 0)];
        let payload = Sample::new("payload", 1).lineage(&app).payload(7).finding();
        let effect = Sample::new("effect", 1).lineage(&app).at(36_000_000).request(7, 1.0);
        let fetch = Sample::new("handed out", 1).lineage(&app).makes("ASIA1").link();
        let used = Sample::new("moved", 1).call("CreateUser", "ASIA1", "198.51.100.9").outside("c");
        let told =
            readings(&[payload, effect.finding(), fetch.finding(), used.at(50_000).finding()]);
        let bits_of = |name: &str| told.iter().find(|it| it.0.contains(name)).map(|it| it.1);
        assert_eq!(bits_of("scanner"), Some(20.0));
        assert_eq!(bits_of("administrator"), Some(20.0));
        assert_eq!(bits_of("own use"), Some(10.0));
    }

    #[test]
    fn age_and_effects_give_at_most_age_bits_max_and_effects_max() {
        let app = [process(1, "app", "app", 0)];
        let effect = |ms| Sample::new("e", 1).lineage(&app).at(ms).request(7, 1.0).finding();
        let told = readings(&[effect(90_000_000), effect(1), effect(2), effect(3)]);
        let bits: Vec<f64> = told.iter().map(|it| it.1).collect();
        assert_eq!(bits, [10.0, AGE_BITS_MAX, EFFECT_BITS * EFFECTS_MAX as f64]);
    }
}
