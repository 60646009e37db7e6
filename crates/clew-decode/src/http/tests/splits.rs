//! However the bytes are cut, ordered or lost, what is told stays the same.

use clew_event::http::HttpFlags;
use proptest::prelude::*;

use super::Way::{In, Out};
use super::*;

const REQUESTS: &[u8] = b"POST /1?x=y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
    PUT /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;b=c\r\n0123456789\r\n0\r\n\r\n\
    \r\nGET /3 HTTP/1.1\r\nX: 1\r\n 2\r\n\r\nHEAD /4 HTTP/1.0\nA: b\n\nGET /5 HTTP/1.1\r\n\r\n";
const RESPONSES: &[u8] =
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\
    one\
    HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntwo!\r\n0\r\nA: b\r\n\r\n\
    HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
    HTTP/1.1 500 Bad\r\nContent-Length: 4\r\n\r\nfive";

/// What is told, without ids, times and order between requests and responses.
fn essence(events: &[Event]) -> Vec<String> {
    let mut essence: Vec<_> = https(events)
        .iter()
        .map(|it| {
            let flags = it.response.as_ref().map(|response| (response.flags, response.body_bytes));
            format!("{} {:?} {:?}", short(it), it.request.flags, flags)
        })
        .collect();
    essence.sort();
    essence
}

/// Cuts bytes at the places that `cuts` names.
fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut % bytes.len()).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.dedup();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

fn whole() -> Vec<String> {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), Vec::new());
    assembler.take(&wire.piece(In, REQUESTS, 0), &mut events);
    assembler.take(&wire.piece(Out, RESPONSES, 0), &mut events);
    assert_eq!(events.len(), 10, "{:#?}", shorts(&https(&events)));
    essence(&events)
}

#[test]
fn every_single_cut_gives_the_same() {
    for at in 1..RESPONSES.len().max(REQUESTS.len()) {
        let (mut wire, mut assembler) = (Wire::inbound(), Assembler::default());
        let mut events = Vec::new();
        for (way, bytes) in [(In, REQUESTS), (Out, RESPONSES)] {
            for piece in cut(bytes, &[at]) {
                assembler.take(&wire.piece(way, &piece, 0), &mut events);
            }
        }
        assert_eq!(essence(&events), whole(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn every_cut_gives_the_same(
        asked in prop::collection::vec(0_usize..999, 0..40),
        answered in prop::collection::vec(0_usize..999, 0..40),
    ) {
        let (mut wire, mut assembler) = (Wire::inbound(), Assembler::default());
        let mut events = Vec::new();
        for (way, bytes, cuts) in [(In, REQUESTS, asked), (Out, RESPONSES, answered)] {
            for piece in cut(bytes, &cuts) {
                assembler.take(&wire.piece(way, &piece, 0), &mut events);
            }
        }
        prop_assert_eq!(essence(&events), whole());
    }

    /// Pieces change places with near ones, of either direction, and some come twice.
    #[test]
    fn a_small_disorder_changes_no_matching(
        asked in prop::collection::vec(0_usize..999, 0..12),
        answered in prop::collection::vec(0_usize..999, 0..12),
        swaps in prop::collection::vec((0_usize..99, 1_usize..4), 0..12),
        twice in prop::collection::vec(0_usize..99, 0..3),
    ) {
        let mut wire = Wire::inbound();
        let mut pieces: Vec<(Way, Vec<u8>, u64, u64)> = Vec::new();
        for (way, bytes, cuts) in [(In, REQUESTS, asked), (Out, RESPONSES, answered)] {
            for piece in cut(bytes, &cuts) {
                let made = wire.piece(way, &piece, 0);
                let (position, time) = (made.position, made.time.unix_ns());
                pieces.push((way, piece, position, time));
            }
        }
        for (at, by) in swaps {
            let (one, two) = (at % pieces.len(), (at + by) % pieces.len());
            pieces.swap(one, two);
        }
        for at in twice {
            pieces.insert(at % pieces.len(), pieces[at % pieces.len()].clone());
        }
        let (mut assembler, mut events) = (Assembler::default(), Vec::new());
        for (number, (way, bytes, position, time)) in pieces.iter().enumerate() {
            let piece = wire.piece(*way, bytes, 0);
            let id = EventId(number as u128 + 1);
            let time = TimestampNs::from_unix_ns(*time);
            assembler.take(&Piece { id, time, position: *position, ..piece }, &mut events);
        }
        let matched = |event: &HttpEvent| {
            let response = event.response.as_ref()?;
            Some((event.request.path.to_string(), response.status, response.body.to_string()))
        };
        let found: Vec<_> = https(&events).iter().filter_map(matched).collect();
        let expected = [("/1", 200, "one"), ("/2", 201, "two!"), ("/3", 304, ""), ("/4", 200, ""),
            ("/5", 500, "five")];
        let expected: Vec<_> =
            expected.iter().map(|it| (it.0.to_string(), it.1, it.2.to_string())).collect();
        prop_assert_eq!(found, expected);
        let mut ids: Vec<_> = events.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), events.len());
    }
}

/// Three exchanges, of which some bytes of the second were not seen.
fn with_gap(way: Way, from: usize, bytes: usize) -> Vec<HttpEvent> {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), Vec::new());
    for number in 1..4 {
        let request = format!("PUT /{number} HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789");
        let response = format!(
            "HTTP/1.1 20{number} OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        for (this, message) in [(In, request), (Out, response)] {
            let message = message.as_bytes();
            let (from, to) = match number {
                2 if this == way => (from.min(message.len()), (from + bytes).min(message.len())),
                _ => (message.len(), message.len()),
            };
            assembler.take(&wire.piece(this, &message[..from], (to - from) as u64), &mut events);
            assembler.take(&wire.piece(this, &message[to..], 0), &mut events);
        }
    }
    assembler.take(&wire.end(), &mut events);
    https(&events)
}

