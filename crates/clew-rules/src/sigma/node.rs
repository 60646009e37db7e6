//! One detection as nodes of the graph: fields resolved, tests compiled, equal ones shared.

use std::collections::BTreeSet;

use clew_event::field::Multiplicity;
use clew_event::{EventType, Field, FieldArgument, FieldId, FieldValue};
use rustc_hash::FxHashSet;

use super::condition::Expr;
use super::detection::{Detection, Item, Search, Value};
use super::modifier::{Asked, Spec, asked};
use super::regex;
use super::source::{Only, Source, Target};
use crate::compile::Pool;
use crate::diagnostic::{Code, Problem};
use crate::judge::any::AnyTest;
use crate::judge::graph::NodeId;
use crate::judge::pattern::Patterns;
use crate::judge::predicate::{Check, Extract, Predicate, Slot};
use crate::judge::test::{Network, Test};

/// What came to light while a rule was built.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Names of fields that Clew does not provide, in ascending order.
    pub missing: Vec<String>,
}

/// Builds nodes for one rule.
pub(super) struct NodeBuilder<'a> {
    pub pool: &'a mut Pool,
    target: Target,
    pub found: Found,
}

impl<'a> NodeBuilder<'a> {
    pub(super) fn new(pool: &'a mut Pool, target: Target) -> Self {
        Self { pool, target, found: Found::default() }
    }

    /// The node of a whole rule.
    pub(super) fn rule(&mut self, detection: &Detection) -> Result<NodeId, Problem> {
        let mut searches = vec![None; detection.searches.len()];
        let condition = self.expr(&detection.condition, detection, &mut searches)?;
        self.found.missing.sort_unstable();
        self.found.missing.dedup();
        let mut parts = self.log_source();
        parts.push(condition);
        Ok(self.pool.graph.all(parts))
    }

    /// What the log source asks of events, beside their source.
    pub(super) fn log_source(&mut self) -> Vec<NodeId> {
        let mut parts = Vec::new();
        if !self.target.types.is_empty() {
            parts.push(self.event_types(self.target.types));
        }
        match self.target.only {
            Only::All => {}
            Only::Writes => {
                let writes = Test::Bool([false, true]);
                parts.push(self.plain(FieldId::EvtIsOpenWrite, "writes", writes));
                parts.push(self.plain(FieldId::EvtFailed, "succeeded", Test::Bool([true, false])));
            }
            Only::Inbound => {
                let inbound = Test::Bool([false, true]);
                parts.push(self.plain(FieldId::HttpIsInbound, "inbound", inbound));
            }
            Only::Outbound => {
                let outbound = Test::Bool([true, false]);
                parts.push(self.plain(FieldId::HttpIsInbound, "outbound", outbound));
            }
            Only::Internet => {
                let families = ["4", "6"].map(|it| Box::from(it.as_bytes()));
                let families = FxHashSet::from_iter(families);
                parts.push(self.plain(FieldId::FdTypechar, "internet", Test::TextIn(families)));
            }
        }
        parts
    }

    /// Recursion is bounded by `CONDITION_DEPTH_MAX`. Searches that no condition names are
    /// checked, and do not count.
    fn expr(
        &mut self,
        expr: &Expr,
        detection: &Detection,
        built: &mut [Option<NodeId>],
    ) -> Result<NodeId, Problem> {
        match expr {
            Expr::Search(number) => {
                if let Some(Some(node)) = built.get(*number) {
                    return Ok(*node);
                }
                let Some((_, search)) = detection.searches.get(*number) else {
                    return Ok(self.pool.graph.constant(false));
                };
                let node = self.search(search, false)?;
                if let Some(place) = built.get_mut(*number) {
                    *place = Some(node);
                }
                Ok(node)
            }
            Expr::Not(inner) => {
                let inner = self.expr(inner, detection, built)?;
                Ok(self.pool.graph.negated(inner))
            }
            Expr::All(parts) => {
                let parts = parts.iter().map(|part| self.expr(part, detection, built));
                let parts = parts.collect::<Result<_, _>>()?;
                Ok(self.pool.graph.all(parts))
            }
            Expr::Any(parts) => {
                let parts = parts.iter().map(|part| self.expr(part, detection, built));
                let parts = parts.collect::<Result<_, _>>()?;
                Ok(self.pool.graph.any(parts))
            }
            Expr::Words(_, inner) => self.expr(inner, detection, built),
        }
    }

    fn search(&mut self, search: &Search, of_call: bool) -> Result<NodeId, Problem> {
        match search {
            Search::All(parts) => {
                let of_call = of_call || parts.iter().any(is_about_call);
                let parts = parts.iter().map(|part| self.search(part, of_call));
                let parts = parts.collect::<Result<_, _>>()?;
                Ok(self.pool.graph.all(parts))
            }
            Search::Any(parts) => {
                let parts = parts.iter().map(|part| self.search(part, of_call));
                let parts = parts.collect::<Result<_, _>>()?;
                Ok(self.pool.graph.any(parts))
            }
            Search::Item(item) => self.item(item, of_call),
        }
    }

    pub(super) fn item(&mut self, item: &Item, of_call: bool) -> Result<NodeId, Problem> {
        let asked = asked(item)?;
        let sources = self.sources(item, of_call);
        let mut nodes = Vec::with_capacity(asked.specs.len());
        for spec in &asked.specs {
            let of_sources = sources.iter().map(|source| self.test(item, source, spec));
            let of_sources = of_sources.collect::<Result<Vec<_>, _>>()?;
            // Of a field with several names, none may be there.
            nodes.push(match spec {
                Spec::Null => self.pool.graph.all(of_sources),
                _ => self.pool.graph.any(of_sources),
            });
        }
        let Asked { is_all, is_negated, .. } = asked;
        let graph = &mut self.pool.graph;
        let node = if is_all { graph.all(nodes) } else { graph.any(nodes) };
        Ok(if is_negated { self.pool.graph.negated(node) } else { node })
    }

