//! From files to a rule set.

mod append;
mod rules;
mod selection;

use clew_event::{EventType, Priority, Semantics};

use crate::collect::Collected;
use crate::compile::Macros;
use crate::diagnostic::{Code, Problem, Report, Severity};
use crate::items::read_item;
use crate::sigma;
use crate::substitute::Lists;
use crate::traced::Place;
use crate::yaml::{self, FileError};
use crate::{Diagnostic, RuleSet};
pub use append::AppendOutput;
pub(crate) use rules::{asks_for_result, event_types};
pub(crate) use selection::status;
pub use selection::{Selection, Selector};

/// A rule file: its name for messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Name by which diagnostics call it.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// How many rules may match one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// Every rule that matches.
    #[default]
    All,
    /// The first one in order of definition (what Falco does where it is not told otherwise).
    First,
}

/// What the user chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many rules may match one event.
    pub matching: Matching,
    /// Rules less urgent than this are checked, but never match.
    pub priority_min: Priority,
    /// Rules that the files disable match too.
    pub includes_disabled: bool,
    /// Rules that are switched on and off after that, in order.
    pub selection: Vec<Selection>,
    /// Processing pipelines for Sigma rules, in pySigma's form.
    pub pipelines: Vec<SourceFile>,
    /// What is added to outputs, in order.
    pub append_output: Vec<AppendOutput>,
    /// Who is followed where Clew and Falco differ.
    pub semantics: Semantics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            matching: Matching::All,
            priority_min: Priority::Debug,
            includes_disabled: false,
            selection: Vec::new(),
            pipelines: Vec::new(),
            append_output: Vec::new(),
            semantics: Semantics::default(),
        }
    }
}

/// What came of reading rule files. There is always a rule set: what is wrong is left out of it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules that can run.
    pub rules: RuleSet,
    /// What is wrong or doubtful, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// How many rules the files define.
    pub rules_defined: usize,
    /// Rules that are right but ask for what Clew does not provide yet, with what that is.
    pub not_runnable: Vec<NotRunnable>,
    /// What is known of each rule that the files define, in order of definition.
    pub facts: Vec<RuleFacts>,
    /// Name and values of each list, lists in it expanded.
    pub lists: Vec<(String, Vec<String>)>,
}

impl Status {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Disabled => "disabled",
            Self::LessUrgent => "less-urgent",
            Self::NotRunnable => "not-runnable",
            Self::Refused => "refused",
        }
    }
}

impl Loaded {
    /// How many diagnostics are errors.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many diagnostics are warnings.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

/// A rule that is right, but asks for what Clew does not provide yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRunnable {
    /// Name of the rule.
    pub rule: String,
    /// Names of the fields, in ascending order, each once; `evt.type=name` for an event type.
    pub fields: Vec<String>,
}

/// What is known of a rule before any event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFacts {
    /// Its name.
    pub name: String,
    /// How urgent its author calls it.
    pub priority: Priority,
    /// Source of the events it is for.
    pub source: String,
    /// All its tags, in ascending order.
    pub tags: Vec<String>,
    /// ATT&CK techniques among its tags, in ascending order.
    pub techniques: Vec<String>,
    /// Name of the file that defines it.
    pub file: String,
    /// Line of its definition, from 1.
    pub line: u32,
    /// What it asks for that Clew does not provide yet, as in [`NotRunnable::fields`].
    pub missing: Vec<String>,
    /// Fields that its condition uses with their arguments, in ascending order.
    pub condition_fields: Vec<String>,
    /// Fields that its output names, in ascending order.
    pub output_fields: Vec<String>,
    /// Event types for which it can match, in ascending order.
    pub event_types: Vec<EventType>,
    /// Why it does not match, or that it can.
    pub status: Status,
    /// What Sigma rules say beside that.
    pub sigma: Option<Box<SigmaFacts>>,
}

/// What a Sigma rule says of itself, as it is written; empty where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigmaFacts {
    /// Its title, which other rules may have as well.
    pub title: String,
    /// Its UUID.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// Under which licence, in SPDX's words.
    pub license: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// Product, category and service of the log: `aws/cloudtrail`.
    pub log_source: String,
}

