//! Exceptions of rules: what they say, and the condition they stand for.
//!
//! An exception names fields, comparisons and tuples of values, and is turned into
//! `(condition) and not (…)` as text, before lists are substituted and the grammar is applied, as
//! in the original. What stands for a value there, says [`push_quoted`].

use clew_event::Semantics;

use super::reader::Reader;
use crate::condition::is_one_string;
use crate::diagnostic::{Code, Problem, Report};
use crate::traced::{Place, Traced};
use crate::yaml::{Content, Node};

/// One exception.
#[derive(Clone, Debug)]
pub(crate) struct Exception {
    pub name: String,
    pub place: Place,
    pub fields: Option<Entry>,
    pub comparisons: Option<Entry>,
    pub values: Vec<Entry>,
}

/// A scalar, or a sequence of entries.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Text(Traced),
    List(Vec<Self>),
}

/// Comparison operators that an exception may name, without modifiers.
const OPERATORS: [&str; 20] = [
    "exists",
    "<=",
    "<",
    ">=",
    ">",
    "==",
    "=",
    "!=",
    "glob",
    "iglob",
    "contains",
    "icontains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
    "regex",
    "intersects",
    "in",
    "pmatch",
];

impl Exception {
    /// Reads the exceptions of an item.
    pub(super) fn read_all(
        item: &Node,
        is_appended: bool,
        report: &mut Report,
    ) -> Result<Vec<Self>, Problem> {
        let Some(node) = item.get("exceptions").filter(|node| !node.is_null()) else {
            return Ok(Vec::new());
        };
        let Some(nodes) = node.sequence() else {
            return Err(problem(node.place, "`exceptions` has to be a list"));
        };
        let mut exceptions: Vec<Self> = Vec::new();
        for node in nodes {
            let exception = Self::read(node, is_appended, report)?;
            if exceptions.iter().any(|earlier| earlier.name == exception.name) {
                let message = format!("two exceptions of this rule are named `{}`", exception.name);
                report.warning(Problem::new(Code::DoubtfulException, exception.place, message));
            }
            exceptions.push(exception);
        }
        Ok(exceptions)
    }

    fn read(node: &Node, is_appended: bool, report: &mut Report) -> Result<Self, Problem> {
        if node.mapping().is_none() {
            return Err(problem(node.place, "an exception has to be a mapping"));
        }
        let name = Reader::new(node).required("name")?;
        let entry = |key: &str| node.get(key).map(Entry::read).transpose();
        let fields = entry("fields")?;
        if fields.is_none() && !is_appended {
            return Err(problem(node.place, "`fields` is missing"));
        }
        let values = match node.get("values") {
            None => Vec::new(),
            Some(values) => match values.sequence() {
                Some(items) => items.iter().map(Entry::read).collect::<Result<_, _>>()?,
                None => return Err(problem(values.place, "`values` has to be a list")),
            },
        };
        if is_appended && node.get("values").is_none() {
            let message = "an exception without `values` changes nothing";
            report.warning(Problem::new(Code::DoubtfulException, node.place, message));
        }
        let (name, place) = (name.as_str().to_owned(), name.place_at(0));
        Ok(Self { name, place, fields, comparisons: entry("comps")?, values })
    }

    /// Fills in the comparisons that are left out, and checks that all fit together.
    pub(crate) fn complete(&mut self) -> Result<(), Problem> {
        let Some(fields) = &self.fields else {
            return Err(problem(self.place, "`fields` is missing"));
        };
        match (fields, &mut self.comparisons) {
            (Entry::List(fields), comparisons) => {
                let place = self.place;
                let default = || vec![Entry::Text(word("=", place)); fields.len()];
                let list = comparisons.get_or_insert_with(|| Entry::List(default()));
                let Entry::List(list) = list else {
                    return Err(problem(place, "`comps` has to be a list, because `fields` is"));
                };
                if list.len() != fields.len() {
                    let message =
                        format!("{} fields, but {} comparisons", fields.len(), list.len());
                    return Err(problem(place, &message));
                }
                list.iter_mut().try_for_each(|entry| check_operator(entry, place, is_operator))
            }
            (Entry::Text(_), comparisons) => {
                let place = self.place;
                let entry = comparisons.get_or_insert_with(|| Entry::Text(word("in", place)));
                check_operator(entry, place, is_list_operator)
            }
        }
    }

    /// The text of its condition, to stand behind `and not`; `None` where it has no values.
    fn condition(&self, semantics: Semantics) -> Result<Option<Traced>, Problem> {
        if self.values.is_empty() {
            return Ok(None);
        }
        let place = self.place;
        match (&self.fields, &self.comparisons) {
            (Some(Entry::Text(field)), Some(Entry::Text(comparison))) => {
                let mut text = word("(", place);
                text.push_traced(field);
                text.push_space();
                text.push_traced(comparison);
                text.push_str(" ", place);
                push_list(&mut text, &self.values, place, semantics)?;
                text.push_str(")", place);
                Ok(Some(text))
            }
            (Some(Entry::List(fields)), Some(Entry::List(comparisons))) => {
                let mut text = word("(", place);
                for (index, values) in self.values.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { " or " }, place);
                    push_tuple(&mut text, (fields, comparisons, values), place, semantics)?;
                }
                text.push_str(")", place);
                Ok(Some(text))
            }
            _ => Err(problem(place, "`fields` and `comps` have to be both lists or both not")),
        }
    }
}

