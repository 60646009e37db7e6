//! Correlation rules as they are written: what they are about, and what is measured.

use std::collections::BTreeMap;

use super::condition::{self, Expr};
use super::document::Meta;
use crate::correlation::{Condition, CorrelationKind, MATCHES_MAX};
use crate::diagnostic::{Code, Problem, nearest};
use crate::judge::any::{Number, Order};
use crate::traced::{Place, Traced};
use crate::yaml::{Content, Node};

/// A correlation rule, read.
#[derive(Clone, Debug)]
pub(super) struct CorrelationDocument {
    pub meta: Meta,
    pub kind: CorrelationKind,
    /// Ids and names of the rules that it is about.
    pub rules: Vec<Traced>,
    pub group_by: Vec<String>,
    /// For a name of the group, what rules call it.
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    pub span_ns: u64,
    pub bounds: Vec<(Order, Number)>,
    /// Names of the measured fields.
    pub fields: Vec<String>,
    /// True where the rules that it is about make findings as well.
    pub generates: bool,
}

impl CorrelationDocument {
    /// What is counted, as people read it.
    pub(super) fn words(&self) -> String {
        use CorrelationKind as K;
        let kind = match &self.kind {
            K::EventCount => "event_count".to_owned(),
            K::ValueCount => "value_count".to_owned(),
            K::Sum => "value_sum".to_owned(),
            K::Average => "value_avg".to_owned(),
            K::Percentile(percent) => format!("value_percentile {percent}"),
            K::Temporal | K::TemporalCondition(_) => "temporal".to_owned(),
            K::TemporalOrdered => "temporal_ordered".to_owned(),
        };
        let of = match self.fields.is_empty() {
            true => String::new(),
            false => format!(" of {}", self.fields.join(", ")),
        };
        let by = match self.group_by.is_empty() {
            true => String::new(),
            false => format!(" by {}", self.group_by.join(", ")),
        };
        let bounds = self.bounds.iter().map(|(order, number)| {
            let number = number.as_f64();
            match order {
                Order::Greater => format!(" > {number}"),
                Order::GreaterOrEqual => format!(" >= {number}"),
                Order::Less => format!(" < {number}"),
                Order::LessOrEqual => format!(" <= {number}"),
                Order::Equal => format!(" = {number}"),
                Order::Differs => format!(" != {number}"),
            }
        });
        let bounds = bounds.collect::<Vec<_>>().join(" and");
        format!("{kind}{of}{by} in {} s{bounds}", self.span_ns / 1_000_000_000)
    }
}

const KINDS: [&str; 9] = [
    "event_count",
    "temporal",
    "temporal_extended",
    "temporal_ordered",
    "value_avg",
    "value_count",
    "value_median",
    "value_percentile",
    "value_sum",
];

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(Code::SigmaCorrelation, place, message)
}

/// Reads the value of `correlation`.
///
/// # Errors
/// A key is missing, or has a value that means nothing.
pub(super) fn read(meta: Meta, node: &Node) -> Result<CorrelationDocument, Problem> {
    let needed = |key: &str| {
        let missing = || problem(node.place, format!("a correlation needs `{key}`"));
        node.get(key).filter(|value| !value.is_null()).ok_or_else(missing)
    };
    let rules = texts(needed("rules")?)?;
    if rules.is_empty() {
        return Err(problem(node.place, "a correlation is about at least one rule"));
    }
    let condition = node.get("condition");
    let (mut bounds, mut fields, mut percent) = (Vec::new(), Vec::new(), 50.0);
    let mut expr = None;
    match condition.map(|condition| (&condition.content, condition)) {
        None | Some((Content::Null, _)) => {}
        Some((Content::Scalar(text), _)) => expr = Some(over_rules(text, &rules)?),
        Some((Content::Mapping(pairs), _)) => {
            for (key, value) in pairs {
                read_bound(key, value, &mut bounds, &mut fields, &mut percent)?;
            }
        }
        Some((Content::Sequence(_), node)) => {
            return Err(problem(node.place, "a condition is a mapping or a text"));
        }
    }
    let kind = kind(needed("type")?, expr, percent)?;
    let span_ns = span_ns(needed("timespan")?)?;
    let document = CorrelationDocument {
        meta,
        kind,
        rules,
        group_by: optional_texts(node.get("group-by"))?,
        aliases: aliases(node.get("aliases"))?,
        span_ns,
        bounds,
        fields,
        generates: node.get("generate").and_then(Node::key_text) == Some("true"),
    };
    check(&document, node.place)?;
    Ok(document)
}

/// What a kind asks of the rest.
fn check(document: &CorrelationDocument, place: Place) -> Result<(), Problem> {
    use CorrelationKind as K;
    let has_bounds = !document.bounds.is_empty();
    match document.kind {
        K::EventCount if !has_bounds => {
            return Err(problem(place, "`event_count` needs a `condition`"));
        }
        K::ValueCount | K::Sum | K::Average | K::Percentile(_) => {
            if document.fields.is_empty() || !has_bounds {
                let message = "what counts values needs a `condition` with `field` and a bound";
                return Err(problem(place, message));
            }
        }
        K::EventCount | K::Temporal | K::TemporalOrdered | K::TemporalCondition(_) => {}
    }
    let counts = matches!(document.kind, K::EventCount | K::ValueCount);
    let is_too_large = |(_, bound): &(Order, Number)| {
        let most = i128::try_from(MATCHES_MAX).unwrap_or_default();
        counts && Order::GreaterOrEqual.holds(*bound, Number::Whole(most))
    };
    if document.bounds.iter().any(is_too_large) {
        let message = format!("at most {} matches of a group are counted", MATCHES_MAX - 1);
        return Err(problem(place, message));
    }
    Ok(())
}

