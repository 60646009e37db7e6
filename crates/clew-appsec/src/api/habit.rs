//! How surprising an exception is, by how long and how often there was none.
//!
//! Of `n` occasions, `odd` of which were like this one, the next is so with a chance of about
//! `(odd + 1) / (n + 2)` (Laplace; with `odd` the things seen once it is Good-Turing's unseen
//! mass). Its surprisal, `log2((n + 2) / (odd + 1))`, is discounted by the age of what was learned,
//! `age / (age + 10 min)`: a thousand requests of one minute are one occasion, not a thousand.

use serde::{Deserialize, Serialize};

/// No surprise that was only learned has more bits.
pub(super) const LEARNED_BITS_MAX: f64 = 16.0;
/// Most of those who made exceptions that a habit tells apart.
pub(super) const EXCEPTED_MAX: usize = 16;
/// From here on a finding starts a story.
pub(super) const TELLING_BITS: f64 = 8.0;

/// So many exceptions one alone may teach; of more, others must have made as many.
const ALONE: u32 = 4;
/// From so many on who did what would be told, it is a new custom and no attack.
const CUSTOM: usize = 4;
/// Half of all bits are given to what was learned in so long a time.
const HALF_AGE_NS: f64 = 600e9;

/// Bits of what was so `odd` times on `occasions`, learned for `age_ns`.
pub(super) fn surprisal(occasions: u32, odd: u32, age_ns: u64) -> f64 {
    let bits = ((f64::from(occasions) + 2.0) / (f64::from(odd) + 1.0)).log2();
    (bits * ripeness(age_ns)).clamp(0.0, LEARNED_BITS_MAX)
}

#[expect(clippy::cast_precision_loss, reason = "an age in years needs no nanoseconds")]
fn ripeness(age_ns: u64) -> f64 {
    age_ns as f64 / (age_ns as f64 + HALF_AGE_NS)
}

/// Something that is nearly always, or nearly never so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Habit {
    occasions: u32,
    odd: u32,
    /// Who made the exceptions, and how many; so that nobody teaches alone.
    by: Vec<(u32, u32)>,
}

impl Habit {
    /// Bits of one more exception.
    pub(super) fn bits(&self, age_ns: u64) -> f64 {
        surprisal(self.occasions, self.odd, age_ns)
    }

    pub(super) const fn occasions(&self) -> u32 {
        self.occasions
    }

    /// How many hundredths of the occasions were exceptions.
    pub(super) fn odd_percent(&self) -> u32 {
        let percent = u64::from(self.odd) * 100 / u64::from(self.occasions).max(1);
        u32::try_from(percent).unwrap_or(100)
    }

    /// Takes in an occasion without exception.
    pub(super) const fn keep(&mut self) {
        self.occasions = self.occasions.saturating_add(1);
    }

    /// Takes in an exception by `who`, which had so many `bits`.
    ///
    /// One that starts a story teaches nothing until [`CUSTOM`] others did the same.
    pub(super) fn except(&mut self, who: u32, bits: f64) {
        let place = self.by.iter().position(|&(known, _)| known == who);
        let place = match place {
            Some(place) => place,
            None if self.by.len() < EXCEPTED_MAX => {
                self.by.push((who, 0));
                self.by.len() - 1
            }
            None => {
                self.occasions = self.occasions.saturating_add(1);
                self.odd = self.odd.saturating_add(1);
                return;
            }
        };
        let is_custom = bits < TELLING_BITS || CUSTOM <= self.by.len();
        let Some((_, own)) = self.by.get_mut(place) else { return };
        if is_custom && *own < ALONE.saturating_add(self.odd.saturating_sub(*own)) {
            *own = own.saturating_add(1);
            self.occasions = self.occasions.saturating_add(1);
            self.odd = self.odd.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_NS: u64 = 86_400_000_000_000;
    const MINUTE_NS: u64 = 60_000_000_000;

    #[test]
    fn bits_grow_with_occasions_and_with_age() {
        assert!(surprisal(1000, 0, MINUTE_NS) < 1.0);
        assert!(9.0 < surprisal(1000, 0, DAY_NS) && surprisal(1000, 0, DAY_NS) < 10.0);
        assert!(surprisal(10, 0, DAY_NS) < 4.0);
        assert!(surprisal(1000, 500, DAY_NS) < 1.1);
        assert!(surprisal(u32::MAX, 0, u64::MAX) <= LEARNED_BITS_MAX);
    }

    #[test]
    fn nobody_teaches_an_exception_alone() {
        let mut habit = Habit::default();
        for _ in 0..1000 {
            habit.keep();
            habit.except(7, 0.0);
        }
        assert_eq!(habit.odd, ALONE);
        for who in 0..100 {
            habit.except(who, 0.0);
        }
        assert!(90 < habit.odd);
        assert_eq!(habit.by.len(), EXCEPTED_MAX);
    }

    #[test]
    fn what_would_be_told_is_learned_once_it_is_custom() {
        let mut habit = Habit::default();
        for _ in 0..1000 {
            habit.keep();
        }
        for who in 0..3 {
            habit.except(who, 9.0);
        }
        assert_eq!(habit.odd, 0);
        habit.except(3, 9.0);
        assert_eq!(habit.odd, 1);
    }
}
