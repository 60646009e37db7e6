//! How well clusters of findings are attacks: the same figures for stories and for baselines.

use std::collections::{BTreeMap, BTreeSet};

use super::run::{Cluster, Observed};
use super::truth::{Attack, AttackId};
use super::world::{DAY, START};

/// Days after which what a tenant does daily should surprise nobody.
pub(super) const LEARNING_DAYS: u32 = 3;

/// A sum and how many went into it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    /// Takes one value in.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// Takes in whether something holds.
    pub fn add_if(&mut self, holds: bool) {
        self.add(if holds { 1.0 } else { 0.0 });
    }

    /// The mean; no number of nothing.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.sum / f64::from(self.count) }
    }

    /// How many went in.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }
}

/// The figures of one way to cluster, over all tenants.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Share of an attack's findings in the cluster with most of them.
    pub completeness: Mean,
    /// The same of findings by the rules that ship, without the noise of the bench.
    pub shipped_completeness: Mean,
    /// Share of an attack's steps, also those that nothing found, in that cluster.
    pub step_completeness: Mean,
    /// Share of a cluster's findings that are of its attack, over clusters with any attack.
    pub purity: Mean,
    /// In how many clusters an attack's findings lie, of those that lie in any.
    pub fragmentation: Mean,
    /// Share of clusters with an attack that hold several.
    pub fusion: Mean,
    /// Attacks that are exactly one cluster, which holds no other.
    pub exactly_one: Mean,
    /// Share of edges whose earlier end led to the later.
    pub edge_precision: Mean,
    /// Share of an attack's findings but the first in its cluster that an edge of the attack leads to.
    pub edge_recall: Mean,
    /// Clusters that begin at the first step of the attack that was found.
    pub root: Mean,
    /// B-cubed precision of findings.
    pub b_precision: Mean,
    /// B-cubed recall of findings.
    pub b_recall: Mean,
    /// Clusters without any attack.
    pub false_clusters: u32,
    /// Those of them that begin after the third day, when habits are known.
    pub late_false_clusters: u32,
    /// Clusters.
    pub clusters: u32,
}

impl Metrics {
    /// Harmonic mean of B-cubed precision and recall.
    #[must_use]
    pub fn b_f1(&self) -> f64 {
        let (precision, recall) = (self.b_precision.value(), self.b_recall.value());
        if precision + recall == 0.0 {
            0.0
        } else {
            2.0 * precision * recall / (precision + recall)
        }
    }

    /// Takes in what one tenant's clusters are.
    pub fn add(&mut self, observed: &Observed, clusters: &[Cluster]) {
        let view = View::new(observed, clusters);
        for attack in observed.truths.attacks.values() {
            self.add_attack(&view, attack);
        }
        for (place, cluster) in clusters.iter().enumerate() {
            self.add_cluster(&view, place, cluster);
        }
        self.add_b_cubed(&view);
    }

    fn add_attack(&mut self, view: &View<'_>, attack: &Attack) {
        let found = |unit: &usize| !view.is_link(*unit);
        let of = view.units.get(&attack.id).into_iter().flatten().copied().filter(found);
        let of: Vec<usize> = of.collect();
        if of.is_empty() {
            return;
        }
        let holders = view.holders(attack.id);
        let best = view.best(attack.id);
        let told: Vec<usize> =
            best.map_or_else(Vec::new, |best| view.units_in(best, attack.id).collect());
        let count = |units: &[usize], counts: &dyn Fn(usize) -> bool| {
            units.iter().filter(|unit| counts(**unit)).count()
        };
        let finding = |unit| !view.is_link(unit);
        let shipped = |unit| !view.is_link(unit) && !view.is_noise(unit);
        self.completeness.add(ratio(count(&told, &finding), of.len()));
        if 0 < count(&of, &shipped) {
            self.shipped_completeness.add(ratio(count(&told, &shipped), count(&of, &shipped)));
        }
        if !holders.is_empty() {
            self.fragmentation.add(ratio(holders.len(), 1));
        }
        let is_alone = best.is_some_and(|best| view.attacks_in(best).len() == 1);
        self.exactly_one.add_if(holders.len() == 1 && is_alone);
        let steps: BTreeSet<usize> = told.iter().filter_map(|unit| view.step(*unit)).collect();
        let seen: BTreeSet<usize> = view
            .observed
            .truths
            .events
            .values()
            .filter(|truth| truth.attack == attack.id)
            .map(|truth| truth.step)
            .collect();
        self.step_completeness.add(ratio(steps.len(), seen.len()));
        if let Some(cluster) = best.and_then(|best| view.clusters.get(best)) {
            let first = of.iter().filter_map(|unit| view.step(*unit)).min();
            if let Some(root) = cluster.root {
                let is_own = view.attack(root) == Some(attack.id);
                self.root.add_if(is_own && view.step(root) == first);
            }
        }
    }

    fn add_cluster(&mut self, view: &View<'_>, place: usize, cluster: &Cluster) {
        self.clusters += 1;
        let attacks = view.attacks_in(place);
        let Some((&main, &count)) = attacks.iter().max_by_key(|(_, count)| **count) else {
            self.false_clusters += 1;
            self.late_false_clusters += u32::from(view.begins_late(cluster));
            return;
        };
        self.purity.add(ratio(count, cluster.members.len()));
        self.fusion.add_if(1 < attacks.len());
        for &(from, to) in &cluster.edges {
            self.edge_precision.add_if(view.is_right(from, to));
        }
        if cluster.edges.is_empty() {
            return;
        }
        let reached: BTreeSet<usize> = cluster
            .edges
            .iter()
            .filter(|(from, to)| view.is_right(*from, *to))
            .map(|(_, to)| *to)
            .collect();
        for unit in view.units_in(place, main).filter(|unit| Some(*unit) != cluster.root) {
            self.edge_recall.add_if(reached.contains(&unit));
        }
    }

