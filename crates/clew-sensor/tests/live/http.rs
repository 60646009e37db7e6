//! Requests and responses as the sensor reads them from sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use clew_event::http::{HttpEvent, HttpFlags, HttpSource};
use clew_event::interest::{CallClasses, InterestSet, QuietVerdict};
use clew_event::kernel::LossReason;
use clew_event::socket::SocketOperation;
use clew_event::{Actor, Event, EventKind, EventType};
use clew_sensor::{Sensor, Settings};
use clew_wire::limits::{KIND_STREAM, STREAM_BYTES_MAX, STREAM_RECORDS_MAX, STREAM_RUN_BYTES_MAX};
use clew_wire::limits::{STREAM_CPU_BYTES_PER_SECOND_MAX, STREAM_WORKLOAD_BYTES_PER_SECOND_MAX};

use crate::watch::{PATIENCE, Seen, start, watch, watch_for};

/// What was told of exchanges whose path begins with that: who moved the bytes, and the exchange.
fn exchanges<'a>(events: &'a [Event], path: &str) -> Vec<(Actor, &'a HttpEvent)> {
    let of_path = |event: &'a Event| match &event.kind {
        EventKind::Http(http) if http.request.path.as_bytes().starts_with(path.as_bytes()) => {
            Some((event.actor.expect("an actor"), &**http))
        }
        _ => None,
    };
    events.iter().filter_map(of_path).collect()
}

fn requests<'a>(seen: &'a Seen, path: &str, is_inbound: bool) -> Vec<(Actor, &'a HttpEvent)> {
    let mut told = exchanges(&seen.events, path);
    told.retain(|(_, http)| http.is_inbound == is_inbound && http.response.is_none());
    told
}

fn responses<'a>(seen: &'a Seen, path: &str, is_inbound: bool) -> Vec<(Actor, &'a HttpEvent)> {
    let mut told = exchanges(&seen.events, path);
    told.retain(|(_, http)| http.is_inbound == is_inbound && http.response.is_some());
    told
}

fn status(http: &HttpEvent) -> u16 {
    http.response.as_ref().expect("a response").status
}

/// Id of the thread that asks.
fn thread_id() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").expect("a link");
    let name = link.file_name().and_then(|name| name.to_str()).expect("a number");
    name.parse().expect("a number")
}

/// Reads up to the empty line behind the fields.
fn read_head(stream: &mut impl Read) -> Vec<u8> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("reads");
        head.extend(byte);
    }
    head
}

fn receive(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let size = stream.read(&mut bytes).expect("reads");
    bytes.truncate(size);
    bytes
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Both ends of a connection over loopback: client, server.
fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("connects");
    client.set_nodelay(true).expect("takes it");
    (client, listener.accept().expect("accepts").0)
}

#[test]
fn requests_are_told_of_the_threads_that_move_them() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let mut server_tid = 0;
    let Some(seen) = watch(|_| {
        let (mut client, mut server) = connection(&listener);
        let serving = std::thread::spawn(move || {
            for _ in 0..3 {
                // What is only looked at has not been read.
                server.peek(&mut [0; 16]).expect("looks");
                receive(&mut server);
                server.write_all(ANSWER).expect("answers");
            }
            thread_id()
        });
        for number in 0..3 {
            let asked = format!("GET /thread/{number}?a=b HTTP/1.1\r\nHost: clew.test\r\n\r\n");
            client.write_all(asked.as_bytes()).expect("asks");
            assert_eq!(receive(&mut client), ANSWER);
        }
        server_tid = serving.join().expect("ends");
    }) else {
        return;
    };
    let asked = requests(&seen, "/thread/", true);
    let paths: Vec<_> = asked.iter().map(|(_, http)| http.request.path.to_string()).collect();
    assert_eq!(paths, ["/thread/0", "/thread/1", "/thread/2"]);
    for (actor, http) in &asked {
        assert_eq!((actor.process, actor.tid), (seen.own_key(), server_tid));
        assert_eq!(http.seen_by, HttpSource::Socket);
        assert_eq!(http.request.query, "a=b".into());
        assert_eq!(http.endpoints.local, Some(address));
    }
    let answered = responses(&seen, "/thread/", true);
    assert!(answered.iter().all(|(_, http)| status(http) == 200) && answered.len() == 3);
    let outbound = requests(&seen, "/thread/", false);
    assert_eq!(outbound.len(), 3);
    for (actor, http) in &outbound {
        assert_eq!(actor.tid, thread_id());
        assert_eq!(http.endpoints.remote, Some(address));
    }
    assert_eq!(responses(&seen, "/thread/", false).len(), 3);
}

