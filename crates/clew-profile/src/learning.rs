//! How far one class of one profile is learned: looks, drift, the kinds of novelty, calibration.

use serde::{Deserialize, Serialize};

use crate::estimate::{Sample, UNSEEN_MAX, real};

/// Scores are counted in whole bits up to this.
pub const SCORE_BITS_MAX: usize = 32;
/// New behavior beyond what was expected, in thousandths of units, that says the ground moves.
const DRIFT_MILLI: u32 = 4_000;
/// What may come beyond expectation without adding up.
const SLACK: f64 = 0.1;
/// For so many units after a drift nothing is called learned: half a day.
const DRIFT_UNITS: u64 = 72;
/// A promise is compared with what comes from so many units on: before, it says next to nothing.
const PROMISING_UNITS: u64 = 20;
/// How much the first guess of kinds weighs.
const KIND_WEIGHT: f64 = 8.0;

/// How near a new item is to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A sibling of known items: all but its last part is known.
    Near,
    /// Who acts is known in this class.
    Far,
    /// Who acts was never seen in this class.
    Stranger,
}

impl Kind {
    /// A first guess of how novelty is shared among kinds, before a workload showed its own:
    /// Witten and Bell's observation that new things come mostly beside known ones.
    const fn guess(self) -> f64 {
        match self {
            Self::Near => 0.6,
            Self::Far => 0.3,
            Self::Stranger => 0.1,
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Near => 0,
            Self::Far => 1,
            Self::Stranger => 2,
        }
    }
}

/// The state of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learning {
    /// Requests seen; 0 for other classes.
    pub(crate) requests: u64,
    /// New items by [`Kind`].
    kinds: [u64; 3],
    /// The bound was low enough at the last look.
    is_bounded: bool,
    /// Sum of what came beyond expectation.
    excess_milli: u32,
    /// The number of units until which the class drifts.
    drifts_until: u64,
    /// How many units had this as their greatest surprise, by whole bits.
    scores: Vec<u32>,
    /// The same, as it was when the class was first learned: what calibration compares with.
    frozen: Vec<u32>,
    /// Millionths of units that were expected to show something new, each by what was known
    /// before it.
    #[serde(default)]
    promised_millionths: u64,
    /// Units of those that did.
    #[serde(default)]
    realized: u64,
}

/// What was promised of new behavior, and what came, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// So many units were expected to show something new.
    pub promised: f64,
    /// So many did.
    pub realized: u64,
}

impl Learning {
    pub(crate) fn count_kind(&mut self, kind: Kind) {
        if let Some(count) = self.kinds.get_mut(kind.place()) {
            *count = count.saturating_add(1);
        }
    }

    /// Share of novelty that is of this kind.
    pub(crate) fn share(&self, kind: Kind) -> f64 {
        let seen = self.kinds.get(kind.place()).copied().unwrap_or_default();
        let all = self.kinds.iter().copied().fold(0, u64::saturating_add);
        (real(seen) + KIND_WEIGHT * kind.guess()) / (real(all) + KIND_WEIGHT)
    }

