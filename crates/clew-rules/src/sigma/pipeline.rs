//! Processing pipelines: how a site's names of fields and values stand for those of rules.
//!
//! The form is pySigma's. What shapes a query of another product (`query_expression_placeholders`,
//! templates, postprocessing) means nothing here and is refused by name, as is everything unknown:
//! a step that is passed over in silence would be another rule than its author thinks.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Expr;
use super::detection::{self, Item, Search, Value};
use super::document::{LogSource, RuleDocument, log_source};
use super::value::{Part, parts};
use crate::diagnostic::{Code, Problem, Report};
use crate::traced::Place;
use crate::yaml::Node;

/// Most values that the placeholders of one item may become.
pub(crate) const PLACEHOLDER_VALUES_MAX: usize = 10_000;

/// The steps of all pipelines, in order of their priority.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    steps: Vec<Step>,
    vars: BTreeMap<String, Vec<String>>,
}

/// One transformation and when it is done.
#[derive(Debug)]
struct Step {
    id: String,
    change: Change,
    of_rule: Conditions<RuleCondition>,
    of_item: Conditions<ItemCondition>,
    place: Place,
}

#[derive(Debug)]
enum Change {
    MapFields(BTreeMap<String, Vec<String>>),
    MapPrefixes(Vec<(String, Vec<String>)>),
    AddPrefix(String),
    AddSuffix(String),
    Drop,
    AddCondition { search: Search, is_negated: bool },
    LogSource(LogSource),
    Replace(Box<regex::Regex>, String),
    FillPlaceholders { include: Option<Vec<String>>, exclude: Vec<String> },
    WildcardPlaceholders { include: Option<Vec<String>>, exclude: Vec<String> },
    SetState(String, String),
    Fail(String),
    FailItem(String),
}

#[derive(Debug)]
struct Conditions<T> {
    all: Vec<T>,
    is_any: bool,
    is_negated: bool,
}

#[derive(Debug)]
enum RuleCondition {
    LogSource(LogSource),
    HasItem(String, String),
    StepDone(String),
    State(String, String),
    IsRule,
}

#[derive(Debug)]
enum ItemCondition {
    Include(Vec<String>),
    Exclude(Vec<String>),
    Matches(Box<regex::Regex>),
}

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(Code::SigmaPipeline, place, message)
}

/// Reads pipelines; one that has a mistake is left out as a whole.
pub(super) fn read(nodes: &[Node], report: &mut Report) -> Pipelines {
    let mut ordered: Vec<(i64, &Node)> = nodes
        .iter()
        .map(|node| {
            let priority = node.get("priority").and_then(Node::key_text);
            (priority.and_then(|text| text.parse().ok()).unwrap_or_default(), node)
        })
        .collect();
    ordered.sort_by_key(|(priority, _)| *priority);
    let mut pipelines = Pipelines::default();
    for (_, node) in ordered {
        match read_one(node) {
            Ok((steps, vars)) => {
                pipelines.steps.extend(steps);
                pipelines.vars.extend(vars);
            }
            Err(problem) => report.error(problem),
        }
    }
    pipelines
}

type Read = (Vec<Step>, BTreeMap<String, Vec<String>>);

fn read_one(node: &Node) -> Result<Read, Problem> {
    for (key, _) in node.mapping().unwrap_or_default() {
        let name = key.key_text().unwrap_or_default();
        let is_known = ["name", "priority", "vars", "transformations", "allowed_backends"];
        if !is_known.contains(&name) {
            return Err(problem(key.place, format!("`{name}` means nothing here"))
                .help("queries of other products are not made, so neither are their templates"));
        }
    }
    let mut vars = BTreeMap::new();
    for (name, value) in node.get("vars").and_then(Node::mapping).unwrap_or_default() {
        vars.insert(text(name), texts(value));
    }
    let steps = node.get("transformations").and_then(Node::sequence).unwrap_or_default();
    Ok((steps.iter().map(step).collect::<Result<_, _>>()?, vars))
}

fn text(node: &Node) -> String {
    node.key_text().unwrap_or_default().to_owned()
}

fn text_of(node: &Node, key: &str) -> String {
    node.get(key).map(text).unwrap_or_default()
}

fn texts(node: &Node) -> Vec<String> {
    match node.sequence() {
        Some(nodes) => nodes.iter().map(text).collect(),
        None => vec![text(node)],
    }
}

