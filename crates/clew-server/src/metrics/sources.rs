//! Figures of the sources beside the sensor.

use clew_intake::SourceFigures;

use super::exposition::{Exposition, Kind};

type Figure = fn(&SourceFigures) -> u64;

const FAMILIES: [(&str, Kind, &str, Figure); 14] = [
    ("clew_source_events_total", Kind::Counter, "Events, each once.", |of| of.events),
    ("clew_source_batches_total", Kind::Counter, "Files, objects or requests.", |of| of.batches),
    ("clew_source_duplicates_total", Kind::Counter, "Events that came again.", |of| of.duplicates),
    ("clew_source_complaints_total", Kind::Counter, "Records that could not be read.", |of| {
        of.complaints
    }),
    ("clew_source_gaps_total", Kind::Counter, "Places where records are missing.", |of| of.gaps),
    ("clew_source_times_off_total", Kind::Counter, "Events whose time lies years off.", |of| {
        of.times_off
    }),
    ("clew_source_refused_total", Kind::Counter, "Without a right token or signature.", |of| {
        of.refused
    }),
    ("clew_source_throttled_total", Kind::Counter, "Asked to come again: queue full.", |of| {
        of.throttled
    }),
    ("clew_source_failures_total", Kind::Counter, "Attempts that are made again.", |of| {
        of.failures
    }),
    ("clew_source_parked_total", Kind::Counter, "Messages put aside.", |of| of.parked),
    ("clew_source_ids_let_go_total", Kind::Counter, "Ids that are no longer known.", |of| {
        of.ids_let_go
    }),
    ("clew_source_files_proven_total", Kind::Counter, "Files that a digest proved.", |of| {
        of.files_proven
    }),
    ("clew_source_files_altered_total", Kind::Counter, "Files that were changed later.", |of| {
        of.files_altered
    }),
    ("clew_source_queued", Kind::Gauge, "Batches that wait.", |of| of.queued),
];

/// Writes a family a figure, with a sample a source.
pub(super) fn write(page: &mut Exposition, sources: &[SourceFigures]) {
    for (name, kind, help, figure) in FAMILIES {
        page.family(name, kind, help);
        for source in sources {
            page.sample(&[("source", &source.name)], figure(source));
        }
    }
    let help = "How long after they happened events arrived.";
    page.family("clew_source_lag_seconds", Kind::Gauge, help);
    for source in sources {
        for (quantile, ms) in [("0.5", source.lag_p50_ms), ("0.99", source.lag_p99_ms)] {
            let labels = [("source", source.name.as_str()), ("quantile", quantile)];
            page.sample(&labels, ms as f64 / 1e3);
        }
    }
    let help = "Time of the newest event, in seconds since the Unix epoch.";
    page.family("clew_source_last_event_seconds", Kind::Gauge, help);
    for source in sources {
        if let Some(time) = source.last_event {
            page.sample(&[("source", &source.name)], time.unix_ns() as f64 / 1e9);
        }
    }
}
