//! Why a rule matches an event, or does not: its condition as a tree, each part with its verdict.
//!
//! The compiled engine folds, shares and reorders; its verdicts have no shape that an author would
//! know. So the condition is compiled once more as it is written: macros stay named, exceptions
//! stand where they were put in, and every part is judged, also behind the one that decided. Only
//! the comparisons themselves are the engine's; a property test holds that both always agree.

use std::fmt;

use clew_event::text::escaped;
use clew_event::{FieldSource, Priority, Semantics};
use serde::Serialize;

use crate::collect::{Collected, SOURCES};
use crate::compile::{Compiler, Findings, Macros, Pool, syntax_problem};
use crate::condition::{Check, Expr, Right, Test, parse};
use crate::diagnostic::{Problem, Report};
use crate::fields::Registry;
use crate::items::{RuleItem, with_exceptions};
use crate::judge::evaluate::Cache;
use crate::judge::graph::{GRAPH_DEPTH_MAX, Node, PredicateId};
use crate::judge::program::{Parts, Program};
use crate::load::{SourceFile, collect};
use crate::output::shown;
use crate::substitute::Lists;
use crate::traced::Place;

/// Most parts of an explained condition, macros counted where they are used: macros that name one
/// another twice would double it without end.
pub const EXPLAINED_PARTS_MAX: usize = 100_000;

/// Most names that are offered instead of one that no rule has.
const NAMES_OFFERED_AT_ONCE: usize = 5;

/// Why a rule cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotExplained {
    /// No rule has that name; beside it names that are near.
    NoSuchRule(Vec<String>),
    /// The rule has a mistake, which `load` reports.
    HasMistake(String),
}

impl fmt::Display for NotExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchRule(near) if near.is_empty() => f.write_str("there is no such rule"),
            Self::NoSuchRule(near) => {
                write!(f, "there is no such rule; did you mean `{}`?", near.join("`, `"))
            }
            Self::HasMistake(message) => write!(f, "the rule has a mistake: {message}"),
        }
    }
}

impl std::error::Error for NotExplained {}

/// One rule, ready to be explained.
#[derive(Debug)]
pub struct Explainer {
    name: String,
    priority: Priority,
    source: String,
    program: Program,
    root: Part,
}

/// What a part of a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// All parts have to hold.
    And,
    /// One part has to hold.
    Or,
    /// The part must not hold.
    Not,
    /// A macro by its name.
    Macro,
    /// One comparison.
    Check,
}

/// A part of a condition with its verdict for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What it is.
    pub kind: PartKind,
    /// A comparison as it is written, lists put in; the name of a macro; else empty.
    pub text: String,
    /// True where it holds for the event.
    pub holds: bool,
    /// True where the verdict of the whole rests on it.
    pub decides: bool,
    /// What the left side of a comparison is for the event, `<NA>` where it is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What has to be known besides: that a field is not provided yet.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Name of the rule file it is written in; empty for `and`, `or`, `not`.
    pub file: String,
    /// Line in that file, from 1.
    pub line: u32,
    /// Its parts, in the order in which they are written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Self>,
}

/// A part of a condition before any event.
#[derive(Debug)]
struct Part {
    kind: PartKind,
    text: String,
    test: Decided,
    note: String,
    place: (String, u32),
    parts: Vec<Self>,
}

/// How a comparison is decided.
#[derive(Clone, Copy, Debug)]
enum Decided {
    /// By its parts.
    ByParts,
    /// Always so, whatever the event.
    Always(bool),
    ByPredicate(PredicateId),
}

impl Explainer {
    /// Compiles the condition of rule `name` of these files, later ones changing earlier ones.
    ///
    /// # Errors
    /// [`NotExplained`] where no rule has that name, or it has a mistake.
    pub fn new(files: &[SourceFile], name: &str) -> Result<Self, NotExplained> {
        Self::following(files, name, Semantics::Clew)
    }

    /// The same, as it is read where Clew or Falco is followed.
    ///
    /// # Errors
    /// As [`Explainer::new`].
    pub fn following(
        files: &[SourceFile],
        name: &str,
        semantics: Semantics,
    ) -> Result<Self, NotExplained> {
        let mut report = Report::default();
        let collected = collect(files, &mut report);
        let Some(rule) = collected.rules.get(name) else { return Err(no_such(&collected, name)) };
        let mut lists = Lists::new(&collected, semantics, &mut report);
        let mut macros = Macros::new(&collected, &mut lists, &mut report);
        let mistake = |problem: Problem| NotExplained::HasMistake(problem.message);
        let expr = expr(rule, semantics, &mut lists).map_err(mistake)?;
        let mut pool = Pool::default();
        let file_names = files.iter().map(|file| file.name.clone()).collect();
        let mut builder = Builder {
            compiler: Compiler {
                registry: &Registry::new(),
                source: &rule.source,
                pool: &mut pool,
                macros: &mut macros,
                findings: Findings::default(),
                depth: 0,
            },
            file_names,
            open: Vec::new(),
            part_count: 0,
            depth: 0,
        };
        let root = builder.part(&expr).map_err(mistake)?;
        let Pool { graph, predicates, slots, .. } = pool;
        let parts = Parts { graph, predicates, slots, rules: Vec::new() };
        let program = Program::new(parts, &|_, _| None);
        let (name, source) = (rule.name.text.clone(), rule.source.clone());
        Ok(Self { name, priority: rule.priority, source, program, root })
    }

