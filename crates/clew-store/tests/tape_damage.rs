//! A tape that is cut or damaged anywhere still gives everything that is intact, and says what
//! is missing.
#![expect(clippy::expect_used, reason = "a test may panic, in its helpers too")]

use std::io::Cursor;

use clew_event::file::FileEvent;
use clew_event::{Complaint, Event, EventId, EventKind, EventType, TimestampNs};
use clew_store::tape::format::INDEX_BLOCKS_MAX;
use clew_store::tape::reader::RESCANS_MAX;
use clew_store::tape::{TapeHeader, TapeReader, TapeWriter, is_tape};
use proptest::prelude::*;

const EVENTS_PER_BLOCK: usize = 3;
const SECOND_NS: u64 = 1_000_000_000;

fn event(number: usize) -> Event {
    let time = TimestampNs::from_unix_ns(u64::try_from(number).expect("fits") * SECOND_NS / 4);
    Event {
        id: EventId(u128::try_from(number).expect("fits")),
        time,
        arrived: time,
        event_type: EventType::Openat,
        actor: None,
        kind: EventKind::File(FileEvent {
            path: format!("/srv/{number}").into(),
            ..FileEvent::default()
        }),
    }
}

fn events(count: usize) -> Vec<Event> {
    (0..count).map(event).collect()
}

/// A tape of `count` events in blocks of three, and where each block begins.
fn tape(count: usize) -> (Vec<u8>, Vec<usize>) {
    let header = TapeHeader::of_recorder("clew test");
    let mut writer = TapeWriter::create(Vec::new(), &header).expect("memory");
    let mut starts = vec![writer.bytes()];
    for (number, event) in events(count).iter().enumerate() {
        writer.append(event).expect("memory");
        if number % EVENTS_PER_BLOCK == EVENTS_PER_BLOCK - 1 {
            writer.flush().expect("memory");
            starts.push(writer.bytes());
        }
    }
    let starts = starts.into_iter().map(|start| usize::try_from(start).expect("fits")).collect();
    (writer.finish().expect("memory"), starts)
}

fn read(bytes: &[u8]) -> (Vec<Event>, Vec<Complaint>) {
    let reader = match TapeReader::open("t.tape", bytes) {
        Ok(reader) => reader,
        Err(complaint) => return (Vec::new(), vec![complaint]),
    };
    let (mut events, mut complaints) = (Vec::new(), Vec::new());
    for item in reader {
        match item {
            Ok(event) => events.push(event),
            Err(complaint) => complaints.push(complaint),
        }
    }
    (events, complaints)
}

fn codes(complaints: &[Complaint]) -> Vec<&str> {
    complaints.iter().map(|complaint| complaint.code.as_str()).collect()
}

#[test]
fn an_intact_tape_gives_back_what_was_appended() {
    let (bytes, _) = tape(11);
    assert!(is_tape(&bytes));
    assert_eq!(read(&bytes), (events(11), vec![]));
    let header = TapeReader::open("t", bytes.as_slice()).expect("a tape").header().clone();
    assert_eq!(header, TapeHeader::of_recorder("clew test"));
    assert_eq!(read(&tape(0).0), (vec![], vec![]));
}

#[test]
fn a_tape_cut_at_any_byte_gives_everything_before_and_says_so() {
    let (bytes, starts) = tape(9);
    for end in 0..bytes.len() {
        let (got, complaints) = read(&bytes[..end]);
        let whole_blocks = starts.iter().filter(|start| **start <= end).count().saturating_sub(1);
        assert_eq!(got, events(whole_blocks * EVENTS_PER_BLOCK), "cut at byte {end}");
        assert_eq!(codes(&complaints), ["tape-truncated"], "cut at byte {end}");
    }
}

#[test]
fn a_wrong_bit_anywhere_costs_its_block_alone_and_is_named() {
    let (bytes, starts) = tape(9);
    for place in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[place] ^= 0x10;
        let (got, complaints) = read(&wrong);
        let block = starts.iter().filter(|start| **start <= place).count();
        let mut expected = events(9);
        if (1..=3).contains(&block) {
            expected.drain((block - 1) * EVENTS_PER_BLOCK..block * EVENTS_PER_BLOCK);
            let where_ = format!("block {}, byte {}", block - 1, starts[block - 1]);
            assert_eq!(complaints[0].r#where, where_, "byte {place}");
        }
        if place < 8 {
            expected.clear();
        }
        assert_eq!(got, expected, "byte {place}");
        assert_eq!(codes(&complaints), ["tape-corrupt"], "byte {place}");
    }
}