fn step(node: &Node) -> Result<Step, Problem> {
    let of_rule = conditions(node, "rule", rule_condition)?;
    let mut of_item = conditions(node, "detection_item", item_condition)?;
    let of_field = conditions(node, "field_name", item_condition)?;
    if !of_field.all.is_empty() {
        if !of_item.all.is_empty() {
            let message = "conditions on items and on names of fields cannot both be given";
            return Err(problem(node.place, message));
        }
        of_item = of_field;
    }
    Ok(Step { id: text_of(node, "id"), change: change(node)?, of_rule, of_item, place: node.place })
}

fn conditions<T>(
    node: &Node,
    kind: &str,
    read: fn(&Node) -> Result<T, Problem>,
) -> Result<Conditions<T>, Problem> {
    let short = if kind == "detection_item" { "detection_item_cond" } else { kind };
    let key = |ending: &str| match ending {
        "conditions" => format!("{kind}_conditions"),
        ending if kind == "detection_item" => format!("{short}_{ending}"),
        ending => format!("{short}_cond_{ending}"),
    };
    let nodes = node.get(&key("conditions")).and_then(Node::sequence).unwrap_or_default();
    Ok(Conditions {
        all: nodes.iter().map(read).collect::<Result<_, _>>()?,
        is_any: text_of(node, &key("op")).eq_ignore_ascii_case("or"),
        is_negated: text_of(node, &key("not")).eq_ignore_ascii_case("true"),
    })
}

fn rule_condition(node: &Node) -> Result<RuleCondition, Problem> {
    match text_of(node, "type").as_str() {
        "logsource" => Ok(RuleCondition::LogSource(log_source(node)?)),
        "contains_detection_item" => {
            Ok(RuleCondition::HasItem(text_of(node, "field"), text_of(node, "value")))
        }
        "processing_item_applied" => {
            Ok(RuleCondition::StepDone(text_of(node, "processing_item_id")))
        }
        "processing_state" => Ok(RuleCondition::State(text_of(node, "key"), text_of(node, "val"))),
        "is_sigma_rule" => Ok(RuleCondition::IsRule),
        other => Err(problem(node.place, format!("`{other}` is no condition on rules"))),
    }
}

fn item_condition(node: &Node) -> Result<ItemCondition, Problem> {
    match text_of(node, "type").as_str() {
        "include_fields" => {
            Ok(ItemCondition::Include(node.get("fields").map_or_else(Vec::new, texts)))
        }
        "exclude_fields" => {
            Ok(ItemCondition::Exclude(node.get("fields").map_or_else(Vec::new, texts)))
        }
        "match_string" => Ok(ItemCondition::Matches(Box::new(expression(node, "pattern")?))),
        other => Err(problem(node.place, format!("`{other}` is no condition on items"))),
    }
}

fn expression(node: &Node, key: &str) -> Result<regex::Regex, Problem> {
    let text = super::regex::rewritten(&text_of(node, key));
    let built = regex::RegexBuilder::new(&text).size_limit(1 << 20).build();
    built.map_err(|error| problem(node.place, format!("`{text}` cannot be used: {error}")))
}

fn mapping(node: &Node) -> BTreeMap<String, Vec<String>> {
    let pairs = node.get("mapping").and_then(Node::mapping).unwrap_or_default();
    pairs.iter().map(|(from, to)| (text(from), texts(to))).collect()
}

fn change(node: &Node) -> Result<Change, Problem> {
    let names = |key: &str| node.get(key).map(texts);
    Ok(match text_of(node, "type").as_str() {
        "field_name_mapping" => Change::MapFields(mapping(node)),
        "field_name_prefix_mapping" => Change::MapPrefixes(mapping(node).into_iter().collect()),
        "field_name_prefix" => Change::AddPrefix(text_of(node, "prefix")),
        "field_name_suffix" => Change::AddSuffix(text_of(node, "suffix")),
        "drop_detection_item" => Change::Drop,
        "add_condition" => {
            let Some(conditions) = node.get("conditions") else {
                return Err(problem(node.place, "`add_condition` needs `conditions`"));
            };
            let search = detection::search(conditions, &mut 0)?;
            Change::AddCondition { search, is_negated: text_of(node, "negated") == "true" }
        }
        "change_logsource" => Change::LogSource(log_source(node)?),
        "replace_string" => {
            let replacement = text_of(node, "replacement");
            Change::Replace(Box::new(expression(node, "regex")?), with_group_numbers(&replacement))
        }
        "value_placeholders" => Change::FillPlaceholders {
            include: names("include"),
            exclude: names("exclude").unwrap_or_default(),
        },
        "wildcard_placeholders" => Change::WildcardPlaceholders {
            include: names("include"),
            exclude: names("exclude").unwrap_or_default(),
        },
        "set_state" => Change::SetState(text_of(node, "key"), text_of(node, "val")),
        "rule_failure" => Change::Fail(text_of(node, "message")),
        "detection_item_failure" => Change::FailItem(text_of(node, "message")),
        other => {
            return Err(problem(node.place, format!("the transformation `{other}` is not known"))
                .help("the pipeline is not used; take the step out of it"));
        }
    })
}

