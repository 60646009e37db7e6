//! Records with the behavior they belong to, and what rules tell of them.

pub(crate) mod page;
pub(crate) mod sets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clew_decode::api_log;
use clew_engine::{Engine, Output, Settings};
use clew_event::Event;
use clew_event::attack;
use clew_event::finding::{Finding, Priority};
use clew_rules::{Options, RuleSet, SourceFile, load};
use serde_json::Value;

/// The folder of shared data, where it is; says on stderr why a test is skipped without.
#[allow(clippy::disallowed_methods, reason = "the switch that says where the shared data lies")]
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let data = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from).join("data");
    if data.join("stratus-red-team").is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: no labelled logs under {}, so nothing was proved", data.display());
    None
}

/// Whose rules judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Ours, of the folder `rules/`.
    Ours,
    /// Sigma's own for clouds and Kubernetes.
    Sigma,
}

const OUR_FILES: [&str; 4] = ["00_macros.yaml", "aws.yaml", "bursts.yaml", "kubernetes.yaml"];
const SIGMA_FOLDERS: [&str; 4] =
    ["cloud/aws", "cloud/azure", "cloud/gcp", "application/kubernetes"];

fn yaml_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "yml") {
            found.push(path);
        }
    }
}

/// The files of rules, read once.
pub(crate) fn rule_files(whose: Whose, data: &Path) -> Vec<SourceFile> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut paths = Vec::new();
    match whose {
        Whose::Ours => paths.extend(OUR_FILES.map(|name| ours.join(name))),
        Whose::Sigma => {
            let sigma = data.join("sigma-rules/rules");
            SIGMA_FOLDERS.iter().for_each(|name| yaml_below(&sigma.join(name), &mut paths));
            paths.sort();
        }
    }
    let file = |path: &PathBuf| SourceFile {
        name: path.display().to_string(),
        text: std::fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(file).collect()
}

fn compiled(files: &[SourceFile]) -> RuleSet {
    load(files, &Options::default()).rules
}

/// One thing done, or ordinary work; its records, and the techniques of which one has to be told.
#[derive(Debug)]
pub(crate) struct Behavior {
    pub(crate) set: &'static str,
    pub(crate) name: String,
    pub(crate) techniques: Vec<String>,
    /// Places of its records in the log.
    pub(crate) records: BTreeSet<usize>,
}

/// A log with what is done in it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) records: Vec<Value>,
    pub(crate) behaviors: Vec<Behavior>,
}

/// A finding that is urgent enough, and the places of the records that prove it, the deciding
/// one first.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) finding: Finding,
    pub(crate) records: Vec<usize>,
}

/// Programs that name themselves after the attack or the tool that set the scene.
const TELLING_AGENTS: [&str; 3] = ["stratus", "terraform", "hashicorp"];
const NEUTRAL_AGENT: &str = "aws-sdk-go-v2/1.30.0";

fn without_label(record: &Value) -> Value {
    let mut record = record.clone();
    if let Some(agent) = record.get_mut("userAgent") {
        let text = agent.as_str().unwrap_or_default().to_lowercase();
        if TELLING_AGENTS.iter().any(|telling| text.contains(telling)) {
            *agent = NEUTRAL_AGENT.into();
        }
    }
    record
}

/// The records as events in the order of their times; one that cannot be read is left out.
pub(crate) fn events(records: &[Value]) -> Vec<(usize, Event)> {
    let mut events = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let bytes = serde_json::to_vec(&without_label(record)).unwrap();
        let decoded = api_log::decode(&format!("record {place}"), &bytes);
        events.extend(decoded.events.into_iter().map(|event| (place, event)));
    }
    events.sort_by_key(|(_, event)| event.time);
    events
}

/// What the rules tell at Warning or above.
pub(crate) fn told(files: &[SourceFile], events: &[(usize, Event)]) -> Vec<Told> {
    let mut engine = Engine::new(compiled(files), Settings::default());
    let mut output = Output::default();
    events.iter().for_each(|(_, event)| engine.step(event, &mut output));
    let urgent = output.findings.into_iter().filter(|it| it.priority <= Priority::Warning);
    let places: BTreeMap<_, _> = events.iter().map(|(place, event)| (event.id, *place)).collect();
    let place = |id: &_| places.get(id).copied();
    let told = |finding: Finding| {
        let records = finding.events.iter().filter_map(place).collect();
        Told { finding, records }
    };
    urgent.map(told).collect()
}

/// True where a rule's technique is the expected one or its parent, whatever version's id it has.
pub(crate) fn is_same_technique(found: &str, expected: &str) -> bool {
    let (found, expected) = (attack::listed_id(found), attack::listed_id(expected));
    found == expected || expected.split_once('.').is_some_and(|(parent, _)| parent == found)
}

/// What the rules make of one behavior.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Rules that tell it by the right technique, with their levels.
    pub(crate) right: BTreeSet<String>,
    /// Rules that tell it by another.
    pub(crate) other: BTreeSet<String>,
}

impl Behavior {
    pub(crate) fn judge(&self, told: &[Told]) -> Verdict {
        let mut verdict = Verdict::default();
        for it in told.iter().filter(|it| it.records.iter().any(|at| self.records.contains(at))) {
            let found = &it.finding.techniques;
            let is_right = self
                .techniques
                .iter()
                .any(|expected| found.iter().any(|found| is_same_technique(found, expected)));
            let text = format!("{} ({})", it.finding.rule, it.finding.priority.name());
            let side = if is_right { &mut verdict.right } else { &mut verdict.other };
            side.insert(text);
        }
        verdict
    }
}
