//! The figures of a run as a table for people and as JSON for machines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clew_event::Finding;
use serde_json::{Value, json};

use super::baselines::BASELINES;
use super::metrics::{LEARNING_DAYS, Mean, Metrics, View};
use super::miss::misses;
use super::order::Equality;
use super::run::{Cluster, Observed, Plan};
use super::truth::Attack;

/// Everything that is reported of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Stories and each baseline.
    pub ways: Vec<(&'static str, Metrics)>,
    /// Completeness and exactly one, by template and by variant.
    pub by_kind: BTreeMap<String, (Mean, Mean)>,
    /// Seconds from an attack's first event to the first story with it, by arrival.
    pub first_s: Vec<f64>,
    /// Seconds from the last event of an attack that came to its story as complete as it gets.
    pub complete_s: Vec<f64>,
    /// Stories told with at least so many bits, and those of them with an attack.
    pub calibration: BTreeMap<u32, (u32, u32)>,
    /// What is missing in stories of attacks, or made them several, and how often.
    pub misses: BTreeMap<String, u32>,
    /// False stories by the rules of their findings, with bits.
    pub false_stories: BTreeMap<String, u32>,
    /// Tenants times days.
    pub tenant_days: f64,
    /// Those of them after the days in which habits are learned.
    pub late_tenant_days: f64,
    /// Attacks made.
    pub attacks: usize,
    /// Events.
    pub events: u64,
    /// Revisions of stories.
    pub revisions: u64,
    /// Findings, and those of them that are units.
    pub findings: (usize, usize),
    /// Bytes of an engine's state after each day, the most of all tenants.
    pub state_bytes: Vec<usize>,
    /// Bytes of its parts after the last day, the most of all tenants.
    pub state_parts: BTreeMap<String, usize>,
    /// Further lines, measured by whoever holds a clock.
    pub costs: Vec<(&'static str, f64)>,
    /// What shuffles showed.
    pub order: Equality,
}

/// Bits of a class of likelihood.
const CALIBRATION_BITS: u32 = 10;

impl Report {
    /// No figures yet.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let names = std::iter::once("stories").chain(BASELINES.iter().map(|it| it.name));
        Self {
            ways: names.map(|name| (name, Metrics::default())).collect(),
            tenant_days: f64::from(plan.tenants) * f64::from(plan.days),
            late_tenant_days: f64::from(plan.tenants)
                * f64::from(plan.days.saturating_sub(LEARNING_DAYS)),
            ..Self::default()
        }
    }

    /// Takes in what was told of one tenant.
    pub fn add(&mut self, observed: &Observed) {
        let stories: Vec<Cluster> = observed.stories.values().cloned().collect();
        let mut all = vec![stories];
        all.extend(BASELINES.iter().map(|baseline| baseline.clusters(observed)));
        for ((_, metrics), clusters) in self.ways.iter_mut().zip(&all) {
            metrics.add(observed, clusters);
        }
        self.attacks += observed.truths.attacks.len();
        self.events += observed.events;
        self.revisions += observed.revisions;
        self.findings.0 += observed.findings.len();
        self.findings.1 += observed.units.iter().filter(|unit| !unit.is_link).count();
        for (day, bytes) in observed.state_bytes.iter().enumerate() {
            match self.state_bytes.get_mut(day) {
                Some(most) => *most = (*most).max(*bytes),
                None => self.state_bytes.push(*bytes),
            }
        }
        for (part, bytes) in &observed.state_parts {
            let most = self.state_parts.entry(part.clone()).or_default();
            *most = (*most).max(*bytes);
        }
        let Some(stories) = all.first() else { return };
        let view = View::new(observed, stories);
        observed.truths.attacks.values().for_each(|attack| self.add_attack(&view, attack));
        self.add_stories(&view);
    }

    fn add_attack(&mut self, view: &View<'_>, attack: &Attack) {
        let found = |unit: &usize| !view.is_link(*unit);
        let units = view.units.get(&attack.id).into_iter().flatten().filter(|unit| found(unit));
        let count = units.count();
        if count == 0 {
            return;
        }
        let best = view.best(attack.id);
        let held = best.map_or(0, |it| view.units_in(it, attack.id).filter(found).count());
        let others = best.map_or(0, |best| view.attacks_in(best).len().saturating_sub(1));
        let holders = view.holders(attack.id).len();
        for kind in [attack.template, attack.variant.name()] {
            let (completeness, exactly_one) = self.by_kind.entry(kind.to_owned()).or_default();
            completeness.add(super::metrics::ratio(held, count));
            exactly_one.add_if(holders == 1 && others == 0);
        }
        for miss in misses(view, attack, (holders, others)) {
            *self.misses.entry(miss).or_default() += 1;
        }
        let Some(told) = view.observed.progress.get(&attack.id) else { return };
        let seconds = |from: clew_event::TimestampNs, to: clew_event::TimestampNs| {
            to.since(from).as_secs_f64()
        };
        if let Some(first) = told.first() {
            self.first_s.push(seconds(attack.began, first.arrived));
        }
        let most = told.iter().map(|it| it.units).max().unwrap_or_default();
        if let Some(complete) = told.iter().find(|it| it.units == most) {
            self.complete_s.push(seconds(attack.began, complete.arrived));
        }
    }

    fn add_stories(&mut self, view: &View<'_>) {
        for (place, story) in view.clusters.iter().enumerate() {
            let is_attack = !view.attacks_in(place).is_empty();
            let class =
                (0..10).rev().find(|class| f64::from(class * CALIBRATION_BITS) <= story.bits);
            let (told, right) =
                self.calibration.entry(class.unwrap_or(0) * CALIBRATION_BITS).or_default();
            *told += 1;
            *right += u32::from(is_attack);
            if !is_attack {
                let units = story.members.iter().filter_map(|it| view.observed.units.get(*it));
                let named = |it: &Finding| format!("{} ({:.0})", it.rule, it.bits);
                let rules: BTreeSet<String> = units.map(|unit| named(&unit.finding)).collect();
                let rules: Vec<String> = rules.into_iter().collect();
                let when = if view.begins_late(story) { "late" } else { "early" };
                let what = format!("{when}: {}", rules.join(", "));
                *self.false_stories.entry(what).or_default() += 1;
            }
        }
    }

    /// For people: markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let findings = super::metrics::ratio(self.findings.1, 1);
        let _ = writeln!(
            text,
            "{} attacks among {} events of {} tenant-days; {} findings, {} counted once a minute and actor, {:.0} a tenant-day.\n",
            self.attacks,
            self.events,
            self.tenant_days,
            self.findings.0,
            self.findings.1,
            findings / self.tenant_days.max(1.0),
        );
        let names: Vec<&str> = self.ways.iter().map(|(name, _)| *name).collect();
        let _ = writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---:|".repeat(names.len()));
        for (name, figure) in FIGURES {
            let values: Vec<String> =
                self.ways.iter().map(|(_, it)| number(figure(it, self))).collect();
            let _ = writeln!(text, "| {name} | {} |", values.join(" | "));
        }
        self.kinds(&mut text);
        let _ = writeln!(text, "\n| measure | value |\n|---|---:|");
        for (name, value) in self.single() {
            let _ = writeln!(text, "| {name} | {value:.4} |");
        }
        text
    }

    fn kinds(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n| kind | attacks | completeness | exactly one story |\n|---|---:|---:|---:|"
        );
        for (kind, (completeness, one)) in &self.by_kind {
            let (count, complete, one) = (completeness.count(), completeness.value(), one.value());
            let _ = writeln!(text, "| {kind} | {count} | {complete:.3} | {one:.3} |");
        }
        let _ = writeln!(text, "\n| bits of a story | stories | with an attack |\n|---|---:|---:|");
        for (bits, (told, right)) in &self.calibration {
            let _ = writeln!(text, "| {bits} and more | {told} | {right} |");
        }
    }

    fn single(&self) -> Vec<(String, f64)> {
        let mut lines = Vec::new();
        for (name, values) in [("first story", &self.first_s), ("complete story", &self.complete_s)]
        {
            lines.push((format!("seconds to {name}, median"), quantile(values, 50)));
            lines.push((format!("seconds to {name}, 90 %"), quantile(values, 90)));
        }
        let stories = self.ways.first().map_or(0, |(_, it)| it.clusters);
        lines.push((
            "findings for each story".into(),
            super::metrics::ratio(self.findings.1, stories as usize),
        ));
        let revisions = usize::try_from(self.revisions).unwrap_or(usize::MAX);
        let each = super::metrics::ratio(revisions, self.findings.0);
        lines.push(("revisions of stories a finding".into(), each));
        lines.push(("shuffles".into(), f64::from(self.order.shuffles)));
        lines.push(("equality of shuffled stories, mean".into(), self.order.mean));
        lines.push(("equality of shuffled stories, least".into(), self.order.least));
        for (day, bytes) in self.state_bytes.iter().enumerate().filter(|(day, _)| day % 5 == 0) {
            lines.push((
                format!("MiB of state after day {}", day + 1),
                super::metrics::ratio(*bytes, 1 << 20),
            ));
        }
        let large = self.state_parts.iter().filter(|(_, bytes)| 1 << 16 <= **bytes);
        lines.extend(large.map(|(part, bytes)| {
            (format!("MiB of `{part}` in the end"), super::metrics::ratio(*bytes, 1 << 20))
        }));
        lines.extend(self.costs.iter().map(|(name, value)| ((*name).to_owned(), *value)));
        lines
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let ways = self.ways.iter().map(|(name, metrics)| {
            let figures =
                FIGURES.iter().map(|(of, figure)| ((*of).to_owned(), json!(figure(metrics, self))));
            ((*name).to_owned(), Value::Object(figures.collect()))
        });
        let single = self.single().into_iter().map(|(name, value)| (name, json!(value)));
        let kinds = self.by_kind.iter().map(|(kind, (complete, one))| {
            (kind.clone(), json!({ "attacks": complete.count(), "completeness": complete.value(), "exactly_one": one.value() }))
        });
        json!({
            "attacks": self.attacks,
            "events": self.events,
            "findings": self.findings.1,
            "tenant_days": self.tenant_days,
            "ways": Value::Object(ways.collect()),
            "kinds": Value::Object(kinds.collect()),
            "measures": Value::Object(single.collect()),
            "misses": self.misses,
            "false_stories": self.false_stories,
        })
    }
}

