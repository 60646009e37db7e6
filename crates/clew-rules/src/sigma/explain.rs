//! A Sigma rule, taken apart as it is written: for people who ask why it matches.

use std::collections::BTreeSet;

use clew_event::field::Multiplicity;
use clew_event::{EventType, Field, FieldArgument, FieldId as F, Semantics};

use super::compile::priority;
use super::condition::{CONDITION_DEPTH_MAX, Expr};
use super::correlate::{fields, group_fields};
use super::correlation::{self, CorrelationDocument};
use super::detection::{Detection, Item, Search, Value};
use super::document::{self, Documents, Meta, RuleDocument};
use super::node::{NodeBuilder, is_about_call};
use super::pipeline::{self, Pipelines};
use super::source::{self, Source, Target};
use crate::collect::Collected;
use crate::compile::Pool;
use crate::diagnostic::{Code, Problem, Report};
use crate::explain::{
    Decided, EXPLAINED_PARTS_MAX, NotExplained, Part, PartKind, TakenApart, no_such, too_many_parts,
};
use crate::judge::any::AnyTest;
use crate::judge::graph::NodeId;
use crate::judge::predicate::{Check, Extract, Predicate};
use crate::judge::test::Test;
use crate::traced::Place;

/// Takes the rule apart that has this title, id or name; `pool` gets what its tests share.
pub(crate) fn take_apart(
    name: &str,
    collected: &Collected,
    semantics: Semantics,
    pool: &mut Pool,
) -> Result<TakenApart, NotExplained> {
    let mut report = Report::default();
    let pipelines = pipeline::read(&collected.pipelines, &mut report);
    let documents = document::read(&collected.sigma, &mut report);
    let rules = documents.rules.iter().map(|rule| &rule.meta);
    let metas = rules.chain(documents.correlations.iter().map(|(meta, _)| meta));
    let metas = metas.chain(&documents.refused);
    let is_full = |meta: &&Meta| format!("{} ({})", meta.title, meta.id) == name;
    let Some(meta) = metas
        .clone()
        .find(|meta| meta.title == name)
        .or_else(|| metas.clone().find(|meta| meta.is_called(name) || is_full(meta)))
    else {
        return Err(no_such(collected, metas.map(|meta| meta.title.as_str()), name));
    };
    let file_names = &collected.file_names;
    let mut writer = Writer {
        pool,
        documents: &documents,
        pipelines: &pipelines,
        file_names,
        semantics,
        missing: BTreeSet::new(),
        open: Vec::new(),
        part_count: 0,
    };
    let written = writer.of(meta).and_then(|found| match found {
        Some((root, targets)) => Ok((root, targets)),
        None => {
            let message = report.first_error_from(meta.place).unwrap_or("it is no rule");
            Err(Problem::new(Code::SigmaShape, meta.place, message))
        }
    });
    let (root, targets) = written.map_err(|problem| NotExplained::HasMistake(problem.message))?;
    // A correlation tells of each of its rules for itself for which events it is.
    let is_correlation = root.kind == PartKind::Correlation;
    let source = targets.first().filter(|_| !is_correlation).map_or("", |target| target.source);
    Ok(TakenApart {
        name: meta.title.clone(),
        priority: priority(meta),
        source: source.to_owned(),
        missing: writer.missing.into_iter().collect(),
        judges_failed_execs: is_correlation || semantics.is_falco(),
        root,
    })
}

/// A rule taken apart, and the events that the rules about single events behind it are for.
type Written = (Part, Vec<Target>);

struct Writer<'a> {
    pool: &'a mut Pool,
    documents: &'a Documents,
    pipelines: &'a Pipelines,
    file_names: &'a [String],
    semantics: Semantics,
    /// What the rule asks for that Clew does not provide yet.
    missing: BTreeSet<String>,
    /// Where correlations begin that are being taken apart; at most `CONDITION_DEPTH_MAX`.
    open: Vec<Place>,
    /// At most [`EXPLAINED_PARTS_MAX`].
    part_count: usize,
}

