//! Compiles correlation rules: finds the rules that they are about, and where fields stand.

use std::collections::BTreeSet;

use clew_event::Field;

use super::compile::{Callable, Way, Work, headline, priority};
use super::correlation::{self, CorrelationDocument};
use super::document::Meta;
use super::source::{Source, Target};
use crate::RuleIndex;
use crate::correlation::{Correlation, Input};
use crate::diagnostic::{Code, Problem};
use crate::load::{Status, status};
use crate::output::Format;
use crate::yaml::Node;

/// Most ways in which one correlation is fed: correlations of correlations multiply them.
pub(crate) const INPUTS_MAX: usize = 1_000;

impl Work<'_, '_> {
    /// Those that are about others wait for them.
    pub(super) fn correlations(&mut self, documents: Vec<(Meta, Node)>) {
        let mut waiting = Vec::new();
        for (meta, node) in documents {
            match correlation::read(meta.clone(), &node) {
                Ok(document) => waiting.push(document),
                Err(problem) => self.refuse(&meta, problem),
            }
        }
        loop {
            let names: Vec<Meta> = waiting.iter().map(|it| it.meta.clone()).collect();
            let is_waiting = |name: &str| names.iter().any(|meta| meta.is_called(name));
            let (later, ready): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|document| document.rules.iter().any(|name| is_waiting(name.as_str())));
            if ready.is_empty() {
                for document in &later {
                    let message = "it is about itself, perhaps by way of others";
                    let looped = Problem::new(Code::SigmaCorrelation, document.meta.place, message);
                    self.refuse(&document.meta, looped);
                }
                return;
            }
            ready.iter().for_each(|document| self.correlation(document));
            waiting = later;
        }
    }

    fn refuse(&mut self, meta: &Meta, problem: Problem) {
        self.shared.report.error(problem);
        self.add_facts(meta, "", Status::Refused, Vec::new());
        self.callable.push(Callable { meta: meta.clone(), way: Way::Nothing });
    }

    fn correlation(&mut self, document: &CorrelationDocument) {
        let meta = &document.meta;
        let mut used: Vec<(usize, Meta, Way)> = Vec::new();
        let mut missing = Vec::new();
        for (position, name) in (0..).zip(&document.rules) {
            let mut found = self.callable.iter().filter(|it| it.meta.is_called(name.as_str()));
            let Some(callable) = found.next() else {
                let message = format!("no rule is called `{}`", name.as_str());
                let unknown = Problem::new(Code::SigmaCorrelation, name.place_at(0), message);
                self.refuse(meta, unknown.help("give the `id` or `name` of a rule that is loaded"));
                return;
            };
            match &callable.way {
                Way::Nothing => missing.push(format!("rule={}", callable.meta.title)),
                way => used.push((position, callable.meta.clone(), way.clone())),
            }
        }
        if !missing.is_empty() {
            self.add_facts(meta, "", Status::NotRunnable, missing);
            self.callable.push(Callable { meta: meta.clone(), way: Way::Nothing });
            return;
        }
        match inputs(document, &used) {
            Ok((inputs, leaves)) => self.add_correlation(document, inputs, leaves, &used),
            Err(problem) => self.refuse(meta, problem),
        }
    }

    fn add_correlation(
        &mut self,
        document: &CorrelationDocument,
        inputs: Vec<Input>,
        leaves: Vec<(RuleIndex, Target)>,
        used: &[(usize, Meta, Way)],
    ) {
        let meta = &document.meta;
        let source = leaves.first().map_or("", |(_, target)| target.source);
        let name = self.unique_name(meta);
        let status = status(self.shared.options, &name, &meta.tags, priority(meta));
        self.push_facts(meta, name.clone(), source, (status, Vec::new()));
        if status != Status::Runs {
            self.callable.push(Callable { meta: meta.clone(), way: Way::Nothing });
            return;
        }
        let rules = &mut self.shared.loaded.rules;
        let rule = RuleIndex(u32::try_from(rules.rules.len()).unwrap_or(u32::MAX));
        let index = |(_, _, way): &(usize, Meta, Way)| way.index();
        for RuleIndex(number) in used.iter().filter_map(index) {
            // One correlation that wants to hear a rule is enough.
            if document.generates {
                self.told.insert(number);
            }
            if self.told.contains(&number) {
                rules.silent.remove(&number);
            } else {
                rules.silent.insert(number);
            }
        }
        rules.correlations.push(Correlation {
            rule,
            kind: document.kind.clone(),
            span_ns: document.span_ns,
            positions: document.rules.len(),
            inputs,
            group_names: document.group_by.clone(),
            bounds: document.bounds.clone(),
        });
        let mut format = Format::default();
        format.push_text(&headline(meta));
        let told =
            [("rule.title", &meta.title), ("rule.id", &meta.id), ("rule.author", &meta.author)];
        for (name, text) in told.into_iter().filter(|(_, text)| !text.is_empty()) {
            format.carry_plain(name, text);
        }
        self.push_rule(meta, name, source, format);
        let way = Way::Correlation(rule, leaves);
        self.callable.push(Callable { meta: meta.clone(), way });
    }
}

