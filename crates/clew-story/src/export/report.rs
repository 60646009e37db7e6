//! A story as a report that a security engineer forwards, in Markdown.
//!
//! Certainty words are tied to bits, as in the narrative: what at least 10 bits hold together
//! *did* happen as one attack, 4 bits make it *very likely*, less *possibly*.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clew_event::Story;
use clew_event::finding::EntityKind;
use clew_event::story::{Edge, EdgeClass, ImpactLevel, Step};

use super::advice::advice;
use super::bits_to_root;
use super::markdown::{code, prose};
use crate::attack::technique;
use crate::narrative::{severity_name, span};
use crate::tell::numbers;
use crate::words;

/// Sentences in which it is told what happened; the timeline has every step.
const SENTENCES_MAX: usize = 24;
/// Entities of one kind that are listed.
const NAMES_MAX: usize = 32;
/// Ties whose absence is thought through.
const TIES_MAX: usize = 5;

/// The report; what came from a watched machine is never markup in it.
#[must_use]
pub fn report(story: &Story) -> String {
    let mut text = String::new();
    head(&mut text, story);
    what_happened(&mut text, story);
    section(&mut text, "Root cause", &[root_cause(story)]);
    timeline(&mut text, story);
    why_one(&mut text, story);
    who(&mut text, story);
    let stake = story.impact.reasons.iter().map(|reason| prose(reason)).collect::<Vec<_>>();
    bullets(&mut text, "What is at stake", &stake, "Nothing beyond the processes named.");
    alternatives(&mut text, story);
    bullets(&mut text, "What if a tie were wrong", &counterfactual(story), "It is one finding.");
    let spots: Vec<String> = story.blind_spots.iter().map(|spot| prose(spot)).collect();
    bullets(&mut text, "What could not be seen", &spots, "Nothing that is known of.");
    bullets(
        &mut text,
        "What to do now",
        &advice(story),
        "Look at the first step and decide whether it was meant.",
    );
    line(&mut text, "\nClew proposes; nothing of this was carried out.");
    text
}

// Writing to a string cannot fail.
fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn section(text: &mut String, title: &str, paragraphs: &[String]) {
    let _ = write!(text, "\n## {title}\n\n");
    paragraphs.iter().for_each(|paragraph| line(text, paragraph));
}

fn bullets(text: &mut String, title: &str, items: &[String], none: &str) {
    let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
    section(text, title, if items.is_empty() { &[] } else { &items });
    if items.is_empty() {
        line(text, none);
    }
}

fn table(text: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    line(text, &format!("| {} |", head.join(" | ")));
    line(text, &format!("|{}", "---|".repeat(head.len())));
    rows.for_each(|row| line(text, &format!("| {} |", row.join(" | "))));
}

fn head(text: &mut String, story: &Story) {
    let impact = match story.impact.level {
        ImpactLevel::Low => "low",
        ImpactLevel::Medium => "medium",
        ImpactLevel::High => "high",
        ImpactLevel::Critical => "critical",
    };
    let (first, last) = story.span;
    let rows = [
        ("Severity", severity_name(story.severity).to_lowercase()),
        ("Likelihood", format!("{:.1} bits against coincidence", story.likelihood_bits)),
        ("Impact", impact.to_owned()),
        ("Began", first.to_string()),
        ("Lasted", span(last.since(first))),
        ("Story", format!("{}, revision {}", code(&story.id.to_string()), story.revision)),
    ];
    line(text, &format!("# {}\n", prose(&story.title)));
    table(text, &["", ""], rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]));
}

/// The steps in sentences; those of one rule that follow one another are one.
fn what_happened(text: &mut String, story: &Story) {
    let bits = bits_to_root(story);
    let mut sentences: Vec<(String, usize, &str)> = Vec::new();
    for (step, bits) in story.steps.iter().zip(bits) {
        let word = certainty(bits);
        match sentences.last_mut() {
            Some((last, more, rule)) if *rule == step.rule && last.starts_with(word) => *more += 1,
            _ => sentences.push((format!("{word}: {}", prose(&step.sentence)), 0, &step.rule)),
        }
    }
    let told = sentences.iter().take(SENTENCES_MAX).map(|(sentence, more, _)| match more {
        0 => sentence.clone(),
        1 => format!("{sentence} Once more like it."),
        more => format!("{sentence} {more} times more like it."),
    });
    let told: Vec<String> = told.collect();
    let more = sentences.len().saturating_sub(SENTENCES_MAX);
    bullets(text, "What happened", &told, "Nothing is left of it.");
    if 0 < more {
        line(text, &format!("\nAnd {more} more, in the timeline."));
    }
    line(
        text,
        "\n“It did” stands for at least 10 bits, “very likely” for 4, “possibly” for less: the weakest tie between the step and where it began.",
    );
}

