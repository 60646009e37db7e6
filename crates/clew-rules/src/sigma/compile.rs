//! From Sigma documents to nodes of the shared graph, and to rules with their output.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::{EventType, Priority};

use super::document::{self, Documents, FilterDocument, LogSource, Meta, RuleDocument};
use super::node::{Found, NodeBuilder};
use super::pipeline::{self, Pipelines};
use super::source::{self, Target};
use crate::RuleIndex;
use crate::compile::Pool;
use crate::diagnostic::{Code, Problem, Report};
use crate::judge::graph::NodeId;
use crate::load::{
    Loaded, NotRunnable, Options, RuleFacts, SigmaFacts, Status, event_types, status,
};
use crate::output::Format;
use crate::rule::Rule;
use crate::yaml::Node;

/// Most fields of a rule that its output names.
pub(crate) const FIELDS_SHOWN_MAX: usize = 12;

/// For each source, what its rules share and the rules with their conditions.
pub(crate) type Pools = BTreeMap<String, (Pool, Vec<(u32, NodeId)>)>;

/// What Sigma rules share with the others while everything is loaded.
pub(crate) struct Shared<'a> {
    pub pools: &'a mut Pools,
    pub loaded: &'a mut Loaded,
    pub options: &'a Options,
    pub report: &'a mut Report,
    pub file_names: &'a [String],
}

/// Compiles the rules of Sigma documents, behind all rules that are loaded already.
pub(crate) fn compile(nodes: &[Node], pipelines: &[Node], shared: &mut Shared<'_>) {
    let pipelines = pipeline::read(pipelines, shared.report);
    let mut documents = document::read(nodes, shared.report);
    let names = shared.loaded.facts.iter().map(|facts| facts.name.clone()).collect();
    let mut work = Work {
        shared,
        names,
        unseen: BTreeMap::new(),
        callable: Vec::new(),
        told: BTreeSet::new(),
    };
    for meta in std::mem::take(&mut documents.refused) {
        work.add_facts(&meta, "", Status::Refused, Vec::new());
    }
    check_names(&documents, work.shared.report);
    check_filters(&documents, work.shared.report);
    for rule in std::mem::take(&mut documents.rules) {
        work.rule(rule, &documents.filters, &pipelines);
    }
    work.report_unseen();
    work.correlations(documents.correlations);
}

/// A rule that correlations may be about.
pub(super) struct Callable {
    pub meta: Meta,
    pub way: Way,
}

/// What there is of such a rule.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// It is about single events.
    Rule(RuleIndex, Target),
    /// A correlation, with the rules about single events behind it.
    Correlation(RuleIndex, Vec<(RuleIndex, Target)>),
    /// It does not match.
    Nothing,
}

pub(super) struct Work<'s, 'a> {
    pub(super) callable: Vec<Callable>,
    /// Rules that make findings although correlations are about them, by their number.
    pub(super) told: BTreeSet<u32>,
    pub(super) shared: &'s mut Shared<'a>,
    /// Of rules so far, each once.
    names: BTreeSet<String>,
    /// Log sources that Clew does not see: why, how many rules, and where the first one is.
    unseen: BTreeMap<LogSource, (&'static str, usize, crate::traced::Place)>,
}

/// Ids and names by which other documents call rules have to be unique.
fn check_names(documents: &Documents, report: &mut Report) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let metas = documents.rules.iter().map(|rule| &rule.meta);
    for meta in metas.chain(documents.correlations.iter().map(|(meta, _)| meta)) {
        for name in [&meta.id, &meta.name] {
            if !name.is_empty() && !seen.insert(name) {
                let message = format!("another rule is called `{name}`");
                report.warning(Problem::new(Code::SigmaDuplicate, meta.place, message));
            }
        }
    }
}

fn check_filters(documents: &Documents, report: &mut Report) {
    for filter in &documents.filters {
        for name in &filter.rules {
            let is_there = documents.rules.iter().any(|rule| rule.meta.is_called(name.as_str()));
            if !is_there {
                let message = format!("no rule is called `{}`", name.as_str());
                report.warning(Problem::new(Code::SigmaFilter, name.place_at(0), message));
            }
        }
    }
}

impl Work<'_, '_> {
    fn rule(&mut self, mut rule: RuleDocument, filters: &[FilterDocument], pipelines: &Pipelines) {
        let meta = rule.meta.clone();
        filters.iter().for_each(|filter| filter.add_to(&mut rule));
        if let Err(problem) = pipelines.apply(&mut rule) {
            self.shared.report.error(problem);
            self.add_facts(&meta, "", Status::Refused, Vec::new());
            self.callable.push(Callable { meta, way: Way::Nothing });
            return;
        }
        let way = self.single(&rule).unwrap_or(Way::Nothing);
        self.callable.push(Callable { meta, way });
    }

