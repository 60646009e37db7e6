//! Writes a story down for a person who is woken by it.
//!
//! Made from the story's own fields, in fixed order and words: the same story always reads the
//! same, and every sentence can be traced to its events. What is sure is stated; what is less
//! sure carries its word (at least 10 bits: fact, 4: "very likely", less: "possibly").

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clew_event::story::{Alternative, Edge, EdgeClass, ImpactLevel, Severity, Step};
use clew_event::{ProcessKey, Story, TimestampNs};

use crate::attack::technique;
use crate::score::Likelihood;
use crate::tell::numbers;
use crate::words;

/// Causes that are written out; a person reads no more at night.
const CHAIN_MAX: usize = 24;

/// How sure a story is, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certainty {
    pub(crate) likelihood: Likelihood,
    pub(crate) bits_needed: f64,
}

/// All of the story in words.
pub(crate) fn narrative(story: &Story, certainty: Certainty) -> String {
    let mut text = String::new();
    let severity = severity_name(story.severity);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{severity}: {}", story.title);
    let _ = writeln!(
        text,
        "From {} for {}.\n\nWhere it began\n  {}",
        story.span.0,
        span(story.span.1.since(story.span.0)),
        story.root.sentence
    );
    let _ = writeln!(text, "\nWhat it did");
    for (index, step) in story.steps.iter().enumerate() {
        let techniques: Vec<String> = step.techniques.iter().map(|id| named(id)).collect();
        let techniques = if techniques.is_empty() {
            String::new()
        } else {
            format!(" [{}]", techniques.join(", "))
        };
        let time = clock(step.time);
        let _ = writeln!(
            text,
            "  {:>2}. {time} {}{techniques} ({})",
            index + 1,
            step.sentence,
            step.event
        );
    }
    if 0 < story.steps_untold {
        let more = story.steps_untold;
        let _ =
            writeln!(text, "  And {more} more findings of these kinds, counted and not listed.");
    }
    let _ = writeln!(text, "\nWhy this is one attack");
    for sentence in ties(story) {
        let _ = writeln!(text, "  {sentence}");
    }
    let _ = writeln!(text, "\nWhat is at stake: {}", impact_name(story.impact.level));
    for reason in &story.impact.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    let _ = writeln!(text, "\nWhat could not be seen");
    if story.blind_spots.is_empty() {
        let _ = writeln!(text, "  Nothing that is known of.");
    }
    for spot in &story.blind_spots {
        let _ = writeln!(text, "  {spot}");
    }
    let _ = writeln!(text, "\nWhat else it could be");
    for other in &story.alternatives {
        let Alternative { hypothesis, bits_against, because } = other;
        let _ = writeln!(text, "  {hypothesis}: {bits_against:.1} bits against. {because}");
    }
    let Likelihood { finding_bits, tie_bits, order_bits } = certainty.likelihood;
    let _ = writeln!(
        text,
        "\nHow sure this is\n  {:.1} bits against coincidence: findings {finding_bits:.1}, ties \
         {tie_bits:.1}, order of tactics {order_bits:.1}. A story is told from {:.1} bits.",
        story.likelihood_bits, certainty.bits_needed
    );
    text
}

/// Why the steps belong together: which step follows from which, then each cause.
fn ties(story: &Story) -> Vec<String> {
    let numbers = numbers(story);
    let mut claims: Vec<String> = Vec::new();
    let mut steps_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, step) in story.steps.iter().enumerate() {
        let Some(edge) = &step.edge else { continue };
        let claim = claim(story, step, edge, numbers.get(&edge.from).copied());
        let steps = steps_of.entry(claim.clone()).or_default();
        if steps.is_empty() {
            claims.push(claim);
        }
        steps.push((index + 1).to_string());
    }
    let mut told: Vec<String> = claims
        .into_iter()
        .map(|claim| match steps_of.get(&claim).map(Vec::as_slice) {
            Some([one]) => format!("Step {one}: {claim}."),
            Some(several) => format!("Steps {}: {claim}.", words::listed(several)),
            None => claim,
        })
        .collect();
    told.extend(chain(story));
    if told.is_empty() {
        told.push("It is one finding, rare enough to stand alone.".to_owned());
    }
    told
}