#[test]
fn a_request_that_comes_byte_by_byte_is_whole() {
    let listener = TcpListener::bind("[::1]:0").expect("binds");
    let Some(seen) = watch(|_| {
        let (mut client, mut server) = connection(&listener);
        for byte in b"\r\nDELETE /split HTTP/1.1\r\nHost: clew.test\r\n\r\n" {
            client.write_all(&[*byte]).expect("asks");
            server.read_exact(&mut [0]).expect("reads");
        }
        for byte in ANSWER {
            server.write_all(&[*byte]).expect("answers");
            client.read_exact(&mut [0]).expect("reads");
        }
    }) else {
        return;
    };
    for is_inbound in [true, false] {
        let told = requests(&seen, "/split", is_inbound);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].1.request.method, "DELETE".into());
        assert_eq!(responses(&seen, "/split", is_inbound).len(), 1);
    }
}

#[test]
fn of_a_long_body_the_beginning_and_the_length_are_told() {
    const BODY_BYTES: usize = 1 << 20;
    const { assert!(STREAM_RUN_BYTES_MAX <= STREAM_BYTES_MAX * STREAM_RECORDS_MAX) };
    const { assert!((STREAM_RUN_BYTES_MAX as usize) < BODY_BYTES) };
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let Some(seen) = watch(|_| {
        let (mut client, mut server) = connection(&listener);
        let serving = std::thread::spawn(move || {
            for _ in 0..2 {
                read_head(&mut server);
                server.read_exact(&mut vec![0; BODY_BYTES]).expect("reads");
                server.write_all(ANSWER).expect("answers");
            }
        });
        for number in 0..2 {
            let head = format!(
                "POST /long/{number} HTTP/1.1\r\nHost: clew.test\r\nContent-Type: text/plain\r\n\
                 Content-Length: {BODY_BYTES}\r\n\r\n"
            );
            client.write_all(head.as_bytes()).expect("asks");
            client.write_all(&vec![b'x'; BODY_BYTES]).expect("asks");
            assert_eq!(receive(&mut client), ANSWER);
        }
        serving.join().expect("ends");
    }) else {
        return;
    };
    for is_inbound in [true, false] {
        let answered = responses(&seen, "/long/", is_inbound);
        assert_eq!(answered.len(), 2, "{answered:?}");
        for (_, http) in answered {
            assert_eq!(http.request.body_bytes, BODY_BYTES as u64);
            assert!(http.request.flags.has(HttpFlags::BODY_CUT));
            assert!(http.request.body.as_bytes().starts_with(b"xxxx"));
            assert_eq!(status(http), 200);
        }
    }
}

#[test]
fn what_sendfile_moves_is_told_by_its_length() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let file = std::fs::File::open("/etc/passwd").expect("opens");
    let size = usize::try_from(file.metadata().expect("is there").len()).expect("small");
    let Some(seen) = watch(|_| {
        let (mut client, mut server) = connection(&listener);
        for number in 0..2 {
            let asked = format!("GET /file/{number} HTTP/1.1\r\nHost: clew.test\r\n\r\n");
            client.write_all(asked.as_bytes()).expect("asks");
            receive(&mut server);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
            server.write_all(head.as_bytes()).expect("answers");
            let sent = rustix::fs::sendfile(&server, &file, Some(&mut 0), size);
            assert_eq!(sent.expect("sends"), size);
            client.read_exact(&mut vec![0; head.len() + size]).expect("reads");
        }
    }) else {
        return;
    };
    let answered = responses(&seen, "/file/", true);
    assert_eq!(answered.len(), 2, "{answered:?}");
    for (_, http) in answered {
        let response = http.response.as_ref().expect("a response");
        assert_eq!((response.status, response.body_bytes), (200, size as u64));
        assert!(response.body.is_empty());
    }
    assert_eq!(responses(&seen, "/file/", false).len(), 2);
}

