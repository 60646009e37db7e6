//! Compiles all rules, and decides which of them can run.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::EventType;
use rustc_hash::FxHashMap;

use super::append::{self, Addition};
use super::{Loaded, NotRunnable, Options, RuleFacts, Status, selection};
use crate::collect::{Collected, SOURCES};
use crate::compile::{Compiler, Findings, Macros, Pool, certain, syntax_problem};
use crate::condition::{Expr, parse, parse_field};
use crate::diagnostic::{Code, Problem, Report};
use crate::fields::Registry;
use crate::items::{Entry, RuleItem, with_exceptions};
use crate::judge::graph::{Node, NodeId};
use crate::judge::program::{Parts, Program};
use crate::output::{Format, deprecation};
use crate::rule::{Rule, techniques};
use crate::rule_set::SourceProgram;
use crate::sigma;
use crate::substitute::Lists;
use crate::traced::Traced;

/// A rule that can match events of more types than this should say which it means.
const EVENT_TYPES_MANY: usize = 50;

/// Fields that tell how a call ended, as conditions name them.
const RESULT_FIELDS: [&str; 7] = [
    "evt.res",
    "evt.rawres",
    "evt.failed",
    "evt.arg.res",
    "evt.arg[res]",
    "evt.arg[0]",
    "evt.rawarg.res",
];

/// Compiles the rules of all sources.
pub(super) fn compile(
    collected: &Collected,
    lists: &mut Lists,
    macros: &mut Macros,
    options: &Options,
    report: &mut Report,
) -> Loaded {
    let mut work = Work {
        registry: Registry::new(),
        lists,
        macros,
        options,
        report,
        pools: BTreeMap::new(),
        loaded: Loaded { rules_defined: collected.rules.len(), ..Loaded::default() },
        refused_additions: BTreeSet::new(),
    };
    for rule in collected.rules.iter() {
        work.rule(rule);
    }
    let mut shared = sigma::Shared {
        pools: &mut work.pools,
        loaded: &mut work.loaded,
        options,
        report: work.report,
        file_names: &collected.file_names,
    };
    sigma::compile(&collected.sigma, &collected.pipelines, &mut shared);
    work.finish()
}

struct Work<'a> {
    registry: Registry,
    lists: &'a mut Lists,
    macros: &'a mut Macros,
    options: &'a Options,
    report: &'a mut Report,
    /// For each source, what its rules share and the rules with their conditions.
    pools: BTreeMap<String, (Pool, Vec<(u32, NodeId)>)>,
    loaded: Loaded,
    /// What could not be added to outputs: said once, not for every rule.
    refused_additions: BTreeSet<String>,
}

/// A rule that was compiled, right or not.
struct Compiled {
    node: NodeId,
    format: Format,
    condition: Findings,
    output: Findings,
    event_types: Vec<EventType>,
}