    /// `None` where the rule does not match.
    fn single(&mut self, rule: &RuleDocument) -> Option<Way> {
        let target = source::target(&rule.log);
        // What nobody sees is checked as well, over a record of any shape.
        let checked = target.unwrap_or(source::ANY);
        let mut unused = (Pool::default(), Vec::new());
        let (pool, _) = match target {
            Ok(target) => self.shared.pools.entry(target.source.to_owned()).or_default(),
            Err(_) => &mut unused,
        };
        let mut builder = NodeBuilder::new(pool, checked);
        let built = builder.rule(&rule.detection);
        let Found { missing, .. } = std::mem::take(&mut builder.found);
        let node = match built {
            Ok(node) => node,
            Err(problem) => {
                self.shared.report.error(problem);
                self.add_facts(&rule.meta, checked.source, Status::Refused, Vec::new());
                return None;
            }
        };
        if let Err(reason) = target {
            let entry = (reason, 0, rule.log_place);
            self.unseen.entry(rule.log.clone()).or_insert(entry).1 += 1;
            let missing = vec![format!("logsource={}", rule.log.name())];
            self.add_facts(&rule.meta, "", Status::NotRunnable, missing);
            None
        } else if missing.is_empty() {
            self.add_rule(rule, checked, node)
        } else {
            self.report_missing(rule, &missing);
            self.add_facts(&rule.meta, checked.source, Status::NotRunnable, missing);
            None
        }
    }

    fn report_missing(&mut self, rule: &RuleDocument, missing: &[String]) {
        for field in missing {
            let message =
                format!("rule `{}` cannot run: `{field}` is not provided yet", rule.meta.title);
            let mut items = rule.items();
            let item = items.find(|item| item.field.as_deref() == Some(field.as_str()));
            let place = item.map_or(rule.meta.place, |item| item.place);
            self.shared.report.warning(Problem::new(Code::FieldNotProvided, place, message));
        }
    }

    /// One warning a log source: sets of rules for Windows have thousands.
    fn report_unseen(&mut self) {
        for (log, (reason, count, place)) in &self.unseen {
            let rules =
                if *count == 1 { "1 rule is".to_owned() } else { format!("{count} rules are") };
            let message = format!("{rules} for log source `{}`: {reason}", log.name());
            self.shared.report.warning(Problem::new(Code::LogSourceNotSeen, *place, message));
        }
    }

    fn add_rule(&mut self, rule: &RuleDocument, target: Target, node: NodeId) -> Option<Way> {
        let name = self.unique_name(&rule.meta);
        let priority = priority(&rule.meta);
        let format = self.format(rule, target);
        let status = status(self.shared.options, &name, &rule.meta.tags, priority);
        self.push_facts(&rule.meta, name.clone(), target.source, (status, Vec::new()));
        let event_types = match self.shared.pools.get_mut(target.source) {
            Some((pool, _)) if target.source == "syscall" => event_types(pool, node),
            _ => vec![EventType::PluginEvent],
        };
        if let Some(facts) = self.shared.loaded.facts.last_mut() {
            facts.event_types = event_types;
        }
        if status != Status::Runs {
            return None;
        }
        let number = u32::try_from(self.shared.loaded.rules.rules.len()).unwrap_or(u32::MAX);
        if let Some((_, rules)) = self.shared.pools.get_mut(target.source) {
            rules.push((number, node));
        }
        self.push_rule(&rule.meta, name, target.source, format);
        Some(Way::Rule(RuleIndex(number), target))
    }

    pub(super) fn push_rule(&mut self, meta: &Meta, name: String, source: &str, format: Format) {
        let mut tags = meta.tags.clone();
        tags.sort_unstable();
        tags.dedup();
        self.shared.loaded.rules.formats.push(format);
        self.shared.loaded.rules.rules.push(Rule {
            name,
            description: meta.description.clone(),
            priority: priority(meta),
            source: source.to_owned(),
            techniques: meta.techniques(),
            tags,
            output: headline(meta),
            file: meta.place.file,
            line: meta.place.line,
        });
    }

