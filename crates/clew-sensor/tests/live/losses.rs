//! Every record that the programs make is either seen or counted as lost.

use std::fs::File;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant};

use clew_event::{Actor, Event, EventId, EventKind, EventType, TimestampNs};
use clew_sensor::sensor::INJECTED_EVENTS_MAX;
use clew_sensor::{Settings, Totals};
use clew_wire::limits::{KIND_EXEC, KIND_FILE};

use crate::watch::start;

/// Room for about three hundred opens.
const SMALL_RING_BYTES: u32 = 1 << 16;
const PATIENCE: Duration = Duration::from_secs(20);

fn file_totals(totals: &Totals) -> [u64; 3] {
    [&totals.offered, &totals.seen, &totals.lost].map(|counts| counts[usize::from(KIND_FILE)])
}

#[test]
fn a_flood_is_counted_to_the_last_record_and_pushes_no_exec_out() {
    let settings = Settings {
        bulk_ring_bytes: SMALL_RING_BYTES,
        is_self_reported: true,
        ..Settings::default()
    };
    let Some((mut sensor, _turn)) = start(settings) else { return };
    let mut events = Vec::new();
    sensor.poll(Duration::ZERO, &mut events).expect("polls");
    // Nobody reads meanwhile, so the small ring must overflow.
    for _ in 0..20_000 {
        drop(File::open("/etc/passwd").expect("opens"));
    }
    let made = std::process::Command::new("/bin/true").arg("clew-flood").status();
    assert!(made.expect("runs").success());
    let end = Instant::now() + PATIENCE;
    let (mut told, mut has_exec) = (0, false);
    events.clear();
    loop {
        assert!(Instant::now() < end, "the losses were not told in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
        for event in events.drain(..) {
            match event.kind {
                EventKind::Lost(lost) if lost.record.as_bytes() == b"file" => told += lost.count,
                EventKind::Executed(executed) => {
                    has_exec |= executed.argv.as_bytes().ends_with(b"clew-flood\0");
                }
                _ => {}
            }
        }
        let totals = sensor.totals();
        let [offered, seen, lost] = file_totals(&totals);
        if has_exec && told > 0 && told == lost && offered == seen + lost {
            assert!(offered >= 20_000, "{totals:?}");
            assert_eq!(totals.lost[usize::from(KIND_EXEC)], 0, "{totals:?}");
            assert_eq!(totals.malformed, 0, "{totals:?}");
            return;
        }
    }
}

#[test]
fn an_injected_event_comes_out_with_an_id_and_no_more_than_injected_events_max_wait() {
    let Some((mut sensor, _turn)) =
        start(Settings { is_runtime_watched: false, ..Settings::default() })
    else {
        return;
    };
    let injector = sensor.injector();
    let event = Event {
        id: EventId(0),
        time: TimestampNs::from_unix_ns(5),
        arrived: TimestampNs::default(),
        event_type: EventType::Container,
        actor: Some(Actor::default()),
        kind: EventKind::Container(Box::default()),
    };
    for _ in 0..INJECTED_EVENTS_MAX {
        injector.try_send(event.clone()).expect("room");
    }
    let refused = injector.try_send(event);
    assert!(matches!(refused, Err(TrySendError::Full(_))), "{refused:?}");
    let mut events = Vec::new();
    let is_injected = |event: &&Event| event.event_type == EventType::Container;
    let end = Instant::now() + PATIENCE;
    while events.iter().filter(is_injected).count() < INJECTED_EVENTS_MAX {
        assert!(Instant::now() < end, "not seen in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
    }
    let found = events.iter().find(is_injected).expect("just counted");
    assert!(found.id != EventId(0) && found.arrived > found.time);
}
