//! `clew rules coverage`: the ATT&CK matrix with the rules that are about each technique.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clew_event::attack::{self, Tactic};
use clew_rules::{Loaded, Status};
use serde::Serialize;

use super::OurPathArgs;
use crate::Exit;
use crate::engine;
use crate::print::{self, Form};

/// How many rules are about a technique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    runs: usize,
    not_runnable: usize,
    off: usize,
}

/// One technique; without a tactic it is not in the table of names.
#[derive(Serialize)]
struct Line<'a> {
    tactic: &'a str,
    tactic_id: &'a str,
    id: &'a str,
    name: &'a str,
    runs: usize,
    not_runnable: usize,
    disabled: usize,
}

#[derive(Serialize)]
struct Summary {
    attack_version: &'static str,
    techniques: usize,
    covered: usize,
    rules: usize,
    rules_without_technique: usize,
}

type Matrix = BTreeMap<(Option<Tactic>, String), Count>;

/// Shows the matrix, tactics in the order of ATT&CK.
pub(super) fn coverage(args: &OurPathArgs) -> Result<Exit> {
    let files = engine::files_or_ours(&args.paths)?;
    let loaded = clew_rules::load(&files, &engine::options(&args.pipeline)?);
    let matrix = matrix(&loaded);
    let mut out = BufWriter::new(io::stdout().lock());
    let form = Form::of_flag(args.json);
    let mut above = None;
    for ((tactic, id), count) in &matrix {
        let name = attack::technique(id).map_or("", |technique| technique.name);
        match form {
            Form::Json => {
                let line = Line {
                    tactic: tactic.map_or("", Tactic::name),
                    tactic_id: tactic.map_or("", Tactic::id),
                    id,
                    name,
                    runs: count.runs,
                    not_runnable: count.not_runnable,
                    disabled: count.off,
                };
                print::json_line(&mut out, "technique", &line)?;
            }
            Form::Human => {
                if above != Some(*tactic) {
                    above = Some(*tactic);
                    heading(&mut out, *tactic)?;
                }
                show(&mut out, id, name, *count)?;
            }
        }
    }
    let without = loaded.facts.iter().filter(|facts| facts.techniques.is_empty()).count();
    let summary = Summary {
        attack_version: attack::VERSION,
        techniques: matrix.len(),
        covered: matrix.values().filter(|count| 0 < count.runs).count(),
        rules: loaded.facts.len(),
        rules_without_technique: without,
    };
    match form {
        Form::Json => print::json_line(&mut out, "summary", &summary)?,
        Form::Human => {
            let Summary { attack_version, techniques, covered, rules, .. } = summary;
            writeln!(
                out,
                "\n{covered} of {techniques} techniques have a rule that runs here; {rules} rules, \
                 {without} of them without a technique (ATT&CK {attack_version})"
            )?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn matrix(loaded: &Loaded) -> Matrix {
    let mut matrix = Matrix::new();
    for facts in &loaded.facts {
        for id in &facts.techniques {
            let tactic = attack::technique(id).map(|technique| technique.tactic);
            let count = matrix.entry((tactic, id.clone())).or_default();
            match facts.status {
                Status::Runs => count.runs += 1,
                Status::NotRunnable | Status::Refused => count.not_runnable += 1,
                Status::Disabled | Status::LessUrgent => count.off += 1,
            }
        }
    }
    matrix
}

fn heading(out: &mut impl Write, tactic: Option<Tactic>) -> io::Result<()> {
    match tactic {
        Some(tactic) => writeln!(out, "\n{} {}", tactic.id(), tactic.name()),
        None => writeln!(out, "\nnot in the table of names"),
    }
}

fn show(out: &mut impl Write, id: &str, name: &str, count: Count) -> io::Result<()> {
    let Count { runs, not_runnable, off } = count;
    let mut line = format!("  {id:<10} {name:<52} {runs:>3} run");
    if 0 < not_runnable {
        line.push_str(&format!(", {not_runnable} not runnable here"));
    }
    if 0 < off {
        line.push_str(&format!(", {off} disabled"));
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use clew_rules::{Options, SourceFile, load};

    use super::*;

    #[test]
    fn rules_are_counted_by_technique_and_by_whether_they_run() {
        let rule = |name: &str, condition: &str, more: &str| {
            format!(
                "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: o\n  \
                 priority: info\n  tags: [T1059.004, T9999]\n{more}"
            )
        };
        let text = [
            rule("a", "evt.type = execve", ""),
            rule("b", "evt.type = execve and evt.rawarg.flags = 1", ""),
            rule("c", "evt.type = execve", "  enabled: false\n"),
        ];
        let file = SourceFile { name: "r.yaml".into(), text: text.concat() };
        let matrix = matrix(&load(&[file], &Options::default()));
        let each = Count { runs: 1, not_runnable: 1, off: 1 };
        let shell = (Some(Tactic::Execution), "T1059.004".to_owned());
        let expected = [((None, "T9999".to_owned()), each), (shell, each)];
        assert_eq!(matrix, Matrix::from(expected));
    }
}