impl Work<'_> {
    fn rule(&mut self, rule: &RuleItem) {
        let compiled = if SOURCES.contains(&rule.source.as_str()) {
            match self.expr(rule) {
                Ok(expr) => Some(self.compile(rule, &expr)),
                Err(problem) => {
                    self.report.error(problem);
                    None
                }
            }
        } else {
            None
        };
        let Some(compiled) = compiled else {
            self.add_facts(rule, Status::Refused, None);
            return;
        };
        let status = self.judge_status(rule, &compiled);
        self.add_facts(rule, status, Some(&compiled));
        if status == Status::Runs {
            self.add_rule(rule, compiled);
        }
    }

    /// The condition's tree, with exceptions and lists put in.
    fn expr(&mut self, rule: &RuleItem) -> Result<Expr, Problem> {
        let condition = with_exceptions(&rule.condition, &rule.exceptions, self.options.semantics)?;
        let text = self.lists.substitute(&condition)?;
        parse(&text).map_err(syntax_problem)
    }

    fn compile(&mut self, rule: &RuleItem, expr: &Expr) -> Compiled {
        let (pool, _) = self.pools.entry(rule.source.clone()).or_default();
        let mut compiler = Compiler {
            registry: &self.registry,
            source: &rule.source,
            pool,
            macros: self.macros,
            findings: Findings::default(),
            depth: 0,
        };
        check_exception_fields(rule, &mut compiler);
        // What exceptions without values name is checked, but not used.
        compiler.findings.used_fields.clear();
        compiler.findings.missing_fields.clear();
        let node = compiler.condition(expr);
        let condition = std::mem::take(&mut compiler.findings);
        let mut format = Format::new(&rule.output, &mut compiler);
        let output = std::mem::take(&mut compiler.findings);
        for addition in append::additions(&self.options.append_output, rule) {
            if let Some(problem) = add_to_output(&mut format, addition, rule, &mut compiler)
                && self.refused_additions.insert(problem.message.clone())
            {
                self.report.warning(problem);
            }
        }
        let event_types = event_types(pool, node);
        Compiled { node, format, condition, output, event_types }
    }

    /// Reports what came to light, and tells whether the rule can run.
    fn judge_status(&mut self, rule: &RuleItem, compiled: &Compiled) -> Status {
        let name = &rule.name.text;
        let Compiled { condition, output, event_types, .. } = compiled;
        for place in condition.deprecated.iter().chain(&output.deprecated) {
            self.report.warning(deprecation(*place));
        }
        for place in &condition.unsafe_absences {
            let message = "an absent field equals nothing, not even `<NA>`";
            self.report.warning(
                Problem::new(Code::UnsafeAbsence, *place, message).help("use `not … exists`"),
            );
        }
        if self.report_problems(rule, compiled) {
            return Status::Refused;
        }
        let mut missing: Vec<String> = condition.missing_fields.keys().cloned().collect();
        for (field, place) in &condition.missing_fields {
            let message = format!("rule `{name}` cannot run: `{field}` is not provided yet");
            self.report.warning(Problem::new(Code::FieldNotProvided, *place, message));
        }
        for (event_type, place) in &condition.missing_event_types {
            let message = format!("rule `{name}` does not see `{event_type}` events yet");
            self.report.warning(Problem::new(Code::EventTypeNotProvided, *place, message));
            if event_types.is_empty() {
                missing.push(format!("evt.type={event_type}"));
            }
        }
        let is_general = rule.source == "syscall" && EVENT_TYPES_MANY < event_types.len();
        if is_general && rule.warns_of_event_types {
            let message = format!("rule `{name}` is tried on nearly every event");
            let problem = Problem::new(Code::ManyEventTypes, rule.name.place, message);
            self.report.warning(problem.help("add a condition on `evt.type`"));
        }
        if !missing.is_empty() {
            self.loaded.not_runnable.push(NotRunnable { rule: name.clone(), fields: missing });
            return Status::NotRunnable;
        }
        for (field, place) in &output.missing_fields {
            let message = format!("`{field}` is not provided yet; rule `{name}` shows `<NA>`");
            self.report.warning(Problem::new(Code::OutputNotProvided, *place, message));
        }
        let by_files = rule.is_enabled || self.options.includes_disabled;
        let tags = rule.tags.iter().map(String::as_str);
        if !selection::is_enabled(&self.options.selection, by_files, name, tags) {
            return Status::Disabled;
        }
        // More urgent priorities come first.
        if self.options.priority_min < rule.priority {
            return Status::LessUrgent;
        }
        Status::Runs
    }

    /// True where the rule has a mistake.
    fn report_problems(&mut self, rule: &RuleItem, compiled: &Compiled) -> bool {
        let all = || compiled.condition.problems.iter().chain(&compiled.output.problems);
        let is_unknown = |problem: &Problem| {
            let unknown =
                [Code::UnknownField, Code::UnknownEventType, Code::OutputSyntax, Code::BrokenMacro];
            unknown.contains(&problem.code)
        };
        let is_skipped = rule.skips_unknown_fields && all().all(is_unknown);
        for problem in all() {
            if is_skipped {
                self.report.warning(problem.clone());
            } else {
                self.report.error(problem.clone());
            }
        }
        all().next().is_some()
    }

    fn add_facts(&mut self, rule: &RuleItem, status: Status, compiled: Option<&Compiled>) {
        let names = |findings: &Findings| findings.used_fields.iter().cloned().collect();
        let tags: Vec<String> = rule.tags.iter().cloned().collect();
        let missing = self.loaded.not_runnable.last().filter(|_| status == Status::NotRunnable);
        self.loaded.facts.push(RuleFacts {
            name: rule.name.text.clone(),
            priority: rule.priority,
            source: rule.source.clone(),
            techniques: techniques(&tags),
            tags,
            file: String::new(),
            line: rule.name.place.line,
            missing: missing.map(|rule| rule.fields.clone()).unwrap_or_default(),
            condition_fields: compiled.map(|c| names(&c.condition)).unwrap_or_default(),
            output_fields: compiled.map(|c| names(&c.output)).unwrap_or_default(),
            event_types: compiled
                .map(|c| of_source(&rule.source, &c.event_types))
                .unwrap_or_default(),
            status,
            sigma: None,
        });
    }

    fn add_rule(&mut self, rule: &RuleItem, compiled: Compiled) {
        let number = u32::try_from(self.loaded.rules.rules.len()).unwrap_or(u32::MAX);
        if let Some((_, rules)) = self.pools.get_mut(&rule.source) {
            rules.push((number, compiled.node));
        }
        self.loaded.rules.asks_for_result.push(asks_for_result(&compiled.condition));
        let tags: Vec<String> = rule.tags.iter().cloned().collect();
        self.loaded.rules.formats.push(compiled.format);
        self.loaded.rules.rules.push(Rule {
            name: rule.name.text.clone(),
            description: rule.description.trim_end().to_owned(),
            priority: rule.priority,
            source: rule.source.clone(),
            techniques: techniques(&tags),
            tags,
            output: rule.output.as_str().to_owned(),
            file: rule.name.place.file,
            line: rule.name.place.line,
        });
    }

    fn finish(mut self) -> Loaded {
        for (source, (pool, rules)) in self.pools {
            let slots = pool.slots.clone();
            let parts =
                Parts { graph: pool.graph, predicates: pool.predicates, slots: pool.slots, rules };
            let program = Program::new(parts, &|predicate, event_type| {
                certain(predicate, &slots, event_type)
            });
            self.loaded.rules.programs.push(SourceProgram::new(&source, program));
        }
        self.loaded.rules.matching = self.options.matching;
        self.loaded.rules.semantics = self.options.semantics;
        self.loaded
    }
}