    /// Name of the rule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How urgent its author calls it.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// Source of the events it is for.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Judges every part for one event.
    #[must_use]
    pub fn explain<F: FieldSource>(&self, fields: &F) -> Explained {
        let mut cache = Cache::new(&self.program, fields);
        let mut explained = self.judged(&self.root, &mut cache);
        mark(&mut explained);
        explained
    }

    /// Recursion is bounded by the depth of conditions and macros.
    fn judged<F: FieldSource>(&self, part: &Part, cache: &mut Cache<'_, F>) -> Explained {
        let parts: Vec<Explained> =
            part.parts.iter().map(|part| self.judged(part, cache)).collect();
        let mut value = None;
        let holds = match part.test {
            Decided::Always(holds) => holds,
            Decided::ByPredicate(id) => match self.program.predicate(id) {
                Some(predicate) => {
                    value = Some(shown(Some(&predicate.left), &self.program, cache));
                    predicate.holds(cache)
                }
                None => false,
            },
            Decided::ByParts => match part.kind {
                PartKind::And | PartKind::Macro | PartKind::Check => {
                    parts.iter().all(|part| part.holds)
                }
                PartKind::Or => parts.iter().any(|part| part.holds),
                PartKind::Not => parts.iter().all(|part| !part.holds),
            },
        };
        let (file, line) = part.place.clone();
        let (kind, text, note) = (part.kind, part.text.clone(), part.note.clone());
        Explained { kind, text, holds, decides: false, value, note, file, line, parts }
    }
}

/// Marks the parts on which the verdict rests: of several that would do, the first.
fn mark(part: &mut Explained) {
    part.decides = true;
    let holds = part.holds;
    match (part.kind, holds) {
        (PartKind::And, false) => {
            part.parts.iter_mut().find(|part| !part.holds).into_iter().for_each(mark);
        }
        (PartKind::Or, true) => {
            part.parts.iter_mut().find(|part| part.holds).into_iter().for_each(mark);
        }
        (PartKind::And | PartKind::Or | PartKind::Not | PartKind::Macro | PartKind::Check, _) => {
            part.parts.iter_mut().for_each(mark);
        }
    }
}

fn no_such(collected: &Collected, name: &str) -> NotExplained {
    let wanted = name.to_lowercase();
    let names = || collected.rules.iter().map(|rule| rule.name.text.as_str());
    let contains = |other: &&str| other.to_lowercase().contains(&wanted);
    let mut near: Vec<String> = names().filter(contains).map(str::to_owned).collect();
    if near.is_empty() {
        near.extend(crate::diagnostic::nearest(name, names()).map(str::to_owned));
    }
    near.truncate(NAMES_OFFERED_AT_ONCE);
    NotExplained::NoSuchRule(near)
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
    file_names: Vec<String>,
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
            let message = format!(
                "with its macros it has over {EXPLAINED_PARTS_MAX} parts, or is over \
                 {GRAPH_DEPTH_MAX} deep"
            );
            return Err(Problem::new(crate::Code::ConditionLimit, Place::default(), message));
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
        let (text, note, place) = (String::new(), String::new(), (String::new(), 0));
        Ok(Part { kind, text, test: Decided::ByParts, note, place, parts })
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
        Ok(Part {
            kind: PartKind::Macro,
            text: name.to_owned(),
            test: Decided::ByParts,
            note: String::new(),
            place: self.written_at(place),
            parts: vec![part?],
        })
    }

    fn check(&mut self, expr: &Expr, check: &Check) -> Result<Part, Problem> {
        let node = self.compiler.condition(expr);
        let Findings { mut problems, missing_fields, missing_event_types, .. } =
            std::mem::take(&mut self.compiler.findings);
        if let Some(problem) = problems.pop() {
            return Err(problem);
        }
        let test = match self.compiler.pool.graph.node(node) {
            Node::Predicate(id) => Decided::ByPredicate(*id),
            Node::Constant(holds) => Decided::Always(*holds),
            // A comparison is one node of the two kinds above.
            Node::Not(_) | Node::All(_) | Node::Any(_) => Decided::Always(false),
        };
        let missing = missing_fields.keys().chain(missing_event_types.keys());
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        let note = match (missing.is_empty(), test) {
            (false, _) => format!("not provided yet: {}", missing.join(", ")),
            (true, Decided::Always(_)) => "the same for every event".to_owned(),
            (true, _) => String::new(),
        };
        let place = self.written_at(check.place);
        let text = escaped(check_text(check).as_bytes());
        Ok(Part { kind: PartKind::Check, text, test, note, place, parts: Vec::new() })
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
