//! The chance that the next unit shows something new, with a bound that holds however often one
//! looks.
//!
//! Of `n` units, `m` own an item that no other unit has. Leave any one of them out and ask whether
//! the rest would have called it new: the answer is yes for `m` of `n`. That is the Good-Turing
//! estimate over *units*; per event, as it is usually computed, it counts a burst as many
//! witnesses.
//!
//! The upper bound is Clopper and Pearson's (Biometrika 26, 1934). Who looks again and again until
//! the bound is low deceives himself, so look number k spends only δ·6/(π²k²) of the error
//! probability δ: over all looks together that is δ.

/// Looks are taken when the number of units reaches 2^(k/`LOOKS_PER_DOUBLING`): rarely enough that
/// the price of looking stays small.
const LOOKS_PER_DOUBLING: f64 = 2.0;
/// Chance that any promise of one profile is broken.
pub const ERROR_PROBABILITY: f64 = 0.05;
/// A class is learned when at most this share of units is expected to show something new.
pub const UNSEEN_MAX: f64 = 0.01;

/// How many of the units own an item that no other unit has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// All units.
    pub units: u64,
    /// Those that own one.
    pub owners: u64,
}

impl Sample {
    /// Good-Turing's estimate of the share of units that show something new; 1 where there are none.
    #[must_use]
    pub fn unseen(self) -> f64 {
        if self.units == 0 { 1.0 } else { real(self.owners.min(self.units)) / real(self.units) }
    }

    /// The same, never zero: one more unit that is new. What surprise is measured with.
    #[must_use]
    pub fn unseen_smoothed(self) -> f64 {
        (real(self.owners.min(self.units)) + 1.0) / (real(self.units) + 1.0)
    }

    /// How many looks were due until now.
    #[must_use]
    pub fn looks(self) -> f64 {
        if self.units == 0 {
            1.0
        } else {
            (real(self.units).log2() * LOOKS_PER_DOUBLING).floor() + 1.0
        }
    }

    /// True where a look is due with this unit.
    #[must_use]
    pub fn is_look(self) -> bool {
        1 < self.units && Self { units: self.units - 1, ..self }.looks() < self.looks()
    }

    /// Above what the share of units that show something new lies only with the error probability
    /// of this look.
    #[must_use]
    pub fn bound(self) -> f64 {
        let k = self.looks();
        let spent = ERROR_PROBABILITY * 6.0 / (std::f64::consts::PI.powi(2) * k * k);
        upper_bound(self.owners, self.units, spent)
    }
}

/// Clopper and Pearson's upper bound of a share of which `hits` of `trials` were seen, at error
/// probability `alpha`: the share at which so few would be seen with that probability.
#[must_use]
pub fn upper_bound(hits: u64, trials: u64, alpha: f64) -> f64 {
    if trials <= hits {
        return 1.0;
    }
    let (mut lo, mut hi) = (0.0_f64, 1.0_f64);
    // 60 halvings leave less than the precision of the number.
    for _ in 0..60 {
        let middle = f64::midpoint(lo, hi);
        if alpha < at_most(hits, trials, middle) { lo = middle } else { hi = middle }
    }
    hi
}

/// Probability of at most `hits` in `trials` at `share`, summed in logarithms from the largest
/// number of hits down until nothing is added any more.
fn at_most(hits: u64, trials: u64, share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    if 1.0 <= share {
        return 0.0;
    }
    let n = real(trials);
    let expected = n * share;
    let term = |k: f64| {
        let choose = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
        (choose + k * share.ln() + (n - k) * (-share).ln_1p()).exp()
    };
    // Above the expectation terms fall from the expectation on; the other tail is the shorter.
    let k = real(hits);
    let mut sum = 0.0;
    let is_lower = k <= expected;
    let mut at = if is_lower { k } else { k + 1.0 };
    while (0.0..=n).contains(&at) {
        let added = term(at);
        sum += added;
        if added <= sum * 1e-12 {
            break;
        }
        at += if is_lower { -1.0 } else { 1.0 };
    }
    if is_lower { sum } else { 1.0 - sum }
}