type Figure = (&'static str, fn(&Metrics, &Report) -> f64);

const FIGURES: [Figure; 14] = [
    ("exactly one story", |it, _| it.exactly_one.value()),
    ("completeness of findings", |it, _| it.completeness.value()),
    ("completeness of findings by shipped rules", |it, _| it.shipped_completeness.value()),
    ("completeness of steps", |it, _| it.step_completeness.value()),
    ("purity", |it, _| it.purity.value()),
    ("stories an attack (fragmentation)", |it, _| it.fragmentation.value()),
    ("stories with several attacks (fusion)", |it, _| it.fusion.value()),
    ("B-cubed F1", |it, _| it.b_f1()),
    ("edge precision", |it, _| it.edge_precision.value()),
    ("edge recall", |it, _| it.edge_recall.value()),
    ("root cause right", |it, _| it.root.value()),
    ("stories", |it, _| f64::from(it.clusters)),
    ("false stories a tenant-day", |it, report| {
        f64::from(it.false_clusters) / report.tenant_days.max(1.0)
    }),
    ("false stories a tenant-day after the third day", |it, report| {
        f64::from(it.late_false_clusters) / report.late_tenant_days
    }),
];

/// Three digits, or a dash for no number.
fn number(value: f64) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.3}") }
}

/// The value that so many of a hundred do not exceed.
fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}
