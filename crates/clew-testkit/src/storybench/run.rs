//! Runs every tenant's events through an engine of its own, and keeps what it told.

use std::collections::BTreeMap;

use clew_engine::{Engine, Output, Settings};
use clew_event::{Event, EventType, Finding, FindingId, Story, StoryId, TimestampNs};
use clew_rules::{Options, RuleSet, SourceFile};
use serde_json::Value;

use super::attacks::{TEMPLATES, play};
use super::benign;
use super::random::Random;
use super::tenant::tenant;
use super::truth::{AttackId, Truth, Truths, Variant};
use super::world::{DAY, HOUR, SECOND, START, World};

/// How much is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// How many tenants.
    pub tenants: u32,
    /// For how many days.
    pub days: u32,
}

/// Something that was found, once in a minute and process, as stories count.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The first finding of it.
    pub finding: Finding,
    /// What it really is of.
    pub truth: Option<Truth>,
    /// When it reached Clew.
    pub arrived: TimestampNs,
    /// It is no finding and only ties findings together.
    pub is_link: bool,
}

/// Findings that somebody takes for one attack.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Places of its units, in ascending order.
    pub members: Vec<usize>,
    /// The one it began with, where that is told.
    pub root: Option<usize>,
    /// What led to what, where that is told.
    pub edges: Vec<(usize, usize)>,
    /// How likely it is said to be an attack.
    pub bits: f64,
}

/// How far one story had got with one attack.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The story.
    pub story: StoryId,
    /// When it was told.
    pub arrived: TimestampNs,
    /// How many units of the attack it had.
    pub units: usize,
}

/// What was told of one tenant.
#[derive(Debug, Default)]
pub struct Observed {
    /// What really happened.
    pub truths: Truths,
    /// What was found, in the order in which it came.
    pub units: Vec<Unit>,
    /// Every finding in the order in which it came.
    pub findings: Vec<Finding>,
    /// What tied findings together, of what was told.
    pub links: Vec<Finding>,
    /// Events that tell stories which processes serve many.
    pub accepts: Vec<Event>,
    /// The stories as they were in the end.
    pub stories: BTreeMap<StoryId, Cluster>,
    /// What stories had of attacks, in the order in which it was told.
    pub progress: BTreeMap<AttackId, Vec<Progress>>,
    /// Events.
    pub events: u64,
    /// Revisions of stories.
    pub revisions: u64,
    /// Bytes of the engine's state after each day.
    pub state_bytes: Vec<usize>,
    /// Bytes of each part of it after the last of these days; those of stories by their parts.
    pub state_parts: BTreeMap<String, usize>,
}

/// What stories count as one: same rule, minute and actor.
type UnitKey = (String, u64, String);

/// The rules of the folder that ship, and those of the bench that make noise.
///
/// # Errors
/// Where a file cannot be read or a rule does not load.
pub fn rules() -> Result<RuleSet, String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let listed = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let mut paths: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == "yaml"));
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        files.push(SourceFile { name, text });
    }
    files.push(SourceFile {
        name: "noise.yaml".to_owned(),
        text: include_str!("noise.yaml").to_owned(),
    });
    let loaded = clew_rules::load(&files, &Options::default());
    match loaded.diagnostics.first() {
        None => Ok(loaded.rules),
        Some(first) => Err(format!("{first:?}")),
    }
}

/// Everything that happens to one tenant, in the order in which it reaches Clew.
#[must_use]
pub fn scene(plan: &Plan, number: u32) -> World {
    let mut world = tenant(number, plan.seed);
    for day in 0..plan.days {
        benign::day(&mut world, START + u64::from(day) * DAY);
    }
    let mut chance = Random::new(plan.seed.wrapping_add(u64::from(number)));
    let mut first = number * 256;
    let kinds = Variant::ALL.iter().flat_map(|it| TEMPLATES.iter().map(move |of| (of, *it)));
    let mine = kinds.skip(number as usize).step_by(plan.tenants.max(1) as usize);
    for (template, variant) in mine.collect::<Vec<_>>() {
        let length = u64::from(plan.days) * DAY;
        let room = length.saturating_sub(if variant == Variant::Slow {
            3 * DAY + 8 * HOUR
        } else {
            8 * HOUR
        });
        let at = match variant {
            Variant::Poisoned => START + 20 * SECOND,
            _ => START + 6 * HOUR + chance.below(room),
        };
        first += play(&mut world, template, variant, (at, first));
    }
    world
}

