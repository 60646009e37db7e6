//! The engine on a recorded tape: events a second on one core, with and without rules.
//!
//! The tape is `CLEW_TAPE`, else `target/bench.tape`; `clew record --out target/bench.tape
//! --seconds 20` makes one. Rules: none, our own, and Falco's stable file where `../shared` is.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clew_engine::{Engine, Output, Settings};
use clew_event::Event;
use clew_rules::{Options, RuleSet, SourceFile, load};
use clew_store::tape::TapeReader;
use criterion::{BatchSize, Criterion, Throughput};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn events(path: &Path) -> Option<Vec<Event>> {
    let file = BufReader::new(File::open(path).ok()?);
    let tape = TapeReader::open(&path.display().to_string(), file).ok()?;
    Some(tape.filter_map(Result::ok).collect())
}

/// The rule files of a folder in order of name, or one file.
fn sources(path: &Path) -> Vec<SourceFile> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(_) => vec![path.to_owned()],
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let read = |path: &PathBuf| {
        Some(SourceFile { name: path.display().to_string(), text: fs::read_to_string(path).ok()? })
    };
    paths.iter().filter_map(read).collect()
}

fn replay(events: &[Event], rules: RuleSet) -> u64 {
    let mut engine = Engine::new(rules, Settings::default());
    let mut output = Output::default();
    for event in events {
        engine.step(event, &mut output);
        output.clear();
    }
    engine.counts().findings
}

#[allow(clippy::print_stderr, reason = "a benchmark says aloud what it could not run")]
fn main() {
    let path =
        std::env::var_os("CLEW_TAPE").map_or(repository().join("target/bench.tape"), PathBuf::from);
    let Some(events) = events(&path) else {
        eprintln!("SKIPPED: there is no tape at {}", path.display());
        eprintln!("record one: sudo clew record --out target/bench.tape --seconds 20");
        return;
    };
    let shared = std::env::var_os("CLEW_SHARED")
        .map_or(repository().join("../shared"), PathBuf::from)
        .join("data/falco-rules/falco_rules.yaml");
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(events.len() as u64));
    let sets = [
        ("no rules", Vec::new()),
        ("our rules", sources(&repository().join("rules"))),
        ("falco stable rules", sources(&shared)),
    ];
    for (name, files) in sets {
        if files.is_empty() && name != "no rules" {
            eprintln!("SKIPPED: {name}: its files are not here");
            continue;
        }
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || load(&files, &Options::default()).rules,
                |rules| black_box(replay(&events, rules)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    criterion.final_summary();
}
