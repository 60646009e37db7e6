//! Documents of Sigma files: rules, correlations and filters, with what they share.

use clew_event::Priority;

use super::detection::{self, Detection, Search};
use crate::diagnostic::{Code, Problem, Report};
use crate::traced::{Place, Traced};
use crate::yaml::{Content, Node};

/// What a rule says beside what it looks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Meta {
    pub title: String,
    pub id: String,
    /// By which correlations and filters may call it.
    pub name: String,
    pub description: String,
    pub author: String,
    pub license: String,
    pub level: Option<Priority>,
    /// The level as it is written.
    pub level_text: String,
    /// Its log source, as people read it.
    pub log_name: String,
    pub tags: Vec<String>,
    /// Fields that its author wants to be shown.
    pub fields: Vec<String>,
    pub place: Place,
}

/// Where the events of a rule come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogSource {
    pub category: String,
    pub product: String,
    pub service: String,
}

/// A rule about single events.
#[derive(Clone, Debug)]
pub(super) struct RuleDocument {
    pub meta: Meta,
    pub log: LogSource,
    pub log_place: Place,
    pub detection: Detection,
}

/// What is added to rules by a filter.
#[derive(Clone, Debug)]
pub(super) struct FilterDocument {
    pub log: LogSource,
    /// Ids and names of rules; empty for every rule of the log source.
    pub rules: Vec<Traced>,
    pub detection: Detection,
}

/// Everything that Sigma files define.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub rules: Vec<RuleDocument>,
    pub filters: Vec<FilterDocument>,
    /// With the value of `correlation`.
    pub correlations: Vec<(Meta, Node)>,
    /// How many of each kind were wrong.
    pub refused: Vec<Meta>,
}

/// True for a document that is meant to be Sigma.
pub(crate) fn is_sigma(node: &Node) -> bool {
    const KEYS: [&str; 5] = ["detection", "correlation", "filter", "logsource", "action"];
    KEYS.iter().any(|key| node.get(key).is_some())
}

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(Code::SigmaShape, place, message)
}

/// Reads all documents; what is wrong with one is reported, and costs it alone.
pub(super) fn read(nodes: &[Node], report: &mut Report) -> Documents {
    let mut documents = Documents::default();
    let mut global: Option<Node> = None;
    let mut last: Option<Node> = None;
    let mut file = None;
    for node in nodes {
        if file != Some(node.place.file) {
            file = Some(node.place.file);
            (global, last) = (None, None);
        }
        let action = node.get("action").and_then(Node::key_text).map(str::to_owned);
        let whole = match action.as_deref() {
            Some("global") => {
                global = Some(node.clone());
                continue;
            }
            Some("reset") => {
                global = None;
                continue;
            }
            Some("repeat") => match &last {
                Some(last) => merged(last, node),
                None => {
                    report.error(problem(node.place, "`action: repeat` has nothing before it"));
                    continue;
                }
            },
            Some(other) => {
                let unknown = problem(node.place, format!("`action: {other}` is not known"));
                report.error(unknown.help("`global`, `reset` and `repeat` are"));
                continue;
            }
            None => global.as_ref().map_or_else(|| node.clone(), |global| merged(global, node)),
        };
        if let Err(problem) = documents.take(&whole) {
            documents.refused.push(meta(&whole));
            report.error(problem);
        }
        last = Some(whole);
    }
    documents
}

/// Mappings are merged key by key; what the second says wins.
fn merged(first: &Node, second: &Node) -> Node {
    let (Some(ours), Some(theirs)) = (first.mapping(), second.mapping()) else {
        return second.clone();
    };
    let mut pairs: Vec<(Node, Node)> = ours.to_vec();
    for (key, value) in theirs {
        match pairs.iter_mut().find(|(other, _)| other.key_text() == key.key_text()) {
            // Recursion is bounded by `YAML_DEPTH_MAX`.
            Some((_, earlier)) => *earlier = merged(earlier, value),
            None => pairs.push((key.clone(), value.clone())),
        }
    }
    pairs.retain(|(key, _)| key.key_text() != Some("action"));
    Node { place: second.place, content: Content::Mapping(pairs) }
}

impl Documents {
    fn take(&mut self, node: &Node) -> Result<(), Problem> {
        let meta = meta(node);
        if meta.title.is_empty() {
            return Err(problem(node.place, "a rule needs a `title`"));
        }
        if let Some(level) = node.get("level")
            && meta.level.is_none()
        {
            return Err(problem(level.place, "this level is not known")
                .help("`informational`, `low`, `medium`, `high` and `critical` are"));
        }
        if let Some(correlation) = node.get("correlation") {
            self.correlations.push((meta, correlation.clone()));
            return Ok(());
        }
        let Some(log_node) = node.get("logsource") else {
            return Err(problem(node.place, "a rule needs a `logsource`"));
        };
        let log = log_source(log_node)?;
        if let Some(filter) = node.get("filter") {
            let (rules, detection) = read_filter(filter)?;
            self.filters.push(FilterDocument { log, rules, detection });
            return Ok(());
        }
        let Some(detection) = node.get("detection") else {
            return Err(problem(node.place, "a rule needs a `detection`"));
        };
        let detection = detection::read(detection)?;
        self.rules.push(RuleDocument { meta, log, log_place: log_node.place, detection });
        Ok(())
    }
}

