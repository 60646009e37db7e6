//! Runs the benchmarks and prints each figure beside the others of its group.
//!
//! Nanoseconds differ from machine to machine, so the column to compare is the ratio to the
//! fastest of the group. Criterion leaves its estimates in `target/criterion/`; nothing is timed
//! here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::tree;

/// One benchmark's result.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    group: String,
    name: String,
    /// Time of one iteration.
    mean_ns: f64,
    /// Things worked on in one iteration, when the benchmark says so.
    elements: Option<f64>,
}

/// Runs the benchmarks whose name holds one of `filters` (all without), and reports.
///
/// # Errors
/// When the benchmarks do not build or do not run.
pub(crate) fn run(filters: &[&str]) -> Result<String> {
    let (root, began) = (tree::root()?, SystemTime::now());
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--workspace", "--bench", "*", "--"]).args(filters);
    let status = cargo.current_dir(&root).status().context("cannot run `cargo bench`")?;
    ensure!(status.success(), "`cargo bench` failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let results = target.unwrap_or_else(|| root.join("target")).join("criterion");
    Ok(report(&read_figures(&results, began)?))
}

/// The result of every benchmark below `folder` that ran after `began`; older ones stay there.
fn read_figures(folder: &Path, began: SystemTime) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("no benchmark left a result in `{}`", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.ends_with("new")
                && began <= path.join("estimates.json").metadata()?.modified()?
            {
                figures.extend(read_figure(&path)?);
            } else if path.is_dir() && !path.ends_with("new") {
                folders.push(path);
            }
        }
    }
    figures.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    Ok(figures)
}

fn read_figure(folder: &Path) -> Result<Option<Figure>> {
    let read = |name: &str| -> Result<Value> {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", path.display()))
    };
    Ok(figure(&read("benchmark.json")?, &read("estimates.json")?))
}

/// The figure in criterion's two files.
fn figure(benchmark: &Value, estimates: &Value) -> Option<Figure> {
    let text = |key: &str| benchmark.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = [text("function_id"), text("value_str")].join(" ").trim().to_owned();
    let throughput = benchmark.get("throughput").and_then(|given| given.get("Elements"));
    Some(Figure {
        group: text("group_id").to_owned(),
        name,
        mean_ns: estimates.get("mean")?.get("point_estimate")?.as_f64()?,
        elements: throughput.and_then(Value::as_f64),
    })
}

/// One table, the fastest of each group as 1.
fn report(figures: &[Figure]) -> String {
    let mut per_element: BTreeMap<&str, f64> = BTreeMap::new();
    for figure in figures {
        let fastest = per_element.entry(&figure.group).or_insert(f64::INFINITY);
        *fastest = fastest.min(element_ns(figure));
    }
    let mut text =
        format!("{:<48} {:>12} {:>12} {:>7}\n", "benchmark", "ns each", "each/s", "ratio");
    for figure in figures {
        let name = [figure.group.as_str(), &figure.name].join("/");
        let name = name.trim_end_matches('/');
        let each_ns = element_ns(figure);
        let fastest_ns = per_element.get(figure.group.as_str()).copied().unwrap_or(each_ns);
        let (rate, ratio) = (1e9 / each_ns, each_ns / fastest_ns);
        writeln!(text, "{name:<48} {each_ns:>12.1} {rate:>12.0} {ratio:>7.2}").ok();
    }
    text
}

/// Time of one element, or of one iteration where the benchmark counts none.
fn element_ns(figure: &Figure) -> f64 {
    figure.mean_ns / figure.elements.unwrap_or(1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn step(name: &str, mean_ns: f64) -> Figure {
        let benchmark = json!({
            "group_id": "step", "function_id": name, "value_str": null,
            "throughput": {"Elements": 1000},
        });
        figure(&benchmark, &json!({"mean": {"point_estimate": mean_ns}})).expect("a figure")
    }

    #[test]
    fn reports_time_and_rate_of_one_element_and_the_ratio_in_the_group() {
        expect_test::expect![[r"
            benchmark                                             ns each       each/s   ratio
            step/no rules                                           500.0      2000000    1.00
            step/stable rules                                      1250.0       800000    2.50
        "]]
        .assert_eq(&report(&[step("no rules", 5e5), step("stable rules", 1.25e6)]));
    }

    #[test]
    fn reads_what_criterion_leaves_and_skips_the_baseline() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (run, mean) in [("new", 7.0), ("base", 9.0)] {
            let place = folder.path().join("step/stable").join(run);
            std::fs::create_dir_all(&place).expect("a folder");
            let benchmark = json!({"group_id": "step", "function_id": "stable"}).to_string();
            let estimates = json!({"mean": {"point_estimate": mean}}).to_string();
            std::fs::write(place.join("benchmark.json"), benchmark).expect("a file");
            std::fs::write(place.join("estimates.json"), estimates).expect("a file");
        }
        let figures = read_figures(folder.path(), SystemTime::UNIX_EPOCH).expect("figures");
        let found: Vec<_> = figures.iter().map(|f| (f.name.as_str(), f.mean_ns)).collect();
        assert_eq!(found, [("stable", 7.0)]);
        let later = SystemTime::now() + Duration::from_secs(60);
        assert_eq!(read_figures(folder.path(), later).expect("figures"), []);
    }

    #[test]
    fn says_when_no_benchmark_left_a_result() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(read_figures(&folder.path().join("criterion"), SystemTime::UNIX_EPOCH).is_err());
    }
}
