//! What a tenant does as a matter of course, learned from its own findings.
//!
//! The bits of a rule are a guess for everybody. What one workload's build does each day is news to
//! nobody there, whatever the rule's author thought, so the days on which the same was found are
//! remembered for each [`Pattern`]: a rule, who acted, and by which program or call.
//!
//! *How likely a habit accounts for today.* Let a pattern have been found on n of the T days from
//! the first of them to yesterday. Three things may have led to that:
//! - a habit, taken up that first day (probability [`HABIT`] for a day) and followed since at an
//!   unknown rate, Beta(½, ½): the other days have the probability
//!   B(n − ½, T − n + ½) / B(½, ½), and today is another one with (n − ½) / T;
//! - an attack, begun that day ([`ATTACK`]) and come back each time with [`AGAIN`];
//! - chance, by the bits of its finding: 2^(−n·bits).
//!
//! Bayes weighs the three; the habit's weight times its chance for today is the probability that
//! it accounts for today, and the logarithm of that what a finding costs as a habit. One day makes
//! next to none: it is a habit as likely as not. What came on each of three days is a habit with
//! 0.7, and what came once and not again for a month is none.
//!
//! *Who else does it.* What one of a team does, the others do, too: a call counts as well for whoever
//! calls from the same address, and the likelier of the two habits accounts for today's. Who stole a
//! key and calls from elsewhere has none of that.
//!
//! *What cannot be bought.* A day counts once, however often something is found in it. The day of
//! a finding and what came later never count for it, so nothing explains itself, and arrival in
//! any order within a day gives the same. Rules of critical priority are never learned.

use std::collections::BTreeMap;

use clew_event::{Finding, Priority, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::key::Key;

/// Probability that a place takes up a habit on a given day. First guess.
const HABIT: f64 = 1.0 / 128.0;
/// Probability that an attack on a place begins on a given day: far above what is so, for what an
/// attack taught is what must not be believed.
const ATTACK: f64 = 1.0 / 256.0;
/// Probability that an attacker does the same again on one more day.
const AGAIN: f64 = 0.5;

const NS_PER_DAY: u64 = 86_400_000_000_000;

/// What may be a habit: the same by the same, whatever process, file or day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern<'a> {
    rule: &'a str,
    /// Who acted: an image without its version, or a container whose image is not known; who
    /// called; else the machine.
    place: &'a [u8],
    /// The program and the one that ran it, or the call.
    detail: [&'a [u8]; 2],
    /// Where the call came from.
    address: &'a [u8],
    /// Used outside its workload, refused.
    is_outside: bool,
    is_refused: bool,
}

impl<'a> Pattern<'a> {
    pub(crate) fn of(finding: &'a Finding) -> Self {
        let subject = &finding.subject;
        let call = subject.call.as_deref();
        let container = subject.container.as_ref();
        let place = match (container, call) {
            (Some(container), _) if container.image.is_empty() => container.id.0.as_bytes(),
            (Some(container), _) => without_version(container.image.as_bytes()),
            (None, Some(call)) => call.principal.as_bytes(),
            (None, None) => finding.hostname.as_bytes(),
        };
        let program = |up: usize| subject.lineage.get(up).map(|it| it.name.as_bytes());
        let detail = match call {
            Some(call) => [call.action.as_bytes(), &[]],
            None => [program(0).unwrap_or_default(), program(1).unwrap_or_default()],
        };
        Self {
            rule: &finding.rule,
            place,
            detail,
            address: call.map_or(&[], |call| call.address.as_bytes()),
            is_outside: call.is_some_and(|call| call.is_outside),
            is_refused: call.is_some_and(|call| call.is_refused),
        }
    }

    pub(crate) const fn rule(&self) -> &'a str {
        self.rule
    }

    fn key(&self) -> Key {
        self.key_at(self.place)
    }

    fn key_at(&self, place: &[u8]) -> Key {
        let flags = [u8::from(self.is_outside), u8::from(self.is_refused)];
        let [first, second] = self.detail;
        Key::habit(&[self.rule.as_bytes(), place, first, second, &flags])
    }

    /// The same by whoever calls from there: those who share an office share what is usual.
    fn beside(&self) -> Option<Key> {
        let from = [b"from ".as_slice(), self.address].concat();
        let is_known = !self.address.is_empty() && !self.is_outside;
        is_known.then(|| self.key_at(&from))
    }
}

/// An image's name without tag and digest: the next version has the habits of the last.
fn without_version(image: &[u8]) -> &[u8] {
    let end = image.iter().position(|&byte| byte == b'@').unwrap_or(image.len());
    let name = image.get(..end).unwrap_or_default();
    let slash = name.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let file = name.get(slash..).unwrap_or_default();
    let tag = file.iter().position(|&byte| byte == b':').map_or(name.len(), |at| slash + at);
    name.get(..tag).unwrap_or_default()
}

