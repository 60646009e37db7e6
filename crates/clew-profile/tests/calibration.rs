//! What is promised about novelty is what comes: on streams whose unseen mass is known exactly.
//!
//! A stream has a vocabulary with Zipf's frequencies, and each unit draws of each word with its
//! own Poisson rate. So the chance that the next unit shows something new is
//! 1 − exp(−Σ rates of words not seen), and needs no second sample.

mod common;

use clew_profile::estimate::{ERROR_PROBABILITY, Sample, UNSEEN_MAX};
use clew_profile::{Class, Profiles};
use common::{UNIT, does, only, scene};

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True with that chance.
    fn is(&mut self, chance: f64) -> bool {
        let upper = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        let unit = f64::from(upper) / f64::from(u32::MAX);
        unit < chance
    }
}

/// A stream of units over words with known rates.
struct Stream {
    rates: Vec<f64>,
    dice: Dice,
    seen: Vec<u64>,
    first: Vec<usize>,
    units: usize,
}

impl Stream {
    /// `words` words, the most frequent of which has `rate` a unit.
    fn zipf(words: u32, exponent: f64, rate: f64, seed: u64) -> Self {
        let rates = (1..=words).map(|rank| rate / f64::from(rank).powf(exponent)).collect();
        let seen = vec![0; words as usize];
        Self { rates, dice: Dice(seed), first: vec![0; words as usize], seen, units: 0 }
    }

    fn unit(&mut self) -> Vec<usize> {
        let dice = &mut self.dice;
        let words = self.rates.iter().enumerate();
        let drawn: Vec<usize> =
            words.filter(|(_, rate)| dice.is(-(-**rate).exp_m1())).map(|(at, _)| at).collect();
        for &word in &drawn {
            let (Some(seen), Some(first)) = (self.seen.get_mut(word), self.first.get_mut(word))
            else {
                continue;
            };
            *seen += 1;
            if *seen == 1 {
                *first = self.units;
            }
        }
        self.units += 1;
        drawn
    }

    /// Leave-one-out by its definition.
    fn sample(&self) -> Sample {
        let words = self.seen.iter().zip(&self.first);
        let mut owners: Vec<_> = words.filter(|(seen, _)| **seen == 1).map(|it| *it.1).collect();
        owners.sort_unstable();
        owners.dedup();
        Sample { units: self.units as u64, owners: owners.len() as u64 }
    }

    /// The chance that the next unit shows something new.
    fn truth(&self) -> f64 {
        let unseen = self.rates.iter().zip(&self.seen).filter(|(_, seen)| **seen == 0);
        -(-unseen.map(|(rate, _)| rate).sum::<f64>()).exp_m1()
    }
}

#[test]
fn promised_and_realized_novelty_agree_within_a_fifth_above_and_half_below() {
    for (words, exponent, rate) in
        [(200, 1.0, 2.0), (1_000, 1.0, 2.0), (1_000, 1.3, 4.0), (500, 0.8, 0.5)]
    {
        for units in [50, 200, 600] {
            let (mut promised, mut realized) = (0.0, 0.0);
            for seed in 0..10 {
                let mut stream = Stream::zipf(words, exponent, rate, seed);
                (0..units).for_each(|_| drop(stream.unit()));
                promised += stream.sample().unseen();
                realized += stream.truth();
            }
            let ratio = realized / promised;
            let case = format!("{words} words, exponent {exponent}, {units} units: {ratio:.3}");
            eprintln!("{case}");
            // Where next to nothing is promised, ten streams do not measure it.
            assert!(promised < 1.0 || (0.5..=1.2).contains(&ratio), "{case}");
        }
    }
}

#[test]
fn the_promise_to_be_ready_is_kept_in_at_least_95_of_100_shuffles() {
    const STREAMS: u64 = 200;
    let (mut ready, mut kept) = (0_u32, 0_u32);
    for seed in 0..STREAMS {
        // A short list of customs and a tail of rare ones, so that many streams do get ready.
        let mut stream = Stream::zipf(30, 2.0, 3.0, seed);
        let mut is_ready = false;
        while !is_ready && stream.units < 3_000 {
            stream.unit();
            let sample = stream.sample();
            is_ready = sample.is_look() && sample.bound() <= UNSEEN_MAX;
        }
        ready += u32::from(is_ready);
        kept += u32::from(is_ready && stream.truth() <= UNSEEN_MAX);
    }
    eprintln!("{ready} of {STREAMS} became ready, {kept} kept the promise");
    assert!(100 <= ready, "{ready}: the test says too little");
    assert!(f64::from(ready) * (1.0 - ERROR_PROBABILITY) <= f64::from(kept), "{kept} of {ready}");
}

#[test]
fn a_profile_counts_units_as_the_definition_says_in_every_class() {
    let prefixes =
        ["exec\tx\t\t/bin/", "file\tx\tread\tetc\t", "network\tx\tto\ttcp\t53\t", "dns\tx\t\t"];
    for (seed, prefix) in (0..).zip(prefixes) {
        let mut stream = Stream::zipf(300, 1.0, 1.5, seed);
        let mut profiles = Profiles::default();
        let class = clew_profile::Item::of_key(&format!("{prefix}w")).unwrap().class;
        for unit in 0..120 {
            let now = scene(1 + unit % 3, unit * UNIT);
            for word in stream.unit() {
                // What is not telling is learned at once.
                let key = format!("{prefix}w{word}");
                profiles.take(&now, class, (&key, usize::MAX), &mut Vec::new());
            }
            does(&mut profiles, &now, "kernel\tx\tbpf\t");
        }
        let expected = stream.sample();
        let sample = only(&profiles).sample(class);
        let told: u64 =
            only(&profiles).items().filter(|(_, record)| 0 < record.told_bits).count() as u64;
        assert_eq!(sample.units, expected.units);
        assert!(
            sample.owners.abs_diff(expected.owners) <= told,
            "{class:?}: {sample:?} {expected:?}"
        );
        assert!(class != Class::Dns || told == 0, "nothing of it is telling");
    }
}