#[test]
fn a_message_in_pieces_is_put_together() {
    use std::io::{IoSlice, IoSliceMut};
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let Some(seen) = watch(|_| {
        let (mut client, mut server) = connection(&listener);
        let parts: [&[u8]; 4] = [b"GET /pie", b"ces HTTP", b"", b"/1.1\r\nHost: clew.test\r\n\r\n"];
        let asked = client.write_vectored(&parts.map(IoSlice::new)).expect("asks");
        let (mut first, mut second) = ([0; 3], [0; 100]);
        let mut parts = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(server.read_vectored(&mut parts).expect("reads"), asked);
        server.write_all(ANSWER).expect("answers");
        receive(&mut client);
    }) else {
        return;
    };
    assert_eq!(responses(&seen, "/pieces", true).len(), 1);
    assert_eq!(responses(&seen, "/pieces", false).len(), 1);
}

#[test]
fn a_head_and_a_content_given_at_once_are_whole_whatever_their_sizes() {
    use std::io::IoSlice;
    const HEAD_BYTES: [usize; 6] = [99, 256, 257, 512, 513, 1400];
    const CONTENT_BYTES: [usize; 10] = [0, 1, 255, 256, 257, 512, 513, 1536, 1537, 5000];
    let sizes: Vec<(usize, usize)> = HEAD_BYTES
        .iter()
        .flat_map(|head| CONTENT_BYTES.iter().map(|content| (*head, *content)))
        .collect();
    let content = |size: usize| -> Vec<u8> { (b'a'..=b'z').cycle().take(size).collect() };
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let Some(seen) = watch(|_| {
        let (mut client, mut server) = connection(&listener);
        for (number, &(head_bytes, content_bytes)) in sizes.iter().enumerate() {
            write!(client, "GET /pair/{number} HTTP/1.1\r\nHost: clew.test\r\n\r\n").expect("asks");
            read_head(&mut server);
            let begin = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX: ", content_bytes + 5);
            let filled = "x".repeat(head_bytes - begin.len() - 4);
            let head = format!("{begin}{filled}\r\n\r\n");
            let content = content(content_bytes);
            let parts = [head.as_bytes(), &content, b"12345"].map(IoSlice::new);
            let size = server.write_vectored(&parts).expect("answers");
            assert_eq!(size, head_bytes + content_bytes + 5);
            client.read_exact(&mut vec![0; size]).expect("reads");
        }
    }) else {
        return;
    };
    for is_inbound in [true, false] {
        let answered = responses(&seen, "/pair/", is_inbound);
        assert_eq!(answered.len(), sizes.len());
        for ((_, http), &(head, bytes)) in answered.into_iter().zip(&sizes) {
            let response = http.response.as_ref().expect("a response");
            let whole = [&content(bytes)[..], b"12345"].concat();
            assert_eq!(response.body.as_bytes(), whole, "{head} and {bytes} bytes");
        }
    }
}

