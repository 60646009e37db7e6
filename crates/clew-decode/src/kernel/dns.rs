//! Decodes messages to and from name servers (RFC 1035).
//!
//! Whoever answers may write anything, so every loop has a bound: a name has at most
//! [`NAME_BYTES_MAX`] bytes and follows [`POINTERS_MAX`] pointers, each to an earlier place; of an
//! answer [`RECORDS_MAX`] records are read. Only records of the asked name and of what it stands
//! for count: an answer cannot name addresses that nobody asked for. A message that ends early, or
//! says what cannot be, gives what was read before, marked as cut.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clew_event::socket::{DnsEvent, Transport};
use clew_event::{EventKind, EventType, Text};
use clew_wire::record::Dns;

use super::{Bytes, Malformed, is_truncated, socket};

/// Bytes of a name on the wire (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// Pointers that one name follows; servers write one or two.
const POINTERS_MAX: usize = 16;
/// Records of one answer that are read.
const RECORDS_MAX: u16 = 64;

/// Length that stands before a message over TCP.
const TCP_PREFIX_BYTES: usize = 2;
const HEADER_BYTES: usize = 12;
const IS_ANSWER: u16 = 1 << 15;
const IS_CUT_BY_SERVER: u16 = 1 << 9;
const CLASS_INTERNET: u16 = 1;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;

pub(super) fn dns(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let dns: Dns = record.fixed()?;
    let mut message = record.raw(dns.message)?;
    let ends = socket::endpoints(&dns.ends, 0);
    if ends.transport == Transport::Tcp {
        message = message.get(TCP_PREFIX_BYTES..).unwrap_or_default();
    }
    let mut event =
        DnsEvent { server: ends.remote, transport: ends.transport, ..DnsEvent::default() };
    let is_whole = read(message, &mut event).is_some();
    event.is_cut |= !is_whole || is_truncated(dns.message);
    Ok((EventType::Dns, EventKind::Dns(Box::new(event))))
}

/// Fills `event` with what the message says, as far as it can be read; `None` where it ends early.
fn read(message: &[u8], event: &mut DnsEvent) -> Option<()> {
    let mut cursor = Cursor { message, at: 0 };
    event.transaction = cursor.u16()?;
    let flags = cursor.u16()?;
    event.is_answer = flags & IS_ANSWER != 0;
    event.is_cut = flags & IS_CUT_BY_SERVER != 0;
    event.response_code = if event.is_answer { (flags & 0xf).try_into().unwrap_or(0) } else { 0 };
    let (questions, records) = (cursor.u16()?, cursor.u16()?);
    cursor.at = HEADER_BYTES;
    // Nobody sends several questions, and no server answers them.
    if questions != 1 {
        return None;
    }
    let asked = cursor.name()?;
    event.name = asked.as_slice().into();
    event.record_type = cursor.u16()?;
    cursor.u16()?;
    event.is_cut |= RECORDS_MAX < records;
    let mut current = asked;
    for _ in 0..records.min(RECORDS_MAX) {
        cursor.record(&mut current, event)?;
    }
    Some(())
}

/// A place in a message.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// One record of an answer; `current` is the name that the next one has to be of.
    fn record(&mut self, current: &mut Vec<u8>, event: &mut DnsEvent) -> Option<()> {
        let owner = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let ttl_seconds = u32::from_be_bytes(self.array()?);
        let size = usize::from(self.u16()?);
        let mut data = *self;
        let value = self.bytes(size)?;
        if owner != *current || class != CLASS_INTERNET {
            return Some(());
        }
        match kind {
            TYPE_A => event.addresses.push(Ipv4Addr::from(*value.first_chunk::<4>()?).into()),
            TYPE_AAAA => {
                let address = Ipv6Addr::from(*value.first_chunk::<16>()?);
                event.addresses.push(IpAddr::from(address).to_canonical());
            }
            TYPE_CNAME => {
                *current = data.name()?;
                event.aliases.push(Text::from(current.as_slice()));
            }
            _ => return Some(()),
        }
        let is_first = event.addresses.len() + event.aliases.len() == 1;
        let known = if is_first { u32::MAX } else { event.ttl_seconds };
        event.ttl_seconds = known.min(ttl_seconds);
        Some(())
    }

    /// A name in lower case without the final dot; `None` where it ends early or turns in circles.
    fn name(&mut self) -> Option<Vec<u8>> {
        const POINTER: u8 = 0xc0;
        let mut name = Vec::new();
        let mut place = *self;
        let (mut pointers, mut wire_bytes) = (0, 1);
        loop {
            let start = place.at;
            let [first] = place.array()?;
            if first & POINTER == POINTER {
                let [second] = place.array()?;
                if pointers == 0 {
                    self.at = place.at;
                }
                pointers += 1;
                place.at = usize::from(first & !POINTER) << 8 | usize::from(second);
                if POINTERS_MAX < pointers || start <= place.at {
                    return None;
                }
                continue;
            }
            if first & POINTER != 0 {
                return None;
            }
            let label = place.bytes(first.into())?;
            if label.is_empty() {
                break;
            }
            wire_bytes += label.len() + 1;
            if NAME_BYTES_MAX < wire_bytes {
                return None;
            }
            push_label(&mut name, label);
        }
        if pointers == 0 {
            self.at = place.at;
        }
        Some(name)
    }
}

