//! The `detection` of a Sigma rule as it is written: searches of items, and conditions over them.
//!
//! Nothing is decided here about fields and values, so that pipelines can still change both.

use super::condition::{self, Expr};
use crate::diagnostic::{Code, Problem};
use crate::traced::{Place, Traced};
use crate::yaml::{Content, Node};

/// Most items of one rule, which bounds what filters and field mappings make of it.
pub(crate) const ITEMS_MAX: usize = 10_000;

/// What a rule looks for.
#[derive(Clone, Debug)]
pub(super) struct Detection {
    pub searches: Vec<(String, Search)>,
    /// Over the searches by their number.
    pub condition: Expr,
}

/// Items joined.
#[derive(Clone, Debug)]
pub(super) enum Search {
    All(Vec<Self>),
    Any(Vec<Self>),
    Item(Item),
}

/// A field, how it is compared, and with what.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// `None` for keywords, which are searched in the whole record.
    pub field: Option<String>,
    pub modifiers: Vec<String>,
    pub values: Vec<Value>,
    pub place: Place,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
}

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(Code::SigmaShape, place, message)
}

/// Reads the value of `detection`.
///
/// # Errors
/// It is of another shape, or its condition is wrong.
pub(super) fn read(node: &Node) -> Result<Detection, Problem> {
    let Some(pairs) = node.mapping() else {
        return Err(problem(node.place, "`detection` has to be a mapping"));
    };
    let mut searches: Vec<(String, Search)> = Vec::new();
    let mut conditions = None;
    let mut count = 0;
    for (key, value) in pairs {
        let name = key.key_text().unwrap_or_default();
        match name {
            "condition" => conditions = Some(value),
            "timeframe" => {
                return Err(problem(key.place, "`timeframe` is not part of Sigma 2")
                    .help("write a correlation rule: `correlation:` with `timespan`"));
            }
            "" => return Err(problem(key.place, "the name of a search has to be a text")),
            _ if searches.iter().any(|(other, _)| other == name) => {
                return Err(problem(key.place, format!("there are two searches `{name}`")));
            }
            _ => searches.push((name.to_owned(), search(value, &mut count)?)),
        }
    }
    let Some(conditions) = conditions else {
        return Err(problem(node.place, "`detection` has no `condition`"));
    };
    let condition = read_conditions(conditions, &searches)?;
    Ok(Detection { searches, condition })
}

/// Several conditions are as many rules in one: it matches where one holds.
fn read_conditions(node: &Node, searches: &[(String, Search)]) -> Result<Expr, Problem> {
    let names: Vec<&str> = searches.iter().map(|(name, _)| name.as_str()).collect();
    let one = |node: &Node| match node.scalar() {
        Some(text) => condition::read(text, &names),
        None => Err(problem(node.place, "a condition has to be a text")),
    };
    match node.sequence() {
        Some(several) => Ok(Expr::Any(several.iter().map(one).collect::<Result<_, _>>()?)),
        None => one(node),
    }
}

/// Reads a search: a mapping, a list of mappings and keywords, or a keyword.
///
/// Recursion is bounded by `YAML_DEPTH_MAX`.
pub(super) fn search(node: &Node, count: &mut usize) -> Result<Search, Problem> {
    *count += 1;
    if ITEMS_MAX < *count {
        return Err(problem(node.place, format!("more than {ITEMS_MAX} items")));
    }
    match &node.content {
        Content::Mapping(pairs) => {
            let items = pairs.iter().map(|(key, value)| item(key, value, count));
            Ok(Search::All(items.collect::<Result<_, _>>()?))
        }
        Content::Sequence(nodes) if nodes.is_empty() => {
            Err(problem(node.place, "the list of a search is empty"))
        }
        Content::Sequence(nodes) => {
            let parts = nodes.iter().map(|part| search(part, count));
            Ok(Search::Any(parts.collect::<Result<_, _>>()?))
        }
        Content::Scalar(text) => Ok(Search::Item(Item {
            field: None,
            modifiers: Vec::new(),
            values: vec![Value::Text(text.as_str().to_owned())],
            place: node.place,
        })),
        Content::Null => Err(problem(node.place, "a search is empty")),
    }
}

fn item(key: &Node, node: &Node, count: &mut usize) -> Result<Search, Problem> {
    *count += 1;
    if ITEMS_MAX < *count {
        return Err(problem(node.place, format!("more than {ITEMS_MAX} items")));
    }
    let Some(text) = key.key_text() else {
        return Err(problem(key.place, "the name of a field has to be a text"));
    };
    let mut parts = text.split('|');
    let field = parts.next().unwrap_or_default();
    let values = match &node.content {
        Content::Sequence(nodes) if nodes.is_empty() => {
            return Err(problem(node.place, format!("`{text}` has an empty list")));
        }
        Content::Sequence(nodes) => nodes.iter().map(value).collect::<Result<_, _>>()?,
        Content::Null | Content::Scalar(_) | Content::Mapping(_) => vec![value(node)?],
    };
    Ok(Search::Item(Item {
        field: (!field.is_empty()).then(|| field.to_owned()),
        modifiers: parts.map(str::to_owned).collect(),
        values,
        place: key.place,
    }))
}

fn value(node: &Node) -> Result<Value, Problem> {
    match &node.content {
        Content::Null => Ok(Value::Null),
        Content::Scalar(text) => Ok(Value::Text(Traced::as_str(text).to_owned())),
        Content::Sequence(_) | Content::Mapping(_) => {
            Err(problem(node.place, "a value has to be a text, a number or null"))
        }
    }
}

impl Search {
    /// Every item, in the order of the file.
    pub(super) fn items(&self) -> Vec<&Item> {
        let mut items = Vec::new();
        self.visit(&mut |item| items.push(item));
        items
    }

    fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Item)) {
        match self {
            Self::Item(item) => see(item),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(see)),
        }
    }

    /// With each item replaced.
    pub(super) fn mapped(
        self,
        map: &mut dyn FnMut(Item) -> Result<Self, Problem>,
    ) -> Result<Self, Problem> {
        match self {
            Self::Item(item) => map(item),
            Self::All(parts) => {
                let parts = parts.into_iter().map(|part| part.mapped(map));
                Ok(Self::All(parts.collect::<Result<_, _>>()?))
            }
            Self::Any(parts) => {
                let parts = parts.into_iter().map(|part| part.mapped(map));
                Ok(Self::Any(parts.collect::<Result<_, _>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SourceFile, load};

    #[test]
    fn a_rule_has_a_bounded_number_of_items() {
        let errors = |count: usize| {
            let items = "{f: x}, ".repeat(count);
            let text = format!(
                "title: t\nlogsource: {{product: aws, service: cloudtrail}}\n\
                 detection: {{s: [{items}], condition: s}}\n"
            );
            load(&[SourceFile { name: "r".into(), text }], &Options::default()).error_count()
        };
        // The list is one, and each mapping one beside its item.
        assert_eq!(errors((ITEMS_MAX - 1) / 2), 0);
        assert_eq!(errors(ITEMS_MAX / 2), 1);
    }
}
