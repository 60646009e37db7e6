//! Three opinions of whether a rule holds of an event: Clew's, another engine's, and a plain
//! reading of the specification.

pub(crate) mod encoding;
pub(crate) mod generate;
pub(crate) mod logs;
pub(crate) mod naive;

use std::collections::{BTreeMap, BTreeSet};

use clew_context::Context;
use clew_event::control_plane::{ApiCall, ApiSource};
use clew_event::{Event, EventId, EventKind, EventType, TimestampNs};
use clew_rules::{Options, RuleSet, SourceFile, load};
use naive::{QUIRKS, Quirk, Reading};
use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use serde_json::Value;

/// A rule of Sigma: its file's name and text.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// For a field of rules, where in the record it stands, by the table of `docs/sigma.md`.
pub(crate) type Places = BTreeMap<String, Vec<String>>;

/// All rules of one log, loaded by each of the three.
pub(crate) struct Judges {
    source: ApiSource,
    places: Places,
    clew: RuleSet,
    clew_names: Vec<String>,
    rsigma: Engine,
    /// Rules that the other engine does not take, and what it says of each.
    pub(crate) refused: BTreeMap<String, String>,
    detections: Vec<(String, Value)>,
}

/// Names of the rules that hold, as each of the three has it.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) clew: BTreeSet<String>,
    pub(crate) rsigma: BTreeSet<String>,
    pub(crate) naive: BTreeSet<String>,
}

impl Judges {
    /// # Panics
    /// One of the three cannot read a rule.
    pub(crate) fn new(source: ApiSource, places: Places, rules: &[Rule]) -> Self {
        let files: Vec<SourceFile> = rules
            .iter()
            .map(|rule| SourceFile { name: rule.name.clone(), text: rule.text.clone() })
            .collect();
        let loaded = load(&files, &Options::default());
        assert_eq!(loaded.diagnostics, [], "{files:?}");
        let mut rsigma = Engine::new();
        let (mut detections, mut refused) = (Vec::new(), BTreeMap::new());
        for rule in rules {
            let yaml: Value = yaml_serde::from_str(&rule.text).unwrap();
            detections.push((rule.name.clone(), yaml["detection"].clone()));
            // Its results carry titles, and titles of different rules may be the same.
            let mut parsed = rsigma_parser::parse_sigma_yaml(&rule.text).unwrap();
            for rule_of in &mut parsed.rules {
                rule_of.title.clone_from(&rule.name);
                if let Err(problem) = rsigma.add_rule(rule_of) {
                    refused.insert(rule.name.clone(), problem.to_string());
                }
            }
        }
        let clew_names = files.into_iter().map(|file| file.name).collect();
        Self { source, places, clew: loaded.rules, clew_names, rsigma, refused, detections }
    }

    pub(crate) fn verdicts(&mut self, record: &Value) -> Verdicts {
        let flat = self.flat(record);
        let rsigma = self.rsigma.evaluate(&JsonEvent::borrow(&flat)).into_iter();
        let rsigma = rsigma.map(|result| result.header.rule_title).collect();
        Verdicts { clew: self.by_clew(record), rsigma, naive: self.by_reading(record, &[]) }
    }

    /// As the specification is read, but for the quirks.
    pub(crate) fn by_reading(&self, record: &Value, quirks: &[Quirk]) -> BTreeSet<String> {
        let words = words(record, !quirks.contains(&Quirk::WordsAreValues));
        let look = |name: &str| look(record, &self.places, name);
        let reading = Reading { look: &look, words: &words, quirks };
        let holds = |(name, detection): &(String, Value)| {
            let found = naive::holds(detection, &reading);
            found.unwrap_or_else(|problem| panic!("{problem} in {name}")).then(|| name.clone())
        };
        self.detections.iter().filter_map(holds).collect()
    }

    /// The quirk with which the specification says of a rule what the other engine does.
    pub(crate) fn explanation(&self, record: &Value, name: &str) -> Option<Quirk> {
        let said = self.by_reading(record, &[]).contains(name);
        QUIRKS.into_iter().find(|it| self.by_reading(record, &[*it]).contains(name) != said)
    }

    /// The record with the fields that stand elsewhere under their own names.
    fn flat(&self, record: &Value) -> Value {
        let mut flat = record.clone();
        let moved =
            self.places.iter().filter(|(name, places)| places.as_slice() != [name.as_str()]);
        for (name, _) in moved {
            if let Some(values) = look(record, &self.places, name) {
                flat[name] = values.into();
            }
        }
        flat
    }

    fn by_clew(&mut self, record: &Value) -> BTreeSet<String> {
        let record = record.to_string().as_str().into();
        let call = ApiCall { source: self.source, record, ..ApiCall::default() };
        let event = Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type: EventType::PluginEvent,
            actor: None,
            kind: EventKind::CloudApi(Box::new(call)),
        };
        let mut matches = Vec::new();
        let context = Context::default();
        let view = context.view(&event);
        self.clew.judge(event.event_type, event.source(), &view, &mut matches);
        let file = |index| self.clew.rule(index).map_or(0, |rule| rule.file as usize);
        matches.into_iter().map(|index| self.clew_names[file(index)].clone()).collect()
    }
}

/// What stands at one of the places of a field, the first that is there.
fn look(record: &Value, places: &Places, name: &str) -> Option<Vec<Value>> {
    let own = [name.to_owned()];
    let places = places.get(name).map_or(own.as_slice(), Vec::as_slice);
    let mut found = Vec::new();
    let is_there: Vec<bool> = places.iter().map(|path| descend(record, path, &mut found)).collect();
    is_there.contains(&true).then_some(found)
}

/// A name with dots of its own comes before the path; lists are gone into. True where the path
/// leads somewhere.
fn descend(value: &Value, path: &str, found: &mut Vec<Value>) -> bool {
    match value {
        Value::Array(items) => items.iter().fold(false, |any, it| descend(it, path, found) | any),
        Value::Object(members) => {
            let mut ends: Vec<usize> = path.match_indices('.').map(|(at, _)| at).collect();
            ends.push(path.len());
            let longest = ends.into_iter().rev().find(|end| members.contains_key(&path[..*end]));
            let Some(end) = longest else { return false };
            let member = &members[&path[..end]];
            match path.get(end + 1..) {
                Some(rest) => descend(member, rest, found),
                None => {
                    leaves(member, found);
                    true
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn leaves(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        other => found.push(other.clone()),
    }
}

/// "Applied to the full log message": each name and each value of the record.
fn words(record: &Value, with_names: bool) -> Vec<Value> {
    match record {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().flat_map(|it| words(it, with_names)).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let name = with_names.then(|| Value::from(name.as_str()));
                name.into_iter().chain(words(value, with_names)).collect::<Vec<_>>()
            })
            .collect(),
        leaf => vec![leaf.clone()],
    }
}
