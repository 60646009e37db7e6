//! Every record that the programs make is either seen or counted as lost.

use std::fs::File;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant};

use clew_event::{Actor, Event, EventId, EventKind, EventType, TimestampNs};
use clew_sensor::sensor::{INJECTED_EVENTS_MAX, RING_BYTES_MIN};
use clew_sensor::{Sensor, SensorError, Settings, Totals};
use clew_wire::limits::{KIND_COMPAT, KIND_EXEC, KIND_FILE};

use crate::watch::start;

const PATIENCE: Duration = Duration::from_secs(20);

fn file_totals(totals: &Totals) -> [u64; 3] {
    [&totals.offered, &totals.seen, &totals.lost].map(|counts| counts[usize::from(KIND_FILE)])
}

#[test]
fn a_flood_is_counted_to_the_last_record_and_pushes_no_exec_out() {
    let settings =
        Settings { bulk_ring_bytes: RING_BYTES_MIN, is_self_reported: true, ..Settings::default() };
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
fn a_detached_sensor_gives_what_it_recorded_and_nothing_new() {
    let settings =
        Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() };
    let Some((mut sensor, _turn)) = start(settings) else { return };
    drop(File::open("/etc/passwd").expect("opens"));
    sensor.detach();
    drop(File::open("/etc/group").expect("opens"));
    let mut events = Vec::new();
    let has = |events: &[Event], path: &str| {
        events.iter().any(|event| match &event.kind {
            EventKind::File(file) => file.path_given.as_bytes() == path.as_bytes(),
            _ => false,
        })
    };
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "not drained in {PATIENCE:?}");
        let before = events.len();
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
        let [offered, seen, lost] = file_totals(&sensor.totals());
        if before == events.len() && offered == seen + lost {
            break;
        }
    }
    assert!(has(&events, "/etc/passwd") && !has(&events, "/etc/group"));
}

#[test]
fn a_ring_of_a_size_that_cannot_be_is_refused_by_name() {
    for given_bytes in [0, RING_BYTES_MIN / 2, RING_BYTES_MIN + 1] {
        let settings = Settings { bulk_ring_bytes: given_bytes, ..Settings::default() };
        let refused = Sensor::start(settings);
        assert!(matches!(refused, Err(SensorError::RingSize { .. })), "{given_bytes}: {refused:?}");
    }
}

/// System call `number` by the 32-bit entry, as a 64-bit program may call it to slip past.
#[cfg(target_arch = "x86_64")]
fn call_by_the_32_bit_entry(number: i64, arguments: [i64; 3]) -> i64 {
    let mut result = number;
    let [first, second, third] = arguments;
    // SAFETY: the calls of these tests take no valid pointer, so they neither read nor write
    // memory; `rbx`, which holds an argument, is put back, and the registers that this entry does
    // not keep are named as lost.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx",
            "int 0x80",
            "xchg {first}, rbx",
            first = inout(reg) first => _,
            inout("rax") result,
            in("rcx") second, in("rdx") third,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_by_the_32_bit_entry_that_is_not_decoded_is_counted_and_told() {
    let settings = Settings { is_runtime_watched: false, ..Settings::default() };
    let Some((mut sensor, _turn)) = start(settings) else { return };
    let before = sensor.totals().lost[usize::from(KIND_COMPAT)];
    const EFAULT: i64 = 14;
    const UMOUNT: i64 = 22;
    let result = call_by_the_32_bit_entry(UMOUNT, [-1, 0, 0]);
    // Without CONFIG_IA32_EMULATION the entry itself faults, so that this line is not reached.
    assert_eq!(result & 0xffff_ffff, (1 << 32) - EFAULT);
    assert!(sensor.totals().lost[usize::from(KIND_COMPAT)] > before);
    let mut events = Vec::new();
    let end = Instant::now() + PATIENCE;
    let is_told = |event: &Event| match &event.kind {
        EventKind::Lost(lost) => lost.record.as_bytes() == b"compat",
        _ => false,
    };
    while !events.iter().any(is_told) {
        assert!(Instant::now() < end, "not told in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_by_the_32_bit_entry_is_told_as_if_it_were_the_64_bit_one() {
    const SOCKET: i64 = 359;
    const AF_INET: i64 = 2;
    const SOCK_DGRAM: i64 = 2;
    let settings =
        Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() };
    let Some((mut sensor, _turn)) = start(settings) else { return };
    let descriptor = call_by_the_32_bit_entry(SOCKET, [AF_INET, SOCK_DGRAM, 0]);
    assert!(descriptor >= 0, "{descriptor}");
    let is_told = |event: &Event| {
        event.event_type == EventType::Socket
            && event.actor.is_some_and(|actor| actor.process.pid == std::process::id())
            && matches!(&event.kind, EventKind::Socket(socket) if socket.result == descriptor)
    };
    let mut events = Vec::new();
    let end = Instant::now() + PATIENCE;
    while !events.iter().any(is_told) {
        assert!(Instant::now() < end, "not told in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
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