impl Way {
    fn index(&self) -> Option<RuleIndex> {
        match self {
            Self::Rule(index, _) | Self::Correlation(index, _) => Some(*index),
            Self::Nothing => None,
        }
    }
}

type Inputs = (Vec<Input>, Vec<(RuleIndex, Target)>);

/// How the correlation is fed by each rule that it is about, and by which rules in the end.
fn inputs(document: &CorrelationDocument, used: &[(usize, Meta, Way)]) -> Result<Inputs, Problem> {
    let mut inputs = Vec::new();
    let mut all_leaves: Vec<(RuleIndex, Target)> = Vec::new();
    for (position, meta, way) in used {
        let (rule, leaves) = match way {
            Way::Rule(index, target) => (*index, vec![(*index, *target)]),
            Way::Correlation(index, leaves) => (*index, leaves.clone()),
            Way::Nothing => continue,
        };
        for (leaf, target) in leaves {
            let group = document.group_by.iter();
            let group = group.map(|name| group_fields(document, meta, target, name));
            let group = group.collect::<Result<_, _>>()?;
            let values = document.fields.iter().map(|name| fields(document, target, name));
            let values = values.collect::<Result<_, _>>()?;
            inputs.push(Input { rule, leaf, position: *position, group, values });
            all_leaves.push((leaf, target));
        }
    }
    if INPUTS_MAX < inputs.len() {
        let message = format!("with the rules behind it, it is about more than {INPUTS_MAX} rules");
        return Err(Problem::new(Code::SigmaCorrelation, document.meta.place, message));
    }
    let mut seen = BTreeSet::new();
    all_leaves.retain(|(leaf, _)| seen.insert(*leaf));
    Ok((inputs, all_leaves))
}

/// Where a name of the group stands in what a rule is about.
pub(super) fn group_fields(
    document: &CorrelationDocument,
    meta: &Meta,
    target: Target,
    name: &str,
) -> Result<Vec<Field>, Problem> {
    let alias = document.aliases.get(name).and_then(|rules| {
        rules.iter().find(|(rule, _)| meta.is_called(rule)).map(|(_, field)| field.as_str())
    });
    fields(document, target, alias.unwrap_or(name))
}

pub(super) fn fields(
    document: &CorrelationDocument,
    target: Target,
    name: &str,
) -> Result<Vec<Field>, Problem> {
    let mut fields = Vec::new();
    for source in target.sources(name) {
        match source {
            Source::Field(field) => fields.push(field),
            Source::Constant(_) | Source::Types(_) => {}
        }
    }
    if fields.is_empty() {
        let message = format!("`{name}` is not provided for events of `{}`", target.source);
        return Err(Problem::new(Code::FieldNotProvided, document.meta.place, message));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SourceFile, load};

    #[test]
    fn a_correlation_is_fed_in_a_bounded_number_of_ways() {
        let errors = |count: usize| {
            let names = vec!["r"; count].join(", ");
            let text = format!(
                "title: r\nname: r\nlogsource: {{product: aws, service: cloudtrail}}\n\
                 detection: {{s: {{f: x}}, condition: s}}\n---\ntitle: c\ncorrelation:\n  \
                 type: temporal\n  rules: [{names}]\n  timespan: 1m\n"
            );
            load(&[SourceFile { name: "r".into(), text }], &Options::default()).error_count()
        };
        assert_eq!((errors(INPUTS_MAX), errors(INPUTS_MAX + 1)), (0, 1));
    }

    #[test]
    fn correlations_about_one_another_are_refused() {
        let one = |name: &str, other: &str| {
            format!(
                "title: {name}\nname: {name}\ncorrelation: {{type: temporal, rules: [{other}], \
                 timespan: 1m}}\n"
            )
        };
        let text = format!("{}---\n{}", one("a", "b"), one("b", "a"));
        let loaded = load(&[SourceFile { name: "r".into(), text }], &Options::default());
        assert_eq!((loaded.error_count(), loaded.rules.len()), (2, 0));
    }
}
