//! What is wrong with a rule file, where, and the way out.

use std::fmt;

use clew_event::text::escaped;
use serde::Serialize;

use crate::traced::Place;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What it is about is not loaded.
    Error,
    /// It loads, but may not do what its author means, or cannot run here yet.
    Warning,
}

impl Severity {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// Stable name of a kind of diagnostic; `CODES.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is shown: `R401`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it stands for.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    NotYaml "R001" "The file is not YAML.",
    NotASequence "R002" "A document of the file is not a sequence of items.",
    FileLimit "R003" "The file exceeds a bound on size, nesting or nodes.",
    UnknownItem "R101" "An item is no rule, macro, list or version requirement.",
    UnknownKey "R102" "An item has a key that means nothing.",
    MissingKey "R103" "An item lacks a key it needs.",
    WrongValue "R104" "The value of a key has the wrong shape.",
    Deprecated "R105" "A way of writing that the original is going to drop.",
    InvalidName "R106" "A macro or list has a name by which conditions cannot call it.",
    NoPrevious "R107" "An item changes one that is not defined before it.",
    Override "R108" "An `override` does not fit the item it stands in.",
    SourceChanged "R109" "A rule is defined again with another source.",
    UnknownSource "R110" "A rule is for a source that is not known.",
    Exception "R111" "An exception of a rule cannot be built.",
    DoubtfulException "R112" "An exception of a rule has no effect, or a name twice.",
    EngineVersion "R113" "The file needs a later engine.",
    PluginVersion "R114" "The file needs a plugin that is not there, or a later one.",
    Syntax "R201" "A condition does not follow the grammar.",
    Escape "R202" "A quoted string has a wrong escape.",
    ConditionLimit "R203" "A condition exceeds a bound on length or depth.",
    UnknownMacro "R301" "A condition names a macro that is not defined, or not yet.",
    MacroLoop "R302" "A macro contains itself.",
    BrokenMacro "R303" "A condition uses a macro that has a mistake.",
    UnusedMacro "R304" "No rule uses a macro.",
    UnusedList "R305" "No rule, macro or list uses a list.",
    UnknownField "R401" "A condition names a field that does not exist.",
    FieldNotProvided "R402" "A rule is right, but needs a field that Clew does not provide yet.",
    FieldArgument "R403" "A field lacks its argument, or has one it cannot take.",
    OperatorType "R404" "An operator does not fit the type of what it compares.",
    Value "R405" "A value does not fit the type it is compared with.",
    Transformer "R406" "A transformer is used on what it cannot take.",
    RightField "R407" "A field cannot stand on the right side there.",
    UnknownEventType "R408" "A condition names an event type that does not exist.",
    EventTypeNotProvided "R409" "A rule is right, but needs events that Clew does not see yet.",
    ManyEventTypes "R410" "A rule does not say which event types it is for.",
    UnsafeAbsence "R411" "A condition compares with `<NA>` where that never holds.",
    OutputSyntax "R501" "An output does not follow its grammar, or names an unknown field.",
    OutputNotProvided "R502" "An output names a field that Clew does not provide yet.",
    SigmaShape "R601" "A Sigma document lacks a key it needs, or one has the wrong shape.",
    SigmaCondition "R602" "The condition of a Sigma rule does not follow the grammar.",
    SigmaModifier "R603" "A modifier of Sigma is not known, or does not fit its value.",
    SigmaRegex "R604" "An expression of a Sigma rule cannot be used.",
    SigmaPlaceholder "R605" "Nothing says what a placeholder stands for.",
    LogSourceNotSeen "R606" "Rules are right, but for a log source that Clew does not see.",
    SigmaDuplicate "R607" "Two Sigma rules have one id or name.",
    SigmaFilter "R608" "A Sigma filter cannot be used, or names a rule that is not there.",
    SigmaCorrelation "R609" "A correlation rule of Sigma cannot be built.",
    SigmaPipeline "R610" "A processing pipeline of Sigma cannot be used.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is wrong or doubtful. In JSON the writer of lines adds `"type"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable code.
    pub code: Code,
    /// Name of the file.
    pub file: String,
    /// Line, from 1; 0 where it is about the whole file.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The way out; empty where there is none to offer.
    pub help: String,
}

/// Shows a diagnostic with the line it is about and a caret under the place.
///
/// The text of a rule file is not trusted: control characters in it are shown escaped.
#[must_use]
pub fn render(diagnostic: &Diagnostic, source_text: &str) -> String {
    let Diagnostic { severity, code, file, line, column, message, help } = diagnostic;
    let gutter = " ".repeat(line.to_string().len());
    let mut shown = format!("{}[{code}]: {}\n", severity.name(), escaped(message.as_bytes()));
    shown.push_str(&format!("{gutter}--> {}:{line}:{column}\n", escaped(file.as_bytes())));
    let index = (*line as usize).checked_sub(1);
    if let Some(text) = index.and_then(|index| source_text.lines().nth(index)) {
        let (window, caret) = window(text, *column as usize);
        shown.push_str(&format!("{gutter} |\n{line} | {window}\n{gutter} | {caret}\n"));
    }
    if !help.is_empty() {
        shown.push_str(&format!("{gutter} = help: {}\n", escaped(help.as_bytes())));
    }
    shown
}

/// Widest part of a line that is shown.
const LINE_SHOWN_MAX: usize = 120;

