//! Why an attack is not one whole story, in words.

use std::fmt::Write as _;

use super::metrics::View;
use super::run::{Cluster, Observed};
use super::truth::{Attack, AttackId};

/// What is wrong with the story of an attack.
pub(super) fn misses(
    view: &View<'_>,
    attack: &Attack,
    (holders, others): (usize, usize),
) -> Vec<String> {
    let mut misses = Vec::new();
    match (holders, others) {
        (0, _) => misses.push("no story".to_owned()),
        (1, 0) => {}
        (1, _) => misses.push("with another attack".to_owned()),
        _ => misses.push("several stories".to_owned()),
    }
    let best = view.best(attack.id);
    let told: Vec<usize> =
        best.map_or_else(Vec::new, |best| view.units_in(best, attack.id).collect());
    let units = view.units.get(&attack.id).into_iter().flatten();
    for unit in units.filter(|unit| holders != 0 && !view.is_link(**unit) && !told.contains(unit)) {
        let Some(step) = view.step(*unit).and_then(|step| attack.steps.get(step)) else { continue };
        let rule = view.observed.units.get(*unit).map_or("", |unit| unit.finding.rule.as_str());
        misses.push(format!("without {}: {rule}", step.name));
    }
    misses.dedup();
    let named = |what| format!("{}, {}: {what}", attack.template, attack.variant.name());
    misses.into_iter().map(named).collect()
}

/// Everything that was found of one attack, in order of time, with the story that tells it.
#[must_use]
pub fn account(observed: &Observed, attack: AttackId) -> String {
    let stories: Vec<Cluster> = observed.stories.values().cloned().collect();
    let view = View::new(observed, &stories);
    let mut text = String::new();
    let Some(known) = observed.truths.attacks.get(&attack) else { return text };
    let _ = writeln!(text, "{} ({}), began {}", known.template, known.variant.name(), known.began);
    let mut units = view.units.get(&attack).cloned().unwrap_or_default();
    units.sort_by_key(|place| observed.units.get(*place).map(|unit| unit.finding.time));
    for place in units {
        let Some(unit) = observed.units.get(place) else { continue };
        let step = view.step(place).and_then(|step| known.steps.get(step)).map_or("", |it| it.name);
        let story = stories.iter().position(|story| story.members.contains(&place));
        let story = story.map_or("-".to_owned(), |story| story.to_string());
        let is_root = stories.iter().any(|story| story.root == Some(place));
        let mark = if is_root { "*" } else { " " };
        let (time, bits) = (unit.finding.time.time_of_day(), unit.finding.bits);
        let rule = &unit.finding.rule;
        let _ = writeln!(text, "  {time} story {story:>3}{mark} {bits:>4.1} {step}: {rule}");
    }
    text
}