#[test]
fn bytes_taken_out_of_a_block_cost_that_block_alone() {
    let (mut bytes, starts) = tape(9);
    bytes.drain(starts[1] + 70..starts[1] + 80);
    let (got, complaints) = read(&bytes);
    assert_eq!(got, [events(9)[..3].to_vec(), events(9)[6..].to_vec()].concat());
    assert_eq!(complaints[0].code, "tape-corrupt");
    assert!(complaints[0].message.contains("3 events from"), "{complaints:?}");
}

#[test]
fn a_block_taken_out_or_repeated_is_named() {
    let (bytes, starts) = tape(9);
    let without = [&bytes[..starts[1]], &bytes[starts[2]..]].concat();
    let (got, complaints) = read(&without);
    assert_eq!(got.len(), 6);
    assert_eq!(complaints[0].message, "1 blocks are missing before this one");
    let twice = [&bytes[..starts[2]], &bytes[starts[1]..]].concat();
    let (got, complaints) = read(&twice);
    assert_eq!(got, events(9));
    assert!(complaints[0].message.contains("twice"), "{complaints:?}");
}

#[test]
fn another_version_is_refused_with_the_way_out() {
    let mut header = TapeHeader::of_recorder("clew 9.1");
    header.schema_version += 1;
    let tape = TapeWriter::create(Vec::new(), &header).expect("memory").finish().expect("memory");
    let (_, complaints) = read(&tape);
    assert_eq!(codes(&complaints), ["tape-version"]);
    assert!(complaints[0].message.contains("`clew 9.1`"), "{complaints:?}");
}

#[test]
fn a_killed_recorder_leaves_a_readable_tape() {
    let mut file = Vec::new();
    let header = TapeHeader::of_recorder("clew test");
    let mut writer = TapeWriter::create(&mut file, &header).expect("memory");
    for event in events(10) {
        writer.append(&event).expect("memory");
    }
    drop(writer);
    let (got, complaints) = read(&file);
    assert_eq!(got, events(8), "four events a second: two whole seconds are in the file");
    assert_eq!(codes(&complaints), ["tape-truncated"]);
}

#[test]
fn seeks_with_the_index_and_without_it() {
    let (bytes, starts) = tape(30);
    let without_index = bytes[..*starts.last().expect("blocks")].to_vec();
    for bytes in [bytes, without_index] {
        let mut reader = TapeReader::open("t", Cursor::new(bytes)).expect("a tape");
        for first in [17, 0, 29, 4] {
            reader.seek(event(first).time).expect("memory seeks");
            let got: Vec<Event> = reader.by_ref().filter_map(Result::ok).collect();
            assert_eq!(got, events(30)[first..], "from event {first}");
        }
        reader.seek(TimestampNs::from_unix_ns(u64::MAX)).expect("memory seeks");
        assert_eq!(reader.by_ref().filter_map(Result::ok).count(), 0);
        let span = reader.span().expect("memory seeks");
        assert_eq!(span, Some((event(0).time, event(29).time)));
        assert_eq!(reader.filter_map(Result::ok).count(), 30, "reading starts anew");
    }
}

#[test]
fn a_file_of_headers_with_wrong_payloads_is_searched_at_most_rescans_max_times() {
    let (bytes, starts) = tape(3);
    let header = &bytes[starts[0]..starts[0] + 56];
    let count = usize::try_from(RESCANS_MAX).expect("fits") * 4;
    let mut hostile = bytes[..starts[0]].to_vec();
    for _ in 0..count {
        hostile.extend(header);
        hostile.extend([0; 4]);
    }
    let (got, complaints) = read(&hostile);
    assert_eq!(got, []);
    assert!(complaints.len() < count, "{} complaints", complaints.len());
}

#[test]
fn index_blocks_max_bounds_what_an_index_may_ask_for() {
    let (mut bytes, starts) = tape(3);
    let count = u32::try_from(INDEX_BLOCKS_MAX + 1).expect("fits");
    bytes[starts[1] + 8..starts[1] + 12].copy_from_slice(&count.to_le_bytes());
    let (got, complaints) = read(&bytes);
    assert_eq!((got, codes(&complaints)), (events(3), vec!["tape-corrupt"]));
}

proptest! {
    #[test]
    fn reading_ends_on_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&noise);
        let (bytes, starts) = tape(3);
        let mut headed = bytes[..starts[0]].to_vec();
        headed.extend(&noise);
        let (got, _) = read(&headed);
        prop_assert!(got.is_empty());
    }

    #[test]
    fn several_wrong_bytes_never_invent_or_reorder_events(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let (mut bytes, _) = tape(9);
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let (got, _) = read(&bytes);
        let mut rest = events(9).into_iter();
        prop_assert!(got.iter().all(|event| rest.any(|expected| expected == *event)));
    }
}
