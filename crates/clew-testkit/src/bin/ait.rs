//! Tells the AIT alert data set as stories and prints its figures: `cargo xtask ait FOLDER`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table is printed for people")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clew_testkit::ait::{Figures, tell};

/// How a file of the set is called.
const ENDING: &str = "_alerts.txt";
const WHERE: &str = "THE SET IS NOT THERE, NOTHING WAS MEASURED. It is not part of this repository: take \
    `alerts_csv.zip` of github.com/ait-aecid/alert-data-set, unpack it, and name the folder with \
    `fox_alerts.txt` and the others (the raw alerts are at doi.org/10.5281/zenodo.8263181)";

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: cargo xtask ait FOLDER");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path) -> Result<(), String> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| format!("`{}`: {error}. {WHERE}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(ENDING)).collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("no `*{ENDING}` in `{}`. {WHERE}", folder.display()));
    }
    let mut all = Figures::default();
    let began = Instant::now();
    print!("{}", Figures::TABLE_HEAD);
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(path).map_err(|error| format!("`{name}`: {error}"))?;
        let figures = tell(&String::from_utf8_lossy(&bytes))
            .ok_or_else(|| format!("`{name}` does not begin as files of the set do"))?;
        print!("{}", figures.row(name.trim_end_matches(ENDING)));
        all.add(&figures);
    }
    print!("{}", all.row("all"));
    println!(
        "\n{} lines were no alert; {:.0} s, {:.0} ns an alert.",
        all.complaints,
        began.elapsed().as_secs_f64(),
        began.elapsed().as_secs_f64() * 1e9
            / f64::from(u32::try_from(all.alerts.max(1)).unwrap_or(u32::MAX))
    );
    Ok(())
}