    /// The sentence: title and author, as the Detection Rule License asks, then what the rule
    /// looks at.
    fn format(&mut self, rule: &RuleDocument, target: Target) -> Format {
        let (pool, _) = self.shared.pools.entry(target.source.to_owned()).or_default();
        let mut format = Format::default();
        let mut text = headline(&rule.meta);
        let wanted = rule.meta.fields.iter().map(String::as_str);
        let looked_at = rule.items().filter_map(|item| item.field.as_deref());
        let names = wanted.chain(looked_at).chain(target.shown.iter().copied());
        let mut shown: BTreeSet<&str> = BTreeSet::new();
        for name in names {
            if shown.len() == FIELDS_SHOWN_MAX {
                break;
            }
            let sources = target.sources(name);
            if let Some(source::Source::Field(field)) = sources.first()
                && shown.insert(name)
            {
                let slot = pool.field_slot(field.clone());
                format.push_text(&format!("{text} {name}="));
                format.push_value(name, slot);
                text.clear();
            }
        }
        format.push_text(&text);
        let Meta { title, id, author, license, .. } = &rule.meta;
        let told = [
            ("rule.title", title),
            ("rule.id", id),
            ("rule.author", author),
            ("rule.license", license),
        ];
        for (name, text) in told.into_iter().filter(|(_, text)| !text.is_empty()) {
            format.carry_plain(name, text);
        }
        format
    }

    /// Titles need not be unique, names of rules have to be.
    pub(super) fn unique_name(&mut self, meta: &Meta) -> String {
        let mut name = meta.title.clone();
        if self.names.contains(&name) && !meta.id.is_empty() {
            name = format!("{} ({})", meta.title, meta.id);
        }
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{} ({number})", meta.title);
            number += 1;
        }
        name
    }

    pub(super) fn add_facts(
        &mut self,
        meta: &Meta,
        source: &str,
        status: Status,
        missing: Vec<String>,
    ) {
        let name = self.unique_name(meta);
        self.push_facts(meta, name, source, (status, missing));
    }

    pub(super) fn push_facts(
        &mut self,
        meta: &Meta,
        name: String,
        source: &str,
        (status, missing): (Status, Vec<String>),
    ) {
        let loaded = &mut *self.shared.loaded;
        loaded.rules_defined += 1;
        if status == Status::NotRunnable {
            let fields = missing.clone();
            loaded.not_runnable.push(NotRunnable { rule: name.clone(), fields });
        }
        let file = self.shared.file_names.get(meta.place.file as usize).cloned();
        loaded.facts.push(RuleFacts {
            name,
            priority: priority(meta),
            source: source.to_owned(),
            tags: meta.tags.clone(),
            techniques: meta.techniques(),
            file: file.unwrap_or_default(),
            line: meta.place.line,
            missing,
            condition_fields: Vec::new(),
            output_fields: Vec::new(),
            event_types: Vec::new(),
            status,
            sigma: Some(Box::new(SigmaFacts {
                title: meta.title.clone(),
                id: meta.id.clone(),
                author: meta.author.clone(),
                license: meta.license.clone(),
                level: meta.level_text.clone(),
                log_source: meta.log_name.clone(),
            })),
        });
    }
}

pub(super) fn priority(meta: &Meta) -> Priority {
    meta.level.unwrap_or(Priority::Notice)
}

pub(super) fn headline(meta: &Meta) -> String {
    match meta.author.as_str() {
        "" => meta.title.clone(),
        author => format!("{} (by {author})", meta.title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceFile, load};

    #[test]
    fn an_output_shows_title_author_and_a_bounded_number_of_fields() {
        let items: String = (0..20).map(|number| format!("f{number}: x, ")).collect();
        let text = format!(
            "title: Key made\nauthor: Ann\nlicense: DRL-1.1\ntags: [attack.t1098.001, attack.t1098]\n\
             logsource: {{product: aws, service: cloudtrail}}\nlevel: high\n\
             detection: {{s: {{{items}}}, condition: s}}\n"
        );
        let loaded = load(&[SourceFile { name: "r".into(), text }], &Options::default());
        let (index, rule) = loaded.rules.iter().next().unwrap();
        assert_eq!((rule.priority, rule.output.as_str()), (Priority::Error, "Key made (by Ann)"));
        assert_eq!(rule.techniques, ["T1098", "T1098.001"]);
        let output = loaded.rules.output(index, &Nothing);
        assert!(output.text.starts_with("Key made (by Ann) f0=<NA> f1="), "{}", output.text);
        assert_eq!(output.text.matches('=').count(), FIELDS_SHOWN_MAX);
        assert_eq!(output.fields["rule.author"], "Ann");
        assert_eq!(output.fields["rule.license"], "DRL-1.1");
    }

    struct Nothing;

    impl clew_event::FieldSource for Nothing {
        fn field(
            &self,
            _: clew_event::FieldId,
            _: &clew_event::FieldArgument,
        ) -> clew_event::FieldValue<'_> {
            clew_event::FieldValue::Missing
        }
    }
}