/// The part of a line around a column, and a line with a caret under the column.
fn window(line: &str, column: usize) -> (String, String) {
    let skipped = column.saturating_sub(LINE_SHOWN_MAX * 3 / 4);
    let part: String = line.chars().skip(skipped).take(LINE_SHOWN_MAX).collect();
    let before: String = part.chars().take(column.saturating_sub(skipped + 1)).collect();
    let width = escaped(before.as_bytes()).chars().count();
    let mark = if skipped == 0 { "" } else { "…" };
    let indent = " ".repeat(width + mark.chars().count());
    (format!("{mark}{}", escaped(part.as_bytes())), format!("{indent}^"))
}

/// Collects diagnostics while files are loaded.
#[derive(Debug, Default)]
pub(crate) struct Report {
    entries: Vec<Entry>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    place: Place,
    severity: Severity,
    code: Code,
    message: String,
    help: String,
}

/// What a diagnostic says, before it is known whether it is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub code: Code,
    pub place: Place,
    pub message: String,
    pub help: String,
}

impl Problem {
    pub(crate) fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, place, message: message.into(), help: String::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}

impl Report {
    pub(crate) fn error(&mut self, problem: Problem) {
        self.add(Severity::Error, problem);
    }

    pub(crate) fn warning(&mut self, problem: Problem) {
        self.add(Severity::Warning, problem);
    }

    /// What the first error at or behind a place of that file says.
    pub(crate) fn first_error_from(&self, place: Place) -> Option<&str> {
        let is_meant = |entry: &&Entry| {
            let is_there = entry.place.file == place.file && place.line <= entry.place.line;
            is_there && entry.severity == Severity::Error
        };
        let first = self.entries.iter().filter(is_meant).min_by_key(|entry| entry.place);
        first.map(|entry| entry.message.as_str())
    }

    fn add(&mut self, severity: Severity, problem: Problem) {
        let Problem { code, place, message, help } = problem;
        self.entries.push(Entry { place, severity, code, message, help });
    }

    /// All diagnostics in the order of the files, each once.
    pub(crate) fn finish(mut self, file_names: &[&str]) -> Vec<Diagnostic> {
        self.entries.sort_by_key(|entry| (entry.place, entry.code));
        self.entries.dedup();
        let file_name = |place: Place| file_names.get(place.file as usize).copied();
        let diagnostic = |entry: Entry| Diagnostic {
            severity: entry.severity,
            code: entry.code,
            file: file_name(entry.place).unwrap_or_default().to_owned(),
            line: entry.place.line,
            column: entry.place.column,
            message: entry.message,
            help: entry.help,
        };
        self.entries.into_iter().map(diagnostic).collect()
    }
}

/// The name nearest to `wanted` among `names`, where one is near enough to be meant.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = wanted.chars().count() / 3 + 1;
    names
        .into_iter()
        .map(|name| (edit_distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements that make `b` of `a`.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (index, from) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let above = *cell;
            let replaced = diagonal + usize::from(from != to);
            left = replaced.min(above + 1).min(left + 1);
            *cell = left;
            diagonal = above;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn diagnostic() -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: Code::UnknownField,
            file: "rules.yaml".to_owned(),
            line: 2,
            column: 14,
            message: "`proc.nmae` is no field".to_owned(),
            help: "did you mean `proc.name`?".to_owned(),
        }
    }

    #[test]
    fn a_diagnostic_shows_the_line_with_a_caret() {
        let text = "- macro: m\n  condition: proc.nmae = a\n";
        expect![[r#"
            error[R401]: `proc.nmae` is no field
             --> rules.yaml:2:14
              |
            2 |   condition: proc.nmae = a
              |              ^
              = help: did you mean `proc.name`?
        "#]]
        .assert_eq(&render(&diagnostic(), text));
    }

    #[test]
    fn control_characters_of_a_file_are_shown_escaped_and_long_lines_cut() {
        let long = Diagnostic { line: 1, column: 500, ..diagnostic() };
        let text = format!("{}\x1b[31mred{}", "x".repeat(490), "y".repeat(500));
        let shown = render(&long, &text);
        assert!(shown.contains("\\x1b[31mred") && !shown.contains('\x1b'), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() < LINE_SHOWN_MAX + 20), "{shown}");
    }

    #[test]
    fn a_diagnostic_is_one_object_of_json() {
        expect![[r#"{"severity":"error","code":"R401","file":"rules.yaml","line":2,"column":14,"message":"`proc.nmae` is no field","help":"did you mean `proc.name`?"}"#]]
        .assert_eq(&serde_json::to_string(&diagnostic()).unwrap());
    }

    #[test]
    fn the_nearest_name_is_offered_only_where_it_may_be_meant() {
        let names = ["proc.name", "proc.pname", "fd.name"];
        assert_eq!(nearest("proc.nmae", names), Some("proc.name"));
        assert_eq!(nearest("k8s.pod.label", names), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }

    #[test]
    fn every_code_is_explained_in_the_table() {
        let table = include_str!("../CODES.md");
        for code in Code::ALL {
            let line = format!("| {code} | {} |", code.meaning());
            assert!(table.contains(&line), "CODES.md lacks: {line}");
        }
        let rows = table.lines().filter(|line| line.starts_with("| R")).count();
        assert_eq!(rows, Code::ALL.len());
    }
}