#[test]
fn unix_sockets_are_read_and_an_answer_without_a_length_ends_with_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let Some(seen) = watch(|_| {
        let asked = b"GET /end HTTP/1.0\r\n\r\n";
        let (mut client, mut server) = UnixStream::pair().expect("a pair");
        client.write_all(asked).expect("asks");
        receive(&mut server);
        server.write_all(b"HTTP/1.0 201 Made\r\n\r\nunix").expect("answers");
        drop(server);
        client.read_to_end(&mut Vec::new()).expect("reads");
        let (mut client, mut server) = connection(&listener);
        client.write_all(asked).expect("asks");
        receive(&mut server);
        server.write_all(b"HTTP/1.0 202 Taken\r\n\r\ntcp").expect("answers");
        server.shutdown(Shutdown::Both).expect("ends");
        client.read_to_end(&mut Vec::new()).expect("reads");
        drop((client, server));
    }) else {
        return;
    };
    let told = responses(&seen, "/end", false);
    let statuses: Vec<_> = told.iter().map(|(_, http)| status(http)).collect();
    assert_eq!(statuses, [201, 202], "{told:?}");
    let bodies = told.iter().map(|(_, http)| http.response.as_ref().expect("there").body.clone());
    assert!(bodies.eq(["unix".into(), "tcp".into()]), "{told:?}");
    assert_eq!(told[0].1.endpoints.family, 1);
}

/// A sensor that tells of this process, past its first events.
fn begun() -> Option<(Sensor, std::sync::MutexGuard<'static, ()>)> {
    let settings =
        Settings { is_self_reported: true, is_runtime_watched: false, ..Settings::default() };
    let (mut sensor, turn) = start(settings)?;
    sensor.poll(Duration::ZERO, &mut Vec::new()).expect("polls");
    Some((sensor, turn))
}

#[test]
fn a_socket_that_speaks_something_else_is_looked_at_once() {
    let Some((mut sensor, _turn)) = begun() else { return };
    let end = Instant::now() + PATIENCE;
    let (mut one, mut other) = UnixStream::pair().expect("a pair");
    // At first it may have been joined in the middle of a message.
    loop {
        assert!(Instant::now() < end, "it was looked at for {PATIENCE:?}");
        let before = sensor.judged_sockets();
        for _ in 0..100 {
            one.write_all(b"\x01 of a protocol of its own").expect("sends");
            receive(&mut other);
        }
        if sensor.judged_sockets() - before < 100 {
            break;
        }
        sensor.poll(Duration::ZERO, &mut Vec::new()).expect("polls");
    }
    let kind = usize::from(KIND_STREAM);
    assert_eq!(sensor.totals().seen[kind], sensor.totals().offered[kind]);
}

#[test]
fn nothing_is_read_where_nobody_wants_it_and_both_where_both_are_wanted() {
    let mut wanted = InterestSet::default();
    wanted.add(EventType::Mkdir, CallClasses::ALL);
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let act = || {
        let (mut client, mut server) = connection(&listener);
        client.write_all(b"GET /unwanted HTTP/1.1\r\nHost: clew.test\r\n\r\n").expect("asks");
        receive(&mut server);
    };
    let Some(seen) = watch_for(&wanted, |_| act()) else { return };
    assert_eq!(exchanges(&seen.events, "/unwanted").len(), 0);
    let Some(seen) = watch_for(&InterestSet::everything(), |_| act()) else { return };
    assert_eq!(requests(&seen, "/unwanted", true).len(), 1);
    // `TcpStream` sends and receives by these calls, which have handlers of their own.
    let operations = seen.own().filter_map(|event| match &event.kind {
        EventKind::Socket(socket) => Some(socket.operation),
        _ => None,
    });
    let operations: Vec<_> = operations.collect();
    assert!(operations.contains(&SocketOperation::Send), "{operations:?}");
    assert!(operations.contains(&SocketOperation::Receive), "{operations:?}");
}