/// Stirling's series; exact to 1e-9 from 16 on, below by multiplication.
fn ln_factorial(n: f64) -> f64 {
    if n < 16.0 {
        let mut product = 1.0;
        let mut factor = 2.0;
        while factor <= n {
            product *= factor;
            factor += 1.0;
        }
        return product.ln();
    }
    let correction = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3));
    (n + 0.5) * n.ln() - n + 0.5 * std::f64::consts::TAU.ln() + correction
}

/// A count as a number with a fraction. Counts beyond 2^53 lose their last bits, which no share
/// notices.
#[allow(clippy::cast_precision_loss, reason = "a share does not notice the last bits")]
pub(crate) const fn real(count: u64) -> f64 {
    count as f64
}

/// The state of learning in words: how much is learned, and what is still expected.
///
/// `unit_seconds` is how long a unit lasts in all replicas together; `None` for requests.
#[must_use]
pub fn words(sample: Sample, unit_seconds: Option<f64>) -> String {
    if sample.units == 0 {
        return "nothing learned yet".to_owned();
    }
    let unseen = sample.unseen_smoothed();
    let learned = format!("{} learned", percent(1.0 - unseen));
    match unit_seconds {
        Some(seconds) => {
            format!("{learned}; about one new behavior per {} expected", span(seconds / unseen))
        }
        None => {
            format!("{learned}; about one new behavior per {:.0} requests expected", 1.0 / unseen)
        }
    }
}

/// Rounded down, so that only what is all is called 100 %.
fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 5_400.0 => format!("{:.0} minutes", s / 60.0),
        s if s < 129_600.0 => format!("{:.1} hours", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_published_tables() {
        // Zero hits: 1 - alpha^(1/n). Others from Clopper and Pearson's beta quantiles.
        let check = |hits, trials, alpha: f64, expected: f64| {
            let bound = upper_bound(hits, trials, alpha);
            assert!((bound - expected).abs() < 2e-4, "{hits}/{trials}: {bound}");
        };
        check(0, 100, 0.05, 1.0 - 0.05_f64.powf(0.01));
        check(0, 300, 0.05, 0.00994);
        check(1, 10, 0.025, 0.44502);
        check(5, 10, 0.025, 0.81291);
        check(10, 10, 0.05, 1.0);
        check(0, 0, 0.05, 1.0);
        check(50, 100_000, 0.05, 0.000_633);
        check(u64::MAX, u64::MAX, 0.05, 1.0);
    }

    #[test]
    fn looking_often_costs_and_all_looks_together_spend_the_error_probability() {
        let spent: f64 = (1..100_000_u32)
            .map(|k| {
                ERROR_PROBABILITY * 6.0 / (std::f64::consts::PI.powi(2) * f64::from(k).powi(2))
            })
            .sum();
        assert!(spent <= ERROR_PROBABILITY);
        let sample = Sample { units: 300, owners: 0 };
        assert!(upper_bound(0, 300, ERROR_PROBABILITY) < sample.bound());
        let due = (1..=1024).filter(|&units| Sample { units, owners: 0 }.is_look()).count();
        assert!((15..=20).contains(&due), "{due}");
    }

    #[test]
    fn a_daily_promise_takes_about_a_thousand_quiet_units() {
        let first = (1..).find(|&units| {
            let sample = Sample { units, owners: 0 };
            sample.is_look() && sample.bound() <= UNSEEN_MAX
        });
        assert_eq!(first, Some(1024));
    }

    #[test]
    fn learning_is_told_in_words() {
        let check = |units, owners, seconds, expected: &str| {
            assert_eq!(words(Sample { units, owners }, seconds), expected);
        };
        check(0, 0, Some(600.0), "nothing learned yet");
        check(999, 2, Some(600.0), "99.7 % learned; about one new behavior per 2.3 days expected");
        check(9, 4, Some(600.0), "50.0 % learned; about one new behavior per 20 minutes expected");
        check(999, 0, None, "99.9 % learned; about one new behavior per 1000 requests expected");
    }
}