/// How a step hangs together with the earlier one that its edge names.
fn claim(story: &Story, step: &Step, edge: &Edge, from: Option<usize>) -> String {
    let number = from.map_or("an unlisted step".to_owned(), |number| format!("step {number}"));
    let earlier = from.and_then(|number| story.steps.get(number - 1)).and_then(|from| from.process);
    let reason = edge.sentence.trim_end_matches('.');
    match edge.class {
        EdgeClass::C if descends(story, step.process, earlier) => format!("caused by {number}"),
        EdgeClass::C => format!("of one cause with {number}"),
        EdgeClass::I | EdgeClass::S => {
            let word = words::certainty(edge.bits);
            format!("{word}tied to {number} ({:.1} bits): {reason}", edge.bits)
        }
        EdgeClass::X => format!("beside {number}: {reason}"),
    }
}

/// True where the process is, or descends from, the other.
fn descends(story: &Story, process: Option<ProcessKey>, from: Option<ProcessKey>) -> bool {
    let mut at = process;
    // No chain of parents is longer than there are processes.
    for _ in 0..=story.processes.len() {
        if at.is_none() || at == from {
            return at.is_some();
        }
        let place = story.processes.iter().position(|facts| Some(facts.key) == at);
        at = place.and_then(|place| story.parents.get(place).copied()).flatten();
    }
    false
}

/// The causal ties in full, one for each pair of processes; the first [`CHAIN_MAX`].
fn chain(story: &Story) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let edges = story.steps.iter().filter_map(|step| step.edge.as_ref());
    let mut told: Vec<String> = edges
        .filter(|edge| edge.class == EdgeClass::C && seen.insert(&edge.sentence))
        .map(|edge| edge.sentence.clone())
        .collect();
    if CHAIN_MAX < told.len() {
        let more = told.len() - CHAIN_MAX;
        told.truncate(CHAIN_MAX);
        told.push(format!("And {more} more such causes; each step carries its own."));
    }
    told
}

fn named(id: &str) -> String {
    technique(id).map_or_else(|| id.to_owned(), |found| format!("{id} {}", found.name))
}

/// A span in the unit in which people think of it.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// The time of day in UTC, to the millisecond.
fn clock(time: TimestampNs) -> String {
    let mut text = time.time_of_day();
    text.truncate("hh:mm:ss.mmm".len());
    text
}

pub(crate) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    }
}

const fn impact_name(level: ImpactLevel) -> &'static str {
    match level {
        ImpactLevel::Low => "little",
        ImpactLevel::Medium => "one container",
        ImpactLevel::High => "credentials, data or a way out",
        ImpactLevel::Critical => "the machine or more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, process};
    use crate::{Settings, Stories};

    #[test]
    fn a_span_is_told_in_the_unit_in_which_people_think() {
        let check = |ms, told: &str| assert_eq!(span(Duration::from_millis(ms)), told);
        check(17, "17 ms");
        check(1_999, "1 s");
        check(180_000, "3 min");
        check(7_200_000, "2 h");
    }

    #[test]
    fn writes_out_at_most_chain_max_causes() {
        let (sh, server) = (process(50, "sh", "sh", 0), process(1, "server", "", 0));
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        for pid in 100..150_u32 {
            let lineage = [process(pid, "x", "", 1), sh.clone(), server.clone()];
            let sample = Sample::new(&format!("r{pid}"), 1).lineage(&lineage);
            stories.join(&sample.at(u64::from(pid)).finding(), &mut revisions);
        }
        let narrative = revisions.pop().unwrap().narrative;
        assert_eq!(narrative.matches("started both").count(), CHAIN_MAX);
        assert!(narrative.contains("And 25 more such causes"), "{narrative}");
    }
}