/// On which of the last [`Days::DAYS_MAX`] days something was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Days {
    /// The latest day.
    last: u64,
    /// Bit i: i days before the latest.
    bits: u32,
}

impl Days {
    /// Days remembered; what has not been for so long is no habit any more.
    const DAYS_MAX: u64 = 32;

    /// Takes note of a day. Where it is so much earlier than the latest that one clock or the other is
    /// wrong, the days begin anew with it: one finding of the year 2100 is forgotten with the next.
    fn insert(&mut self, day: u64) {
        if day + 2 * Self::DAYS_MAX < self.last {
            *self = Self { last: day, bits: 0 };
        }
        if self.last < day {
            let later = u32::try_from(day - self.last).unwrap_or(u32::MAX);
            self.bits = self.bits.checked_shl(later).unwrap_or(0);
            self.last = day;
        }
        let age = u32::try_from(self.last - day).unwrap_or(u32::MAX);
        self.bits |= 1_u32.checked_shl(age).unwrap_or(0);
    }

    /// How many days before `day` it was found, and how many there are since the first of them.
    fn before(self, day: u64) -> (u32, u32) {
        let ages = (0..Self::DAYS_MAX).filter(|age| self.bits >> age & 1 == 1);
        let days = ages.filter_map(|age| day.checked_sub(self.last.checked_sub(age)?));
        let ago = days.filter(|ago| (1..=Self::DAYS_MAX).contains(ago));
        ago.fold((0, 0), |(count, since), ago| {
            (count + 1, since.max(u32::try_from(ago).unwrap_or(u32::MAX)))
        })
    }
}

/// The days of each pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Habits {
    days: BTreeMap<Key, Days>,
    /// Patterns given up because there were too many.
    pub(crate) dropped: u64,
}

impl Habits {
    /// Patterns remembered: some 2 MiB.
    pub(crate) const HABITS_MAX: usize = 32_768;

    /// Takes note of a finding.
    pub(crate) fn note(&mut self, finding: &Finding) {
        if finding.priority <= Priority::Critical || finding.bits <= 0.0 {
            return;
        }
        let pattern = Pattern::of(finding);
        let day = finding.time.unix_ns() / NS_PER_DAY;
        for key in std::iter::once(pattern.key()).chain(pattern.beside()) {
            if Self::HABITS_MAX <= self.days.len() && !self.days.contains_key(&key) {
                self.make_room();
            }
            self.days.entry(key).or_default().insert(day);
        }
    }

    /// Gives up an eighth: those of the fewest days first, so that a flood of new ones drives out
    /// itself.
    fn make_room(&mut self) {
        let rank = |(key, days): (&Key, &Days)| (days.bits.count_ones(), days.last, *key);
        let mut ranked: Vec<_> = self.days.iter().map(rank).collect();
        ranked.sort_unstable();
        for (_, _, key) in ranked.into_iter().take(Self::HABITS_MAX / 8) {
            self.days.remove(&key);
            self.dropped += 1;
        }
    }

    /// Bits that a finding of this pattern costs if a habit accounts for it; infinite for none.
    pub(crate) fn bits(&self, pattern: &Pattern, time: TimestampNs, prior_bits: f64) -> f64 {
        let bits = |key: Key| {
            let Some(days) = self.days.get(&key) else { return f64::INFINITY };
            let (count, since) = days.before(time.unix_ns() / NS_PER_DAY);
            -accounts(count, since, prior_bits).log2()
        };
        pattern.beside().map(bits).into_iter().fold(bits(pattern.key()), f64::min)
    }
}

