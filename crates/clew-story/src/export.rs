//! A story in the forms in which it leaves: text, Markdown, JSON, Attack Flow, OCSF.
//!
//! Each is made from the story alone, in fixed order and words, so that the same revision always
//! gives the same bytes and a form can be made anew from what is stored.

mod advice;
mod attack_flow;
mod markdown;
mod report;

pub use attack_flow::attack_flow;
pub use report::report;

use clew_event::Story;
use clew_event::ocsf::incident_finding;

/// A form in which a story leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Its narrative.
    Text,
    /// A report to forward, in Markdown.
    Markdown,
    /// The story as it is stored.
    Json,
    /// A STIX 2.1 bundle with the Attack Flow 2.0 extension.
    AttackFlow,
    /// An Incident Finding of OCSF.
    Ocsf,
}

impl Format {
    /// Every form.
    pub const ALL: [Self; 5] =
        [Self::Text, Self::Markdown, Self::Json, Self::AttackFlow, Self::Ocsf];

    /// The story in this form, with a line break at its end.
    ///
    /// # Errors
    /// Never for a story that was told or read; JSON has no number that is none.
    pub fn write(self, story: &Story) -> serde_json::Result<String> {
        let mut text = match self {
            Self::Text => story.narrative.trim_end().to_owned(),
            Self::Markdown => report(story).trim_end().to_owned(),
            Self::Json => serde_json::to_string_pretty(story)?,
            Self::AttackFlow => serde_json::to_string_pretty(&attack_flow(story))?,
            Self::Ocsf => serde_json::to_string_pretty(&incident_finding(story))?,
        };
        text.push('\n');
        Ok(text)
    }
}

/// Certainty of each step: the bits of the weakest tie between it and where the story began. A
/// step is no surer than what leads to it.
fn bits_to_root(story: &Story) -> Vec<f64> {
    let numbers = crate::tell::numbers(story);
    let mut bits = vec![f64::INFINITY; story.steps.len()];
    for (index, step) in story.steps.iter().enumerate() {
        let Some(edge) = &step.edge else { continue };
        // A step stands behind its cause; one whose cause is not listed stands by its own tie.
        let before = numbers.get(&edge.from).filter(|number| **number <= index);
        let before = before.and_then(|number| bits.get(number - 1)).copied();
        if let Some(own) = bits.get_mut(index) {
            *own = edge.bits.min(before.unwrap_or(f64::INFINITY));
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::attack;
    use crate::{Settings, Stories};

    pub(super) fn story() -> Story {
        let mut stories = Stories::new(Settings::default());
        let mut revisions = Vec::new();
        for finding in attack(100, 1_000) {
            stories.join(&finding, &mut revisions);
        }
        revisions.pop().unwrap()
    }

    #[test]
    fn every_form_gives_the_same_bytes_again() {
        for format in Format::ALL {
            let text = format.write(&story()).unwrap();
            assert_eq!(text, format.write(&story()).unwrap());
            assert!(text.ends_with('\n') && 200 < text.len(), "{text}");
        }
    }

    #[test]
    fn a_step_is_no_surer_than_what_leads_to_it() {
        let mut story = story();
        let tie = |from: usize, bits: f64, story: &mut Story| {
            let from = story.steps[from].finding;
            Some(clew_event::story::Edge { from, bits, ..Default::default() })
        };
        story.steps.truncate(4);
        story.steps[1].edge = tie(0, 20.0, &mut story);
        story.steps[2].edge = tie(1, 2.5, &mut story);
        story.steps[3].edge = tie(2, 20.0, &mut story);
        assert_eq!(bits_to_root(&story), [f64::INFINITY, 20.0, 2.5, 2.5]);
    }
}
