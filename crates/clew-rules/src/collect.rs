//! Collects the items of all files: later ones add to or replace earlier ones.
//!
//! Every definition and change takes the next number. A name keeps the number of its first
//! definition as its order, and takes that of its last change as what it can see: a list or macro
//! uses only those whose order lies before (`falco-semantics`, section 1, measured against the
//! original).

use rustc_hash::FxHashMap;

use crate::diagnostic::{Code, Problem, Report, nearest};
use crate::items::{Changes, Exception, Item, Name, RuleItem};
use crate::traced::Traced;

/// Sources whose events rules can be for.
pub(crate) const SOURCES: [&str; 8] = [
    "syscall",
    "k8s_audit",
    "aws_cloudtrail",
    "gcp_auditlog",
    "github",
    "okta",
    "azure_activity",
    "entra_signin",
];

/// What all files define.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub lists: Named<List>,
    pub macros: Named<Macro>,
    pub rules: Named<RuleItem>,
    /// Documents of Sigma, in order.
    pub sigma: Vec<crate::yaml::Node>,
    /// Processing pipelines for them.
    pub pipelines: Vec<crate::yaml::Node>,
    /// Names of all files, by their number.
    pub file_names: Vec<String>,
    /// Definitions and changes so far.
    count: u32,
}

/// A list as it is written.
#[derive(Debug)]
pub(crate) struct List {
    pub name: Name,
    pub items: Vec<Traced>,
    /// Order of definition.
    pub order: u32,
    /// What lies before this can be used.
    pub sees_before: u32,
}

/// A macro as it is written.
#[derive(Debug)]
pub(crate) struct Macro {
    pub name: Name,
    pub condition: Traced,
    /// Order of definition.
    pub order: u32,
    /// What lies before this can be used.
    pub sees_before: u32,
}

/// Things by their name, in the order of their first definition.
#[derive(Debug)]
pub(crate) struct Named<T> {
    things: Vec<T>,
    positions: FxHashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { things: Vec::new(), positions: FxHashMap::default() }
    }
}

impl<T> Named<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.things.get(self.position(name)?)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.things.get_mut(self.positions.get(name).copied()?)
    }

    fn push(&mut self, name: &str, thing: T) {
        self.positions.insert(name.to_owned(), self.things.len());
        self.things.push(thing);
    }
}

impl Collected {
    /// Takes the next item; what is wrong with it is reported, and it changes nothing then.
    pub(crate) fn take(&mut self, item: Item, report: &mut Report) {
        let taken = match item {
            Item::Requirement => Ok(()),
            Item::List { name, items, is_appended: false } => {
                self.define_list(name, items);
                Ok(())
            }
            Item::List { name, items, is_appended: true } => self.append_list(&name, items),
            Item::Macro { name, condition, is_appended: false } => {
                self.define_macro(name, condition);
                Ok(())
            }
            Item::Macro { name, condition, is_appended: true } => {
                self.append_macro(&name, &condition)
            }
            Item::Rule(rule) => self.define_rule(*rule, report),
            Item::RuleChanges { name, append, replace } => self.change_rule(&name, append, replace),
            Item::RuleEnabled { name, is_enabled } => {
                self.rule_mut(&name).map(|rule| rule.is_enabled = is_enabled)
            }
        };
        if let Err(problem) = taken {
            report.error(problem);
        }
    }

    fn next(&mut self) -> u32 {
        let number = self.count;
        self.count += 1;
        number
    }

    fn define_list(&mut self, name: Name, items: Vec<Traced>) {
        let number = self.next();
        match self.lists.get_mut(&name.text) {
            Some(list) => {
                *list = List { name, items, order: list.order, sees_before: number };
            }
            None => {
                let key = name.text.clone();
                self.lists.push(&key, List { name, items, order: number, sees_before: number });
            }
        }
    }

    fn append_list(&mut self, name: &Name, items: Vec<Traced>) -> Result<(), Problem> {
        let number = self.next();
        match self.lists.get_mut(&name.text) {
            Some(list) => {
                list.items.extend(items);
                list.sees_before = number;
                Ok(())
            }
            None => {
                let names = self.lists.iter().map(|list| list.name.text.as_str());
                Err(no_previous("list", name, names))
            }
        }
    }

    fn define_macro(&mut self, name: Name, condition: Traced) {
        let number = self.next();
        match self.macros.get_mut(&name.text) {
            Some(earlier) => {
                *earlier = Macro { name, condition, order: earlier.order, sees_before: number };
            }
            None => {
                let key = name.text.clone();
                let new = Macro { name, condition, order: number, sees_before: number };
                self.macros.push(&key, new);
            }
        }
    }

    fn append_macro(&mut self, name: &Name, condition: &Traced) -> Result<(), Problem> {
        let number = self.next();
        match self.macros.get_mut(&name.text) {
            Some(earlier) => {
                append(&mut earlier.condition, condition);
                earlier.sees_before = number;
                Ok(())
            }
            None => {
                let names = self.macros.iter().map(|earlier| earlier.name.text.as_str());
                Err(no_previous("macro", name, names))
            }
        }
    }