impl Writer<'_> {
    /// `None` where the document cannot be read.
    fn of(&mut self, meta: &Meta) -> Result<Option<Written>, Problem> {
        let documents = self.documents;
        if let Some(rule) = documents.rules.iter().find(|it| it.meta.place == meta.place) {
            return self.rule(rule).map(Some);
        }
        let is_meant = |it: &&(Meta, _)| it.0.place == meta.place;
        let Some((meta, node)) = documents.correlations.iter().find(is_meant) else {
            return Ok(None);
        };
        let document = correlation::read(meta.clone(), node)?;
        self.correlation(&document).map(Some)
    }

    fn rule(&mut self, rule: &RuleDocument) -> Result<Written, Problem> {
        let mut rule = rule.clone();
        self.documents.filters.iter().for_each(|filter| filter.add_to(&mut rule));
        self.pipelines.apply(&mut rule)?;
        let target = source::target(&rule.log);
        let log = self.log_source(&rule, target)?;
        let target = target.unwrap_or(source::ANY);
        let condition = self.expr(&rule.detection.condition, &rule.detection, target)?;
        Ok((Part::whole(PartKind::And, vec![log, condition]), vec![target]))
    }

    /// What the log source asks of events.
    fn log_source(
        &mut self,
        rule: &RuleDocument,
        target: Result<Target, &str>,
    ) -> Result<Part, Problem> {
        let text = format!("logsource {}", rule.log.name());
        let part = match target {
            Ok(target) => {
                let mut builder = NodeBuilder::new(self.pool, target);
                let names = [target.source].map(|it| Box::from(it.as_bytes()));
                let is_source = Test::TextIn(names.into_iter().collect());
                let mut nodes = vec![builder.plain(F::EvtSource, target.source, is_source)];
                nodes.extend(builder.log_source());
                nodes.extend(self.put_in_place(target));
                let shown = if target.source == "syscall" { F::EvtType } else { F::EvtSource };
                let values = vec![self.extract(plain_field(shown))];
                Part { values, ..self.check(text, nodes) }
            }
            Err(reason) => {
                self.missing.insert(format!("logsource={}", rule.log.name()));
                let never = self.pool.graph.constant(false);
                Part { note: reason.to_owned(), ..self.check(text, vec![never]) }
            }
        };
        self.counted(Part { place: self.written_at(rule.log_place), ..part })
    }

    /// That the event is no `execve` that failed, where such are not judged.
    fn put_in_place(&mut self, target: Target) -> Option<NodeId> {
        let execs = [EventType::Execve, EventType::Execveat];
        if self.semantics.is_falco() || target.source != "syscall" {
            return None;
        }
        let mut builder = NodeBuilder::new(self.pool, target);
        let is_exec = builder.event_types(&execs);
        let failed = builder.plain(F::EvtFailed, "failed", Test::Bool([false, true]));
        let graph = &mut self.pool.graph;
        let both = graph.all(vec![is_exec, failed]);
        Some(graph.negated(both))
    }

    /// Recursion is bounded by `CONDITION_DEPTH_MAX`.
    fn expr(
        &mut self,
        expr: &Expr,
        detection: &Detection,
        target: Target,
    ) -> Result<Part, Problem> {
        let mut all = |parts: &[Expr]| -> Result<Vec<Part>, Problem> {
            parts.iter().map(|part| self.expr(part, detection, target)).collect()
        };
        let part = match expr {
            Expr::All(parts) => joined(PartKind::And, all(parts)?),
            Expr::Any(parts) => joined(PartKind::Or, all(parts)?),
            Expr::Not(inner) => {
                Part::whole(PartKind::Not, vec![self.expr(inner, detection, target)?])
            }
            Expr::Words(text, inner) => {
                let inner = self.expr(inner, detection, target)?;
                let is_several = matches!(inner.kind, PartKind::And | PartKind::Or);
                let is_all = text.to_ascii_lowercase().starts_with("all");
                let kind = if is_all { PartKind::And } else { PartKind::Or };
                let part = if is_several { inner } else { Part::whole(kind, vec![inner]) };
                Part { text: text.clone(), ..part }
            }
            Expr::Search(number) => match detection.searches.get(*number) {
                Some((name, search)) => self.named(name, search, target)?,
                None => Part::whole(PartKind::Or, Vec::new()),
            },
        };
        self.counted(part)
    }

    fn named(&mut self, name: &str, search: &Search, target: Target) -> Result<Part, Problem> {
        let inner = self.search(search, target, false)?;
        let place = search.items().first().map(|item| self.written_at(item.place));
        // What a mapping asks for stands below the name as in the file.
        let parts = match inner.kind {
            PartKind::And => inner.parts,
            _ => vec![inner],
        };
        let (text, place) = (name.to_owned(), place.unwrap_or_default());
        Ok(Part { text, place, ..Part::whole(PartKind::Search, parts) })
    }

    /// Recursion is bounded by `YAML_DEPTH_MAX`.
    fn search(&mut self, search: &Search, target: Target, of_call: bool) -> Result<Part, Problem> {
        let part = match search {
            Search::All(parts) => {
                let of_call = of_call || parts.iter().any(is_about_call);
                let parts = parts.iter().map(|part| self.search(part, target, of_call));
                joined(PartKind::And, parts.collect::<Result<_, _>>()?)
            }
            Search::Any(parts) => {
                let parts = parts.iter().map(|part| self.search(part, target, of_call));
                joined(PartKind::Or, parts.collect::<Result<_, _>>()?)
            }
            Search::Item(item) => self.item(item, target, of_call)?,
        };
        self.counted(part)
    }

    fn item(&mut self, item: &Item, target: Target, of_call: bool) -> Result<Part, Problem> {
        let mut builder = NodeBuilder::new(self.pool, target);
        let node = builder.item(item, of_call)?;
        let missing = std::mem::take(&mut builder.found.missing);
        let note = match missing.is_empty() {
            true => String::new(),
            false => format!("not provided yet: {}", missing.join(", ")),
        };
        self.missing.extend(missing);
        let sources = match item.field.as_deref() {
            Some(name) => target.sources(name),
            None => target.words().map(Source::Field).into_iter().collect(),
        };
        let fields = sources.into_iter().filter_map(|source| match source {
            Source::Field(field) => Some(field),
            Source::Types(_) => Some(plain_field(F::EvtType)),
            Source::Constant(_) => None,
        });
        let values = fields.map(|field| self.extract(field)).collect();
        let place = self.written_at(item.place);
        Ok(Part { values, note, place, ..self.check(text(item), vec![node]) })
    }

    fn correlation(&mut self, document: &CorrelationDocument) -> Result<Written, Problem> {
        let place = document.meta.place;
        let wrong = |place, message: String| Problem::new(Code::SigmaCorrelation, place, message);
        if self.open.contains(&place) || CONDITION_DEPTH_MAX <= self.open.len() {
            let message = "it is about itself, or about too many others in a row".to_owned();
            return Err(wrong(place, message));
        }
        self.open.push(place);
        let documents = self.documents;
        let (mut parts, mut targets) = (Vec::new(), Vec::new());
        let mut missing = BTreeSet::new();
        for name in &document.rules {
            let metas = documents.rules.iter().map(|rule| &rule.meta);
            let mut metas = metas.chain(documents.correlations.iter().map(|(meta, _)| meta));
            let unknown = || {
                let message = format!("no rule is called `{}`", name.as_str());
                wrong(name.place_at(0), message)
            };
            let meta = metas.find(|meta| meta.is_called(name.as_str())).ok_or_else(unknown)?;
            let (rule, leaves) = self.of(meta)?.ok_or_else(unknown)?;
            if !std::mem::take(&mut self.missing).is_empty() {
                missing.insert(format!("rule={}", meta.title));
            }
            let mut inner = vec![rule];
            inner.extend(self.counted_values(document, meta, &leaves)?);
            let (text, place) = (meta.title.clone(), self.written_at(meta.place));
            parts.push(Part { text, place, ..Part::whole(PartKind::Rule, inner) });
            targets.extend(leaves);
        }
        self.open.pop();
        self.missing = missing;
        let (text, place) = (document.words(), self.written_at(place));
        let part = Part { text, place, ..Part::whole(PartKind::Correlation, parts) };
        Ok((self.counted(part)?, targets))
    }

    /// What an event needs besides to be counted: each value of the group, and each that is
    /// measured.
    fn counted_values(
        &mut self,
        document: &CorrelationDocument,
        meta: &Meta,
        leaves: &[Target],
    ) -> Result<Vec<Part>, Problem> {
        let mut parts = Vec::new();
        let of_group = document.group_by.iter().map(|name| (name, true));
        for (name, is_group) in of_group.chain(document.fields.iter().map(|name| (name, false))) {
            let mut found: Vec<Field> = Vec::new();
            for target in leaves {
                found.extend(match is_group {
                    true => group_fields(document, meta, *target, name)?,
                    false => fields(document, *target, name)?,
                });
            }
            let values: Vec<Extract> = found.into_iter().map(|field| self.extract(field)).collect();
            let has_value = values.iter().map(|left| self.has_value(left)).collect();
            let node = self.pool.graph.any(has_value);
            let text = format!("{} {name}", if is_group { "group-by" } else { "field" });
            let part = Part { values, ..self.check(text, vec![node]) };
            parts.push(self.counted(part)?);
        }
        Ok(parts)
    }

    fn has_value(&mut self, left: &Extract) -> NodeId {
        let Extract::Field(slot) = left else { return self.pool.graph.constant(false) };
        let none = self.pool.any_predicate(*slot, "Null".to_owned(), || Predicate {
            left: left.clone(),
            check: Check::Any(Box::new(AnyTest::Null)),
            multiplicity: Multiplicity::One,
            is_inequality: false,
        });
        self.pool.graph.negated(none)
    }

    fn check(&mut self, text: String, nodes: Vec<NodeId>) -> Part {
        let test = Decided::ByNode(self.pool.graph.all(nodes));
        Part { text, test, ..Part::whole(PartKind::Check, Vec::new()) }
    }

    fn extract(&mut self, field: Field) -> Extract {
        Extract::Field(self.pool.field_slot(field))
    }

    /// The part, if there are not too many.
    fn counted(&mut self, part: Part) -> Result<Part, Problem> {
        self.part_count += 1;
        if EXPLAINED_PARTS_MAX < self.part_count {
            return Err(too_many_parts(CONDITION_DEPTH_MAX));
        }
        Ok(part)
    }

    fn written_at(&self, place: Place) -> (String, u32) {
        let file = self.file_names.get(place.file as usize).cloned().unwrap_or_default();
        (file, place.line)
    }
}

fn plain_field(id: F) -> Field {
    Field { id, argument: FieldArgument::None }
}

/// One part stands for itself.
fn joined(kind: PartKind, mut parts: Vec<Part>) -> Part {
    match parts.len() {
        1 => parts.remove(0),
        _ => Part::whole(kind, parts),
    }
}

/// An item as it is written.
fn text(item: &Item) -> String {
    let names = item.field.as_deref().into_iter().chain(item.modifiers.iter().map(String::as_str));
    let name = match names.collect::<Vec<_>>().join("|") {
        name if item.field.is_none() => format!("keywords {name}").trim_end().to_owned(),
        name => name,
    };
    let value = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => text.clone(),
    };
    let text = match item.values.as_slice() {
        [only] => format!("{name}: {}", value(only)),
        several => {
            let values: Vec<String> = several.iter().map(value).collect();
            format!("{name}: [{}]", values.join(", "))
        }
    };
    clew_event::text::escaped(text.as_bytes())
}