/// Opens a file until the kernel keeps it back, or until it is told, as `is_told` says.
fn open_until(sensor: &mut Sensor, path: &str, is_told: bool) {
    let end = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < end, "{path} told: {} in {PATIENCE:?}", !is_told);
        let quieted = sensor.totals().quieted;
        drop(std::fs::File::open(path).expect("opens"));
        let mark = tempfile::tempdir().expect("a mark");
        let was_told = loop {
            assert!(Instant::now() < end, "the mark was not seen in {PATIENCE:?}");
            let named = |event: &Event, name: &str| {
                matches!(&event.kind, EventKind::File(file)
                    if file.path_given.as_bytes() == name.as_bytes())
            };
            sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
            for event in &events {
                if named(event, path) {
                    sensor.quiet(event, || QuietVerdict::Always);
                }
            }
            if events.iter().any(|event| named(event, mark.path().to_str().expect("text"))) {
                break events.iter().any(|event| named(event, path));
            }
        };
        events.clear();
        if was_told == is_told && (is_told || sensor.totals().quieted != quieted) {
            return;
        }
    }
}

#[test]
fn what_may_be_the_effect_of_a_request_is_not_kept_back() {
    let Some((mut sensor, _turn)) = begun() else { return };
    sensor.set_interest(&InterestSet::everything()).expect("takes it");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("text");
    open_until(&mut sensor, path, false);
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let (mut client, mut server) = connection(&listener);
    client.write_all(b"GET /effect HTTP/1.1\r\nHost: clew.test\r\n\r\n").expect("asks");
    receive(&mut server);
    for _ in 0..3 {
        open_until(&mut sensor, path, true);
    }
    let (mut child, mut events) = (None, Vec::new());
    let end = Instant::now() + PATIENCE;
    let cat = std::process::Command::new("/bin/cat").arg(path).spawn().and_then(|mut cat| {
        child = Some(cat.id());
        cat.wait()
    });
    assert!(cat.expect("runs").success());
    while !events.iter().any(|event: &Event| {
        event.actor.map(|actor| actor.process.pid) == child
            && matches!(&event.kind, EventKind::File(file) if file.path == path.into())
    }) {
        assert!(Instant::now() < end, "the child's open was not told in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
    }
    server.write_all(ANSWER).expect("answers");
    receive(&mut client);
    open_until(&mut sensor, path, false);
}

#[test]
fn a_flood_of_bytes_is_bounded_and_counted_and_pushes_nothing_else_out() {
    const { assert!(STREAM_WORKLOAD_BYTES_PER_SECOND_MAX < STREAM_CPU_BYTES_PER_SECOND_MAX) };
    let Some((mut sensor, _turn)) = begun() else { return };
    let end = Instant::now() + PATIENCE;
    let kind = usize::from(KIND_STREAM);
    let (mut one, mut other) = UnixStream::pair().expect("a pair");
    let body = vec![b'x'; 60_000];
    let head = format!("POST /flood HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let message = [head.as_bytes(), &body].concat();
    let mut events = Vec::new();
    while sensor.totals().lost[kind] == 0 {
        assert!(Instant::now() < end, "nothing was refused in {PATIENCE:?}");
        for _ in 0..500 {
            one.write_all(&message).expect("asks");
            other.read_exact(&mut vec![0; message.len()]).expect("reads");
            other.write_all(ANSWER).expect("answers");
            one.read_exact(&mut [0; ANSWER.len()]).expect("reads");
        }
    }
    let made = std::process::Command::new("/bin/true").arg("clew-stream-flood").status();
    assert!(made.expect("runs").success());
    let (mut told, mut has_exec) = (0, false);
    loop {
        assert!(Instant::now() < end, "the losses were not told in {PATIENCE:?}");
        sensor.poll(Duration::from_millis(50), &mut events).expect("polls");
        for event in events.drain(..) {
            match event.kind {
                EventKind::Lost(lost) if lost.record == "stream".into() => {
                    assert_eq!(lost.reason, LossReason::RateBound);
                    told += lost.count;
                }
                EventKind::Executed(executed) => {
                    has_exec |= executed.argv.as_bytes().ends_with(b"clew-stream-flood\0");
                }
                _ => {}
            }
        }
        let totals = sensor.totals();
        let [offered, seen, lost] = [totals.offered[kind], totals.seen[kind], totals.lost[kind]];
        if has_exec && told == lost && offered == seen + lost {
            return;
        }
    }
}
