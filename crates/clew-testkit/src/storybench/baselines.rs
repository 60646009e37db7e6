//! What is usually done instead of stories, over the same findings.
//!
//! Each gives clusters that somebody would be shown, so that the figures beside them are of the
//! same kind. Their bounds are those of products that do so: an hour, a day, a cap on entities.

use std::collections::{BTreeMap, BTreeSet};

use clew_event::attack;
use clew_event::finding::EntityKind;

use super::run::{Cluster, Observed, Unit};

const HOUR_NS: u64 = 3_600_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;
/// A finding from which a group is shown.
const SEED_BITS: f64 = 8.0;
/// An entity with more findings in an hour joins nothing.
const ENTITY_FINDINGS_MAX: usize = 20;
/// Sum from which an entity is shown.
const RISK_BITS: f64 = 40.0;
/// Tactics from which a machine is shown.
const TACTICS: usize = 3;

/// A way to cluster.
#[derive(Clone, Copy, Debug)]
pub struct Baseline {
    /// Its name.
    pub name: &'static str,
    cluster: fn(&Observed) -> Vec<Cluster>,
}

/// All of them.
pub const BASELINES: [Baseline; 4] = [
    Baseline { name: "group by entity, 1 h", cluster: group_by_entity },
    Baseline { name: "union-find with caps", cluster: union_find },
    Baseline { name: "3 tactics a host and day", cluster: tactics },
    Baseline { name: "risk sum of an entity", cluster: risk },
];

impl Baseline {
    /// The clusters it would show.
    #[must_use]
    pub fn clusters(&self, observed: &Observed) -> Vec<Cluster> {
        (self.cluster)(observed)
    }
}

/// What a finding is about, from the nearest on.
fn entities(unit: &Unit) -> Vec<String> {
    let finding = &unit.finding;
    let named = finding.entities.iter().filter(|it| {
        !matches!(it.kind, EntityKind::Image | EntityKind::Process | EntityKind::Request)
    });
    named.map(|it| format!("{:?} {}", it.kind, it.id)).collect()
}

/// The container, or else who called, or else the machine.
fn home(unit: &Unit) -> String {
    let subject = &unit.finding.subject;
    let container = subject.container.as_ref().map(|it| it.id.0.to_string());
    let call = subject.call.as_ref().map(|call| call.principal.to_string());
    container.or(call).unwrap_or_else(|| unit.finding.hostname.clone())
}

fn time(unit: &Unit) -> u64 {
    unit.finding.time.unix_ns()
}

fn is_shown(observed: &Observed, members: &[usize]) -> bool {
    let units = || members.iter().filter_map(|place| observed.units.get(*place));
    let rules: BTreeSet<&str> = units().map(|unit| unit.finding.rule.as_str()).collect();
    1 < rules.len() && units().any(|unit| SEED_BITS <= unit.finding.bits)
}

fn cluster(observed: &Observed, mut members: Vec<usize>) -> Cluster {
    members.sort_unstable();
    let first = members.iter().copied();
    let root = first.min_by_key(|place| observed.units.get(*place).map_or(0, time));
    Cluster { root, members, ..Cluster::default() }
}

/// Findings of one container or caller with no more than an hour between them.
fn group_by_entity(observed: &Observed) -> Vec<Cluster> {
    let mut by_home: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, unit) in observed.units.iter().enumerate() {
        by_home.entry(home(unit)).or_default().push(place);
    }
    let mut groups = Vec::new();
    for (_, mut places) in by_home {
        let at = |place: &usize| observed.units.get(*place).map_or(0, time);
        places.sort_by_key(at);
        for group in places.chunk_by(|a, b| at(b).saturating_sub(at(a)) <= HOUR_NS) {
            if is_shown(observed, group) {
                groups.push(cluster(observed, group.to_vec()));
            }
        }
    }
    groups
}

/// Findings that share an entity within the hour, unless everybody does.
fn union_find(observed: &Observed) -> Vec<Cluster> {
    let mut parents: Vec<usize> = (0..observed.units.len()).collect();
    let mut recent: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..observed.units.len()).collect();
    order.sort_by_key(|place| observed.units.get(*place).map_or(0, time));
    for place in order {
        let Some(unit) = observed.units.get(place) else { continue };
        for entity in entities(unit) {
            let known = recent.entry(entity).or_default();
            known.retain(|other| {
                let other = observed.units.get(*other).map_or(0, time);
                time(unit).saturating_sub(other) <= HOUR_NS
            });
            if let Some(other) = known.last().filter(|_| known.len() < ENTITY_FINDINGS_MAX) {
                let (a, b) = (top(&parents, place), top(&parents, *other));
                if let Some(parent) = parents.get_mut(a) {
                    *parent = b;
                }
            }
            known.push(place);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..parents.len() {
        groups.entry(top(&parents, place)).or_default().push(place);
    }
    let shown = groups.into_values().filter(|group| is_shown(observed, group));
    shown.map(|group| cluster(observed, group)).collect()
}

fn top(parents: &[usize], mut place: usize) -> usize {
    while let Some(parent) = parents.get(place).filter(|parent| **parent != place) {
        place = *parent;
    }
    place
}

fn by_day(observed: &Observed, key: fn(&Unit) -> Vec<String>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(u64, String), Vec<usize>> = BTreeMap::new();
    for (place, unit) in observed.units.iter().enumerate() {
        for key in key(unit) {
            groups.entry((time(unit) / DAY_NS, key)).or_default().push(place);
        }
    }
    groups.into_values().collect()
}

/// A machine or account in a day with findings of three tactics.
fn tactics(observed: &Observed) -> Vec<Cluster> {
    let host = |unit: &Unit| {
        let account = unit.finding.subject.call.as_ref().map(|call| call.account.to_string());
        let name = unit.finding.hostname.clone();
        vec![if name.is_empty() { account.unwrap_or_default() } else { name }]
    };
    let groups = by_day(observed, host).into_iter().filter(|group| {
        let units = group.iter().filter_map(|place| observed.units.get(*place));
        let techniques = units.flat_map(|unit| &unit.finding.techniques);
        let known = techniques.filter_map(|id| attack::technique(id));
        let tactics: BTreeSet<&str> = known.map(|it| it.tactic.id()).collect();
        TACTICS <= tactics.len()
    });
    groups.map(|group| cluster(observed, group)).collect()
}

/// An entity whose bits of a day, each rule once, sum up to much.
fn risk(observed: &Observed) -> Vec<Cluster> {
    let groups = by_day(observed, |unit| vec![home(unit)]).into_iter().filter(|group| {
        let mut rules: BTreeMap<&str, f64> = BTreeMap::new();
        for unit in group.iter().filter_map(|place| observed.units.get(*place)) {
            rules.insert(&unit.finding.rule, unit.finding.bits);
        }
        RISK_BITS <= rules.values().sum::<f64>()
    });
    groups.map(|group| cluster(observed, group)).collect()
}
