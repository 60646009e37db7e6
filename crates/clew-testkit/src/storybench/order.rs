//! Whether the order of arrival matters: the same findings shuffled within their lags.
//!
//! Findings are given to stories in an order in which they might have come: each at its own time
//! and a lag that its source may have. Two runs are as equal as their clusters are by B-cubed.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{Finding, FindingId, StoryId};
use clew_story::{Settings, Stories};

use super::metrics::ratio;
use super::random::Random;
use super::run::Observed;

/// What findings of the kernel may be late.
const KERNEL_LAG_NS: u64 = 50_000_000;
/// What those of audit logs may be late (ten minutes, as measured).
const RECORD_LAG_NS: u64 = 600_000_000_000;

/// Of the findings around an attack so much is taken: before it began.
const BEFORE_NS: u64 = 3_600_000_000_000;
/// And after.
const AFTER_NS: u64 = 3 * BEFORE_NS;

/// What shuffles showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Equality {
    /// Shuffles tried.
    pub shuffles: u32,
    /// Mean B-cubed equality with the stories of the order of time.
    pub mean: f64,
    /// The least of them.
    pub least: f64,
}

/// Which story each finding is in.
type Told = BTreeMap<FindingId, BTreeSet<FindingId>>;

/// Shuffles the findings around the attacks of one tenant, so many times in all.
#[must_use]
pub fn shuffle(observed: &Observed, seed: u64, shuffles: u32) -> Equality {
    let count = observed.findings.len() + observed.links.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|place| of(observed, *place).map(|(it, _)| (it.time, it.id)));
    let attacks: Vec<u64> =
        observed.truths.attacks.values().map(|attack| attack.began.unix_ns()).collect();
    let mut random = Random::new(seed);
    let (mut sum, mut least, mut tried) = (0.0, 1.0_f64, 0);
    let count = u32::try_from(attacks.len()).unwrap_or(u32::MAX).max(1);
    for (began, number) in attacks.iter().zip(0_u32..) {
        let share = shuffles / count + u32::from(number < shuffles % count);
        let window = began.saturating_sub(BEFORE_NS)..began + AFTER_NS;
        let is_near = |place: &usize| {
            of(observed, *place).is_some_and(|(it, _)| window.contains(&it.time.unix_ns()))
        };
        let near: Vec<usize> = order.iter().copied().filter(is_near).collect();
        let expected = told(observed, &near);
        for _ in 0..share {
            let equal =
                equality(&expected, &told(observed, &shuffled(observed, &near, &mut random)));
            sum += equal;
            least = least.min(equal);
            tried += 1;
        }
    }
    Equality { shuffles: tried, mean: sum / f64::from(tried.max(1)), least }
}

/// The same in an order in which they might have come.
fn shuffled(observed: &Observed, places: &[usize], random: &mut Random) -> Vec<usize> {
    let mut arrivals: Vec<(u64, usize)> = Vec::new();
    for place in places {
        let Some((finding, _)) = of(observed, *place) else { continue };
        let lag = if finding.subject.call.is_some() { RECORD_LAG_NS } else { KERNEL_LAG_NS };
        arrivals.push((finding.time.unix_ns() + random.below(lag), *place));
    }
    arrivals.sort_unstable();
    arrivals.into_iter().map(|(_, place)| place).collect()
}

/// A finding, or behind all of them a link.
fn of(observed: &Observed, place: usize) -> Option<(&Finding, bool)> {
    let finding = observed.findings.get(place).map(|finding| (finding, false));
    let link = |place| observed.links.get(place).map(|link| (link, true));
    finding.or_else(|| link(place.checked_sub(observed.findings.len())?))
}

fn told(observed: &Observed, order: &[usize]) -> Told {
    let mut stories = Stories::new(Settings::default());
    observed.accepts.iter().for_each(|event| stories.observe(event));
    let mut revisions = Vec::new();
    let mut last: BTreeMap<StoryId, BTreeSet<FindingId>> = BTreeMap::new();
    for (finding, is_link) in order.iter().filter_map(|place| of(observed, *place)) {
        match is_link {
            true => stories.link(finding.clone(), &mut revisions),
            false => stories.join(finding, &mut revisions),
        }
        stories.take_drawn();
        for story in revisions.drain(..) {
            last.insert(story.id, story.steps.iter().map(|step| step.finding).collect());
        }
    }
    let mut told = Told::new();
    for members in last.into_values() {
        for member in &members {
            told.insert(*member, members.clone());
        }
    }
    told
}

/// B-cubed F1 of one clustering by the other, over the findings that either tells.
fn equality(one: &Told, other: &Told) -> f64 {
    let all: BTreeSet<FindingId> = one.keys().chain(other.keys()).copied().collect();
    if all.is_empty() {
        return 1.0;
    }
    let (mut precision, mut recall) = (0.0, 0.0);
    for finding in &all {
        let alone = BTreeSet::from([*finding]);
        let a = one.get(finding).unwrap_or(&alone);
        let b = other.get(finding).unwrap_or(&alone);
        let same = a.intersection(b).count();
        precision += ratio(same, a.len());
        recall += ratio(same, b.len());
    }
    2.0 * precision * recall / (precision + recall) / ratio(all.len(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(stories: &[&[u128]]) -> Told {
        let mut told = Told::new();
        for story in stories {
            let members: BTreeSet<FindingId> = story.iter().copied().map(FindingId).collect();
            told.extend(members.iter().map(|member| (*member, members.clone())));
        }
        told
    }

    #[test]
    fn equality_is_one_for_the_same_stories_and_less_for_others() {
        let one = told_of(&[&[1, 2, 3], &[4, 5]]);
        assert!((equality(&one, &one) - 1.0).abs() < 1e-9);
        let split = told_of(&[&[1, 2], &[3], &[4, 5]]);
        let fused = told_of(&[&[1, 2, 3, 4, 5]]);
        assert!(equality(&one, &split) < 0.95);
        assert!(equality(&one, &fused) < equality(&one, &split));
        assert!((equality(&one, &fused) - equality(&fused, &one)).abs() < 1e-9);
        assert!((equality(&Told::new(), &Told::new()) - 1.0).abs() < 1e-9);
    }
}