fn kind(node: &Node, expr: Option<Condition>, percent: f64) -> Result<CorrelationKind, Problem> {
    let name = node.key_text().unwrap_or_default();
    let kind = match (name, expr) {
        ("temporal" | "temporal_extended", Some(condition)) => {
            return Ok(CorrelationKind::TemporalCondition(condition));
        }
        (_, Some(_)) => {
            return Err(problem(node.place, "only `temporal` takes a condition over rules"));
        }
        (name, None) => name,
    };
    match kind {
        "event_count" => Ok(CorrelationKind::EventCount),
        "value_count" => Ok(CorrelationKind::ValueCount),
        "value_sum" => Ok(CorrelationKind::Sum),
        "value_avg" => Ok(CorrelationKind::Average),
        "value_median" => Ok(CorrelationKind::Percentile(50.0)),
        "value_percentile" => Ok(CorrelationKind::Percentile(percent)),
        "temporal" => Ok(CorrelationKind::Temporal),
        "temporal_ordered" => Ok(CorrelationKind::TemporalOrdered),
        other => {
            let unknown = problem(node.place, format!("`{other}` is no type of correlation"));
            Err(match nearest(other, KINDS) {
                Some(near) => unknown.help(format!("did you mean `{near}`?")),
                None => unknown.help(format!("there are {}", KINDS.join(", "))),
            })
        }
    }
}

fn read_bound(
    key: &Node,
    value: &Node,
    bounds: &mut Vec<(Order, Number)>,
    fields: &mut Vec<String>,
    percent: &mut f64,
) -> Result<(), Problem> {
    let text = value.key_text().unwrap_or_default();
    let number = || {
        let wrong = || problem(value.place, format!("`{text}` is no number"));
        Number::read(text.as_bytes()).ok_or_else(wrong)
    };
    let order = match key.key_text().unwrap_or_default() {
        "field" => {
            fields.extend(texts(value)?.iter().map(|text| text.as_str().to_owned()));
            return Ok(());
        }
        "percentile" => {
            *percent = number()?.as_f64();
            if !(0.0..=100.0).contains(percent) {
                return Err(problem(value.place, "a percentile lies between 0 and 100"));
            }
            return Ok(());
        }
        "gt" => Order::Greater,
        "gte" => Order::GreaterOrEqual,
        "lt" => Order::Less,
        "lte" => Order::LessOrEqual,
        "eq" => Order::Equal,
        "neq" => Order::Differs,
        other => {
            return Err(problem(key.place, format!("`{other}` means nothing in a condition"))
                .help("`gt`, `gte`, `lt`, `lte`, `eq`, `neq` and `field` do"));
        }
    };
    bounds.push((order, number()?));
    Ok(())
}

fn over_rules(text: &Traced, rules: &[Traced]) -> Result<Condition, Problem> {
    let names: Vec<&str> = rules.iter().map(Traced::as_str).collect();
    condition::read(text, &names).map(|expr| over_matches(&expr))
}

fn over_matches(expr: &Expr) -> Condition {
    let each = |parts: &[Expr]| parts.iter().map(over_matches).collect();
    match expr {
        Expr::Search(number) => Condition::Matched(*number),
        Expr::Not(inner) => Condition::Not(Box::new(over_matches(inner))),
        Expr::All(parts) => Condition::All(each(parts)),
        Expr::Any(parts) => Condition::Any(each(parts)),
        Expr::Words(_, inner) => over_matches(inner),
    }
}

fn span_ns(node: &Node) -> Result<u64, Problem> {
    let text = node.key_text().unwrap_or_default();
    let wrong = || {
        problem(node.place, format!("`{text}` is no timespan"))
            .help("write `30s`, `5m`, `1h` or `7d`")
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|it| it.parse().ok()).ok_or_else(wrong)?;
    let span = number.checked_mul(seconds).and_then(|it| it.checked_mul(1_000_000_000));
    span.filter(|span| 0 < *span).ok_or_else(wrong)
}

/// One text, or a list of them.
fn texts(node: &Node) -> Result<Vec<Traced>, Problem> {
    let wrong = |node: &Node| problem(node.place, "a text, or a list of texts, is expected here");
    match node.sequence() {
        Some(nodes) => {
            nodes.iter().map(|it| it.scalar().cloned().ok_or_else(|| wrong(it))).collect()
        }
        None => Ok(vec![node.scalar().cloned().ok_or_else(|| wrong(node))?]),
    }
}

fn optional_texts(node: Option<&Node>) -> Result<Vec<String>, Problem> {
    let texts = node.map(texts).transpose()?.unwrap_or_default();
    Ok(texts.iter().map(|text| text.as_str().to_owned()).collect())
}

fn aliases(node: Option<&Node>) -> Result<BTreeMap<String, BTreeMap<String, String>>, Problem> {
    let mut aliases = BTreeMap::new();
    for (name, rules) in node.and_then(Node::mapping).unwrap_or_default() {
        let Some(rules) = rules.mapping() else {
            return Err(problem(rules.place, "an alias names a field for each rule"));
        };
        let text = |node: &Node| node.key_text().unwrap_or_default().to_owned();
        let of_rules = rules.iter().map(|(rule, field)| (text(rule), text(field))).collect();
        aliases.insert(text(name), of_rules);
    }
    Ok(aliases)
}
