//! Figures are counted once, under the right labels, and never without bound.

use clew_event::{EventId, EventType, TimestampNs};

use super::*;

fn event(kind: EventKind) -> Event {
    Event {
        id: EventId(0),
        time: TimestampNs::default(),
        arrived: TimestampNs::default(),
        event_type: EventType::Other,
        actor: None,
        kind,
    }
}

fn lost(record: &str, cpu: u16, count: u64) -> Event {
    let reason = LossReason::BulkRingFull;
    event(EventKind::Lost(Lost { cpu, reason, record: record.into(), count }))
}

/// The samples of a figure, each as labels and value.
fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    let page = metrics.exposition("0.1.0");
    page.lines().filter_map(|line| line.strip_prefix(name)).map(str::to_owned).collect()
}

#[test]
fn each_source_tells_how_it_stands() {
    let mut metrics = Metrics::default();
    metrics.sources.push(SourceFigures {
        name: "k8s".into(),
        events: 7,
        lag_p99_ms: 1500,
        last_event: Some(TimestampNs::from_unix_ns(2_000_000_000)),
        ..SourceFigures::default()
    });
    metrics.sources.push(SourceFigures { name: "logs".into(), ..SourceFigures::default() });
    let check = |name: &str, expected: &[&str]| assert_eq!(samples(&metrics, name), expected);
    check("clew_source_events_total", &["{source=\"k8s\"} 7", "{source=\"logs\"} 0"]);
    check(
        "clew_source_lag_seconds{source=\"k8s\",",
        &["quantile=\"0.5\"} 0", "quantile=\"0.99\"} 1.5"],
    );
    check("clew_source_last_event_seconds", &["{source=\"k8s\"} 2"]);
}

#[test]
fn an_event_is_counted_by_its_kind() {
    let mut metrics = Metrics::default();
    metrics.count_event(&event(EventKind::File(clew_event::file::FileEvent::default())));
    let counted: Vec<_> = samples(&metrics, "clew_events_total");
    assert_eq!(counted.len(), KINDS.len());
    assert_eq!(counted.iter().filter(|sample| !sample.ends_with(" 0")).count(), 1);
    assert!(counted.contains(&"{kind=\"file\"} 1".to_owned()), "{counted:?}");
}

#[test]
fn the_last_kind_has_the_last_index() {
    assert_eq!(kind_index(&EventKind::Stack(Box::default())), KINDS.len() - 1);
    assert_eq!(
        KINDS[kind_index(&EventKind::Forked(clew_event::process::Forked::default()))],
        "forked"
    );
}

#[test]
fn losses_are_told_by_place_record_and_cpu() {
    let mut metrics = Metrics::default();
    for event in [lost("file", 1, 5), lost("file", 1, 2), lost("", u16::MAX, 1)] {
        metrics.count_event(&event);
    }
    assert_eq!(
        samples(&metrics, "clew_events_lost_total"),
        [
            "{reason=\"bulk_ring_full\",record=\"file\",cpu=\"1\"} 7",
            "{reason=\"bulk_ring_full\",record=\"unknown\",cpu=\"none\"} 1",
        ]
    );
}

#[test]
fn beyond_series_max_the_rest_is_counted_as_other_and_the_sum_stays_right() {
    let mut metrics = Metrics::default();
    let cpus = u16::try_from(SERIES_MAX).unwrap() + 10;
    for cpu in 0..cpus {
        metrics.count_event(&lost("file", cpu, 1));
    }
    metrics.count_event(&lost("file", 0, 1));
    assert_eq!(metrics.losses.len(), SERIES_MAX + 1);
    assert_eq!(metrics.losses.values().sum::<u64>(), u64::from(cpus) + 1);
    let other = samples(&metrics, "clew_events_lost_total")
        .into_iter()
        .find(|sample| sample.contains("cpu=\"other\""));
    assert_eq!(
        other.as_deref(),
        Some("{reason=\"bulk_ring_full\",record=\"other\",cpu=\"other\"} 10")
    );
}

#[test]
fn what_the_kernel_kept_back_is_told_by_record() {
    let mut metrics = Metrics::default();
    metrics.quieted.insert("file", 7);
    assert_eq!(samples(&metrics, "clew_events_quieted_total"), ["{record=\"file\"} 7"]);
}

#[test]
fn what_was_read_of_requests_and_learned_of_apis_is_told() {
    let requests = RequestFigures {
        read: [("gap", 2), ("request", 9)].into(),
        sockets_judged: 5,
        tls_refused: [("file", 1)].into(),
        apis: [("endpoint", 4)].into(),
        api_findings_suppressed: 3,
        ..RequestFigures::default()
    };
    let metrics = Metrics { requests, ..Metrics::default() };
    let check = |name: &str, expected: &[&str]| assert_eq!(samples(&metrics, name), expected);
    check("clew_http_read_total", &["{what=\"gap\"} 2", "{what=\"request\"} 9"]);
    check("clew_http_sockets_judged_total", &[" 5"]);
    check("clew_tls_watched", &[]);
    check("clew_tls_refused_total", &["{what=\"file\"} 1"]);
    check("clew_apis_known", &["{what=\"endpoint\"} 4"]);
    check("clew_api_findings_suppressed_total", &[" 3"]);
}

#[test]
fn batches_are_counted_up_to_each_bound() {
    let mut metrics = Metrics::default();
    for span in [Duration::from_micros(10), Duration::from_micros(11), Duration::from_secs(2)] {
        metrics.count_batch(span);
    }
    let buckets = samples(&metrics, "clew_engine_batch_seconds_bucket");
    assert_eq!(buckets.first().map(String::as_str), Some("{le=\"0.00001\"} 1"));
    assert_eq!(buckets.get(1).map(String::as_str), Some("{le=\"0.0001\"} 2"));
    assert_eq!(buckets.last().map(String::as_str), Some("{le=\"+Inf\"} 3"));
    assert_eq!(samples(&metrics, "clew_engine_batch_seconds_count"), [" 3"]);
}

#[test]
fn what_was_given_up_is_told_by_what_it_was() {
    let forgotten = [("correlation_group", 3), ("identity", 0)].into();
    let metrics = Metrics { forgotten, ..Metrics::default() };
    let told = samples(&metrics, "clew_forgotten_total");
    assert_eq!(told, ["{what=\"correlation_group\"} 3", "{what=\"identity\"} 0"]);
}