/// Whether a rule can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Runs,
    /// The files disable it.
    Disabled,
    /// It is less urgent than was asked for.
    LessUrgent,
    /// It asks for what Clew does not provide yet.
    NotRunnable,
    /// It has a mistake, or is for a source that is not known.
    Refused,
}

/// Reads `files` in order, later ones changing what earlier ones define.
///
/// Never fails: a mistake is a diagnostic, and everything that does not depend on it still loads.
#[must_use]
pub fn load(files: &[SourceFile], options: &Options) -> Loaded {
    let mut report = Report::default();
    let mut collected = collect(files, &mut report);
    collect_pipelines(&options.pipelines, &mut collected, &mut report);
    let mut lists = Lists::new(&collected, options.semantics, &mut report);
    let mut macros = Macros::new(&collected, &mut lists, &mut report);
    let mut loaded = rules::compile(&collected, &mut lists, &mut macros, options, &mut report);
    for (name, place) in macros.unused() {
        let message = format!("no rule uses macro `{name}`");
        report.warning(Problem::new(Code::UnusedMacro, place, message));
    }
    for (name, place) in lists.unused() {
        let message = format!("nothing uses list `{name}`");
        report.warning(Problem::new(Code::UnusedList, place, message));
    }
    let texts = |items: &[crate::traced::Traced]| {
        items.iter().map(|item| item.as_str().to_owned()).collect()
    };
    loaded.lists = lists.iter().map(|(name, items)| (name.to_owned(), texts(items))).collect();
    let names: Vec<&str> = collected.file_names.iter().map(String::as_str).collect();
    for (facts, rule) in loaded.facts.iter_mut().zip(collected.rules.iter()) {
        let file = names.get(rule.name.place.file as usize).copied();
        facts.file = file.unwrap_or_default().to_owned();
    }
    loaded.diagnostics = report.finish(&names);
    loaded
}

pub(crate) fn collect(files: &[SourceFile], report: &mut Report) -> Collected {
    let mut collected = Collected::default();
    collected.file_names = files.iter().map(|file| file.name.clone()).collect();
    for (number, file) in (0..).zip(files) {
        let read = yaml::read(&file.text, number);
        for node in &read.items {
            if let Some(item) = read_item(node, report) {
                collected.take(item, report);
            }
        }
        // A document of Sigma is a mapping, where one of Falco is a sequence.
        let sigma = read.mappings.into_iter().filter(sigma::is_sigma);
        let before = collected.sigma.len();
        collected.sigma.extend(sigma);
        let ours = collected.sigma.get(before..).unwrap_or_default();
        let is_sigma = |place: &Place| ours.iter().any(|document| document.place == *place);
        for error in read.errors {
            if !matches!(&error, FileError::NotASequence(place) if is_sigma(place)) {
                report.error(file_problem(error));
            }
        }
    }
    collected
}

/// Reads pipelines; they are numbered behind the rule files.
pub(crate) fn collect_pipelines(
    files: &[SourceFile],
    collected: &mut Collected,
    report: &mut Report,
) {
    for file in files {
        let number = u32::try_from(collected.file_names.len()).unwrap_or(u32::MAX);
        collected.file_names.push(file.name.clone());
        let read = yaml::read(&file.text, number);
        collected.pipelines.extend(read.mappings);
        for error in read.errors {
            // A pipeline is a mapping, which a rule file must not be.
            if !matches!(error, FileError::NotASequence(_)) {
                report.error(file_problem(error));
            }
        }
    }
}

fn file_problem(error: FileError) -> Problem {
    match error {
        FileError::Syntax(place, message) => {
            Problem::new(Code::NotYaml, place, format!("this is not YAML: {message}"))
                .help("items before this place are loaded, those behind it are not")
        }
        FileError::NotASequence(place) => {
            Problem::new(Code::NotASequence, place, "a rule file has to be a list of items")
                .help("start each rule with `- rule:`")
        }
        FileError::Limit(place, message) => Problem::new(Code::FileLimit, place, message),
    }
}