    fn define_rule(&mut self, mut rule: RuleItem, report: &mut Report) -> Result<(), Problem> {
        self.count += 1;
        if !SOURCES.contains(&rule.source.as_str()) {
            let message = format!("source `{}` is not known, the rule is skipped", rule.source);
            let problem = Problem::new(Code::UnknownSource, rule.name.place, message);
            report.warning(problem.help(format!("known sources are {}", SOURCES.join(", "))));
        }
        for exception in &mut rule.exceptions {
            exception.complete()?;
        }
        match self.rules.get_mut(&rule.name.text) {
            Some(earlier) => {
                same_source(earlier, &rule.name, &rule.source)?;
                *earlier = rule;
            }
            None => {
                let key = rule.name.text.clone();
                self.rules.push(&key, rule);
            }
        }
        Ok(())
    }

    fn change_rule(
        &mut self,
        name: &Name,
        append: Option<Box<Changes>>,
        replace: Option<Box<Changes>>,
    ) -> Result<(), Problem> {
        self.count += 1;
        let rule = self.rule_mut(name)?;
        let mut changed = rule.clone();
        if let Some(changes) = append {
            same_source(rule, name, &changes.source)?;
            append_to_rule(&mut changed, name, *changes)?;
        }
        if let Some(changes) = replace {
            same_source(rule, name, &changes.source)?;
            replace_in_rule(&mut changed, *changes)?;
        }
        *rule = changed;
        Ok(())
    }

    fn rule_mut(&mut self, name: &Name) -> Result<&mut RuleItem, Problem> {
        let Some(position) = self.rules.position(&name.text) else {
            let names = self.rules.iter().map(|rule| rule.name.text.as_str());
            return Err(no_previous("rule", name, names));
        };
        let missing = || no_previous("rule", name, []);
        self.rules.things.get_mut(position).ok_or_else(missing)
    }
}

fn append_to_rule(rule: &mut RuleItem, name: &Name, changes: Changes) -> Result<(), Problem> {
    if changes.is_empty() {
        let message = "nothing to append: `condition` and `exceptions` are missing";
        return Err(Problem::new(Code::MissingKey, name.place, message));
    }
    if let Some(condition) = &changes.condition {
        append(&mut rule.condition, condition);
    }
    if let Some(output) = &changes.output {
        append(&mut rule.output, output);
    }
    if let Some(description) = &changes.description {
        rule.description.push(' ');
        rule.description.push_str(description);
    }
    rule.tags.extend(changes.tags.unwrap_or_default());
    for exception in changes.exceptions.unwrap_or_default() {
        append_exception(rule, exception)?;
    }
    Ok(())
}

fn append_exception(rule: &mut RuleItem, mut exception: Exception) -> Result<(), Problem> {
    let problem = |message: &str| Problem::new(Code::Exception, exception.place, message);
    match rule.exceptions.iter_mut().find(|earlier| earlier.name == exception.name) {
        Some(_) if exception.fields.is_some() || exception.comparisons.is_some() => {
            Err(problem("an earlier exception has this name: only `values` can be added to it"))
        }
        Some(earlier) => {
            earlier.values.append(&mut exception.values);
            Ok(())
        }
        None if exception.fields.is_none() => {
            Err(problem("no exception of this name is there yet, so it needs `fields`"))
        }
        None if exception.values.is_empty() => {
            Err(problem("no exception of this name is there yet, so it needs `values`"))
        }
        None => {
            exception.complete()?;
            rule.exceptions.push(exception);
            Ok(())
        }
    }
}

fn replace_in_rule(rule: &mut RuleItem, changes: Changes) -> Result<(), Problem> {
    if let Some(condition) = changes.condition {
        rule.condition = condition;
    }
    if let Some(output) = changes.output {
        rule.output = output;
    }
    if let Some(description) = changes.description {
        rule.description = description;
    }
    if let Some(priority) = changes.priority {
        rule.priority = priority;
    }
    if let Some(tags) = changes.tags {
        rule.tags = tags;
    }
    if let Some(mut exceptions) = changes.exceptions {
        exceptions.iter_mut().try_for_each(Exception::complete)?;
        rule.exceptions = exceptions;
    }
    if let Some(is_enabled) = changes.is_enabled {
        rule.is_enabled = is_enabled;
    }
    if let Some(warns) = changes.warns_of_event_types {
        rule.warns_of_event_types = warns;
    }
    if let Some(skips) = changes.skips_unknown_fields {
        rule.skips_unknown_fields = skips;
    }
    Ok(())
}

fn same_source(earlier: &RuleItem, name: &Name, source: &str) -> Result<(), Problem> {
    if source.is_empty() || earlier.source.is_empty() || source == earlier.source {
        return Ok(());
    }
    let message =
        format!("rule `{}` is for source `{}`, not `{source}`", name.text, earlier.source);
    Err(Problem::new(Code::SourceChanged, name.place, message))
}

fn append(text: &mut Traced, more: &Traced) {
    text.push_space();
    text.push_traced(more);
}

fn no_previous<'a>(kind: &str, name: &Name, names: impl IntoIterator<Item = &'a str>) -> Problem {
    let message = format!("no {kind} `{}` is defined before this", name.text);
    let problem = Problem::new(Code::NoPrevious, name.place, message);
    match nearest(&name.text, names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}