fn meta(node: &Node) -> Meta {
    let text = |key: &str| match node.get(key).and_then(Node::scalar) {
        Some(text) => text.as_str().trim().to_owned(),
        None => String::new(),
    };
    let list = |key: &str| {
        let items = node.get(key).and_then(Node::sequence).unwrap_or_default();
        let texts: Vec<String> =
            items.iter().filter_map(Node::key_text).map(str::to_owned).collect();
        texts
    };
    let place = node.get("title").map_or(node.place, |title| title.place);
    Meta {
        title: text("title"),
        id: text("id"),
        name: text("name"),
        description: text("description"),
        author: text("author"),
        license: text("license"),
        level: level(&text("level")),
        level_text: text("level"),
        log_name: node
            .get("logsource")
            .and_then(|log| log_source(log).ok())
            .map(|log| log.name())
            .unwrap_or_default(),
        tags: list("tags"),
        fields: list("fields"),
        place,
    }
}

fn level(text: &str) -> Option<Priority> {
    match text {
        "informational" => Some(Priority::Informational),
        "low" => Some(Priority::Notice),
        "medium" => Some(Priority::Warning),
        "high" => Some(Priority::Error),
        "critical" => Some(Priority::Critical),
        _ => None,
    }
}

pub(super) fn log_source(node: &Node) -> Result<LogSource, Problem> {
    let text = |key: &str| match node.get(key).and_then(Node::scalar) {
        Some(text) => text.as_str().trim().to_lowercase(),
        None => String::new(),
    };
    let log = LogSource {
        category: text("category"),
        product: text("product"),
        service: text("service"),
    };
    if log == LogSource::default() {
        return Err(problem(node.place, "`logsource` names nothing")
            .help("give `category`, `product` or `service`"));
    }
    Ok(log)
}

impl LogSource {
    /// As people read it: `windows/process_creation`.
    pub(super) fn name(&self) -> String {
        let parts = [&self.product, &self.category, &self.service].map(String::as_str);
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("/")
    }

    /// True where all that this one names is the same in `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let fits = |ours: &str, theirs: &str| ours.is_empty() || ours == theirs;
        fits(&self.category, &other.category)
            && fits(&self.product, &other.product)
            && fits(&self.service, &other.service)
    }
}

fn read_filter(node: &Node) -> Result<(Vec<Traced>, Detection), Problem> {
    let Some(pairs) = node.mapping() else {
        return Err(Problem::new(Code::SigmaFilter, node.place, "`filter` has to be a mapping"));
    };
    let is_rules = |pair: &&(Node, Node)| pair.0.key_text() == Some("rules");
    let rules = match pairs.iter().find(is_rules).map(|(_, value)| &value.content) {
        Some(Content::Sequence(nodes)) => nodes.iter().filter_map(Node::scalar).cloned().collect(),
        Some(Content::Scalar(text)) if text.as_str().eq_ignore_ascii_case("any") => Vec::new(),
        Some(Content::Scalar(text)) => vec![text.clone()],
        Some(Content::Null | Content::Mapping(_)) | None => {
            let message = "a filter needs `rules`: ids or names, or `any`";
            return Err(Problem::new(Code::SigmaFilter, node.place, message));
        }
    };
    let rest = pairs.iter().filter(|pair| !is_rules(pair)).cloned().collect();
    let rest = Node { place: node.place, content: Content::Mapping(rest) };
    Ok((rules, detection::read(&rest)?))
}

impl Meta {
    /// True for one of the ways in which other documents call it.
    pub(super) fn is_called(&self, name: &str) -> bool {
        !name.is_empty() && (self.id == name || self.name == name)
    }

    /// Techniques of ATT&CK among the tags: `attack.t1059.004`.
    pub(super) fn techniques(&self) -> Vec<String> {
        let of_tag = |tag: &String| tag.strip_prefix("attack.").map(str::to_uppercase);
        crate::rule::techniques(&self.tags.iter().filter_map(of_tag).collect::<Vec<_>>())
    }
}

impl RuleDocument {
    /// Every item of every search.
    pub(super) fn items(&self) -> impl Iterator<Item = &detection::Item> {
        self.detection.searches.iter().flat_map(|(_, search): &(String, Search)| search.items())
    }
}
