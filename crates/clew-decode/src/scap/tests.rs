//! Captures made by hand, cut short, or of arbitrary bytes.

mod calls;

use clew_event::{CgroupId, EventKind, EventType};
use proptest::prelude::*;

use super::descriptors::{Descriptor, Table};
use super::machine::{CGROUPS_MAX, ENDED_MAX, Machine};
use super::threads::{Process, Thread, Threads};
use super::*;

fn block(kind: u32, content: &[u8]) -> Vec<u8> {
    let padding = content.len().wrapping_neg() % 4;
    let length = u32::try_from(content.len() + padding + 12).expect("short");
    let mut block = [kind.to_le_bytes(), length.to_le_bytes()].concat();
    block.extend_from_slice(content);
    block.extend(std::iter::repeat_n(0, padding));
    block.extend_from_slice(&length.to_le_bytes());
    block
}

fn section() -> Vec<u8> {
    let mut content = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    content.extend_from_slice(&[1, 0, 2, 0]);
    content.extend_from_slice(&u64::MAX.to_le_bytes());
    block(0x0a0d_0d0a, &content)
}

fn event(tid: i64, kind: u16, parameters: &[&[u8]]) -> Vec<u8> {
    let mut content = vec![0, 0];
    content.extend_from_slice(&1_000_000_007_u64.to_le_bytes());
    content.extend_from_slice(&tid.to_le_bytes());
    content.extend_from_slice(&0_u32.to_le_bytes());
    content.extend_from_slice(&kind.to_le_bytes());
    content.extend_from_slice(&u32::try_from(parameters.len()).expect("few").to_le_bytes());
    for parameter in parameters {
        content.extend_from_slice(&u16::try_from(parameter.len()).expect("short").to_le_bytes());
    }
    content.extend(parameters.iter().flat_map(|parameter| parameter.iter()));
    block(0x216, &content)
}

fn number(value: i64) -> [u8; 8] {
    value.to_le_bytes()
}

fn executed(tid: i64) -> Vec<u8> {
    let (result, tid_bytes) = (number(0), number(tid));
    let mut parameters: Vec<&[u8]> = vec![&[]; 31];
    parameters[0] = &result;
    parameters[1] = b"/bin/sh\0";
    parameters[2] = b"-c\0id\0";
    parameters[3] = &tid_bytes;
    parameters[4] = &tid_bytes;
    parameters[6] = b"/srv\0";
    parameters[13] = b"sh\0";
    parameters[14] = b"cpu=/\0";
    event(tid, 293, &parameters)
}

fn read(capture: &[u8]) -> (Vec<Event>, Vec<Complaint>, Counts) {
    let mut reader = Reader::new("x.scap", capture);
    let (mut events, mut complaints) = (Vec::new(), Vec::new());
    for item in reader.by_ref() {
        match item {
            Ok(event) => events.push(event),
            Err(complaint) => complaints.push(complaint),
        }
    }
    (events, complaints, reader.counts())
}

fn shell_that_opens() -> Vec<u8> {
    let (at, three) = (number(-100), number(3));
    let open = event(9, 307, &[&three, &at, b"a/../b\0", &[2, 0, 0, 0], &[0; 4], &[0; 4], &[0; 8]]);
    let duplicate = event(9, 363, &[&number(0), &three, &number(0)]);
    [section(), executed(9), open, duplicate].concat()
}

#[test]
fn paths_are_made_absolute_and_descriptors_followed() {
    let (events, complaints, counts) = read(&shell_that_opens());
    assert_eq!((complaints.len(), counts.events), (0, 3));
    let kinds: Vec<_> = events.iter().map(|event| &event.kind).collect();
    assert!(matches!(kinds[0], EventKind::NodeStarted(_)));
    let Some(EventKind::File(file)) =
        events.iter().find(|event| event.event_type == EventType::Openat).map(|event| &event.kind)
    else {
        panic!("no open in {events:?}");
    };
    assert_eq!((&file.path, &file.path_given), (&"/srv/b".into(), &"a/../b".into()));
    let Some(EventKind::Descriptor(copy)) = events.last().map(|event| &event.kind) else {
        panic!("no copy in {events:?}");
    };
    assert_eq!(copy.target, clew_event::socket::DescriptorTarget::File("/srv/b".into()));
    assert_eq!(events.last().and_then(|event| event.id.capture_number()), Some(3));
}

#[test]
fn what_is_listed_has_the_time_of_the_first_event() {
    let (events, ..) = read(&shell_that_opens());
    assert!(events.iter().all(|event| event.time.unix_ns() == 1_000_000_007), "{events:?}");
}

#[test]
fn a_block_or_event_that_is_not_known_hides_no_other() {
    let capture = [
        section(),
        block(0x999, b"?"),
        block(0x999, b"?"),
        event(9, 307, &[&[1]]),
        event(9, 60_000, &[]),
        executed(9),
    ]
    .concat();
    let (events, complaints, counts) = read(&capture);
    let codes: Vec<_> = complaints.iter().map(|complaint| complaint.code.as_str()).collect();
    assert_eq!(codes, ["scap-unknown-block", "scap-event-short"]);
    let counted = (counts.events, counts.unknown_blocks, counts.malformed, counts.without_meaning);
    assert_eq!(counted, (3, 2, 1, 1));
    assert_eq!(events.last().map(|event| event.event_type), Some(EventType::Execve));
}

