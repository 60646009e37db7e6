//! Figures for Prometheus: counted by the owner, published each second, asked for at `/metrics`.
//!
//! Labels have bounded sets of values. Names of rules are those that are loaded, and what a tape
//! says of losses is not trusted: beyond [`SERIES_MAX`] the rest is counted as `other`, so that a
//! total is always right.

use std::collections::BTreeMap;
use std::time::Duration;

use clew_event::kernel::{LossReason, Lost};
use clew_event::{Event, EventKind, Finding, Priority};
use clew_intake::SourceFigures;
use clew_notify::OutputFigures;

mod exposition;
mod process;
mod requests;
mod sources;

pub(crate) use exposition::CONTENT_TYPE;
use exposition::{Exposition, Kind};
pub use requests::RequestFigures;

/// Label sets of one figure.
pub const SERIES_MAX: usize = 2048;

/// Upper bounds of the spans by which batches are sorted, in seconds.
const BATCH_SPANS: [f64; 9] = [1e-5, 1e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1, 5e-1, 1.0];

/// Everything that is counted since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    events: [u64; KINDS.len()],
    losses: BTreeMap<Loss, u64>,
    findings: BTreeMap<(String, Priority), u64>,
    batches: Batches,
    /// Calls that the kernel kept back, by kind of record.
    pub quieted: BTreeMap<&'static str, u64>,
    /// Rules that judge.
    pub rules_loaded: u64,
    /// Matches that were held back because their rule had more than its rate.
    pub findings_suppressed: u64,
    /// What the engine gave up for want of room, by what it was.
    pub forgotten: BTreeMap<&'static str, u64>,
    /// Stories that may still grow.
    pub stories_open: u64,
    /// Stories ever told.
    pub stories_told: u64,
    /// What became of the lines of each output.
    pub outputs: Vec<OutputFigures>,
    /// How each source beside the sensor stands.
    pub sources: Vec<SourceFigures>,
    /// What was read of requests, and learned from them.
    pub requests: RequestFigures,
}

/// Where events were lost, and which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Loss {
    reason: &'static str,
    record: String,
    cpu: String,
}

/// How long the engine took for batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Batches {
    /// Those up to each of [`BATCH_SPANS`] and above the one before.
    counts: [u64; BATCH_SPANS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// Counts an event, and what it tells of losses.
    pub fn count_event(&mut self, event: &Event) {
        if let Some(count) = self.events.get_mut(kind_index(&event.kind)) {
            *count += 1;
        }
        if let EventKind::Lost(lost) = &event.kind {
            let loss = Loss::of(lost);
            let other =
                || Loss { record: "other".to_owned(), cpu: "other".to_owned(), ..loss.clone() };
            add(&mut self.losses, loss.clone(), other(), lost.count);
        }
    }

    /// Counts a finding.
    pub fn count_finding(&mut self, finding: &Finding) {
        let other = ("other".to_owned(), finding.priority);
        add(&mut self.findings, (finding.rule.clone(), finding.priority), other, 1);
    }

    /// Counts a batch of events that took the engine `span`.
    pub fn count_batch(&mut self, span: Duration) {
        let seconds = span.as_secs_f64();
        let bucket = BATCH_SPANS.iter().position(|bound| seconds <= *bound);
        if let Some(count) = bucket.and_then(|bucket| self.batches.counts.get_mut(bucket)) {
            *count += 1;
        }
        self.batches.count += 1;
        self.batches.seconds += seconds;
    }

    /// All of it in Prometheus's text form, with what the kernel says of this process.
    pub(crate) fn exposition(&self, version: &str) -> String {
        let mut page = Exposition::default();
        page.family("clew_build_info", Kind::Gauge, "The version that runs.");
        page.sample(&[("version", version)], 1);
        self.write_events(&mut page);
        self.write_quieted(&mut page);
        self.write_detections(&mut page);
        self.write_batches(&mut page);
        self.write_outputs(&mut page);
        sources::write(&mut page, &self.sources);
        requests::write(&mut page, &self.requests);
        process::write(&mut page);
        page.into_text()
    }

    fn write_events(&self, page: &mut Exposition) {
        page.family("clew_events_total", Kind::Counter, "Events judged, by kind.");
        for (kind, count) in KINDS.iter().zip(self.events) {
            page.sample(&[("kind", kind)], count);
        }
        let help = "Events lost before they could be judged, by place, record and CPU.";
        page.family("clew_events_lost_total", Kind::Counter, help);
        for (Loss { reason, record, cpu }, count) in &self.losses {
            page.sample(&[("reason", reason), ("record", record), ("cpu", cpu)], *count);
        }
    }

    fn write_quieted(&self, page: &mut Exposition) {
        let help = "Calls that the kernel kept back because no rule can match them, by record.";
        page.family("clew_events_quieted_total", Kind::Counter, help);
        for (record, count) in &self.quieted {
            page.sample(&[("record", record)], *count);
        }
    }

    fn write_detections(&self, page: &mut Exposition) {
        page.family("clew_rules_loaded", Kind::Gauge, "Rules that judge.");
        page.sample(&[], self.rules_loaded);
        page.family("clew_findings_total", Kind::Counter, "Findings, by rule and priority.");
        for ((rule, priority), count) in &self.findings {
            page.sample(&[("rule", rule), ("priority", priority.name())], *count);
        }
        let help = "Matches held back because their rule had more than its rate.";
        page.family("clew_findings_suppressed_total", Kind::Counter, help);
        page.sample(&[], self.findings_suppressed);
        let help = "What the engine gave up for want of room, or took as too late, by what it was.";
        page.family("clew_forgotten_total", Kind::Counter, help);
        for (what, count) in &self.forgotten {
            page.sample(&[("what", what)], *count);
        }
        page.family("clew_stories_open", Kind::Gauge, "Stories that may still grow.");
        page.sample(&[], self.stories_open);
        page.family("clew_stories_told_total", Kind::Counter, "Stories told.");
        page.sample(&[], self.stories_told);
    }

    fn write_batches(&self, page: &mut Exposition) {
        let help = "What the engine took for a batch of events.";
        page.family("clew_engine_batch_seconds", Kind::Histogram, help);
        let mut below = 0;
        for (bound, count) in BATCH_SPANS.iter().zip(self.batches.counts) {
            below += count;
            page.suffixed_sample("_bucket", &[("le", &bound.to_string())], below);
        }
        page.suffixed_sample("_bucket", &[("le", "+Inf")], self.batches.count);
        page.suffixed_sample("_sum", &[], self.batches.seconds);
        page.suffixed_sample("_count", &[], self.batches.count);
    }

    fn write_outputs(&self, page: &mut Exposition) {
        type Figure = fn(&OutputFigures) -> u64;
        let families: [(&str, Kind, &str, Figure); 6] = [
            ("clew_output_sent_total", Kind::Counter, "Lines that arrived.", |of| of.sent),
            ("clew_output_failed_total", Kind::Counter, "Lines given up or refused.", |of| {
                of.failed
            }),
            (
                "clew_output_dropped_total",
                Kind::Counter,
                "Lines without room in the queue.",
                |of| of.dropped,
            ),
            ("clew_output_cut_total", Kind::Counter, "Lines that arrived cut.", |of| of.cut),
            ("clew_output_retries_total", Kind::Counter, "Attempts beyond the first.", |of| {
                of.retried
            }),
            ("clew_output_queued", Kind::Gauge, "Lines that wait.", |of| of.queued),
        ];
        for (name, kind, help, figure) in families {
            page.family(name, kind, help);
            for output in &self.outputs {
                page.sample(&[("output", &output.name)], figure(output));
            }
        }
    }
}