/// `\1` of Python as `${1}`, and `$` as itself.
fn with_group_numbers(replacement: &str) -> String {
    let mut text = String::new();
    let mut characters = replacement.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                text.push_str(&format!("${{{digit}}}"));
                characters.next();
            }
            ('\\', Some('\\')) => {
                text.push('\\');
                characters.next();
            }
            ('$', _) => text.push_str("$$"),
            _ => text.push(character),
        }
    }
    text
}

/// What was done to a rule so far.
#[derive(Debug, Default)]
struct Progress {
    done: BTreeSet<String>,
    state: BTreeMap<String, String>,
}

impl Pipelines {
    /// Takes a rule through all steps.
    ///
    /// # Errors
    /// A step says that the rule cannot be used.
    pub(super) fn apply(&self, rule: &mut RuleDocument) -> Result<(), Problem> {
        let mut progress = Progress::default();
        for step in &self.steps {
            if step.of_rule.hold(|condition| condition.holds(rule, &progress)) {
                self.change(step, rule, &mut progress)?;
                progress.done.insert(step.id.clone());
            }
        }
        Ok(())
    }

    fn change(
        &self,
        step: &Step,
        rule: &mut RuleDocument,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        match &step.change {
            Change::Fail(message) => {
                return Err(problem(rule.meta.place, message.clone()));
            }
            Change::SetState(key, value) => {
                progress.state.insert(key.clone(), value.clone());
                return Ok(());
            }
            Change::LogSource(log) => {
                rule.log = log.clone();
                return Ok(());
            }
            Change::AddCondition { search, is_negated } => {
                let added = Expr::Search(rule.detection.searches.len());
                rule.detection.searches.push((String::new(), search.clone()));
                let own = std::mem::replace(&mut rule.detection.condition, Expr::All(Vec::new()));
                let added = if *is_negated { Expr::Not(Box::new(added)) } else { added };
                rule.detection.condition = Expr::All(vec![added, own]);
                return Ok(());
            }
            Change::MapFields(_)
            | Change::MapPrefixes(_)
            | Change::AddPrefix(_)
            | Change::AddSuffix(_)
            | Change::Drop
            | Change::Replace(..)
            | Change::FillPlaceholders { .. }
            | Change::WildcardPlaceholders { .. }
            | Change::FailItem(_) => {}
        }
        let searches = std::mem::take(&mut rule.detection.searches);
        let change = |(name, search): (String, Search)| {
            let changed = search.mapped(&mut |item| self.item(step, item))?;
            Ok::<_, Problem>((name, changed))
        };
        rule.detection.searches = searches.into_iter().map(change).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn item(&self, step: &Step, mut item: Item) -> Result<Search, Problem> {
        if !step.of_item.hold(|condition| condition.holds(&item)) {
            return Ok(Search::Item(item));
        }
        let name = item.field.clone().unwrap_or_default();
        match &step.change {
            Change::MapFields(mapping) => {
                return Ok(renamed(item, mapping.get(&name).map_or(&[], Vec::as_slice)));
            }
            Change::MapPrefixes(prefixes) => {
                let longest = prefixes
                    .iter()
                    .filter(|(prefix, _)| name.starts_with(prefix))
                    .max_by_key(|(prefix, _)| prefix.len());
                let Some((prefix, to)) = longest else { return Ok(Search::Item(item)) };
                let rest = name.get(prefix.len()..).unwrap_or_default();
                let names: Vec<String> = to.iter().map(|to| format!("{to}{rest}")).collect();
                return Ok(renamed(item, &names));
            }
            Change::AddPrefix(prefix) => item.field = item.field.map(|it| format!("{prefix}{it}")),
            Change::AddSuffix(suffix) => item.field = item.field.map(|it| format!("{it}{suffix}")),
            // An item that is dropped asks nothing.
            Change::Drop => return Ok(Search::All(Vec::new())),
            Change::Replace(expression, replacement) => {
                for value in &mut item.values {
                    if let Value::Text(text) = value {
                        *text = expression.replace_all(text, replacement.as_str()).into_owned();
                    }
                }
            }
            Change::FillPlaceholders { include, exclude } => {
                let filled = |name: &str| self.vars.get(name).map(Vec::as_slice);
                fill(&mut item, step.place, (include, exclude), &filled)?;
            }
            Change::WildcardPlaceholders { include, exclude } => {
                let star = [String::from("*")];
                fill(&mut item, step.place, (include, exclude), &|_| Some(&star))?;
            }
            Change::FailItem(message) => return Err(problem(item.place, message.clone())),
            Change::AddCondition { .. }
            | Change::LogSource(_)
            | Change::SetState(..)
            | Change::Fail(_) => {}
        }
        Ok(Search::Item(item))
    }
}

/// One item for each name, of which one has to hold; the item itself where there is no name.
fn renamed(item: Item, names: &[String]) -> Search {
    let with_name =
        |name: &String| Search::Item(Item { field: Some(name.clone()), ..item.clone() });
    match names {
        [] => Search::Item(item),
        [only] => with_name(only),
        several => Search::Any(several.iter().map(with_name).collect()),
    }
}

type Chosen<'a> = (&'a Option<Vec<String>>, &'a Vec<String>);

/// Puts values for the placeholders of an item with `expand`.
fn fill<'v>(
    item: &mut Item,
    place: Place,
    (include, exclude): Chosen<'_>,
    values: &dyn Fn(&str) -> Option<&'v [String]>,
) -> Result<(), Problem> {
    if !item.modifiers.iter().any(|modifier| modifier == "expand") {
        return Ok(());
    }
    let is_chosen = |name: &String| {
        include.as_ref().is_none_or(|names| names.contains(name)) && !exclude.contains(name)
    };
    let mut filled = Vec::new();
    for value in &item.values {
        let Value::Text(text) = value else {
            filled.push(value.clone());
            continue;
        };
        let mut texts = vec![String::new()];
        for part in parts(text) {
            let endings = match &part {
                Part::Text(text) => vec![text.replace('%', "\\%")],
                Part::Placeholder(name) => match values(name).filter(|_| is_chosen(name)) {
                    Some(values) => values.iter().map(|text| text.replace('%', "\\%")).collect(),
                    None => vec![format!("%{name}%")],
                },
            };
            if PLACEHOLDER_VALUES_MAX < texts.len().saturating_mul(endings.len()) {
                let message = format!("placeholders become over {PLACEHOLDER_VALUES_MAX} values");
                return Err(problem(place, message));
            }
            let with_each = |text: &String| {
                endings.iter().map(|ending| format!("{text}{ending}")).collect::<Vec<_>>()
            };
            texts = texts.iter().flat_map(with_each).collect();
        }
        filled.extend(texts.into_iter().map(Value::Text));
    }
    item.values = filled;
    Ok(())
}

