//! Replays captures as Falco does, and compares alerts.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clew_context::Context;
use clew_decode::scap::Reader;
use clew_event::{FieldArgument, FieldId, FieldSource, FieldValue, Scalar, Semantics};
use clew_rules::{Options, RuleSet, SourceFile, load};
use serde_json::Value;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Which rules Falco ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// The 81 that the files enable.
    AsShipped,
    /// All 93.
    AllEnabled,
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alert {
    pub(crate) event_number: u64,
    pub(crate) rule: String,
    pub(crate) priority: String,
    pub(crate) fields: BTreeMap<String, Value>,
}

/// How many alerts of a rule are equal, and how the others differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) equal: u32,
    pub(crate) missing: u32,
    pub(crate) extra: u32,
    pub(crate) changed: u32,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.equal += other.equal;
        self.missing += other.missing;
        self.extra += other.extra;
        self.changed += other.changed;
    }
}

/// One way in which our alerts are not Falco's.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) capture: String,
    pub(crate) event_number: u64,
    pub(crate) rule: String,
    /// `missing`, `extra`, or `field: Falco's value, ours`.
    pub(crate) what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} event {} `{}`: {}", self.capture, self.event_number, self.rule, self.what)
    }
}

/// A kind of difference that is known, with its reason; each also in `docs/falco-differences.md`.
#[derive(Debug)]
pub(crate) struct Explained {
    /// Its rule; empty for any.
    pub(crate) rule: &'static str,
    /// How [`Difference::what`] begins.
    what: &'static str,
    pub(crate) reason: &'static str,
    /// How many there are: captures with 81 and with 93 rules, the load capture with both.
    pub(crate) counts: [u32; 4],
}

const REDIRECT: &str = "Redirect STDOUT/STDIN to Network Connection in Container";

/// Every difference there is.
pub(crate) const EXPLAINED: &[Explained] = &[
    Explained {
        rule: REDIRECT,
        what: "fd.lport: ",
        reason: "of a connection within one machine, Falco takes the client's end for ours",
        counts: [0, 0, 428, 428],
    },
    Explained {
        rule: REDIRECT,
        what: "fd.rport: ",
        reason: "of a connection within one machine, Falco takes the server's end for the other",
        counts: [0, 0, 428, 428],
    },
    Explained {
        rule: "",
        what: "proc.aname[",
        reason: "when a maker ends, Falco gives its children to who took them; we keep the maker",
        counts: [1, 1, 860, 860],
    },
    Explained {
        rule: "Drop and execute new binary in container",
        what: "container.start_ts: ",
        reason: "Falco tells nanoseconds since boot where its documentation says since 1970",
        counts: [2, 2, 1, 1],
    },
    Explained {
        rule: "Launch Package Management Process in Container",
        what: "missing",
        reason: "Falco judges an execve that failed by the program that tried it; we judge execs",
        counts: [6, 6, 0, 0],
    },
    Explained {
        rule: "Non sudo setuid",
        what: "extra: ",
        reason: "live, both know the users of a container; Falco's replay forgets them",
        counts: [4, 4, 0, 0],
    },
    Explained {
        rule: "Unprivileged Delegation of Page Faults Handling to a Userspace Process",
        what: "user.name: \"<NA>\", ours \"daemon\"",
        reason: "live, both know the users of a container; Falco's replay forgets them",
        counts: [1, 1, 0, 0],
    },
];

/// Number of the explanation of a difference, where there is one.
pub(crate) fn explained(difference: &Difference) -> Option<usize> {
    EXPLAINED.iter().position(|explained| {
        (explained.rule.is_empty() || explained.rule == difference.rule)
            && difference.what.starts_with(explained.what)
    })
}

/// The shared data; `None`, said aloud, where it is absent.
#[allow(clippy::disallowed_methods, reason = "the switch that says where the shared data lies")]
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    if folder.join("data/falco-oracle").is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no data/falco-oracle under {}; set CLEW_SHARED", folder.display());
    None
}

/// Names of the captures.
pub(crate) fn captures(shared: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(shared.join("data/falco-oracle/captures"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The rules, unchanged.
pub(crate) fn rules(
    shared: &Path,
    (configuration, semantics): (Configuration, Semantics),
) -> Outcome<RuleSet> {
    let mut files = Vec::new();
    for name in ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"] {
        let path = find(&shared.join("data/falco-rules"), name)?;
        files.push(SourceFile { name: name.to_owned(), text: fs::read_to_string(path)? });
    }
    let includes_disabled = configuration == Configuration::AllEnabled;
    let loaded = load(&files, &Options { includes_disabled, semantics, ..Options::default() });
    let expected = if includes_disabled { 93 } else { 81 };
    assert_eq!(loaded.rules.len(), expected, "{:#?}", loaded.not_runnable);
    Ok(loaded.rules)
}

fn find(folder: &Path, name: &str) -> Outcome<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                return Ok(path);
            }
        }
    }
    Err(format!("no `{name}` below {}", folder.display()).into())
}

fn capture(shared: &Path, name: &str) -> PathBuf {
    let oracle = shared.join("data/falco-oracle");
    let file = format!("{name}.scap");
    if name == "throughput" { oracle.join(file) } else { oracle.join("captures").join(file) }
}

