//! Writes a story down for a person who is woken by it.
//!
//! Made from the story's own fields, in fixed order and words: the same story always reads the
//! same, and every sentence can be traced to its events. What is sure is stated; what is less
//! sure carries its word (at least 10 bits: fact, 4: "very likely", less: "possibly").

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clew_event::story::{EdgeClass, ImpactLevel, Severity};
use clew_event::{Story, TimestampNs};

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
    let span = story.span.1.since(story.span.0);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{severity}: {}", story.title);
    let _ = writeln!(
        text,
        "From {} for {:.1} s.\n\nWhere it began\n  {}",
        story.span.0,
        span.as_secs_f64(),
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
    let Likelihood { finding_bits, tie_bits, order_bits } = certainty.likelihood;
    let _ = writeln!(
        text,
        "\nHow sure this is\n  {:.1} bits against coincidence: findings {finding_bits:.1}, ties \
         {tie_bits:.1}, order of tactics {order_bits:.1}. A story is told from {:.1} bits.",
        story.likelihood_bits, certainty.bits_needed
    );
    text
}

/// Why the steps belong together: one sentence for all that one process started, one for each
/// other tie.
fn ties(story: &Story) -> Vec<String> {
    let numbers = numbers(story);
    let mut by_sentence: BTreeMap<usize, (String, Vec<String>)> = BTreeMap::new();
    let mut first_of: BTreeMap<String, usize> = BTreeMap::new();
    for (index, step) in story.steps.iter().enumerate() {
        let Some(edge) = &step.edge else { continue };
        let from =
            numbers.get(&edge.from).map_or("an unlisted step".into(), |n| format!("step {n}"));
        let word = words::certainty(edge.bits);
        let claim = match edge.class {
            EdgeClass::C => format!("caused by {from}"),
            EdgeClass::I | EdgeClass::S => format!("{word}tied to {from}"),
            EdgeClass::X => format!("beside {from}"),
        };
        let reason = match edge.class {
            EdgeClass::C => String::new(),
            EdgeClass::I | EdgeClass::S | EdgeClass::X => {
                format!(": {} ({:.1} bits)", edge.sentence.trim_end_matches('.'), edge.bits)
            }
        };
        let key = format!("{claim}{reason}");
        let place = *first_of.entry(key.clone()).or_insert(index);
        let entry = by_sentence.entry(place).or_insert_with(|| (key, Vec::new()));
        entry.1.push((index + 1).to_string());
    }
    let mut told: Vec<String> = by_sentence
        .into_values()
        .map(|(claim, steps)| match steps.as_slice() {
            [one] => format!("Step {one} is {claim}."),
            _ => format!("Steps {} are {claim}.", words::listed(&steps)),
        })
        .collect();
    told.extend(chain(story));
    if told.is_empty() {
        told.push("It is one finding, rare enough to stand alone.".to_owned());
    }
    told
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