#[test]
fn a_capture_that_is_cut_is_read_up_to_the_cut() {
    let whole = shell_that_opens();
    let (events, complaints, _) = read(&whole[..whole.len() - 1]);
    assert_eq!(complaints.first().map(|complaint| complaint.code.as_str()), Some("scap-cut-short"));
    assert_eq!(events.last().map(|event| event.event_type), Some(EventType::Openat));
}

#[test]
fn more_than_listed_max_things_are_not_kept_waiting_for_the_first_event() {
    let user = [&[15, 0, 0, 0, 1, 7, 0, 0, 0, 4, 0][..], b"root"].concat();
    let mut list = Vec::new();
    for _ in 0..4096 {
        list.extend_from_slice(&user);
    }
    let lists = LISTED_MAX / 4096 + 1;
    let capture = [section(), block(0x220, &list).repeat(lists)].concat();
    let mut reader = Reader::new("x.scap", &capture[..]);
    assert!(reader.next().is_some());
    assert!(reader.waiting.len() < LISTED_MAX + 4096);
    assert_eq!(1 + reader.count(), 1 + 4096 * lists);
}

fn thread(pid: i64) -> Thread {
    Thread {
        pid,
        parent: 1,
        vtid: pid,
        cgroup: CgroupId(0),
        made_ns: 1,
        uid: 0,
        namespace_started_ns: 0,
        told_by_itself: true,
    }
}

#[test]
fn threads_beyond_threads_max_are_counted_and_not_kept() {
    let mut threads = Threads::default();
    for tid in 0..i64::try_from(THREADS_MAX).expect("fits") {
        assert!(threads.add(tid, thread(tid), Some(Process::default())));
    }
    assert!(!threads.add(-1, thread(-1), Some(Process::default())));
    assert_eq!(threads.dropped, 1);
    assert!(threads.add(0, thread(0), None));
}

#[test]
fn descriptors_beyond_descriptors_total_max_are_counted_and_not_kept() {
    let mut table = Table::default();
    let shared = std::sync::Arc::new(Descriptor::default());
    for number in 0..i64::try_from(DESCRIPTORS_MAX).expect("fits") {
        assert!(table.put(number, std::sync::Arc::clone(&shared)));
    }
    let mut threads = Threads::default();
    let processes = i64::try_from(DESCRIPTORS_TOTAL_MAX / DESCRIPTORS_MAX).expect("fits");
    for pid in 1..=processes + 1 {
        let process = Process { descriptors: table.clone(), ..Process::default() };
        assert!(threads.add(pid, thread(pid), Some(process)));
    }
    assert_eq!(threads.dropped, DESCRIPTORS_MAX as u64);
    threads.put(1, 1 << 40, Descriptor::default());
    assert!(threads.descriptor(1, 1 << 40).is_none());
}

#[test]
fn ended_threads_beyond_ended_max_and_cgroups_beyond_cgroups_max_are_forgotten() {
    let mut machine = Machine::default();
    machine.remember_ended(1, 0, 5);
    assert!(machine.has_ended_lately(1, 0, 6));
    for tid in 2..=i64::try_from(ENDED_MAX).expect("fits") + 1 {
        machine.remember_ended(tid, 0, 5);
    }
    assert!(!machine.has_ended_lately(1, 0, 6));
    assert!(machine.has_ended_lately(2, 0, 6));
    let mut waiting = VecDeque::new();
    for number in 0..=CGROUPS_MAX {
        let list = format!("cpu=/{number}\0");
        machine.cgroup(list.as_bytes(), 1, &mut waiting);
    }
    waiting.clear();
    machine.cgroup(b"cpu=/0\0", 1, &mut waiting);
    assert_eq!(waiting.len(), 0);
    machine.cgroup(format!("cpu=/{CGROUPS_MAX}\0").as_bytes(), 1, &mut waiting);
    assert_eq!(waiting.len(), 1);
}

const KINDS: [u16; 40] = [
    3, 5, 19, 21, 23, 25, 31, 35, 43, 49, 51, 53, 59, 95, 97, 151, 169, 177, 186, 193, 199, 223,
    227, 241, 257, 275, 285, 293, 307, 311, 319, 327, 335, 354, 363, 365, 389, 393, 402, 451,
];

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        read(&bytes);
        read(&[section(), bytes].concat());
    }

    #[test]
    fn arbitrary_blocks_never_panic(
        blocks in prop::collection::vec(
            (0x200_u32..0x223, prop::collection::vec(any::<u8>(), 0..256)), 0..16),
    ) {
        let mut capture = section();
        for (kind, content) in &blocks {
            capture.extend(block(*kind, content));
        }
        read(&capture);
    }

    #[test]
    fn arbitrary_parameters_never_panic_and_every_event_is_counted(
        events in prop::collection::vec(
            (prop::sample::select(&KINDS[..]), 8_i64..11, prop::collection::vec(
                prop_oneof![
                    (-120_i64..12).prop_map(|value| value.to_le_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..24),
                ], 0..22)), 0..32),
    ) {
        let mut capture = shell_that_opens();
        for (kind, tid, parameters) in &events {
            let parameters: Vec<&[u8]> = parameters.iter().map(Vec::as_slice).collect();
            capture.extend(event(*tid, *kind, &parameters));
        }
        let (_, _, counts) = read(&capture);
        prop_assert_eq!(counts.events, 3 + events.len() as u64);
    }

    #[test]
    fn a_capture_cut_anywhere_never_panics(cut in 0_usize..600) {
        let whole = shell_that_opens();
        read(&whole[..cut.min(whole.len())]);
    }
}