    fn sources(&mut self, item: &Item, of_call: bool) -> Vec<Source> {
        let Some(name) = item.field.as_deref() else {
            let words = self.target.words().map(Source::Field);
            if words.is_none() {
                self.found.missing.push("keywords".to_owned());
            }
            return words.into_iter().collect();
        };
        let sources = self.target.sources(name);
        let is_of_exec = |source: &Source| matches!(source, Source::Field(field) if field.id == FieldId::ProcArgv);
        // `a0` of other calls are their arguments as numbers.
        if sources.is_empty() || of_call && sources.iter().any(is_of_exec) {
            self.found.missing.push(name.to_owned());
        }
        sources
    }

    fn test(&mut self, item: &Item, source: &Source, spec: &Spec) -> Result<NodeId, Problem> {
        match source {
            Source::Field(field) if field.id == FieldId::EvtType => {
                let test = self.compiled(item, spec)?;
                let types = EventType::ALL.iter().filter(|it| holds_of(&test, it.name()));
                let types: Vec<EventType> = types.copied().collect();
                if types.is_empty() {
                    self.found.missing.push(said(item));
                }
                Ok(self.event_types(&types))
            }
            Source::Field(field) => {
                let slot = self.pool.field_slot(field.clone());
                self.predicate(item, slot, spec)
            }
            Source::Constant(text) => {
                let test = self.compiled(item, spec)?;
                Ok(self.pool.graph.constant(holds_of(&test, text)))
            }
            Source::Types(words) => {
                let test = self.compiled(item, spec)?;
                let fitting = words.iter().filter(|(word, _)| holds_of(&test, word));
                let types: BTreeSet<EventType> =
                    fitting.flat_map(|(_, types)| types.iter().copied()).collect();
                if types.is_empty() {
                    self.found.missing.push(said(item));
                }
                Ok(self.event_types(&types.into_iter().collect::<Vec<_>>()))
            }
        }
    }

    fn predicate(&mut self, item: &Item, slot: Slot, spec: &Spec) -> Result<NodeId, Problem> {
        let test = self.compiled(item, spec)?;
        let key = format!("{spec:?}");
        Ok(self.pool.any_predicate(slot, key, || Predicate {
            left: Extract::Field(slot),
            check: Check::Any(Box::new(test)),
            multiplicity: Multiplicity::One,
            is_inequality: false,
        }))
    }

    fn compiled(&mut self, item: &Item, spec: &Spec) -> Result<AnyTest, Problem> {
        Ok(match spec {
            Spec::Null => AnyTest::Null,
            Spec::Present => AnyTest::Present,
            Spec::Fits { patterns, is_cased } => match Patterns::new(patterns, *is_cased) {
                Some(patterns) => AnyTest::Fits(patterns),
                None => {
                    let message = "these values are too many for one search";
                    return Err(Problem::new(Code::SigmaModifier, item.place, message));
                }
            },
            Spec::Regex(text) => match regex::compiled(text) {
                Ok(regex) => AnyTest::Regex(Box::new(regex)),
                Err(reason) => {
                    let message = format!("`{text}` cannot be used: {reason}");
                    return Err(Problem::new(Code::SigmaRegex, item.place, message));
                }
            },
            Spec::Networks(networks) => AnyTest::Networks(networks.clone().into()),
            Spec::Number(order, number) => AnyTest::Number(*order, *number),
            Spec::Time(part, order, number) => AnyTest::Time(*part, *order, *number),
            Spec::Field { name, place, is_cased } => {
                let sources = self.target.sources(name);
                let Some(Source::Field(field)) = sources.first() else {
                    self.found.missing.push(name.clone());
                    return Ok(AnyTest::Networks(Box::<[Network]>::default()));
                };
                let right = Extract::Field(self.pool.field_slot(field.clone()));
                AnyTest::Field { place: *place, is_cased: *is_cased, right }
            }
        })
    }

    /// Holds of events of these types; such a test is certain before any event.
    pub(super) fn event_types(&mut self, types: &[EventType]) -> NodeId {
        let names = types.iter().map(|it| it.name()).filter(|name| !name.is_empty());
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let set = names.iter().map(|name| Box::from(name.as_bytes())).collect();
        self.plain(FieldId::EvtType, &names.join(" "), Test::TextIn(set))
    }

    pub(super) fn plain(&mut self, id: FieldId, key: &str, test: Test) -> NodeId {
        let slot = self.pool.field_slot(Field { id, argument: FieldArgument::None });
        self.pool.any_predicate(slot, format!("plain {key}"), || Predicate {
            left: Extract::Field(slot),
            check: Check::Value(test),
            multiplicity: Multiplicity::One,
            is_inequality: false,
        })
    }
}

fn holds_of(test: &AnyTest, text: &str) -> bool {
    test.passes(&FieldValue::from(text), &FieldValue::Missing)
}

/// As diagnostics name an item whose value never occurs.
fn said(item: &Item) -> String {
    let value = match item.values.first() {
        Some(Value::Text(text)) => text.as_str(),
        Some(Value::Null) | None => "null",
    };
    format!("{}={value}", item.field.as_deref().unwrap_or_default())
}

/// True for what auditd writes of system calls other than `execve`.
pub(super) fn is_about_call(search: &Search) -> bool {
    let Search::Item(item) = search else { return false };
    let is_call = |value: &Value| matches!(value, Value::Text(text) if text == "SYSCALL");
    match item.field.as_deref() {
        Some("SYSCALL" | "syscall") => true,
        Some("type") => item.values.iter().any(is_call),
        _ => false,
    }
}