/// A rule's condition with its exceptions.
pub(crate) fn with_exceptions(
    condition: &Traced,
    exceptions: &[Exception],
    semantics: Semantics,
) -> Result<Traced, Problem> {
    if exceptions.is_empty() {
        return Ok(condition.clone());
    }
    let mut text = word("(", condition.place_at(0));
    text.push_traced(condition);
    text.push_str(")", condition.place_at(condition.len()));
    for exception in exceptions {
        if let Some(excluded) = exception.condition(semantics)? {
            text.push_str(" and not ", exception.place);
            text.push_traced(&excluded);
        }
    }
    Ok(text)
}

impl Entry {
    fn read(node: &Node) -> Result<Self, Problem> {
        match &node.content {
            Content::Scalar(text) if !text.is_empty() => Ok(Self::Text(text.clone())),
            Content::Sequence(items) => {
                items.iter().map(Self::read).collect::<Result<_, _>>().map(Self::List)
            }
            Content::Scalar(_) | Content::Null => {
                Err(problem(node.place, "a value of an exception is empty"))
            }
            Content::Mapping(_) => {
                Err(problem(node.place, "a value of an exception cannot be a mapping"))
            }
        }
    }
}

/// `( f1 c1 v1 and f2 c2 v2)`
fn push_tuple(
    text: &mut Traced,
    (fields, comparisons, values): (&[Entry], &[Entry], &Entry),
    place: Place,
    semantics: Semantics,
) -> Result<(), Problem> {
    let Entry::List(values) = values else {
        return Err(problem(place, "each of `values` has to be a list, because `fields` is"));
    };
    if values.len() != fields.len() {
        let message = format!("{} fields, but a tuple of {} values", fields.len(), values.len());
        return Err(problem(place, &message));
    }
    text.push_str("(", place);
    for (index, ((field, comparison), value)) in
        fields.iter().zip(comparisons).zip(values).enumerate()
    {
        text.push_str(if index == 0 { " " } else { " and  " }, place);
        let (Entry::Text(field), Entry::Text(comparison)) = (field, comparison) else {
            return Err(problem(place, "a field or comparison cannot be a list"));
        };
        text.push_traced(field);
        text.push_str(" ", place);
        text.push_traced(comparison);
        text.push_str(" ", place);
        match value {
            Entry::List(items) => push_list(text, items, place, semantics)?,
            Entry::Text(value) if is_list_operator(comparison.as_str()) => {
                push_in_parentheses(text, value);
            }
            Entry::Text(value) => push_quoted(text, value, semantics),
        }
    }
    text.push_str(")", place);
    Ok(())
}

fn push_list(
    text: &mut Traced,
    items: &[Entry],
    place: Place,
    semantics: Semantics,
) -> Result<(), Problem> {
    text.push_str("(", place);
    for (index, item) in items.iter().enumerate() {
        let Entry::Text(item) = item else {
            return Err(problem(place, "a list of values cannot hold lists"));
        };
        text.push_str(if index == 0 { "" } else { ", " }, place);
        push_quoted(text, item, semantics);
    }
    text.push_str(")", place);
    Ok(())
}

/// Appends a value as it stands in a condition.
///
/// Falco quotes what has a space and no quote at its start, and leaves all else as it is: a value
/// with a comma becomes two, one with a parenthesis or a quote inside is refused. That is kept
/// where it gives one string; else, unless Falco is followed, the value is quoted and escaped.
pub(crate) fn push_quoted(text: &mut Traced, value: &Traced, semantics: Semantics) {
    let needs_quotes = value.as_str().contains(' ') && !value.as_str().starts_with(['"', '\'']);
    let mut quoted = Traced::default();
    push_between(&mut quoted, value, if needs_quotes { ["\"", "\""] } else { ["", ""] });
    if semantics.is_falco() || value.is_empty() || is_one_string(&quoted) {
        text.push_traced(&quoted);
    } else {
        push_between(text, &value.escaped(), ["\"", "\""]);
    }
}

fn push_in_parentheses(text: &mut Traced, value: &Traced) {
    let has_them = value.as_str().starts_with('(');
    push_between(text, value, if has_them { ["", ""] } else { ["(", ")"] });
}

fn push_between(text: &mut Traced, value: &Traced, [left, right]: [&str; 2]) {
    text.push_str(left, value.place_at(0));
    text.push_traced(value);
    text.push_str(right, value.place_at(value.len()));
}

fn check_operator(
    entry: &mut Entry,
    place: Place,
    accepts: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let Entry::Text(text) = entry else {
        return Err(problem(place, "a comparison cannot be a list"));
    };
    let trimmed = text.trimmed();
    if !accepts(trimmed.as_str()) {
        let message = format!("`{}` is no comparison that fits here", trimmed.as_str());
        return Err(problem(text.place_at(0), &message)
            .help("one field takes `in`, `pmatch`, `intersects` or an operator with a modifier"));
    }
    *text = trimmed;
    Ok(())
}

fn is_operator(text: &str) -> bool {
    OPERATORS.contains(&text) || has_modifier(text)
}

/// True where the operator takes a list.
fn is_list_operator(text: &str) -> bool {
    matches!(text, "in" | "pmatch" | "intersects") || has_modifier(text)
}

/// `startswith anyof`
fn has_modifier(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let (operator, modifier) = (words.next(), words.next());
    let takes_modifiers = |operator: &str| {
        OPERATORS.contains(&operator)
            && !matches!(
                operator,
                "exists" | "<" | "<=" | ">" | ">=" | "in" | "intersects" | "pmatch"
            )
    };
    operator.is_some_and(takes_modifiers)
        && matches!(modifier, Some("oneof" | "anyof" | "allof"))
        && words.next().is_none()
}

fn word(text: &str, place: Place) -> Traced {
    let mut traced = Traced::default();
    traced.push_str(text, place);
    traced
}

fn problem(place: Place, message: &str) -> Problem {
    Problem::new(Code::Exception, place, message)
}