/// Probability that a habit accounts for today, where the same came on `count` days, the first of
/// them `since` days ago.
fn accounts(count: u32, since: u32, prior_bits: f64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let again = count - 1;
    let (n, t) = (f64::from(again), f64::from(since - 1));
    // B(n + ½, t − n + ½) / B(½, ½), factor by factor.
    let halves = |count: u32| (0..count).map(|k| f64::from(k) + 0.5).product::<f64>();
    let whole: f64 = (1..since).map(f64::from).product();
    let followed = halves(again) * halves(since - 1 - again) / whole;
    let habit = HABIT * followed;
    let attack = ATTACK * AGAIN.powf(n);
    let chance = (-prior_bits * f64::from(count)).exp2();
    habit / (habit + attack + chance) * (n + 0.5) / (t + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, at_ms};

    const DAY_MS: u64 = 86_400_000;

    fn on_days(days: &[u64]) -> Habits {
        let mut habits = Habits::default();
        for day in days {
            habits.note(&Sample::new("a", 1).at(day * DAY_MS).finding());
        }
        habits
    }

    fn bits(habits: &Habits, day: u64) -> f64 {
        let finding = Sample::new("a", 2).finding();
        habits.bits(&Pattern::of(&finding), at_ms(day * DAY_MS), 8.0)
    }

    #[test]
    fn what_comes_each_day_costs_less_with_each_and_what_came_once_ever_more() {
        let after: Vec<f64> =
            (1..=7).map(|n| bits(&on_days(&(0..n).collect::<Vec<_>>()), n)).collect();
        assert!(after.windows(2).all(|pair| pair[1] < pair[0]), "{after:?}");
        assert!((after[0] - 2.0).abs() < 0.01 && after[6] < 0.3, "{after:?}");
        let once = on_days(&[0]);
        assert!(bits(&once, 1) < bits(&once, 3) && bits(&once, 3) < bits(&once, 14));
        assert!(8.0 < bits(&once, Days::DAYS_MAX));
        assert!(bits(&once, Days::DAYS_MAX + 1).is_infinite());
    }

    #[test]
    fn a_burst_counts_once_and_nothing_explains_its_own_day() {
        let burst = on_days(&[0; 1_000]);
        assert!(bits(&burst, 0).is_infinite());
        assert!((bits(&burst, 1) - bits(&on_days(&[0]), 1)).abs() < 1e-9);
    }

    #[test]
    fn the_order_in_which_days_come_does_not_matter() {
        assert_eq!(on_days(&[0, 3, 4, 9]), on_days(&[9, 4, 0, 3]));
        assert_eq!(on_days(&[0, 40]), on_days(&[40, 0]));
    }

    #[test]
    fn a_day_of_the_far_future_is_forgotten_with_the_next_finding() {
        assert_eq!(on_days(&[20_000, 0, 1, 2]), on_days(&[0, 1, 2]));
    }

    #[test]
    fn another_program_or_image_has_habits_of_its_own_and_another_version_the_same() {
        let habits = on_days(&[0, 1, 2]);
        let cost = |sample: Sample| {
            let finding = sample.at(3 * DAY_MS).finding();
            habits.bits(&Pattern::of(&finding), finding.time, 8.0)
        };
        assert!(cost(Sample::new("a", 9)).is_finite());
        assert!(cost(Sample::new("b", 9)).is_infinite());
        let miner = [crate::sample::process(9, "miner", "", 0)];
        assert!(cost(Sample::new("a", 9).lineage(&miner)).is_infinite());
        let unnamed = |id: &str| {
            let mut finding = Sample::new("a", 9).container(id).finding();
            finding.subject.container.as_mut().unwrap().image = "".into();
            Pattern::of(&finding).key()
        };
        assert_ne!(unnamed("one"), unnamed("other"), "images that are not known are not one");
        for (image, name) in [
            ("shop:1", "shop"),
            ("r.example:5000/a/shop:2@sha256:ab", "r.example:5000/a/shop"),
            ("shop", "shop"),
        ] {
            assert_eq!(without_version(image.as_bytes()), name.as_bytes());
        }
    }

    #[test]
    fn what_one_does_from_an_office_is_usual_for_those_who_call_from_there() {
        let call = |principal: &str, address: &str, day: u64| {
            let sample = Sample::new("a", 1).call("CreateUser", "AKIA1", address);
            let mut finding = sample.at(day * DAY_MS).finding();
            finding.subject.call.as_mut().unwrap().principal = principal.into();
            finding
        };
        let mut habits = Habits::default();
        (0..3).for_each(|day| habits.note(&call("alice", "198.51.100.20", day)));
        let bits = |finding: &Finding| habits.bits(&Pattern::of(finding), finding.time, 8.0);
        let alice = bits(&call("alice", "203.0.113.9", 3));
        let bob = bits(&call("bob", "198.51.100.20", 3));
        assert!(alice.is_finite() && (alice - bob).abs() < 1e-9);
        assert!(bits(&call("bob", "203.0.113.9", 3)).is_infinite());
        let mut thief = call("bob", "198.51.100.20", 3);
        thief.subject.call.as_mut().unwrap().is_outside = true;
        assert!(bits(&thief).is_infinite());
    }

    #[test]
    fn critical_rules_are_never_learned() {
        let mut habits = Habits::default();
        habits.note(&Sample::new("a", 1).priority(Priority::Critical).finding());
        assert!(habits.days.is_empty());
    }

    #[test]
    fn a_flood_of_patterns_drives_out_itself_within_habits_max() {
        let mut habits = on_days(&[0, 1, 2]);
        for n in 0..Habits::HABITS_MAX + 10 {
            habits.note(&Sample::new(&format!("r{n}"), 1).at(3 * DAY_MS).finding());
        }
        assert!(habits.days.len() <= Habits::HABITS_MAX);
        assert!(0 < habits.dropped && bits(&habits, 3).is_finite());
    }
}