proptest! {
    #[test]
    fn a_gap_spoils_one_exchange_and_not_its_neighbours(
        is_asked in any::<bool>(), from in 0_usize..70, bytes in 1_usize..70,
    ) {
        let way = if is_asked { In } else { Out };
        let told = with_gap(way, from, bytes);
        let of = |path: &str| {
            let is_it = |it: &&HttpEvent| it.request.path.as_bytes() == path.as_bytes();
            told.iter().filter(is_it).map(short).collect::<Vec<_>>()
        };
        prop_assert_eq!(of("/1"), ["PUT /1? 0123456789", "PUT /1? 0123456789 -> 201 hello"]);
        prop_assert_eq!(of("/3"), ["PUT /3? 0123456789", "PUT /3? 0123456789 -> 203 hello"]);
        let second: Vec<_> =
            told.iter().filter(|it| it.request.path.as_bytes() == b"/2").collect();
        prop_assert!(second.len() == 2 || second.is_empty(), "{second:#?}");
        for event in second.iter().filter_map(|it| it.response.as_ref()) {
            prop_assert!(matches!(event.status, 0 | 202));
            let is_flagged = event.flags.has(HttpFlags::GAP) || second[0].request.flags.has(HttpFlags::GAP);
            let is_between = from + bytes > 50;
            prop_assert!(is_flagged || is_between, "{second:#?}");
        }
    }
}

/// Exchanges of one client that waits for each answer, and of their pieces, in the order in which
/// they were moved, those that were lost whole.
fn without(lost: impl Fn(usize) -> bool) -> Vec<HttpEvent> {
    let (mut wire, mut assembler, mut events) = (Wire::inbound(), Assembler::default(), Vec::new());
    let bodies = (0..40).map(|number| "x".repeat(number));
    let messages = bodies.enumerate().flat_map(|(number, body)| {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        let length = body.len() + 4;
        let response =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{number:04}{body}");
        [(In, request), (Out, response)]
    });
    for (at, (way, message)) in messages.enumerate() {
        // Slower than pieces wait for one before them.
        wire.now += 5_000_000;
        let piece = wire.piece(way, message.as_bytes(), 0);
        if !lost(at) {
            assembler.take(&piece, &mut events);
        }
    }
    assembler.take(&wire.end(), &mut events);
    https(&events)
}

/// Whose answer is another's.
fn mistaken(told: &[HttpEvent]) -> Vec<String> {
    let is_mistaken = |it: &&HttpEvent| {
        let body = it.response.as_ref().map(|response| response.body.to_string());
        let number = it.request.path.to_string().trim_start_matches('/').parse::<u32>();
        let number = number.unwrap_or(u32::MAX);
        body.is_some_and(|body| !body.is_empty() && !body.starts_with(&format!("{number:04}")))
    };
    told.iter().filter(is_mistaken).map(short).collect()
}

#[test]
fn an_answer_that_was_lost_whole_costs_its_request_alone() {
    for lost in 0..79 {
        let told = without(|at| at == lost);
        assert_eq!(mistaken(&told), [""; 0], "without {lost}");
        let is_answered = |it: &&HttpEvent| it.response.as_ref().is_some_and(|it| it.status == 200);
        assert_eq!(told.iter().filter(is_answered).count(), 39, "without {lost}");
    }
}

proptest! {
    /// As a full buffer loses them: several in a row, of either direction, and later again. What
    /// lies between two losses is two exchanges at least: of one alone it cannot be told apart which
    /// of two lost answers was its own.
    #[test]
    fn whatever_is_lost_no_request_gets_the_answer_of_another(
        bursts in prop::collection::vec((4_usize..20, 1_usize..9), 1..6),
    ) {
        let mut from = 0;
        let lost = bursts.iter().map(|(after, count)| {
            from += after;
            let lost = from..from + count;
            from += count;
            lost
        });
        let lost: Vec<_> = lost.collect();
        let told = without(|at| lost.iter().any(|lost| lost.contains(&at)));
        prop_assert_eq!(mistaken(&told), [""; 0]);
    }
}
