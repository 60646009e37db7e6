//! Promised against realized novelty of recorded workloads, class by class.
//!
//! `cargo run --release -p clew-profile --example calibration -- UNITS`, where UNITS is what
//! `cargo run -p clew-cli --example units` printed of tapes.
//!
//! First table: the units of a workload are shuffled and cut where a quarter, then half of them is
//! known; promised is leave-one-out's estimate there, realized the share of all others that show
//! something new. Second: units are drawn from the recorded ones until the class is ready; the
//! promise is kept where at most one in a hundred of the recorded ones would then be new.
#![allow(clippy::print_stdout, reason = "an example speaks to who runs it")]

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};

use clew_profile::estimate::{Sample, UNSEEN_MAX};
use clew_profile::{Class, Item};

const SHUFFLES: u64 = 40;
/// Who is not ready by then is left out.
const DRAWS: usize = 4_000;

/// The items of each unit of one workload's class, by number.
type Units = Vec<Vec<usize>>;

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or_default() % bound
    }
}

/// What was seen so far: how often each item, and in which unit first.
#[derive(Default)]
struct Seen {
    items: BTreeMap<usize, (u64, u64)>,
    /// Items that each unit owns alone.
    owned: BTreeMap<u64, u64>,
    units: u64,
}

impl Seen {
    fn learn(&mut self, unit: &[usize]) {
        for item in unit {
            let (count, first) = self.items.entry(*item).or_insert((0, self.units));
            *count += 1;
            match *count {
                1 => *self.owned.entry(*first).or_default() += 1,
                2 => {
                    let owned = self.owned.entry(*first).or_default();
                    *owned = owned.saturating_sub(1);
                    if *owned == 0 {
                        self.owned.remove(first);
                    }
                }
                _ => {}
            }
        }
        self.units += 1;
    }

    fn sample(&self) -> Sample {
        Sample { units: self.units, owners: self.owned.len() as u64 }
    }

    fn is_new(&self, unit: &[usize]) -> bool {
        unit.iter().any(|item| !self.items.contains_key(item))
    }
}

fn read(text: &str) -> Option<BTreeMap<(String, Class), Units>> {
    let mut all: BTreeMap<(String, Class), Units> = BTreeMap::new();
    let (mut workload, mut count) = (String::new(), 0);
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("workload ") {
            name.clone_into(&mut workload);
        } else if let Some(replicas) = line.strip_prefix("replicas ") {
            count = replicas.split(' ').map(|units| units.parse().unwrap_or(0)).sum();
        } else {
            let mut fields = line.splitn(3, '\t').skip(1);
            let (ranges, key) = (fields.next()?, fields.next()?);
            let class = Item::of_key(key)?.class;
            let units = all.entry((workload.clone(), class)).or_insert(vec![Vec::new(); count]);
            for range in ranges.split(' ') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
                units.get_mut(first..=last)?.iter_mut().for_each(|unit| unit.push(number));
            }
        }
    }
    Some(all)
}

/// Promised and realized units of one shuffle, where `known` of its units are known.
fn cut(units: &Units, known: usize, seed: u64) -> (f64, f64) {
    let mut dice = Dice(seed);
    let mut order: Vec<&Vec<usize>> = units.iter().collect();
    for at in (1..order.len()).rev() {
        order.swap(at, dice.below(at + 1));
    }
    let mut seen = Seen::default();
    let (before, after) = order.split_at(known);
    before.iter().for_each(|unit| seen.learn(unit));
    #[allow(clippy::cast_precision_loss, reason = "a few thousand units")]
    let share = after.iter().filter(|unit| seen.is_new(unit)).count() as f64 / after.len() as f64;
    (seen.sample().unseen(), share)
}

/// Whether a stream drawn from the units got ready, and kept its promise then.
fn promise(units: &Units, seed: u64) -> Option<bool> {
    let mut dice = Dice(seed);
    let mut seen = Seen::default();
    for _ in 0..DRAWS {
        seen.learn(units.get(dice.below(units.len()))?);
        let sample = seen.sample();
        if sample.is_look() && sample.bound() <= UNSEEN_MAX {
            #[allow(clippy::cast_precision_loss, reason = "a few thousand units")]
            let share =
                units.iter().filter(|unit| seen.is_new(unit)).count() as f64 / units.len() as f64;
            return Some(share <= UNSEEN_MAX);
        }
    }
    None
}

fn main() -> Result<(), Error> {
    let path = std::env::args().nth(1).ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
    let text = std::fs::read_to_string(path)?;
    let all = read(&text).ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
    println!(
        "class       quarter known: promised realized ratio   half known: promised realized ratio"
    );
    for class in Class::ALL {
        let of_class = || all.iter().filter(|((_, it), units)| *it == class && 40 <= units.len());
        if of_class().next().is_none() {
            continue;
        }
        print!("{:10}", class.name());
        for part in [4, 2] {
            let (mut promised, mut realized) = (0.0, 0.0);
            for (_, units) in of_class() {
                for seed in 0..SHUFFLES {
                    let (p, r) = cut(units, units.len() / part, seed);
                    promised += p;
                    realized += r;
                }
            }
            print!("   {promised:9.2} {realized:9.2} {:5.2}", realized / promised);
        }
        let outcomes: Vec<bool> = of_class()
            .flat_map(|(_, units)| (0..SHUFFLES).filter_map(|seed| promise(units, seed)))
            .collect();
        let kept = outcomes.iter().filter(|is_kept| **is_kept).count();
        let tried = of_class().count() * usize::try_from(SHUFFLES).unwrap_or_default();
        println!("   ready {} of {tried}, kept {kept}", outcomes.len());
    }
    Ok(())
}
