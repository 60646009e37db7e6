//! Runs storybench and prints its table: `cargo xtask storybench`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table is printed for people")]

use std::process::ExitCode;

use clew_story::{Settings, Stories};
use clew_testkit::storybench::live;
use clew_testkit::storybench::miss::account;
use clew_testkit::storybench::order::{self, Equality};
use clew_testkit::storybench::report::Report;
use clew_testkit::storybench::run::{Observed, Plan, observe, rules};
use clew_testkit::storybench::truth::AttackId;

const USAGE: &str = "usage: cargo xtask storybench [--seed N] [--days D] [--tenants N] [--shuffles N] [--json FILE] [--misses] [--attack N]…\n       cargo xtask storybench --live ENTITIES";

struct Options {
    plan: Plan,
    shuffles: u32,
    json: Option<String>,
    is_told_misses: bool,
    attacks: Vec<AttackId>,
    /// Entities that the join engine holds while it is measured.
    live: Option<usize>,
}

fn options() -> Option<Options> {
    let plan = Plan { seed: 1, tenants: 21, days: 7 };
    let mut options = Options {
        plan,
        shuffles: 1_000,
        json: None,
        is_told_misses: false,
        attacks: Vec::new(),
        live: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => options.plan.seed = words.next()?.parse().ok()?,
            "--days" => options.plan.days = words.next()?.parse().ok()?,
            "--tenants" => options.plan.tenants = words.next()?.parse().ok()?,
            "--shuffles" => options.shuffles = words.next()?.parse().ok()?,
            "--json" => options.json = Some(words.next()?),
            "--attack" => options.attacks.push(AttackId(words.next()?.parse().ok()?)),
            "--live" => options.live = Some(words.next()?.parse().ok()?),
            "--misses" => options.is_told_misses = true,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    if let Some(entities) = options.live {
        live_figures(entities);
        return Ok(());
    }
    let mut report = Report::new(&options.plan);
    let (mut seconds, mut joins, mut join_seconds) = (0.0, 0.0, 0.0);
    let mut orders: Vec<Equality> = Vec::new();
    let share = options.shuffles.div_ceil(options.plan.tenants.max(1));
    for tenant in 0..options.plan.tenants {
        let rules = rules()?;
        let began = cpu_seconds();
        let observed = observe(&options.plan, tenant, rules);
        seconds += cpu_seconds() - began;
        let (count, took) = join(&observed);
        joins += count;
        join_seconds += took;
        orders.push(order::shuffle(&observed, options.plan.seed, share));
        report.add(&observed);
        for attack in &options.attacks {
            print!("{}", account(&observed, *attack));
        }
    }
    report.order = Equality {
        shuffles: orders.iter().map(|it| it.shuffles).sum(),
        mean: orders.iter().map(|it| it.mean).sum::<f64>() / f64::from(options.plan.tenants.max(1)),
        least: orders.iter().map(|it| it.least).fold(1.0, f64::min),
    };
    let events = f64::from(u32::try_from(report.events).unwrap_or(u32::MAX));
    report.costs.push(("seconds for a million events, made and judged", seconds / events * 1e6));
    report.costs.push(("nanoseconds to join a finding", join_seconds / joins * 1e9));
    println!("{}", report.table());
    if options.is_told_misses {
        report.misses.iter().for_each(|(miss, count)| println!("- {count} {miss}"));
        report.false_stories.iter().for_each(|(rules, count)| println!("- {count} false: {rules}"));
    }
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{:#}\n", report.json()))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// How many findings were joined, and in how many seconds: as the engine does it, with the links
/// between them and what is known of servers.
fn join(observed: &Observed) -> (f64, f64) {
    let mut stories = Stories::new(Settings::default());
    observed.accepts.iter().for_each(|event| stories.observe(event));
    let found = observed.findings.iter().map(|finding| (finding, false));
    let mut all: Vec<_> = found.chain(observed.links.iter().map(|link| (link, true))).collect();
    all.sort_by_key(|(finding, _)| (finding.time, finding.id));
    let mut revisions = Vec::new();
    let began = cpu_seconds();
    for (finding, is_link) in &all {
        match is_link {
            true => stories.link((*finding).clone(), &mut revisions),
            false => stories.join(finding, &mut revisions),
        }
        revisions.clear();
        stories.take_drawn();
    }
    let count = f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX));
    (count, cpu_seconds() - began)
}

/// What a join costs and takes while so many entities are known, and what floods do to it.
fn live_figures(entities: usize) {
    let mut stories = Stories::new(Settings { findings_max: entities, ..Settings::default() });
    let before = resident_bytes();
    println!("| | findings | findings a second | ns a join |\n|---|---:|---:|---:|");
    let mut number = 0;
    timed("until so many are live", || {
        let first = number;
        while stories.values() < entities {
            stories.join(&live::of_fleet(number), &mut Vec::new());
            number += 1;
        }
        number - first
    });
    let (values, bytes) = (stories.values(), resident_bytes() - before);
    timed("with so many live", || {
        let last = number + 100_000;
        (number..last).for_each(|number| stories.join(&live::of_fleet(number), &mut Vec::new()));
        100_000
    });
    drop(stories);
    let mut flooded = Stories::new(Settings::default());
    timed("a flood of one rule in one container", || {
        (0..1_000_000).for_each(|number| flooded.join(&live::of_flood(number), &mut Vec::new()));
        1_000_000
    });
    let mut attacked = Stories::new(Settings { findings_max: 100_000, ..Settings::default() });
    timed("10,000 interleaved attacks of six steps", || {
        let steps = (0..60_000).map(|number| live::of_attacks(10_000, number));
        steps.for_each(|finding| attacked.join(&finding, &mut Vec::new()));
        60_000
    });
    let [values, bytes] =
        [values, bytes].map(|it| f64::from(u32::try_from(it).unwrap_or(u32::MAX)));
    println!("\n{values} entities live, {:.0} bytes each.", bytes / values);
    println!("After the flood: {:?}.", flooded.counts());
    println!("After the attacks: {:?}.", attacked.counts());
}

/// A line of how fast `act` joined as many findings as it says. Making them is in it.
fn timed(name: &str, act: impl FnOnce() -> u64) {
    let began = cpu_seconds();
    let joined = f64::from(u32::try_from(act()).unwrap_or(u32::MAX));
    let seconds = cpu_seconds() - began;
    println!("| {name} | {joined} | {:.0} | {:.0} |", joined / seconds, seconds / joined * 1e9);
}

/// Bytes of this program that are in memory: the second number of `statm`, in pages of 4 KiB.
fn resident_bytes() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = told.split(' ').nth(1).and_then(|number| number.parse::<usize>().ok());
    pages.unwrap_or_default() * 4_096
}

/// Seconds for which this thread had a processor: what other programs do beside it counts nothing.
/// The kernel tells them in its `schedstat`, first of three numbers, in nanoseconds.
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}
