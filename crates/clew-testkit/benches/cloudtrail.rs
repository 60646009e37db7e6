//! A generated log of CloudTrail: bytes a second on one core, decoded and judged.
//!
//! What is measured begins with bytes in memory and ends with findings: decoding into order of
//! time, then the engine with no rules, with our own, and with those of SigmaHQ about CloudTrail
//! beside them, where `../shared` is. Each batch of 5,000 records goes on where the last one ended.
//! `scripts/cloudtrail-figures` measures the program as a whole.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use clew_decode::api_log::{Ordered, Records};
use clew_engine::{Engine, Output, Settings};
use clew_event::Event;
use clew_rules::{Options, SourceFile, load};
use clew_testkit::cloudtrail::Log;
use criterion::{BatchSize, Criterion, Throughput};

/// The rule files below a folder, in order of name.
fn sources(folder: &Path) -> Vec<SourceFile> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let of_path = |path: PathBuf| {
        if path.is_dir() {
            return sources(&path);
        }
        let is_rule = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
        let text = fs::read_to_string(&path).ok().filter(|_| is_rule);
        let name = path.display().to_string();
        text.map(|text| SourceFile { name, text }).into_iter().collect()
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// What is decoded of a log, in order of time.
fn events(text: &str) -> impl Iterator<Item = Event> {
    Ordered::new(Records::new("log", text.as_bytes())).flatten()
}

#[allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a benchmark is told by the environment where data lies, and says what it skips"
)]
fn main() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = std::env::var_os("CLEW_SHARED")
        .map_or(repository.join("../shared"), PathBuf::from)
        .join("data/sigma-rules/rules/cloud/aws");
    let batch = |log: &mut Log| {
        let mut text = String::new();
        log.batch(&mut text);
        text
    };
    let mut log = Log::new(1);
    let text = batch(&mut log);
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut group = criterion.benchmark_group("cloudtrail");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("decode", |bencher| bencher.iter(|| black_box(events(&text)).count()));
    let own = sources(&repository.join("rules"));
    let sigma = sources(&shared);
    if sigma.is_empty() {
        eprintln!("SKIPPED: rules of SigmaHQ: none under {}", shared.display());
    }
    let all = own.iter().chain(&sigma).cloned().collect();
    for (name, files) in [("no rules", Vec::new()), ("our rules", own), ("and SigmaHQ's", all)] {
        let rules = load(&files, &Options::default()).rules;
        let mut engine = Engine::new(rules, Settings::default());
        let mut output = Output::default();
        group.bench_function(name, |bencher| {
            let judge = |text: String| {
                for event in events(&text) {
                    engine.step(&event, &mut output);
                    output.clear();
                }
            };
            bencher.iter_batched(|| batch(&mut log), judge, BatchSize::PerIteration);
        });
    }
    group.finish();
    criterion.final_summary();
}
