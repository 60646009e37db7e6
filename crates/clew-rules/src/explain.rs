//! Why a rule matches an event, or does not: its condition as a tree, each part with its verdict.
//!
//! The compiled engine folds, shares and reorders; its verdicts have no shape that an author would
//! know. So the condition is compiled once more as it is written: macros stay named, exceptions
//! stand where they were put in, and every part is judged, also behind the one that decided. Only
//! the comparisons themselves are the engine's; property tests hold that both always agree.
//!
//! Of a correlation rule is explained whether it counts the event: what it has counted before no
//! single event tells.

mod falco;

use std::fmt;

use clew_event::{EventType, FieldSource, Priority};
use serde::Serialize;

use crate::collect::Collected;
use crate::compile::Pool;
use crate::diagnostic::{Code, Problem, Report};
use crate::judge::evaluate::Cache;
use crate::judge::graph::{Graph, Node, NodeId};
use crate::judge::predicate::Extract;
use crate::judge::program::{Parts, Program};
use crate::load::{Options, SourceFile, collect, collect_pipelines};
use crate::output::{ABSENT, shown};
use crate::rule_set::{has_failed, is_exec};
use crate::sigma;
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
    /// What it asks for that Clew does not provide yet, in ascending order.
    missing: Vec<String>,
    /// Whether it judges an `execve` that failed.
    judges_failed_execs: bool,
    graph: Graph,
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
    /// A search of a Sigma rule by its name: all its parts have to hold.
    Search,
    /// A rule that a correlation is about: all its parts have to hold.
    Rule,
    /// A correlation: it counts the event where one part holds.
    Correlation,
}

/// A part of a condition with its verdict for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// What it is.
    pub kind: PartKind,
    /// A comparison as it is written, lists put in; the name of a macro, search or rule; words
    /// such as `1 of sel*`; what a correlation counts; else empty.
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
pub(crate) struct Part {
    pub kind: PartKind,
    pub text: String,
    pub test: Decided,
    /// Whose value is shown: that of the first one that has any.
    pub values: Vec<Extract>,
    pub note: String,
    pub place: (String, u32),
    pub parts: Vec<Self>,
}

/// How a part is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decided {
    ByParts,
    ByNode(NodeId),
}

/// A rule taken apart, with what it is about.
pub(crate) struct TakenApart {
    pub name: String,
    pub priority: Priority,
    pub source: String,
    pub missing: Vec<String>,
    pub judges_failed_execs: bool,
    pub root: Part,
}

impl Part {
    /// One that is nothing but its parts.
    pub(crate) fn whole(kind: PartKind, parts: Vec<Self>) -> Self {
        let (text, note, place) = (String::new(), String::new(), (String::new(), 0));
        Self { kind, text, test: Decided::ByParts, values: Vec::new(), note, place, parts }
    }
}

impl Explainer {
    /// Compiles the condition of rule `name` of these files, later ones changing earlier ones.
    ///
    /// A Sigma rule is found by its title, its id or its name.
    ///
    /// # Errors
    /// [`NotExplained`] where no rule has that name, or it has a mistake.
    pub fn new(files: &[SourceFile], name: &str) -> Result<Self, NotExplained> {
        Self::following(files, name, &Options::default())
    }