fn certainty(bits: f64) -> &'static str {
    match words::certainty(bits) {
        "" => "It did",
        "very likely " => "Very likely",
        _ => "Possibly",
    }
}

fn root_cause(story: &Story) -> String {
    let event = story.steps.iter().find(|step| step.finding == story.root.finding);
    let event =
        event.map_or_else(String::new, |step| format!(", event {}", code(&step.event.to_string())));
    let finding = code(&story.root.finding.to_string());
    format!("{} (finding {finding}{event})", prose(&story.root.sentence))
}

fn timeline(text: &mut String, story: &Story) {
    section(text, "Timeline", &[]);
    let rows = story.steps.iter().enumerate().map(|(index, step)| {
        let (techniques, tactics) = attack(step);
        vec![
            (index + 1).to_string(),
            step.time.to_string(),
            prose(&step.sentence),
            techniques,
            tactics,
            code(&step.finding.to_string()),
            code(&step.event.to_string()),
        ]
    });
    table(text, &["#", "Time", "What", "Technique", "Tactic", "Finding", "Event"], rows);
    if 0 < story.steps_untold {
        let more = story.steps_untold;
        line(text, &format!("\nAnd {more} more findings of these kinds, counted and not listed."));
    }
}

/// Techniques of a step, and their tactics each once.
fn attack(step: &Step) -> (String, String) {
    let named = step.techniques.iter().map(|id| match technique(id) {
        Some(found) => prose(&format!("{id} {}", found.name)),
        None => prose(id),
    });
    let mut tactics: Vec<&str> = Vec::new();
    for found in step.techniques.iter().filter_map(|id| technique(id)) {
        if !tactics.contains(&found.tactic.name()) {
            tactics.push(found.tactic.name());
        }
    }
    (named.collect::<Vec<_>>().join(", "), tactics.join(", "))
}

fn why_one(text: &mut String, story: &Story) {
    section(text, "Why it is one attack", &[]);
    let numbers = numbers(story);
    let ties = story.steps.iter().enumerate().filter_map(|(index, step)| {
        let edge = step.edge.as_ref()?;
        let from = numbers.get(&edge.from).map_or("–".to_owned(), ToString::to_string);
        let events: Vec<String> =
            edge.events.iter().map(|event| code(&event.to_string())).collect();
        Some(vec![
            format!("{from} → {}", index + 1),
            prose(&edge.sentence),
            format!("{} ({})", class(edge.class), prose(&edge.kind)),
            format!("{:.1}", edge.bits),
            chance(edge),
            events.join(" "),
        ])
    });
    table(text, &["Steps", "Tie", "Class", "Bits", "By chance", "Evidence"], ties);
}

const fn class(class: EdgeClass) -> &'static str {
    match class {
        EdgeClass::C => "causal",
        EdgeClass::I => "identity",
        EdgeClass::S => "statistical",
        EdgeClass::X => "beside",
    }
}

/// How often unrelated findings would be tied so.
fn chance(edge: &Edge) -> String {
    match edge.coincidences_per_day {
        Some(per_day) if 1.0 <= per_day => format!("{per_day:.0} times a day"),
        Some(per_day) if 0.0 < per_day => format!("once in {:.0} days", 1.0 / per_day),
        Some(_) => "never yet".to_owned(),
        None => "–".to_owned(),
    }
}