/// Runs one tenant.
#[must_use]
pub fn observe(plan: &Plan, number: u32, rules: RuleSet) -> Observed {
    let (events, truths) = scene(plan, number).into_arrivals();
    let mut engine = Engine::new(rules, Settings::default());
    let mut observer = Observer::new(truths);
    let mut output = Output::default();
    let (mut next_day, mut state) = (START + DAY, Vec::new());
    for event in &events {
        if event.event_type == EventType::Accept4 {
            observer.observed.accepts.push(event.clone());
        }
        observer.step(&mut engine, event, &mut output);
        if next_day < event.arrived.unix_ns() {
            next_day += DAY;
            state = engine.snapshot().unwrap_or_default();
            observer.observed.state_bytes.push(state.len());
        }
    }
    observer.observed.state_parts = parts(&state);
    observer.observed.events = events.len() as u64;
    observer.observed
}

/// Bytes of each part of an engine's state.
fn parts(state: &[u8]) -> BTreeMap<String, usize> {
    let mut parts = BTreeMap::new();
    let Ok(Value::Object(state)) = serde_json::from_slice::<Value>(state) else { return parts };
    for (name, part) in &state {
        match part.as_object().filter(|_| name == "stories") {
            Some(inner) => parts.extend(
                inner
                    .iter()
                    .map(|(inner, part)| (format!("{name}.{inner}"), part.to_string().len())),
            ),
            None => drop(parts.insert(name.clone(), part.to_string().len())),
        }
    }
    parts
}

struct Observer {
    observed: Observed,
    places: BTreeMap<FindingId, usize>,
    keys: BTreeMap<UnitKey, usize>,
}

impl Observer {
    fn new(truths: Truths) -> Self {
        let observed = Observed { truths, ..Observed::default() };
        Self { observed, places: BTreeMap::new(), keys: BTreeMap::new() }
    }

    fn step(&mut self, engine: &mut Engine, event: &Event, output: &mut Output) {
        engine.step(event, output);
        for finding in output.findings.drain(..) {
            self.found(&finding, event.arrived, false);
            self.observed.findings.push(finding);
        }
        for link in output.links.drain(..) {
            self.found(&link, event.arrived, true);
            self.observed.links.push(link);
        }
        for story in output.stories.drain(..) {
            self.told(&story, event.arrived);
        }
        output.clear();
    }

    fn found(&mut self, finding: &Finding, arrived: TimestampNs, is_link: bool) {
        let next = self.observed.units.len();
        let place = *self.keys.entry(unit_key(finding)).or_insert(next);
        self.places.insert(finding.id, place);
        if place == next {
            let truth = finding.events.iter().find_map(|event| self.observed.truths.of(*event));
            self.observed.units.push(Unit { finding: finding.clone(), truth, arrived, is_link });
        }
    }

    fn told(&mut self, story: &Story, arrived: TimestampNs) {
        self.observed.revisions += 1;
        if story.steps.is_empty() {
            self.observed.stories.remove(&story.id);
            return;
        }
        let place = |finding: FindingId| self.places.get(&finding).copied();
        let mut members: Vec<usize> =
            story.steps.iter().filter_map(|it| place(it.finding)).collect();
        members.sort_unstable();
        members.dedup();
        let edges = story
            .steps
            .iter()
            .filter_map(|step| Some((place(step.edge.as_ref()?.from)?, place(step.finding)?)));
        let cluster = Cluster {
            root: place(story.root.finding),
            edges: edges.collect(),
            bits: story.likelihood_bits,
            members,
        };
        let mut counts: BTreeMap<AttackId, usize> = BTreeMap::new();
        for unit in cluster.members.iter().filter_map(|member| self.observed.units.get(*member)) {
            if let Some(truth) = unit.truth {
                *counts.entry(truth.attack).or_default() += 1;
            }
        }
        for (attack, units) in counts {
            let progress = Progress { story: story.id, arrived, units };
            self.observed.progress.entry(attack).or_default().push(progress);
        }
        self.observed.stories.insert(story.id, cluster);
    }
}

fn unit_key(finding: &Finding) -> UnitKey {
    const MINUTE_NS: u64 = 60_000_000_000;
    let subject = &finding.subject;
    let process = subject.lineage.first().map(|process| process.key.to_string());
    let call = subject.call.as_ref();
    let call = call.map(|it| format!("{} {} {}", it.credential, it.principal, it.address));
    let actor = process.or(call).unwrap_or_else(|| finding.hostname.clone());
    let request = subject.request.as_ref().map(|it| it.exchange.to_string()).unwrap_or_default();
    (finding.rule.clone(), finding.time.unix_ns() / MINUTE_NS, format!("{actor} {request}"))
}