impl<T> Conditions<T> {
    fn hold(&self, mut holds: impl FnMut(&T) -> bool) -> bool {
        let together = match (self.all.is_empty(), self.is_any) {
            (true, _) => return true,
            (false, true) => self.all.iter().any(&mut holds),
            (false, false) => self.all.iter().all(&mut holds),
        };
        together != self.is_negated
    }
}

impl RuleCondition {
    fn holds(&self, rule: &RuleDocument, progress: &Progress) -> bool {
        match self {
            Self::LogSource(log) => log.covers(&rule.log),
            Self::HasItem(field, text) => rule.items().any(|item| {
                item.field.as_deref() == Some(field.as_str())
                    && item.values.contains(&Value::Text(text.clone()))
            }),
            Self::StepDone(id) => progress.done.contains(id),
            Self::State(key, value) => progress.state.get(key) == Some(value),
            Self::IsRule => true,
        }
    }
}

impl ItemCondition {
    fn holds(&self, item: &Item) -> bool {
        let is_one_of =
            |names: &[String]| item.field.as_ref().is_some_and(|field| names.contains(field));
        match self {
            Self::Include(names) => is_one_of(names),
            Self::Exclude(names) => !is_one_of(names),
            Self::Matches(expression) => item
                .values
                .iter()
                .any(|value| matches!(value, Value::Text(text) if expression.is_match(text))),
        }
    }
}
