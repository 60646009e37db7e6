//! Statements as clients of PostgreSQL and MySQL send them, in pieces, with gaps, and hostile.

use clew_event::query::{DatabaseSystem, QueryEvent};
use proptest::prelude::*;

use super::Way::{In, Out};
use super::*;

fn postgres(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).expect("short").to_be_bytes();
    let kind = (kind != 0).then_some(kind);
    kind.into_iter().chain(length).chain(content.iter().copied()).collect()
}

fn mysql(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_le_bytes();
    length[..3].iter().copied().chain([number]).chain(content.iter().copied()).collect()
}

fn start() -> Vec<u8> {
    postgres(0, b"\0\x03\0\0user\0shop\0database\0shop\0\0")
}

fn conversation() -> Vec<u8> {
    [
        start(),
        postgres(b'p', b"password\0"),
        postgres(b'Q', b"SELECT 1\0"),
        postgres(b'P', b"name\0SELECT a FROM b WHERE c = $1\0\0\0"),
        postgres(b'B', b"\0name\0\0\0\0\x01\0\0\0\x04evil\0\0"),
        postgres(b'E', b"\0\0\0\0\0"),
        postgres(b'S', b""),
        postgres(b'P', b"\0SELECT 2\0\0\0"),
        postgres(b'X', b""),
    ]
    .concat()
}

const TOLD: [&str; 3] = ["SELECT 1", "SELECT a FROM b WHERE c = $1", "SELECT 2"];

fn outbound() -> Wire {
    Wire::outbound("10.0.0.5:5432")
}

fn queries(events: &[Event]) -> Vec<QueryEvent> {
    let one = |event: &Event| match &event.kind {
        EventKind::Query(query) => QueryEvent::clone(query),
        other => panic!("{other:?}"),
    };
    events.iter().map(one).collect()
}

/// What is told of pieces that a client and its server send.
fn told(wire: &mut Wire, pieces: &[(Way, &[u8])]) -> Vec<QueryEvent> {
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    for (way, bytes) in pieces {
        assembler.take(&wire.piece(*way, bytes, 0), &mut events);
    }
    queries(&events)
}

fn statements(queries: &[QueryEvent]) -> Vec<String> {
    queries.iter().map(|query| query.statement.to_string()).collect()
}

#[test]
fn statements_of_postgresql_are_told_and_their_values_are_not() {
    let told = told(&mut outbound(), &[(Out, &conversation())]);
    assert_eq!(statements(&told), TOLD);
    assert!(told.iter().all(|it| it.system == DatabaseSystem::Postgresql && !it.is_inbound));
    assert!(told.iter().all(|it| it.endpoints.remote == "10.0.0.5:5432".parse().ok()));
}

#[test]
fn a_connection_that_asked_for_tls_in_vain_goes_on_in_plain() {
    let wish = postgres(0, &[4, 0xd2, 0x16, 0x2f]);
    let pieces = [(Out, &wish[..]), (In, b"N"), (Out, &conversation())];
    assert_eq!(statements(&told(&mut outbound(), &pieces)), TOLD);
}

#[test]
fn a_pool_that_was_there_before_is_joined_at_its_next_statement() {
    let later = postgres(b'Q', b"SELECT 3\0");
    let answer = postgres(b'S', b"server_encoding\0UT");
    let pieces = [(Out, &later[..]), (In, &answer), (Out, &later)];
    assert_eq!(statements(&told(&mut outbound(), &pieces)), ["SELECT 3", "SELECT 3"]);
}

#[test]
fn statements_of_mysql_are_told() {
    let greeting = mysql(0, b"\n8.0.36\0rest of the greeting");
    let client = [
        mysql(1, b"\x8d\xa6\xff\x01 login"),
        mysql(0, b"\x03SELECT 1"),
        mysql(0, b"\x03\0\x01SELECT 2"),
        mysql(0, b"\x0e"),
        mysql(0, b"\x16SELECT ?"),
        mysql(0, b"\x17\x01\0\0\0evil"),
    ]
    .concat();
    let told = told(&mut Wire::outbound("10.0.0.5:3306"), &[(In, &greeting), (Out, &client)]);
    assert_eq!(statements(&told), ["SELECT 1", "SELECT 2", "SELECT ?"]);
    assert!(told.iter().all(|it| it.system == DatabaseSystem::Mysql));
}

#[test]
fn the_database_tells_what_it_is_asked() {
    let told = told(&mut Wire::inbound(), &[(In, &conversation())]);
    assert_eq!(statements(&told), TOLD);
    assert!(told.iter().all(|it| it.is_inbound));
}

#[test]
fn a_long_statement_is_cut_and_the_next_one_is_whole() {
    let long = [b"SELECT '".to_vec(), vec![b'x'; STATEMENT_BYTES_MAX], b"'\0".to_vec()].concat();
    let client = [start(), postgres(b'Q', &long), postgres(b'Q', b"SELECT 1\0")].concat();
    let told = told(&mut outbound(), &[(Out, &client)]);
    assert!(told[0].is_cut);
    assert_eq!(told[0].statement.as_bytes().len(), STATEMENT_BYTES_MAX);
    assert!(!told[1].is_cut);
    assert_eq!(told[1].statement, "SELECT 1".into());
}

#[test]
fn a_gap_costs_one_statement() {
    let (mut wire, mut assembler, mut events) = (outbound(), Assembler::default(), Vec::new());
    let client = [start(), postgres(b'Q', b"SELECT 'a long value'\0")].concat();
    let (seen, unseen) = client.split_at(client.len() - 9);
    assembler.take(&wire.piece(Out, seen, unseen.len() as u64), &mut events);
    assembler.take(&wire.piece(Out, &postgres(b'Q', b"SELECT 1\0"), 0), &mut events);
    assert_eq!(statements(&queries(&events)), ["SELECT 1"]);
}

proptest! {
    #[test]
    fn any_split_gives_the_same(cuts in proptest::collection::vec(8_usize..230, 0..12)) {
        let client = conversation();
        let mut places: Vec<_> = cuts.iter().map(|cut| (*cut).min(client.len())).collect();
        places.extend([0, client.len()]);
        places.sort_unstable();
        places.dedup();
        let pieces: Vec<_> =
            places.windows(2).map(|pair| (Out, &client[pair[0]..pair[1]])).collect();
        prop_assert_eq!(statements(&told(&mut outbound(), &pieces)), TOLD);
    }

    #[test]
    fn hostile_messages_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let greeting = mysql(0, b"\n8.0.36\0");
        for first in [(Out, &start()), (In, &greeting)] {
            let (mut assembler, mut events) = (Assembler::default(), Vec::new());
            let mut wire = outbound();
            for (way, piece) in [(first.0, first.1), (Out, &bytes), (In, &bytes)] {
                assembler.take(&wire.piece(way, piece, 3), &mut events);
            }
            assembler.take(&wire.end(), &mut events);
            prop_assert!(assembler.buffered() == 0);
        }
    }
}