    /// A unit has ended with this greatest surprise; 0 where nothing was new.
    pub(crate) fn close(&mut self, sample: Sample, score: u8) {
        count(&mut self.scores, score);
        let novelty = if score == 0 { 0.0 } else { 1.0 };
        let beyond = novelty - sample.unseen_smoothed() - SLACK;
        let excess = (f64::from(self.excess_milli) + 1000.0 * beyond).clamp(0.0, 1e6);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to six digits"
        )]
        let excess = excess as u32;
        self.excess_milli = excess;
        if DRIFT_MILLI < excess {
            self.excess_milli = 0;
            self.drifts_until = sample.units.saturating_add(DRIFT_UNITS);
        }
        if sample.is_look() {
            self.look(sample);
        }
    }

    /// Compares what was promised of a unit, by `past` alone, with what it showed.
    pub(crate) fn compare(&mut self, past: Sample, is_new: bool) {
        if PROMISING_UNITS <= past.units {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share, so at most a million"
            )]
            let promised = (past.unseen() * 1e6).round() as u64;
            self.promised_millionths = self.promised_millionths.saturating_add(promised);
            self.realized = self.realized.saturating_add(u64::from(is_new));
        }
    }

    /// How promises were kept until now.
    pub(crate) fn kept(&self) -> Kept {
        Kept { promised: real(self.promised_millionths) / 1e6, realized: self.realized }
    }

    /// Compares the bound with what may be promised.
    pub(crate) fn look(&mut self, sample: Sample) {
        self.is_bounded = sample.bound() <= UNSEEN_MAX;
        if self.is_bounded && self.frozen.is_empty() {
            self.frozen.clone_from(&self.scores);
        }
    }

    /// True while new behavior comes faster than what was learned says.
    pub(crate) const fn is_drifting(&self, sample: Sample) -> bool {
        sample.units < self.drifts_until
    }

    pub(crate) const fn is_ready(&self, sample: Sample) -> bool {
        self.is_bounded && !self.is_drifting(sample)
    }

    /// Chance that a unit without an attack is so surprising: (1 + how many of those held out
    /// were) / (1 + all). `None` until the class was learned once.
    pub(crate) fn p_value(&self, score: u8) -> Option<f64> {
        let all: u64 = self.frozen.iter().map(|&units| u64::from(units)).sum();
        let as_high = self.frozen.iter().skip(usize::from(score));
        let as_high: u64 = as_high.map(|&units| u64::from(units)).sum();
        (all != 0).then(|| (1.0 + real(as_high)) / (1.0 + real(all)))
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        for (ours, theirs) in self.kinds.iter_mut().zip(other.kinds) {
            *ours = ours.saturating_add(theirs);
        }
        self.promised_millionths =
            self.promised_millionths.saturating_add(other.promised_millionths);
        self.realized = self.realized.saturating_add(other.realized);
        self.excess_milli = self.excess_milli.max(other.excess_milli);
        self.drifts_until = self.drifts_until.max(other.drifts_until);
        add(&mut self.scores, &other.scores);
        add(&mut self.frozen, &other.frozen);
    }

    /// False for what no learning gives: a file that was edited by hand.
    pub(crate) fn is_whole(&self) -> bool {
        [&self.scores, &self.frozen].iter().all(|it| it.len() <= SCORE_BITS_MAX)
    }
}

fn count(scores: &mut Vec<u32>, score: u8) {
    let place = usize::from(score).min(SCORE_BITS_MAX - 1);
    if scores.len() <= place {
        scores.resize(place + 1, 0);
    }
    if let Some(units) = scores.get_mut(place) {
        *units = units.saturating_add(1);
    }
}

fn add(ours: &mut Vec<u32>, theirs: &[u32]) {
    if ours.len() < theirs.len() {
        ours.resize(theirs.len(), 0);
    }
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        *ours = ours.saturating_add(*theirs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(units: u64) -> (Learning, Sample) {
        let mut learning = Learning::default();
        let mut sample = Sample::default();
        for n in 1..=units {
            sample = Sample { units: n, owners: 0 };
            learning.close(sample, 0);
        }
        (learning, sample)
    }

    #[test]
    fn a_quiet_class_is_learned_and_a_run_of_novelty_takes_that_back() {
        let (mut learning, sample) = quiet(1024);
        assert!(learning.is_ready(sample));
        for n in 1..=5 {
            learning.close(Sample { units: 1024 + n, owners: n }, 3);
        }
        let sample = Sample { units: 1029, owners: 5 };
        assert!(learning.is_drifting(sample) && !learning.is_ready(sample));
    }

    #[test]
    fn a_surprise_is_compared_with_units_of_before_the_promise() {
        let (mut learning, sample) = quiet(1024);
        assert_eq!(learning.p_value(5), Some(1.0 / 1025.0));
        learning.close(Sample { units: sample.units + 1, ..sample }, 20);
        assert_eq!(learning.p_value(5), Some(1.0 / 1025.0), "the attack itself does not count");
        assert_eq!(Learning::default().p_value(5), None);
    }

    #[test]
    fn kinds_are_learned_from_what_came() {
        let mut learning = Learning::default();
        let before = learning.share(Kind::Stranger);
        (0..10).for_each(|_| learning.count_kind(Kind::Stranger));
        assert!(before < learning.share(Kind::Stranger));
        let shares = [Kind::Near, Kind::Far, Kind::Stranger].map(|kind| learning.share(kind));
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_promise_is_compared_from_promising_units_on_with_what_came() {
        let mut learning = Learning::default();
        learning.compare(Sample { units: PROMISING_UNITS - 1, owners: 9 }, true);
        assert_eq!(learning.kept(), Kept::default());
        for is_new in [true, false, false, false] {
            learning.compare(Sample { units: 20, owners: 5 }, is_new);
        }
        assert_eq!(learning.kept(), Kept { promised: 1.0, realized: 1 });
    }

    #[test]
    fn scores_end_at_score_bits_max() {
        let mut learning = Learning::default();
        learning.close(Sample { units: 1, owners: 1 }, u8::MAX);
        assert_eq!(learning.scores.len(), SCORE_BITS_MAX);
    }
}