fn who(text: &mut String, story: &Story) {
    let mut by_kind: BTreeMap<EntityKind, Vec<String>> = BTreeMap::new();
    for entity in &story.entities {
        let name = if entity.name.is_empty() { &entity.id } else { &entity.name };
        let name = match entity.name == entity.id || entity.name.is_empty() {
            true => code(name),
            false => format!("{} ({})", code(name), code(&entity.id)),
        };
        by_kind.entry(entity.kind).or_default().push(name);
    }
    section(text, "Who and what took part", &[]);
    let rows = by_kind.into_iter().map(|(kind, mut names)| {
        let count = names.len();
        let more = count.saturating_sub(NAMES_MAX);
        names.truncate(NAMES_MAX);
        if 0 < more {
            names.push(format!("and {more} more"));
        }
        vec![format!("{kind:?}"), count.to_string(), names.join(", ")]
    });
    table(text, &["Kind", "Count", "Names"], rows);
}

fn alternatives(text: &mut String, story: &Story) {
    section(text, "What else it could be", &[]);
    if story.alternatives.is_empty() {
        line(text, "No other reading was weighed.");
        return;
    }
    let rows = story.alternatives.iter().map(|other| {
        let against = format!("{:.1}", other.bits_against);
        vec![prose(&other.hypothesis), against, prose(&other.because)]
    });
    table(text, &["Reading", "Bits against", "Because"], rows);
}

/// What would be left without the weakest ties.
fn counterfactual(story: &Story) -> Vec<String> {
    let numbers = numbers(story);
    let mut ties: Vec<(f64, usize, &Edge)> = story
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| step.edge.as_ref().map(|edge| (edge.bits, index + 1, edge)))
        .collect();
    ties.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.2.holds.cmp(&a.2.holds)).then(a.1.cmp(&b.1)));
    let told = ties.into_iter().take(TIES_MAX).map(|(bits, step, edge)| {
        let from =
            numbers.get(&edge.from).map_or("an unlisted step".to_owned(), |n| format!("step {n}"));
        let lost = match edge.holds {
            0 | 1 => format!("step {step} alone would fall out"),
            holds => {
                format!("step {step} and what follows from it, {holds} findings in all, would be a story of their own")
            }
        };
        format!("Without the tie of step {step} to {from} ({bits:.1} bits), {lost}.")
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::export::tests::story;

    #[test]
    fn a_report_tells_all_that_a_story_knows() {
        expect_file!["report.md"].assert_eq(&report(&story()));
    }

    #[test]
    fn chance_is_told_in_days() {
        let check = |per_day, told: &str| {
            let edge = Edge { coincidences_per_day: per_day, ..Edge::default() };
            assert_eq!(chance(&edge), told);
        };
        check(Some(0.05), "once in 20 days");
        check(Some(3.2), "3 times a day");
        check(Some(0.0), "never yet");
        check(None, "–");
    }

    #[test]
    fn a_report_is_bounded_by_sentences_max_names_max_and_ties_max() {
        let mut story = story();
        let step = story.steps[1].clone();
        story.steps =
            (0..256).map(|number| Step { rule: format!("r{number}"), ..step.clone() }).collect();
        let entity = story.entities[0].clone();
        story.entities = vec![entity; 500];
        let report = report(&story);
        assert_eq!(report.matches("\n- It did:").count(), SENTENCES_MAX);
        assert!(report.contains("And 232 more, in the timeline"));
        assert!(report.contains(&format!("and {} more", 500 - NAMES_MAX)));
        assert_eq!(report.matches("\n- Without the tie").count(), TIES_MAX);
    }

    #[test]
    fn a_name_of_an_attacker_is_no_markup_in_any_section() {
        let hostile = "![x](http://h/p.png) <img src=x> | `";
        let mut story = story();
        let own = |text: &mut String| *text = hostile.to_owned();
        own(&mut story.title);
        own(&mut story.root.sentence);
        story.steps.iter_mut().for_each(|step| own(&mut step.sentence));
        story
            .steps
            .iter_mut()
            .filter_map(|step| step.edge.as_mut())
            .for_each(|edge| own(&mut edge.sentence));
        story.entities.iter_mut().for_each(|entity| own(&mut entity.name));
        story.blind_spots.push(hostile.to_owned());
        story.impact.reasons.push(hostile.to_owned());
        let report = report(&story);
        for line in report.lines() {
            // Code is inert, and so is what is escaped.
            let outside: String = line.replace("\\`", "").split('`').step_by(2).collect();
            let markup =
                ["\\]", "\\[", "\\<", "\\!"].iter().fold(outside, |o, it| o.replace(it, ""));
            assert!(!markup.contains(['<', ']', '!']), "{line}");
        }
    }
}
