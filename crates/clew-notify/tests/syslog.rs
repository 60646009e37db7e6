//! Syslog outputs against real receivers on a unix socket, UDP and TCP.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod receivers;

use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;

use clew_event::Priority;
use receivers::{DEADLINE, finding, number, outputs, wait_for};

/// Checks the header of RFC 5424 and returns the message.
fn message(packet: &[u8], priority: u8) -> String {
    let text = std::str::from_utf8(packet).unwrap();
    let fields: Vec<_> = text.splitn(8, ' ').collect();
    let pid = std::process::id().to_string();
    assert_eq!(fields[0], format!("<{priority}>1"), "{text}");
    assert_eq!(fields[1], "2025-11-24T16:00:00.000000Z", "{text}");
    assert_eq!(fields[2..7], ["node-1", "clew", &pid, "finding", "-"], "{text}");
    fields[7].to_owned()
}

#[test]
fn udp_carries_one_message_a_datagram() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = receiver.local_addr().unwrap();
    let outputs = outputs(&[&format!("syslog:udp:{address},format=falco")]);
    outputs.send(&finding(1));
    outputs.send(&clew_event::Finding { priority: Priority::Critical, ..finding(2) });
    let mut packet = [0; 4096];
    for (expected, priority) in [(1, 12), (2, 10)] {
        let length = receiver.recv(&mut packet).unwrap();
        let message = message(&packet[..length], priority);
        assert!(message.starts_with("{\"hostname\":\"node-1\""), "{message}");
        assert_eq!(number(&message), expected);
    }
    outputs.close();
}

#[test]
fn a_unix_socket_that_comes_back_gets_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let outputs = outputs(&[&format!("syslog:unix:{}", path.display())]);
    let mut packet = [0; 4096];
    for round in 1..=2 {
        let receiver = UnixDatagram::bind(&path).unwrap();
        receiver.set_read_timeout(Some(DEADLINE)).unwrap();
        outputs.send(&finding(round));
        let length = receiver.recv(&mut packet).unwrap();
        assert_eq!(number(&message(&packet[..length], 12)), round);
        std::fs::remove_file(&path).unwrap();
    }
    outputs.close();
}

/// The next message, by the length before it.
fn framed(stream: &mut TcpStream) -> Vec<u8> {
    let mut digits = String::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).unwrap();
        match byte[0] {
            b' ' => break,
            digit => digits.push(digit.into()),
        }
    }
    let mut message = vec![0; digits.parse().unwrap()];
    stream.read_exact(&mut message).unwrap();
    message
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

#[test]
fn tcp_counts_octets_and_connects_anew_where_the_daemon_was_restarted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let outputs = outputs(&[&format!("syslog:tcp:{}", listener.local_addr().unwrap())]);
    outputs.send(&finding(1));
    outputs.send(&finding(2));
    let mut stream = accept(&listener);
    for expected in [1, 2] {
        assert_eq!(number(&message(&framed(&mut stream), 12)), expected);
    }
    wait_for(&outputs, |figures| figures.sent == 2);
    drop(stream);
    outputs.send(&finding(3));
    let mut stream = accept(&listener);
    assert_eq!(number(&message(&framed(&mut stream), 12)), 3);
    outputs.close();
}