    /// Over every finding that is of an attack or in a cluster; benign ones are each alone.
    fn add_b_cubed(&mut self, view: &View<'_>) {
        for unit in 0..view.observed.units.len() {
            let (attack, cluster) = (view.attack(unit), view.cluster_of.get(&unit));
            if attack.is_none() && cluster.is_none() {
                continue;
            }
            let size = cluster
                .and_then(|place| view.clusters.get(*place))
                .map_or(1, |cluster| cluster.members.len());
            let same = attack.map_or(1, |attack| {
                cluster.map_or(1, |place| view.count(*place, attack).unwrap_or(1))
            });
            let all = attack.and_then(|it| view.units.get(&it)).map_or(1, Vec::len);
            self.b_precision.add(ratio(same, size));
            self.b_recall.add(ratio(same, all));
        }
    }
}

/// One part of a whole.
#[must_use]
pub fn ratio(part: usize, whole: usize) -> f64 {
    let small = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { small(part) / small(whole) }
}

/// One tenant's clusters beside the truth.
pub(super) struct View<'a> {
    pub(super) observed: &'a Observed,
    pub(super) clusters: &'a [Cluster],
    /// Units of each attack.
    pub(super) units: BTreeMap<AttackId, Vec<usize>>,
    cluster_of: BTreeMap<usize, usize>,
    counts: Vec<BTreeMap<AttackId, usize>>,
}

impl<'a> View<'a> {
    pub(super) fn new(observed: &'a Observed, clusters: &'a [Cluster]) -> Self {
        let mut units: BTreeMap<AttackId, Vec<usize>> = BTreeMap::new();
        for (place, unit) in observed.units.iter().enumerate() {
            if let Some(truth) = unit.truth {
                units.entry(truth.attack).or_default().push(place);
            }
        }
        let mut view =
            Self { observed, clusters, units, cluster_of: BTreeMap::new(), counts: Vec::new() };
        for (place, cluster) in clusters.iter().enumerate() {
            let mut counts = BTreeMap::new();
            for member in &cluster.members {
                view.cluster_of.insert(*member, place);
                if let Some(attack) = view.attack(*member) {
                    *counts.entry(attack).or_default() += 1;
                }
            }
            view.counts.push(counts);
        }
        view
    }

    fn attack(&self, unit: usize) -> Option<AttackId> {
        Some(self.observed.units.get(unit)?.truth?.attack)
    }

    pub(super) fn step(&self, unit: usize) -> Option<usize> {
        Some(self.observed.units.get(unit)?.truth?.step)
    }

    fn count(&self, cluster: usize, attack: AttackId) -> Option<usize> {
        self.counts.get(cluster)?.get(&attack).copied()
    }

    pub(super) fn attacks_in(&self, cluster: usize) -> BTreeMap<AttackId, usize> {
        self.counts.get(cluster).cloned().unwrap_or_default()
    }

    pub(super) fn holders(&self, attack: AttackId) -> Vec<usize> {
        let counts = self.counts.iter().enumerate();
        counts.filter(|(_, counts)| counts.contains_key(&attack)).map(|(place, _)| place).collect()
    }

    /// The cluster with most of an attack; of several, the first.
    pub(super) fn best(&self, attack: AttackId) -> Option<usize> {
        let holders = self.holders(attack).into_iter();
        holders.max_by_key(|place| (self.count(*place, attack), std::cmp::Reverse(*place)))
    }

    pub(super) fn units_in(&self, cluster: usize, attack: AttackId) -> impl Iterator<Item = usize> {
        let members = self.clusters.get(cluster).into_iter().flat_map(|it| it.members.iter());
        members.copied().filter(move |unit| self.attack(*unit) == Some(attack))
    }

    /// It is no finding and only ties some together.
    pub(super) fn is_link(&self, unit: usize) -> bool {
        self.observed.units.get(unit).is_some_and(|unit| unit.is_link)
    }

    /// All of it was found after the days in which habits are learned.
    pub(super) fn begins_late(&self, cluster: &Cluster) -> bool {
        let units = cluster.members.iter().filter_map(|unit| self.observed.units.get(*unit));
        let first = units.map(|unit| unit.finding.time.unix_ns()).min();
        first.is_some_and(|first| START + u64::from(LEARNING_DAYS) * DAY <= first)
    }

    /// A rule of the bench alone found it.
    fn is_noise(&self, unit: usize) -> bool {
        let unit = self.observed.units.get(unit);
        unit.is_some_and(|unit| unit.finding.rule.starts_with("noise_"))
    }

    /// Both are of one attack, and the earlier led to the later.
    fn is_right(&self, from: usize, to: usize) -> bool {
        let (Some(attack), Some(earlier), Some(later)) =
            (self.attack(from), self.step(from), self.step(to))
        else {
            return false;
        };
        let attacks = &self.observed.truths.attacks;
        self.attack(to) == Some(attack)
            && attacks.get(&attack).is_some_and(|it| it.leads_to(earlier, later))
    }
}