/// Our alerts over a capture.
pub(crate) fn replay(shared: &Path, name: &str, rules: &mut RuleSet) -> Outcome<Vec<Alert>> {
    let mut context = Context::default();
    context.set_semantics(rules.semantics());
    let mut reader = Reader::new(name, File::open(capture(shared, name))?);
    let (mut alerts, mut matches) = (Vec::new(), Vec::new());
    for event in &mut reader {
        let event = event.map_err(|complaint| format!("{complaint:?}"))?;
        context.observe(&event);
        let view = context.view(&event);
        matches.clear();
        rules.judge(event.event_type, "syscall", &view, &mut matches);
        for &index in &matches {
            let Some(rule) = rules.rule(index) else { continue };
            let output = rules.output(index, &view);
            let mut fields = output.fields;
            for (name, field) in SUGGESTED {
                fields.entry((*name).to_owned()).or_insert_with(|| suggested(&view, *field));
            }
            fields.insert("evt.time.iso8601".to_owned(), event.time.unix_ns().into());
            alerts.push(Alert {
                event_number: event.id.capture_number().unwrap_or_default(),
                rule: rule.name.clone(),
                priority: rule.priority.name().to_owned(),
                fields,
            });
        }
    }
    let counts = reader.counts();
    assert_eq!((counts.malformed, counts.unknown_blocks, counts.dropped), (0, 0, 0), "{counts:?}");
    Ok(alerts)
}

/// Falco's alerts over a capture.
pub(crate) fn expected(
    shared: &Path,
    name: &str,
    configuration: Configuration,
) -> Outcome<Vec<Alert>> {
    let oracle = shared.join("data/falco-oracle");
    let path = match (name, configuration) {
        ("throughput", Configuration::AsShipped) => oracle.join("throughput-expected.jsonl"),
        ("throughput", Configuration::AllEnabled) => {
            oracle.join("throughput-expected-all-enabled.jsonl")
        }
        (_, Configuration::AsShipped) => oracle.join("expected").join(format!("{name}.jsonl")),
        (_, Configuration::AllEnabled) => {
            oracle.join("expected-all-enabled").join(format!("{name}.jsonl"))
        }
    };
    let mut alerts = Vec::new();
    for line in fs::read_to_string(path)?.lines() {
        let alert: Value = serde_json::from_str(line)?;
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        let fields = alert["output_fields"].as_object().cloned().unwrap_or_default();
        alerts.push(Alert {
            event_number: alert["evt_num"].as_u64().unwrap_or_default(),
            rule: text("rule"),
            priority: text("priority"),
            fields: fields.into_iter().collect(),
        });
    }
    Ok(alerts)
}

/// Fields that Falco appends to every alert by its setting `suggested_output`.
const SUGGESTED: &[(&str, FieldId)] = &[
    ("container.id", FieldId::ContainerId),
    ("container.name", FieldId::ContainerName),
    ("container.image.repository", FieldId::ContainerImageRepository),
    ("container.image.tag", FieldId::ContainerImageTag),
    ("k8s.pod.name", FieldId::K8sPodName),
    ("k8s.ns.name", FieldId::K8sNsName),
];

fn suggested(view: &impl FieldSource, field: FieldId) -> Value {
    match view.field(field, &FieldArgument::None) {
        FieldValue::One(Scalar::Text(text)) => String::from_utf8_lossy(&text).into_owned().into(),
        _ => Value::Null,
    }
}

/// How our alerts over a capture differ from Falco's; counts both in `by_rule`.
pub(crate) fn compare(
    shared: &Path,
    name: &str,
    configuration: Configuration,
    ours: &[Alert],
    by_rule: &mut BTreeMap<String, Tally>,
) -> Outcome<Vec<Difference>> {
    let by_key = |alerts: &[Alert]| -> BTreeMap<(u64, String), Alert> {
        alerts.iter().map(|a| ((a.event_number, a.rule.clone()), a.clone())).collect()
    };
    let theirs = expected(shared, name, configuration)?;
    let (found, wanted) = (by_key(ours), by_key(&theirs));
    assert_eq!((found.len(), wanted.len()), (ours.len(), theirs.len()), "a rule fired twice");
    let mut differences = Vec::new();
    for (key, want) in &wanted {
        let tally = by_rule.entry(want.rule.clone()).or_default();
        let differing = match found.get(key) {
            None => {
                tally.missing += 1;
                vec!["missing".to_owned()]
            }
            Some(have) => {
                let differing = differing(want, have);
                let count =
                    if differing.is_empty() { &mut tally.equal } else { &mut tally.changed };
                *count += 1;
                differing
            }
        };
        differences.extend(differing.into_iter().map(|what| difference(name, want, what)));
    }
    for (_, have) in found.iter().filter(|(key, _)| !wanted.contains_key(key)) {
        by_rule.entry(have.rule.clone()).or_default().extra += 1;
        differences.push(difference(name, have, format!("extra: {:?}", have.fields)));
    }
    Ok(differences)
}

fn difference(capture: &str, alert: &Alert, what: String) -> Difference {
    let (event_number, rule) = (alert.event_number, alert.rule.clone());
    Difference { capture: capture.to_owned(), event_number, rule, what }
}

fn differing(want: &Alert, have: &Alert) -> Vec<String> {
    let mut differing = Vec::new();
    if want.priority != have.priority {
        differing.push(format!("priority: {}, ours {}", want.priority, have.priority));
    }
    let names: std::collections::BTreeSet<_> =
        want.fields.keys().chain(have.fields.keys()).collect();
    for name in names {
        let (theirs, ours) = (want.fields.get(name), have.fields.get(name));
        if theirs != ours {
            let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
            differing.push(format!("{name}: {}, ours {}", shown(theirs), shown(ours)));
        }
    }
    differing
}