    /// The same, with pipelines, and read as Clew or Falco does.
    ///
    /// # Errors
    /// As [`Explainer::new`].
    pub fn following(
        files: &[SourceFile],
        name: &str,
        options: &Options,
    ) -> Result<Self, NotExplained> {
        let mut report = Report::default();
        let mut collected = collect(files, &mut report);
        collect_pipelines(&options.pipelines, &mut collected, &mut report);
        let mut pool = Pool::default();
        let taken = match collected.rules.get(name) {
            Some(rule) => {
                falco::take_apart(rule, &collected, options.semantics, &mut pool, &mut report)
                    .map_err(|problem| NotExplained::HasMistake(problem.message))?
            }
            None => sigma::take_apart(name, &collected, options.semantics, &mut pool)?,
        };
        let Pool { graph, predicates, slots, .. } = pool;
        let parts = Parts { graph: Graph::default(), predicates, slots, rules: Vec::new() };
        let program = Program::new(parts, &|_, _| None);
        let TakenApart { name, priority, source, missing, judges_failed_execs, root } = taken;
        Ok(Self { name, priority, source, missing, judges_failed_execs, graph, program, root })
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

    /// Why such an event is not judged by the rule, whatever its condition says.
    #[must_use]
    pub fn not_judged<F: FieldSource>(
        &self,
        event_type: EventType,
        source: &str,
        fields: &F,
    ) -> Option<String> {
        let ours = &self.source;
        if !ours.is_empty() && ours != source {
            return Some(format!("it is for events of `{ours}`, and this one is of `{source}`"));
        }
        if !self.missing.is_empty() {
            return Some(format!("it does not run here: it needs {}", self.missing.join(", ")));
        }
        (!self.judges_failed_execs && is_exec(event_type) && has_failed(fields)).then(|| {
            "the call put no program in place, and the condition does not ask how calls end; \
             Falco judges it"
                .to_owned()
        })
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
        let holds = match part.test {
            Decided::ByNode(node) => self.node(node, cache),
            Decided::ByParts => match part.kind {
                PartKind::And
                | PartKind::Macro
                | PartKind::Check
                | PartKind::Search
                | PartKind::Rule => parts.iter().all(|part| part.holds),
                PartKind::Or | PartKind::Correlation => parts.iter().any(|part| part.holds),
                PartKind::Not => parts.iter().all(|part| !part.holds),
            },
        };
        let mut values = part.values.iter().map(|left| shown(Some(left), &self.program, cache));
        let first = values.next();
        let value = first.map(|first| match first.as_str() {
            ABSENT => values.find(|value| value != ABSENT).unwrap_or(first),
            _ => first,
        });
        let (file, line) = part.place.clone();
        let (kind, text, note) = (part.kind, part.text.clone(), part.note.clone());
        Explained { kind, text, holds, decides: false, value, note, file, line, parts }
    }

    /// Recursion is bounded by `GRAPH_DEPTH_MAX`.
    fn node<F: FieldSource>(&self, id: NodeId, cache: &mut Cache<'_, F>) -> bool {
        match self.graph.node(id) {
            Node::Constant(holds) => *holds,
            Node::Predicate(id) => self.program.predicate(*id).is_some_and(|it| it.holds(cache)),
            Node::Not(inner) => !self.node(*inner, cache),
            Node::All(parts) => parts.iter().all(|part| self.node(*part, cache)),
            Node::Any(parts) => parts.iter().any(|part| self.node(*part, cache)),
        }
    }
}

/// Marks the parts on which the verdict rests: of several that would do, the first.
fn mark(part: &mut Explained) {
    part.decides = true;
    let holds = part.holds;
    let is_one_enough = match part.kind {
        PartKind::And | PartKind::Search | PartKind::Rule => !holds,
        PartKind::Or | PartKind::Correlation => holds,
        PartKind::Not | PartKind::Macro | PartKind::Check => false,
    };
    if is_one_enough {
        part.parts.iter_mut().find(|part| part.holds == holds).into_iter().for_each(mark);
    } else {
        part.parts.iter_mut().for_each(mark);
    }
}

/// The answer where no rule has the name: those that are near.
pub(crate) fn no_such<'a>(
    collected: &'a Collected,
    titles: impl Iterator<Item = &'a str> + Clone,
    name: &str,
) -> NotExplained {
    let wanted = name.to_lowercase();
    let names = || collected.rules.iter().map(|rule| rule.name.text.as_str()).chain(titles.clone());
    let contains = |other: &&str| other.to_lowercase().contains(&wanted);
    let mut near: Vec<String> = names().filter(contains).map(str::to_owned).collect();
    if near.is_empty() {
        near.extend(crate::diagnostic::nearest(name, names()).map(str::to_owned));
    }
    near.truncate(NAMES_OFFERED_AT_ONCE);
    NotExplained::NoSuchRule(near)
}

/// What is said of a condition that would be endless to explain.
pub(crate) fn too_many_parts(depth_max: impl fmt::Display) -> Problem {
    let message = format!(
        "with all that it names it has over {EXPLAINED_PARTS_MAX} parts, or is over {depth_max} deep"
    );
    Problem::new(Code::ConditionLimit, Place::default(), message)
}
