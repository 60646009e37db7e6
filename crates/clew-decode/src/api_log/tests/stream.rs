//! Logs that come in pieces, that never end, and that are in disorder.

use std::io::{self, Read};

use clew_event::json::JSON_BYTES_MAX;

use super::super::*;
use super::gzip;

const RECORD: &str = r#"{"eventSource":"s","eventName":"N","eventID":"i"}"#;

/// Gives so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(self.1).min(buffer.len());
        let (now, rest) = self.0.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.0 = rest;
        Ok(length)
    }
}

/// Repeats a text for ever, up to so many bytes.
fn repeated(text: &str, bytes: u64) -> impl Read + use<> {
    struct Repeat(Vec<u8>, usize);
    impl Read for Repeat {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[self.1..];
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            self.1 = (self.1 + length) % self.0.len();
            Ok(length)
        }
    }
    Repeat(text.as_bytes().to_vec(), 0).take(bytes)
}

fn at(second: u32) -> String {
    RECORD.replace(
        '{',
        &format!(
            r#"{{"eventTime":"2024-01-01T{:02}:{:02}:{:02}Z","#,
            second / 3600,
            second / 60 % 60,
            second % 60
        ),
    )
}

#[test]
fn a_log_in_pieces_is_the_same_log() {
    let text = format!(
        "[{RECORD},{RECORD}]\n{RECORD}\n{{\"x\n{{\"Records\":[{RECORD},4,{RECORD}],\"y\":{{}}}}{RECORD}"
    );
    let whole = decode("f", text.as_bytes());
    assert_eq!((whole.events.len(), whole.complaints.len()), (6, 2));
    for size in [1, 7, 100] {
        let found: Vec<_> = Records::new("f", Pieces(text.as_bytes(), size)).collect();
        let events: Vec<_> = found.iter().filter_map(|found| found.clone().ok()).collect();
        let complaints: Vec<_> = found.into_iter().filter_map(Result::err).collect();
        assert_eq!((events, complaints), (whole.events.clone(), whole.complaints.clone()));
    }
}

#[test]
fn no_more_than_a_record_and_a_chunk_is_held_of_a_long_log() {
    let mut records = Records::new(
        "f",
        io::Cursor::new("{\"Records\":[").chain(repeated(&format!("{RECORD},"), 8 << 20)),
    );
    let mut count = 0;
    while let Some(found) = records.next() {
        count += usize::from(found.is_ok());
        assert!(records.held_bytes() <= 2 * CHUNK_BYTES + RECORD.len());
    }
    assert_eq!(count, (8 << 20) / (RECORD.len() + 1));
}

#[test]
fn a_record_that_is_too_long_is_passed_over_without_being_held() {
    let long = 20_u64 << 20;
    let start = format!("[{RECORD},{{\"a\":[");
    let end = format!("0]}},{RECORD}]\n{RECORD}");
    let input = start.as_bytes().chain(repeated("\"]}\",", long)).chain(end.as_bytes());
    let mut records = Records::new("f", input);
    let (mut events, mut codes) = (0, Vec::new());
    while let Some(found) = records.next() {
        match found {
            Ok(_) => events += 1,
            Err(complaint) => codes.push(format!("{}: {}", complaint.r#where, complaint.code)),
        }
        assert!(records.held_bytes() <= 3 * JSON_BYTES_MAX);
    }
    assert_eq!((events, codes), (3, vec!["record 2: json-record-too-long".to_owned()]));
}

#[test]
fn events_come_in_order_of_time_as_far_as_waiting_reaches() {
    let lines: Vec<_> = [5, 3, 9, 3, 1].map(at).to_vec();
    let times = |text: &str| -> Vec<u64> {
        let ordered = Ordered::new(Records::new("f", text.as_bytes()));
        ordered.map(|found| found.unwrap().time.unix_ns() / 1_000_000_000 % 86_400).collect()
    };
    assert_eq!(times(&lines.join("\n")), [1, 3, 3, 5, 9]);
    let many: Vec<_> = (0..u32::try_from(WAITING_MAX).unwrap() + 1).map(|n| at(n + 1)).collect();
    let late = times(&format!("{}\n{}", many.join("\n"), at(0)));
    assert_eq!(late[..3], [1, 2, 0], "what came too late stands where it came");
    assert_eq!(late.len(), WAITING_MAX + 2);
}

#[test]
fn what_waits_is_bounded_by_its_bytes_too() {
    let long = at(7).replace("\"i\"", &format!("\"{}\"", "i".repeat(4 << 20)));
    let count = WAITING_BYTES_MAX / long.len() + 1;
    let input =
        repeated(&format!("{long}\n"), u64::try_from((count + 4) * (long.len() + 1)).unwrap());
    let mut ordered = Ordered::new(Records::new("f", input));
    assert!(ordered.next().is_some());
    assert_eq!(ordered.waiting_count(), count - 1);
}

#[test]
fn a_wrapper_whose_array_lies_far_behind_is_read_as_a_whole() {
    let long = "x".repeat(file::WRAPPER_START_BYTES_MAX);
    let text = format!(r#"{{"note":"{long}","Records":[{RECORD},{RECORD}]}}"#);
    assert_eq!(decode("f", text.as_bytes()).events.len(), 2);
}

#[test]
fn the_window_of_zstd_is_bounded() {
    let pack = |log: u32| {
        let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
        packer.window_log(log).unwrap();
        io::copy(&mut io::Cursor::new(RECORD), &mut packer).unwrap();
        packer.finish().unwrap()
    };
    assert_eq!(decode("f", &pack(ZSTD_WINDOW_LOG_MAX)).events.len(), 1);
    let refused = decode("f", &pack(ZSTD_WINDOW_LOG_MAX + 1));
    assert_eq!((refused.events.len(), refused.complaints.len()), (0, 1));
}

#[test]
fn a_member_of_gzip_behind_another_is_read() {
    let packed = [gzip(RECORD), gzip(RECORD)].concat();
    assert_eq!(decode("f", &packed).events.len(), 2);
}
