//! How strange a new item is, in bits.
//!
//! The chance of exactly this novelty is the chance that a unit shows any (`estimate`), times the
//! chance that it is this one. The latter is backed off: what others with the same image digest
//! do, then those of the same repository, then any workload with that program, then how this
//! workload's own novelty is shared among kinds, each times how telling such an item is anywhere
//! (`prior`). Levels that nobody can speak for give their weight to the others.

use crate::class::Class;
use crate::estimate::Sample;
use crate::item::Item;
use crate::learning::Kind;
use crate::prior;

/// Until so many units nothing but the undeniable starts a story.
pub const YOUNG_UNITS: u64 = 3;
/// Most bits until then: below what starts a story.
pub const YOUNG_BITS_MAX: f64 = 7.5;
/// Fewer bits in a phase that was never seen.
const UNCOVERED_BITS: f64 = 2.0;
/// How much an image's release is believed to behave as the one before, at first.
const INHERITED: f64 = 0.9;
/// Units of its own that weigh as much: a day.
const INHERITED_UNITS: f64 = 144.0;
/// Weights of the levels that others speak for: digest, repository, program.
const OTHERS: [f64; 3] = [0.5, 0.2, 0.1];

/// Of the workloads that could know an item, how many do: with the same digest, of the same
/// repository, with the same program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Who knows it.
    pub knows: [u64; 3],
    /// Who was asked.
    pub asked: [u64; 3],
}

/// What a new item is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The item.
    pub item: &'a Item<'a>,
    /// How near it is to what is known.
    pub kind: Kind,
    /// Share of this workload's novelty that is of that kind.
    pub share: f64,
    /// Units before this one.
    pub own: Sample,
    /// Those of the release before.
    pub inherited: Option<Sample>,
    /// What others know.
    pub elsewhere: Elsewhere,
    /// Whether hour, weekday and phase of life were seen before.
    pub is_covered: bool,
}

/// The verdict about an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surprise {
    /// How strange it is.
    pub bits: f64,
    /// Chance that a unit shows anything new.
    pub unseen: f64,
    /// Why it is never learned as normal.
    pub never: Option<&'static str>,
}

/// Judges a new item.
#[must_use]
pub fn judge(case: &Case<'_>) -> Surprise {
    let unseen = unseen(case);
    let world = (-prior::bits(case.item)).exp2();
    let backed_off = {
        let spoken = OTHERS.iter().zip(case.elsewhere.knows).zip(case.elsewhere.asked);
        let spoken = spoken.filter(|(_, asked)| 0 < *asked);
        let (mut chance, mut left) = (0.0, 1.0);
        for ((weight, knows), asked) in spoken {
            let share = crate::estimate::real(knows) / (crate::estimate::real(asked) + 1.0);
            chance += weight * share;
            left -= weight;
        }
        chance + left * world * f64::midpoint(case.share, 1.0)
    };
    let mut bits = -(unseen * backed_off).log2();
    if !case.is_covered {
        bits -= UNCOVERED_BITS;
    }
    let units = case.own.units + case.inherited.map_or(0, |sample| sample.units);
    if units < YOUNG_UNITS {
        bits = bits.min(YOUNG_BITS_MAX);
    }
    let never = prior::never_learned(case.item);
    let is_undeniable = case.item.class == Class::Exec && never.is_some();
    if is_undeniable {
        bits = bits.max(crate::novelty::SEED_BITS);
    }
    Surprise { bits: (bits.max(0.0) * 100.0).round() / 100.0, unseen, never }
}

/// Own experience and that of the release before, by how much there is of the own.
fn unseen(case: &Case<'_>) -> f64 {
    let own = case.own.unseen_smoothed();
    let Some(inherited) = case.inherited else { return own };
    let units = crate::estimate::real(case.own.units);
    let weight = INHERITED * INHERITED_UNITS / (INHERITED_UNITS + units);
    weight * inherited.unseen_smoothed() + (1.0 - weight) * own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(key: &str, units: u64, owners: u64, change: impl FnOnce(&mut Case<'_>)) -> f64 {
        let item = Item::of_key(key).expect("a key");
        let mut case = Case {
            item: &item,
            kind: Kind::Stranger,
            share: 0.1,
            own: Sample { units, owners },
            inherited: None,
            elsewhere: Elsewhere::default(),
            is_covered: true,
        };
        change(&mut case);
        judge(&case).bits
    }

    const SHELL: &str = "exec\t/app/server\t\t/bin/sh\t-c\tid";

    #[test]
    fn a_shell_in_a_service_that_runs_nothing_has_fifteen_bits_and_a_sibling_file_four() {
        let shell = bits(SHELL, 1_000, 0, |_| {});
        assert!((14.0..16.0).contains(&shell), "{shell}");
        let sibling =
            bits("file\tjava\twrite\ttmp\thsperfdata_x", 100, 20, |case| case.share = 0.9);
        assert!((3.0..5.0).contains(&sibling), "{sibling}");
    }

    #[test]
    fn a_young_profile_starts_no_story_but_with_what_is_not_in_the_image() {
        assert!(bits(SHELL, 0, 0, |_| {}) <= YOUNG_BITS_MAX);
        assert!(8.0 <= bits("exec\tapp\tdropped\t/tmp/x", 0, 0, |_| {}));
        let inherited = Some(Sample { units: 1_000, owners: 0 });
        assert!(8.0 < bits(SHELL, 0, 0, |case| case.inherited = inherited), "it has a parent");
    }

    #[test]
    fn what_others_do_is_less_strange_and_what_they_do_not_is_not_more() {
        let alone = bits(SHELL, 1_000, 0, |_| {});
        let all = Elsewhere { knows: [3, 3, 3], asked: [3, 3, 3] };
        let none = Elsewhere { knows: [0; 3], asked: [3, 3, 3] };
        assert!(bits(SHELL, 1_000, 0, |case| case.elsewhere = all) < alone - 4.0);
        let unknown = bits(SHELL, 1_000, 0, |case| case.elsewhere = none);
        assert!(alone < unknown && unknown < alone + 3.0, "{unknown}");
    }

    #[test]
    fn a_phase_that_was_not_seen_is_discounted() {
        let covered = bits(SHELL, 1_000, 0, |_| {});
        let uncovered = bits(SHELL, 1_000, 0, |case| case.is_covered = false);
        assert!((covered - uncovered - UNCOVERED_BITS).abs() < 1e-9);
    }
}