/// Whether a condition asks how a call ended.
pub(crate) fn asks_for_result(condition: &Findings) -> bool {
    condition.used_fields.iter().any(|field| RESULT_FIELDS.contains(&field.as_str()))
}

/// Adds to a rule's output; what is wrong with the addition is given back, and nothing is added.
fn add_to_output(
    format: &mut Format,
    addition: Addition<'_>,
    rule: &RuleItem,
    compiler: &mut Compiler<'_>,
) -> Option<Problem> {
    let place = rule.name.place;
    let text = match addition {
        Addition::Text(text) | Addition::NamedText(_, text) => text.to_owned(),
        Addition::Field(name) => format!("%{name}"),
    };
    let mut traced = Traced::default();
    traced.push_str(&text, place);
    let added = Format::new(&traced, compiler);
    let mut problems = std::mem::take(&mut compiler.findings).problems;
    if let Some(problem) = problems.pop() {
        let message = format!(
            "cannot add `{text}` to outputs of rules for `{}`: {}",
            rule.source, problem.message
        );
        return Some(Problem { message, place, ..problem });
    }
    match addition {
        Addition::Text(_) => format.append(added),
        Addition::NamedText(name, _) => format.carry_text(name, added),
        Addition::Field(_) => format.carry_fields(added),
    }
    None
}

/// Fields of exceptions have to exist, even where the exception has no values.
fn check_exception_fields(rule: &RuleItem, compiler: &mut Compiler<'_>) {
    for exception in &rule.exceptions {
        let fields = match &exception.fields {
            Some(Entry::List(fields)) => fields.as_slice(),
            Some(field) => std::slice::from_ref(field),
            None => &[],
        };
        for field in fields {
            let Entry::Text(text) = field else { continue };
            let checked = match parse_field(text, 0) {
                Ok((operand, end)) if end == text.len() => compiler.side(&operand).map(|_| ()),
                _ => {
                    let message = format!("`{}` is no field", text.as_str());
                    Err(Problem::new(Code::Exception, text.place_at(0), message))
                }
            };
            if let Err(problem) = checked {
                compiler.findings.problems.push(problem);
            }
        }
    }
}

/// Those of the types that events of a source have: records of logs have one alone.
fn of_source(source: &str, event_types: &[EventType]) -> Vec<EventType> {
    let is_there = |it: &&EventType| source == "syscall" || **it == EventType::PluginEvent;
    event_types.iter().filter(is_there).copied().collect()
}

/// Event types for which a condition can hold.
pub(crate) fn event_types(pool: &mut Pool, condition: NodeId) -> Vec<EventType> {
    let Pool { graph, predicates, slots, .. } = pool;
    let mut types = Vec::new();
    for &event_type in EventType::ALL {
        let known = |id: crate::judge::graph::PredicateId| {
            certain(predicates.get(id.0 as usize)?, slots, event_type)
        };
        let folded = graph.specialized(condition, &known, &mut FxHashMap::default());
        if *graph.node(folded) != Node::Constant(false) {
            types.push(event_type);
        }
    }
    types
}
