//! Macros: which of them a condition sees, and their nodes, compiled once for each source.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::condition::{Compiler, Findings};
use crate::collect::{Collected, Macro};
use crate::condition::{Expr, SyntaxError, parse};
use crate::diagnostic::{Code, Problem, Report, nearest};
use crate::judge::graph::NodeId;
use crate::substitute::Lists;
use crate::traced::Place;

/// Deepest chain of macros in macros. The deepest upstream one has 7.
pub(crate) const MACRO_DEPTH_MAX: usize = 100;

/// All macros, parsed.
#[derive(Debug, Default)]
pub(crate) struct Macros {
    entries: Vec<Entry>,
    positions: FxHashMap<String, usize>,
    /// For each source, what came of compiling a macro.
    compiled: FxHashMap<(String, usize), Compiled>,
    /// Macros that are being compiled, outermost first.
    open: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    place: Place,
    order: u32,
    /// `None` where it has a mistake, which was reported.
    expr: Option<Arc<Expr>>,
    is_used: bool,
}

#[derive(Clone, Debug)]
struct Compiled {
    node: NodeId,
    findings: Arc<Findings>,
}

impl Macros {
    /// Parses all macros; what is wrong with one is reported once, here.
    pub(crate) fn new(collected: &Collected, lists: &mut Lists, report: &mut Report) -> Self {
        let mut macros = Self::default();
        for item in collected.macros.iter() {
            let parsed = lists
                .substitute(&item.condition)
                .and_then(|text| parse(&text).map_err(syntax_problem));
            let expr = match parsed {
                Ok(expr) => Some(Arc::new(expr)),
                Err(problem) => {
                    report.error(problem);
                    None
                }
            };
            let Macro { name, order, .. } = item;
            macros.positions.insert(name.text.clone(), macros.entries.len());
            macros.entries.push(Entry {
                name: name.text.clone(),
                place: name.place,
                order: *order,
                expr,
                is_used: false,
            });
        }
        macros.check_references(collected, report);
        macros
    }

    /// In the order of definition, as the original: what a macro names has to be defined before
    /// its own last change, and must not lead back to it.
    fn check_references(&mut self, collected: &Collected, report: &mut Report) {
        let mut checked: FxHashSet<usize> = FxHashSet::default();
        for (position, item) in collected.macros.iter().enumerate() {
            let Some(expr) = self.entries.get(position).and_then(|entry| entry.expr.clone()) else {
                continue;
            };
            let mut walk = Walk {
                macros: self,
                sees_before: item.sees_before,
                checked: &checked,
                path: vec![position],
                seen: FxHashSet::default(),
            };
            let outcome = walk.expr(&expr);
            let mut seen: Vec<usize> = walk.seen.into_iter().collect();
            seen.sort_unstable();
            for used in seen {
                if let Some(entry) = self.entries.get_mut(used) {
                    entry.is_used = true;
                }
            }
            match outcome {
                Ok(()) => {
                    checked.insert(position);
                }
                Err(problem) => {
                    report.error(problem);
                    if let Some(entry) = self.entries.get_mut(position) {
                        entry.expr = None;
                    }
                }
            }
        }
    }

    /// The condition of a macro; `None` where there is no such macro, or it has a mistake.
    pub(crate) fn expr(&self, name: &str) -> Option<Arc<Expr>> {
        self.entries.get(*self.positions.get(name)?)?.expr.clone()
    }

    /// Name and place of each macro that nothing uses.
    pub(crate) fn unused(&self) -> impl Iterator<Item = (&str, Place)> {
        self.entries
            .iter()
            .filter(|entry| !entry.is_used)
            .map(|entry| (entry.name.as_str(), entry.place))
    }

    fn unknown(&self, name: &str, place: Place) -> Problem {
        let problem =
            Problem::new(Code::UnknownMacro, place, format!("macro `{name}` is not defined"));
        let names = self.entries.iter().map(|entry| entry.name.as_str());
        match nearest(name, names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        }
    }
}

