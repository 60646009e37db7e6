//! A rule of Falco's language, taken apart as it is written.

use std::collections::BTreeSet;

use clew_event::Semantics;
use clew_event::text::escaped;

use super::{Decided, EXPLAINED_PARTS_MAX, Part, PartKind, TakenApart, too_many_parts};
use crate::collect::{Collected, SOURCES};
use crate::compile::{Compiler, Findings, Macros, Pool, syntax_problem};
use crate::condition::{Check, Expr, Right, Test, parse};
use crate::diagnostic::{Problem, Report};
use crate::fields::Registry;
use crate::items::{RuleItem, with_exceptions};
use crate::judge::graph::{GRAPH_DEPTH_MAX, Node};
use crate::load::asks_for_result;
use crate::substitute::Lists;
use crate::traced::Place;

/// Takes a rule apart; `pool` gets what its comparisons share.
pub(super) fn take_apart(
    rule: &RuleItem,
    collected: &Collected,
    semantics: Semantics,
    pool: &mut Pool,
    report: &mut Report,
) -> Result<TakenApart, Problem> {
    let mut lists = Lists::new(collected, semantics, report);
    let mut macros = Macros::new(collected, &mut lists, report);
    let expr = expr(rule, semantics, &mut lists)?;
    let mut builder = Builder {
        compiler: Compiler {
            registry: &Registry::new(),
            source: &rule.source,
            pool,
            macros: &mut macros,
            findings: Findings::default(),
            depth: 0,
        },
        file_names: &collected.file_names,
        asks_for_result: false,
        missing: BTreeSet::new(),
        open: Vec::new(),
        part_count: 0,
        depth: 0,
    };
    let root = builder.part(&expr)?;
    Ok(TakenApart {
        name: rule.name.text.clone(),
        priority: rule.priority,
        source: rule.source.clone(),
        missing: builder.missing.into_iter().collect(),
        judges_failed_execs: semantics.is_falco() || builder.asks_for_result,
        root,
    })
}

/// The condition's tree, with exceptions and lists put in.
fn expr(rule: &RuleItem, semantics: Semantics, lists: &mut Lists) -> Result<Expr, Problem> {
    if !SOURCES.contains(&rule.source.as_str()) {
        let message = format!("source `{}` is not known", rule.source);
        return Err(Problem::new(crate::Code::UnknownSource, rule.name.place, message));
    }
    let condition = with_exceptions(&rule.condition, &rule.exceptions, semantics)?;
    parse(&lists.substitute(&condition)?).map_err(syntax_problem)
}

struct Builder<'a> {
    compiler: Compiler<'a>,
    file_names: &'a [String],
    asks_for_result: bool,
    missing: BTreeSet<String>,
    /// Macros that are being taken apart.
    open: Vec<String>,
    /// At most [`EXPLAINED_PARTS_MAX`].
    part_count: usize,
    /// Parts entered and not left; at most `GRAPH_DEPTH_MAX`, which bounds the stack.
    depth: u16,
}

impl Builder<'_> {
    fn part(&mut self, expr: &Expr) -> Result<Part, Problem> {
        self.part_count += 1;
        if EXPLAINED_PARTS_MAX < self.part_count || GRAPH_DEPTH_MAX <= self.depth {
            return Err(too_many_parts(GRAPH_DEPTH_MAX));
        }
        self.depth += 1;
        let part = self.inner(expr);
        self.depth -= 1;
        part
    }

    fn inner(&mut self, expr: &Expr) -> Result<Part, Problem> {
        match expr {
            Expr::And(parts) => self.whole(PartKind::And, parts),
            Expr::Or(parts) => self.whole(PartKind::Or, parts),
            Expr::Not(part) => self.whole(PartKind::Not, std::slice::from_ref(part)),
            Expr::Macro(name, place) => self.macro_part(name, *place),
            Expr::Check(check) => self.check(expr, check),
        }
    }

    fn whole(&mut self, kind: PartKind, parts: &[Expr]) -> Result<Part, Problem> {
        let parts = parts.iter().map(|part| self.part(part)).collect::<Result<_, _>>()?;
        Ok(Part::whole(kind, parts))
    }

    fn macro_part(&mut self, name: &str, place: Place) -> Result<Part, Problem> {
        let expr = self.compiler.macros.expr(name);
        let Some(expr) = expr.filter(|_| !self.open.iter().any(|open| open == name)) else {
            let message = format!("macro `{name}` cannot be used");
            return Err(Problem::new(crate::Code::BrokenMacro, place, message));
        };
        self.open.push(name.to_owned());
        let part = self.part(&expr);
        self.open.pop();
        let (text, place) = (name.to_owned(), self.written_at(place));
        Ok(Part { text, place, ..Part::whole(PartKind::Macro, vec![part?]) })
    }

    fn check(&mut self, expr: &Expr, check: &Check) -> Result<Part, Problem> {
        let node = self.compiler.condition(expr);
        let mut found = std::mem::take(&mut self.compiler.findings);
        if let Some(problem) = found.problems.pop() {
            return Err(problem);
        }
        self.asks_for_result |= asks_for_result(&found);
        self.missing.extend(found.missing_fields.keys().cloned());
        let missing = found.missing_fields.keys().chain(found.missing_event_types.keys());
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        let values = match self.compiler.pool.graph.node(node) {
            Node::Predicate(id) => self.compiler.pool.predicates.get(id.0 as usize),
            Node::Constant(_) | Node::Not(_) | Node::All(_) | Node::Any(_) => None,
        };
        let values: Vec<_> = values.map(|predicate| predicate.left.clone()).into_iter().collect();
        let note = match (missing.is_empty(), values.is_empty()) {
            (false, _) => format!("not provided yet: {}", missing.join(", ")),
            (true, true) => "the same for every event".to_owned(),
            (true, false) => String::new(),
        };
        let place = self.written_at(check.place);
        let text = escaped(check_text(check).as_bytes());
        let (kind, test) = (PartKind::Check, Decided::ByNode(node));
        Ok(Part { kind, text, test, values, note, place, parts: Vec::new() })
    }

    fn written_at(&self, place: Place) -> (String, u32) {
        let file = self.file_names.get(place.file as usize).cloned().unwrap_or_default();
        (file, place.line)
    }
}

fn check_text(check: &Check) -> String {
    let left = &check.left;
    match &check.test {
        Test::Exists => format!("{left} exists"),
        Test::Compare { operator, modifier, right, .. } => {
            let modifier = modifier.map(|modifier| format!("{} ", modifier.name()));
            let modifier = modifier.unwrap_or_default();
            let operator = operator.name();
            match right {
                Right::Value(value) => format!("{left} {operator} {modifier}{value}"),
                Right::Operand(operand) => format!("{left} {operator} {modifier}{operand}"),
                Right::List(values) => {
                    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                    format!("{left} {operator} {modifier}({})", values.join(", "))
                }
            }
        }
    }
}