fn push_label(name: &mut Vec<u8>, label: &[u8]) {
    if !name.is_empty() {
        name.push(b'.');
    }
    for byte in label {
        if matches!(byte, b'.' | b'\\') {
            name.push(b'\\');
        }
        name.push(byte.to_ascii_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_wire::record::{Endpoint, Header, TextRef};
    use clew_wire::{as_bytes, limits};
    use proptest::prelude::*;

    /// A name without pointers.
    fn wire(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in name.split('.').filter(|label| !label.is_empty()) {
            bytes.push(u8::try_from(label.len()).expect("short"));
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        bytes
    }

    /// Header and question.
    fn message(flags: u16, records: u16, name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34];
        for word in [flags, 1, records, 0, 0] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&[0, 1, 0, 1]);
        bytes
    }

    fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let size = u16::try_from(data.len()).expect("short");
        let mut bytes = owner.to_vec();
        for word in [kind, CLASS_INTERNET] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&ttl.to_be_bytes());
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn decode(message: &[u8], protocol: u16, flags: u16) -> DnsEvent {
        let text = TextRef {
            offset: u16::try_from(size_of::<Dns>()).expect("short"),
            size: u16::try_from(message.len()).expect("short"),
            flags,
            reserved: 0,
        };
        let mut ends = Endpoint { family: 2, protocol, remote_port: 53, ..Endpoint::default() };
        ends.remote[..4].copy_from_slice(&[10, 0, 0, 10]);
        let header = Header { kind: limits::KIND_DNS, ..Header::default() };
        let fixed = Dns { header, ends, message: text };
        match dns(Bytes(&[as_bytes(&fixed), message].concat())) {
            Ok((EventType::Dns, EventKind::Dns(event))) => *event,
            other => panic!("not a message: {other:?}"),
        }
    }

    fn udp(message: &[u8]) -> DnsEvent {
        decode(message, 17, 0)
    }

    #[test]
    fn a_question_tells_its_name_type_and_server() {
        let event = udp(&message(0x0100, 0, &wire("Kubernetes.Default.svc")));
        assert_eq!(event.name, "kubernetes.default.svc".into());
        assert_eq!((event.record_type, event.transaction), (1, 0x1234));
        assert_eq!(event.server, Some(([10, 0, 0, 10], 53).into()));
        assert!(!event.is_answer && !event.is_cut && event.addresses.is_empty());
    }

    #[test]
    fn an_answer_follows_the_chain_of_names_and_keeps_the_shortest_span() {
        let mut answer = message(0x8180, 4, &wire("a.example"));
        let target = answer.len() + 12;
        answer.extend(record(&[0xc0, 12], TYPE_CNAME, 300, &wire("b.example")));
        let pointer = [0xc0, u8::try_from(target).expect("short")];
        answer.extend(record(&pointer, TYPE_A, 60, &[192, 0, 2, 1]));
        answer.extend(record(&pointer, TYPE_AAAA, 90, &[0x20; 16]));
        answer.extend(record(&wire("other.example"), TYPE_A, 1, &[192, 0, 2, 66]));
        let event = udp(&answer);
        assert_eq!(event.aliases, ["b.example".into()]);
        let expected: [IpAddr; 2] = [[192, 0, 2, 1].into(), [0x20; 16].into()];
        assert_eq!(event.addresses, expected);
        assert!(event.is_answer && !event.is_cut);
        assert_eq!((event.ttl_seconds, event.response_code), (60, 0));
    }

    #[test]
    fn a_message_over_tcp_has_its_length_before_it() {
        let question = message(0, 0, &wire("x.example"));
        let length = u16::try_from(question.len()).expect("short").to_be_bytes();
        let event = decode(&[&length[..], &question].concat(), 6, 0);
        assert_eq!((event.name, event.transport), ("x.example".into(), Transport::Tcp));
    }

    #[test]
    fn a_cut_message_tells_what_stands_before_the_cut() {
        let mut answer = message(0x8183, 1, &wire("a.example"));
        let whole = answer.len();
        answer.extend(record(&[0xc0, 12], TYPE_A, 60, &[192, 0, 2, 1]));
        for length in 0..answer.len() {
            let event = udp(&answer[..length]);
            assert!(event.is_cut && event.addresses.is_empty(), "{length}");
            assert_eq!(event.name == "a.example".into(), whole - 4 <= length, "{length}");
        }
        assert_eq!(udp(&answer).response_code, 3);
        assert!(!udp(&answer).is_cut);
        assert!(decode(&answer, 17, limits::TEXT_TRUNCATED).is_cut);
    }

    #[test]
    fn a_name_that_turns_in_circles_is_refused() {
        for pointer in [[0xc0, 12], [0xc0, 13], [0xff, 0xff], [0x80, 0]] {
            let event = udp(&message(0, 0, &pointer));
            assert!(event.is_cut && event.name.is_empty(), "{pointer:?}");
        }
    }

    #[test]
    fn no_name_is_longer_or_deeper_than_allowed() {
        let check = |bytes: &[u8], is_read: bool| {
            let at = bytes.iter().rposition(|byte| *byte == 0xc0).unwrap_or(0);
            let mut cursor = Cursor { message: bytes, at };
            assert_eq!(cursor.name().is_some(), is_read, "{}", bytes.len());
        };
        let labels = |count: usize| wire(&vec!["a"; count].join("."));
        check(&labels((NAME_BYTES_MAX - 1) / 2), true);
        check(&labels(NAME_BYTES_MAX.div_ceil(2)), false);
        let chain = |pointers: usize| {
            let mut bytes = vec![0, 0];
            for number in 0..pointers {
                let target = if number == 0 { 0 } else { 2 * number };
                bytes.extend([0xc0, u8::try_from(target).expect("short")]);
            }
            bytes
        };
        check(&chain(POINTERS_MAX), true);
        check(&chain(POINTERS_MAX + 1), false);
    }

    #[test]
    fn no_more_records_are_read_than_allowed() {
        let mut answer = message(0x8180, RECORDS_MAX + 1, &wire("a.example"));
        for last in 0..=RECORDS_MAX {
            let [_, last] = last.to_be_bytes();
            answer.extend(record(&[0xc0, 12], TYPE_A, 60, &[192, 0, 2, last]));
        }
        let event = udp(&answer);
        assert_eq!((event.addresses.len(), event.is_cut), (usize::from(RECORDS_MAX), true));
    }

    #[test]
    fn a_dot_within_a_label_is_no_dot_between_labels() {
        assert_eq!(udp(&message(0, 0, b"\x03a.b\x01\\\0")).name, r"a\.b.\\".into());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_within_its_bounds(
            flags: u16,
            records: u16,
            body in proptest::collection::vec(
                prop_oneof![Just(0xc0_u8), 0_u8..16, any::<u8>()], 0..1232),
            protocol in prop_oneof![Just(6_u16), Just(17)],
        ) {
            let mut bytes = message(flags, records, &wire("a.example"));
            bytes.extend(body);
            let event = decode(&bytes, protocol, 0);
            prop_assert!(event.addresses.len() + event.aliases.len() <= usize::from(RECORDS_MAX));
            prop_assert!(event.aliases.iter().all(|name| name.as_bytes().len() <= 2 * NAME_BYTES_MAX));
        }
    }
}