impl Compiler<'_> {
    /// The node of a macro, compiled on first use.
    pub(super) fn macro_use(&mut self, name: &str, place: Place) -> NodeId {
        let Some(&position) = self.macros.positions.get(name) else {
            return self.refuse(self.macros.unknown(name, place));
        };
        let Some(entry) = self.macros.entries.get_mut(position) else {
            return self.pool.graph.constant(false);
        };
        entry.is_used = true;
        let broken = || {
            let message = format!("macro `{name}` has a mistake, so it cannot be used");
            Problem::new(Code::BrokenMacro, place, message)
        };
        let Some(expr) = entry.expr.clone() else { return self.refuse(broken()) };
        let key = (self.source.to_owned(), position);
        if let Some(compiled) = self.macros.compiled.get(&key).cloned() {
            self.findings.extend(&compiled.findings);
            return match compiled.findings.problems.as_slice() {
                [] => compiled.node,
                _ => self.refuse(broken()),
            };
        }
        if self.macros.open.contains(&position) || MACRO_DEPTH_MAX <= self.macros.open.len() {
            let message = format!("macro `{name}` is over {MACRO_DEPTH_MAX} macros deep");
            return self.refuse(Problem::new(Code::ConditionLimit, place, message));
        }
        self.macros.open.push(position);
        let outer = std::mem::take(&mut self.findings);
        let node = self.condition(&expr);
        let inner = std::mem::replace(&mut self.findings, outer);
        self.macros.open.pop();
        let has_mistake = !inner.problems.is_empty();
        self.findings.extend(&inner);
        let compiled = Compiled { node, findings: Arc::new(inner) };
        self.macros.compiled.insert(key, compiled);
        if has_mistake { self.refuse(broken()) } else { node }
    }
}

/// Follows the macros that a macro names.
struct Walk<'a> {
    macros: &'a Macros,
    sees_before: u32,
    /// Macros whose own names were found right.
    checked: &'a FxHashSet<usize>,
    path: Vec<usize>,
    /// Macros that were followed to their ends.
    seen: FxHashSet<usize>,
}

impl Walk<'_> {
    fn expr(&mut self, expr: &Expr) -> Result<(), Problem> {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().try_for_each(|part| self.expr(part)),
            Expr::Not(part) => self.expr(part),
            Expr::Check(_) => Ok(()),
            Expr::Macro(name, place) => self.name(name, *place),
        }
    }

    fn name(&mut self, name: &str, place: Place) -> Result<(), Problem> {
        let Some(&position) = self.macros.positions.get(name) else {
            return Err(self.macros.unknown(name, place));
        };
        let Some(entry) = self.macros.entries.get(position) else { return Ok(()) };
        if self.sees_before <= entry.order {
            let message = format!("macro `{name}` is defined only later");
            return Err(Problem::new(Code::UnknownMacro, place, message)
                .help("move its definition before this one"));
        }
        if self.path.contains(&position) {
            let message = format!("macro `{name}` contains itself");
            return Err(Problem::new(Code::MacroLoop, place, message));
        }
        if self.checked.contains(&position) || self.seen.contains(&position) {
            self.seen.insert(position);
            return Ok(());
        }
        let Some(expr) = entry.expr.clone() else {
            let message = format!("macro `{name}` has a mistake, so it cannot be used");
            return Err(Problem::new(Code::BrokenMacro, place, message));
        };
        if MACRO_DEPTH_MAX <= self.path.len() {
            let message = format!("macro `{name}` is over {MACRO_DEPTH_MAX} macros deep");
            return Err(Problem::new(Code::ConditionLimit, place, message));
        }
        self.path.push(position);
        let outcome = self.expr(&expr);
        self.path.pop();
        self.seen.insert(position);
        outcome
    }
}

/// A syntax error as a problem to report.
pub(crate) fn syntax_problem(error: SyntaxError) -> Problem {
    let code = match (error.is_escape, error.is_limit) {
        (true, _) => Code::Escape,
        (_, true) => Code::ConditionLimit,
        _ => Code::Syntax,
    };
    Problem::new(code, error.place, error.message)
}
