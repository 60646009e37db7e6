//! Connects that no rule can match stay in the kernel.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use clew_event::interest::{InterestSet, QuietVerdict};
use clew_event::socket::{SocketEvent, SocketOperation};
use clew_event::{Event, EventKind};
use clew_sensor::{Sensor, Settings};
use clew_wire::limits::KIND_SOCKET;

use crate::watch::{PATIENCE, is_mark, start};

const KIND: usize = KIND_SOCKET as usize;

fn settings() -> Settings {
    Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() }
}

/// What this process connected to while it did `act`; each is judged by `verdict` as it comes.
fn connects(
    sensor: &mut Sensor,
    mark: &Path,
    act: impl FnOnce(),
    verdict: impl Fn(&SocketEvent) -> QuietVerdict,
) -> Vec<SocketEvent> {
    act();
    std::fs::create_dir(mark).expect("the mark");
    let mark = mark.display().to_string();
    let end = Instant::now() + PATIENCE;
    let (mut told, mut events) = (Vec::new(), Vec::<Event>::new());
    loop {
        assert!(Instant::now() < end, "the mark was not seen in {PATIENCE:?}");
        events.clear();
        sensor.poll(Duration::from_millis(100), &mut events).expect("polls");
        for event in &events {
            let is_own = event.actor.is_some_and(|by| by.process.pid == std::process::id());
            let EventKind::Socket(socket) = &event.kind else { continue };
            if is_own && socket.operation == SocketOperation::Connect {
                sensor.quiet(event, || verdict(socket));
                told.push(socket.clone());
            }
        }
        if events.iter().any(|event| is_mark(event, &mark)) {
            return told;
        }
    }
}

#[test]
fn of_a_thousand_connects_to_a_harmless_peer_few_are_told_and_each_to_another_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let [harmless, other] = ["127.0.0.1:0", "127.0.0.1:0"].map(|end| {
        let listener = TcpListener::bind(end).expect("binds");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    });
    let verdict = |socket: &SocketEvent| match socket.endpoints.remote {
        Some(peer) if peer == other.1 => QuietVerdict::Told,
        _ => QuietVerdict::Always,
    };
    let connect = |(listener, address): &(TcpListener, SocketAddr)| {
        drop((TcpStream::connect(address).expect("connects"), listener.accept()));
    };
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
    let before = sensor.totals().quieted[KIND];
    let first = folder.path().join("first");
    let told = connects(&mut sensor, &first, || connect(&harmless), verdict);
    assert_eq!(told.len(), 1);
    let many = || {
        for number in 0..1_000 {
            connect(&harmless);
            if number % 100 == 0 {
                connect(&other);
            }
        }
    };
    let told = connects(&mut sensor, &folder.path().join("many"), many, verdict);
    let peers: Vec<_> = told.iter().map(|socket| socket.endpoints.remote).collect();
    assert_eq!(peers, [Some(other.1); 10]);
    assert_eq!(sensor.totals().quieted[KIND] - before, 1_000);
    let kept: Vec<_> = sensor.take_quieted(usize::MAX);
    let kept: Vec<_> = kept.iter().map(|kept| (kept.path.to_string(), kept.count)).collect();
    assert_eq!(kept, [(harmless.1.to_string(), 1_000)]);
    sensor.detach();
    let end = Instant::now() + PATIENCE;
    let is_whole = |sensor: &Sensor| {
        let all = sensor.totals();
        all.offered[KIND] == all.seen[KIND] + all.lost[KIND] + all.quieted[KIND]
    };
    while !is_whole(&sensor) {
        assert!(Instant::now() < end, "{:?}", sensor.totals());
        sensor.poll(Duration::from_millis(50), &mut Vec::new()).expect("polls");
    }
}

#[test]
fn a_connect_is_told_again_once_the_interest_is_set_or_its_result_is_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("[::1]:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let refused = free.expect("a port");
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
    let mut round = |number: u32, is_open: bool| {
        let mark = folder.path().join(number.to_string());
        let act = || {
            assert_eq!(TcpStream::connect(address).is_ok(), is_open);
            let error = TcpStream::connect(refused).expect_err("nobody listens");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        };
        if number == 3 {
            sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
        }
        let told = connects(&mut sensor, &mark, act, |_| QuietVerdict::Always);
        told.iter().map(|socket| socket.result).collect::<Vec<_>>()
    };
    assert_eq!(round(1, true), [0, -111]);
    assert_eq!(round(2, true), [0_i64; 0]);
    assert_eq!(round(3, true), [0, -111]);
    drop(listener);
    // Whom a failed connect of an IPv6 socket was for is not certain, so it is told each time.
    assert_eq!(round(4, false), [-111]);
    assert_eq!(round(5, false), [-111]);
}

#[test]
fn a_unix_socket_is_known_by_the_path_of_the_other_end_whatever_ones_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let shown = |name: &str| at(name).display().to_string();
    let listeners = ["harmless", "docker.sock"].map(|name| UnixListener::bind(at(name)));
    let Some((mut sensor, _turn)) = start(settings()) else { return };
    sensor.set_interest(&InterestSet::everything()).expect("the kernel takes it");
    let verdict = |socket: &SocketEvent| {
        let is_meant = socket.path.to_string().ends_with("docker.sock");
        if is_meant { QuietVerdict::Told } else { QuietVerdict::Always }
    };
    let mut round = |number: u32, act: &dyn Fn()| {
        let told = connects(&mut sensor, &at(&number.to_string()), act, verdict);
        told.iter().map(|socket| socket.path.to_string()).collect::<Vec<_>>()
    };
    let all = || {
        for name in ["harmless", "docker.sock", "absent"] {
            assert_eq!(UnixStream::connect(at(name)).is_ok(), name != "absent");
        }
    };
    assert_eq!(round(1, &all), ["harmless", "docker.sock", "absent"].map(shown));
    assert_eq!(round(2, &all), [shown("docker.sock")]);
    let own = std::os::unix::net::UnixDatagram::bind(at("harmless-too")).expect("binds");
    let target = std::os::unix::net::UnixDatagram::bind(at("x.docker.sock")).expect("binds");
    let named = || own.connect(at("x.docker.sock")).expect("connects");
    assert_eq!(round(3, &named), [shown("x.docker.sock")]);
    drop((target, listeners));
}
