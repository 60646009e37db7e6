//! Messages to and from name servers as the sensor tells them.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use clew_event::interest::{CallClasses, InterestSet};
use clew_event::kernel::LossReason;
use clew_event::socket::{DnsEvent, Transport};
use clew_event::{Event, EventKind, EventType};
use clew_sensor::{Settings, Totals};
use clew_wire::limits::{DNS_PER_SECOND_MAX, KIND_DNS};

use crate::watch::{PATIENCE, Seen, start, watch, watch_for};

/// Loopback addresses of their own, so that no other server of the machine holds the port.
const SERVER: &str = "127.0.0.153:53";
const NOBODY: &str = "127.0.0.154:53";

fn question(transaction: u16, name: &str) -> Vec<u8> {
    let mut bytes = transaction.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// The question with one address as its answer.
fn answer(question: &[u8], address: [u8; 4]) -> Vec<u8> {
    let mut bytes = question.to_vec();
    bytes[2] = 0x81;
    bytes[7] = 1;
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
    bytes.extend(address);
    bytes
}

/// Messages about that name, with whether this process is told to have asked.
fn messages(seen: &Seen, name: &str) -> Vec<(DnsEvent, bool)> {
    let of_name = |event: &Event| match &event.kind {
        EventKind::Dns(dns) if dns.name == name.into() => {
            let is_own = event.actor.is_some_and(|actor| actor.process == seen.own_key());
            Some(((**dns).clone(), is_own))
        }
        _ => None,
    };
    seen.events.iter().filter_map(of_name).collect()
}

#[test]
fn a_question_and_its_answer_are_told_of_the_process_that_asked() {
    let server = UdpSocket::bind(SERVER).expect("binds");
    let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(PATIENCE)).expect("a bound");
    }
    let Some(seen) = watch(|_| {
        client.send_to(&question(7, "Api.clew.test"), SERVER).expect("sends");
        let mut buffer = [0; 512];
        let (size, from) = server.recv_from(&mut buffer).expect("receives");
        server.send_to(&answer(&buffer[..size], [198, 51, 100, 10]), from).expect("answers");
        client.recv_from(&mut buffer).expect("is answered");
    }) else {
        return;
    };
    let told = messages(&seen, "api.clew.test");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|(_, is_own)| *is_own), "{told:?}");
    let (asked, answered) = (&told[0].0, &told[1].0);
    assert!(!asked.is_answer && asked.addresses.is_empty());
    assert!(answered.is_answer && !answered.is_cut && answered.ttl_seconds == 30);
    let expected: [IpAddr; 1] = [[198, 51, 100, 10].into()];
    assert_eq!(answered.addresses, expected);
    for message in [asked, answered] {
        assert_eq!(message.server, SERVER.parse().ok());
        assert_eq!((message.transaction, message.transport), (7, Transport::Udp));
    }
}

#[test]
fn a_question_over_tcp_and_one_over_ipv6_are_told_too() {
    let listener = TcpListener::bind(SERVER).expect("binds");
    let Some(seen) = watch(|_| {
        let message = question(8, "tcp.clew.test");
        let mut client = TcpStream::connect(SERVER).expect("connects");
        let (mut server, _) = listener.accept().expect("accepts");
        let length = u16::try_from(message.len()).expect("short").to_be_bytes();
        client.write_all(&[&length[..], &message].concat()).expect("asks");
        server.read_exact(&mut vec![0; 2 + message.len()]).expect("is asked");
        let client = UdpSocket::bind("[::1]:0").expect("binds");
        client.send_to(&question(9, "six.clew.test"), "[::1]:53").ok();
    }) else {
        return;
    };
    let told = messages(&seen, "tcp.clew.test");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0.transport, told[0].1), (Transport::Tcp, true));
    let told = messages(&seen, "six.clew.test");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0.server, "[::1]:53".parse().ok());
}

#[test]
fn what_is_sent_to_dockers_resolver_is_told_whatever_the_port() {
    let Some(seen) = watch(|_| {
        let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
        client.send_to(&question(1, "docker.clew.test"), "127.0.0.11:41234").expect("sends");
        client.send_to(&question(1, "other.clew.test"), "127.0.0.1:41234").expect("sends");
    }) else {
        return;
    };
    assert_eq!(messages(&seen, "docker.clew.test").len(), 1);
    assert_eq!(messages(&seen, "other.clew.test").len(), 0);
}

#[test]
fn nothing_is_told_where_nobody_wants_it() {
    let mut wanted = InterestSet::default();
    wanted.add(EventType::Mkdir, CallClasses::ALL);
    let Some(seen) = watch_for(&wanted, |_| {
        let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
        client.send_to(&question(1, "quiet.clew.test"), NOBODY).expect("sends");
    }) else {
        return;
    };
    assert_eq!(messages(&seen, "quiet.clew.test").len(), 0);
}

#[test]
fn a_flood_of_questions_is_bounded_and_counted_and_pushes_nothing_else_out() {
    let settings =
        Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() };
    let Some((mut sensor, _turn)) = start(settings) else { return };
    let mut events = Vec::new();
    sensor.poll(Duration::ZERO, &mut events).expect("polls");
    let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let message = question(1, "flood.clew.test");
    let end = Instant::now() + PATIENCE;
    let kind = usize::from(KIND_DNS);
    // However slowly they are sent, one second has more than one CPU may tell of.
    while sensor.totals().lost[kind] == 0 {
        assert!(Instant::now() < end, "nothing was refused in {PATIENCE:?}");
        for _ in 0..=DNS_PER_SECOND_MAX {
            client.send_to(&message, NOBODY).ok();
        }
        sensor.poll(Duration::ZERO, &mut events).expect("polls");
    }
    let made = std::process::Command::new("/bin/true").arg("clew-flood").status();
    assert!(made.expect("runs").success());
    let (mut told, mut has_exec) = (0, false);
    loop {
        assert!(Instant::now() < end, "the losses were not told in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
        for event in events.drain(..) {
            match event.kind {
                EventKind::Lost(lost) if lost.record == "dns".into() => {
                    assert_eq!(lost.reason, LossReason::RateBound);
                    told += lost.count;
                }
                EventKind::Executed(executed) => {
                    has_exec |= executed.argv.as_bytes().ends_with(b"clew-flood\0");
                }
                _ => {}
            }
        }
        let totals = sensor.totals();
        let [offered, seen, lost] = [totals.offered[kind], totals.seen[kind], totals.lost[kind]];
        if has_exec && told == lost && offered == seen + lost {
            assert_eq!(Totals::sum(&totals.lost), lost, "{totals:?}");
            return;
        }
    }
}