/// Adds to the figure of `key`, or of `other` where there are too many already.
fn add<K: Ord>(figures: &mut BTreeMap<K, u64>, key: K, other: K, count: u64) {
    let has_room = figures.len() < SERIES_MAX || figures.contains_key(&key);
    let figure = figures.entry(if has_room { key } else { other }).or_default();
    *figure = figure.saturating_add(count);
}

impl Loss {
    fn of(lost: &Lost) -> Self {
        let record = lost.record.to_string();
        Self {
            reason: match lost.reason {
                LossReason::PriorityRingFull => "priority_ring_full",
                LossReason::BulkRingFull => "bulk_ring_full",
                LossReason::Malformed => "malformed",
                LossReason::QueueFull => "queue_full",
                LossReason::MapFull => "map_full",
                LossReason::RateBound => "rate_bound",
                LossReason::AuditFile => "audit_file",
            },
            record: if record.is_empty() { "unknown".to_owned() } else { record },
            cpu: if lost.cpu == u16::MAX { "none".to_owned() } else { lost.cpu.to_string() },
        }
    }
}

/// Values of the label `kind`, in the order of [`kind_index`].
const KINDS: [&str; 21] = [
    "node_started",
    "forked",
    "executed",
    "running",
    "exited",
    "file",
    "socket",
    "descriptor",
    "dns",
    "privilege",
    "kernel",
    "cgroup",
    "container",
    "account",
    "http",
    "kubernetes_api",
    "cloud_api",
    "lost",
    "exec_failed",
    "query",
    "stack",
];

const fn kind_index(kind: &EventKind) -> usize {
    match kind {
        EventKind::NodeStarted(_) => 0,
        EventKind::Forked(_) => 1,
        EventKind::Executed(_) => 2,
        EventKind::Running(_) => 3,
        EventKind::Exited(_) => 4,
        EventKind::File(_) => 5,
        EventKind::Socket(_) => 6,
        EventKind::Descriptor(_) => 7,
        EventKind::Dns(_) => 8,
        EventKind::Privilege(_) => 9,
        EventKind::Kernel(_) => 10,
        EventKind::Cgroup(_) => 11,
        EventKind::Container(_) => 12,
        EventKind::Account(_) => 13,
        EventKind::Http(_) => 14,
        EventKind::KubernetesApi(_) => 15,
        EventKind::CloudApi(_) => 16,
        EventKind::Lost(_) => 17,
        EventKind::ExecFailed(_) => 18,
        EventKind::Query(_) => 19,
        EventKind::Stack(_) => 20,
    }
}

#[cfg(test)]
mod tests;
