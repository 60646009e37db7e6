//! What the kernel will know an open or a connect by.
//!
//! Equal keys are equal answers to all that a verdict may ask: `bpf/lib/quiet.h` and
//! `bpf/lib/quiet_connect.h` put the same bytes together from the kernel's own structures. Where
//! one cannot be sure of that, there is no key, and such calls go on to be told.

use std::net::{IpAddr, SocketAddr};

use clew_decode::kernel::{components, syscall};
use clew_event::file::{FileEvent, FileOperation};
use clew_event::socket::{Endpoints, SocketEvent, SocketOperation};
use clew_event::{Event, EventKind, EventType, Text};
use clew_wire::record::{QuietConnectKey, QuietKey};

use super::Quieted;

/// Bytes of a key.
pub(super) type Key = [u8; size_of::<QuietKey>()];

const _: () = assert!(size_of::<QuietConnectKey>() == size_of::<Key>(), "both lie in one table");

/// Flags of an open that a verdict may depend on: the access mode and `O_DIRECTORY`.
const FLAGS: u32 = 0o200_003;

/// Bytes of the longest path that a key holds.
const PATH_BYTES: usize = size_of_val(&QuietKey { syscall: 0, flags: 0, path: [0; 15] }.path);

/// `-EINPROGRESS`: a connect that goes on, whose peer is as known as if it had succeeded.
const IN_PROGRESS: i32 = -115;

/// Bytes of `sun_path`.
const UNIX_PATH_BYTES: usize = 108;

/// The key of calls like this one; `None` where the kernel has none.
pub(super) fn of(event: &Event) -> Option<Key> {
    let of_type = |call: &&(u32, _)| call.1 == event.event_type;
    let (number, _) = syscall::REPORTED.iter().find(of_type)?;
    match &event.kind {
        EventKind::File(file) if file.operation == FileOperation::Open => of_open(*number, file),
        EventKind::Socket(socket) if socket.operation == SocketOperation::Connect => {
            of_connect(*number, socket)
        }
        _ => None,
    }
}

fn of_open(number: u32, file: &FileEvent) -> Option<Key> {
    let path = components(&file.path).filter(|path| 0 <= file.result && !path.is_empty())?;
    let mut key = QuietKey { syscall: number, flags: file.flags & FLAGS, path: [0; 15] };
    put_words(&mut key.path, &path)?;
    clew_wire::as_bytes(&key).try_into().ok()
}

fn of_connect(number: u32, socket: &SocketEvent) -> Option<Key> {
    let family = socket.endpoints.family;
    let mut key = QuietConnectKey {
        syscall: number,
        result: socket.result.try_into().ok()?,
        family,
        protocol: socket.protocol,
        socket_type: socket.socket_type,
        port: 0,
        peer: [0; 14],
    };
    match family {
        Endpoints::UNIX => {
            let path = socket.path.as_bytes();
            let is_kept = path.first().is_some_and(|first| *first != 0);
            put_words(&mut key.peer, path.get(..UNIX_PATH_BYTES.min(path.len()))?)?;
            (is_kept && path.len() <= UNIX_PATH_BYTES).then_some(())?;
        }
        Endpoints::INET | Endpoints::INET6 if matches!(key.result, 0 | IN_PROGRESS) => {
            let peer = socket.endpoints.remote.filter(|peer| peer.port() != 0)?;
            key.port = peer.port();
            match (family, peer.ip()) {
                (Endpoints::INET, IpAddr::V4(ip)) => put_words(&mut key.peer, &ip.octets())?,
                (Endpoints::INET6, IpAddr::V6(ip)) => put_words(&mut key.peer, &ip.octets())?,
                _ => return None,
            }
        }
        Endpoints::INET => {}
        _ => return None,
    }
    clew_wire::as_bytes(&key).try_into().ok()
}

/// Puts bytes at the start of words; `None` where they do not fit.
fn put_words(words: &mut [u64], bytes: &[u8]) -> Option<()> {
    let mut words = words.iter_mut();
    for part in bytes.chunks(size_of::<u64>()) {
        let mut word = [0; size_of::<u64>()];
        word.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        *words.next()? = u64::from_ne_bytes(word);
    }
    Some(())
}

/// What a key stands for.
pub(super) fn told(key: &Key, count: u32) -> Option<Quieted> {
    let QuietKey { syscall, flags, .. } = clew_wire::read(key)?;
    let (_, event_type) = syscall::REPORTED.iter().find(|(number, _)| *number == syscall)?;
    let event_type = *event_type;
    if event_type == EventType::Connect {
        let connect: QuietConnectKey = clew_wire::read(key)?;
        let (result, path) = (connect.result, peer(&connect));
        return Some(Quieted { event_type, flags: 0, result, path, count });
    }
    let (_, room) = key.split_at(size_of::<QuietKey>() - PATH_BYTES);
    let mut path = Vec::new();
    for name in before_nul(room).rsplit(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    Some(Quieted { event_type, flags, result: 0, path: path.into(), count })
}

fn peer(connect: &QuietConnectKey) -> Text {
    let [first, second, ..] = connect.peer;
    let bytes = [first.to_ne_bytes(), second.to_ne_bytes()].concat();
    let address = match (connect.family, bytes.first_chunk::<4>(), bytes.first_chunk::<16>()) {
        (Endpoints::UNIX, ..) => {
            let path: Vec<u8> = connect.peer.iter().flat_map(|word| word.to_ne_bytes()).collect();
            return before_nul(&path).into();
        }
        (Endpoints::INET, Some(ip), _) => IpAddr::from(*ip),
        (Endpoints::INET6, _, Some(ip)) => IpAddr::from(*ip),
        _ => return Text::default(),
    };
    if connect.port == 0 {
        return Text::default();
    }
    SocketAddr::new(address, connect.port).to_string().into()
}

fn before_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clew_event::{EventId, TimestampNs};

    use super::*;

    fn call(event_type: EventType, kind: EventKind) -> Event {
        Event {
            id: EventId(1),
            time: TimestampNs::default(),
            arrived: TimestampNs::default(),
            event_type,
            actor: None,
            kind,
        }
    }

    fn open(event_type: EventType, flags: u32, path: &str) -> Event {
        let operation = FileOperation::Open;
        let file = FileEvent { operation, flags, path: path.into(), ..FileEvent::default() };
        call(event_type, EventKind::File(file))
    }

    fn connect(result: i64, remote: Option<&str>, family: u16, path: &str) -> Event {
        let endpoints = Endpoints {
            family,
            remote: remote.map(|remote| remote.parse().expect("an address")),
            local: Some(([10, 0, 0, 1], 40_000).into()),
            ..Endpoints::default()
        };
        let socket = SocketEvent {
            operation: SocketOperation::Connect,
            result,
            endpoints,
            path: path.into(),
            socket_type: 1,
            protocol: 6,
            ..SocketEvent::default()
        };
        call(EventType::Connect, EventKind::Socket(socket))
    }

    #[test]
    fn a_key_holds_the_call_the_flags_and_the_whole_path() {
        let bytes = of(&open(EventType::Openat, 0o2_200_101, "/etc/shadow")).expect("a key");
        let key: QuietKey = clew_wire::read(&bytes).expect("as long");
        assert_eq!((key.syscall, key.flags), (257, 0o200_001));
        let path = clew_wire::as_bytes(&key).split_at(8).1;
        assert!(path.starts_with(b"shadow/etc/\0") && path.len() == PATH_BYTES);
        let told = told(&bytes, 3).expect("its own call");
        assert_eq!((told.event_type, told.flags), (EventType::Openat, 0o200_001));
        assert_eq!((told.path.to_string().as_str(), told.count), ("/etc/shadow", 3));
    }

    #[test]
    fn a_path_that_is_too_long_or_not_whole_has_no_key() {
        let longest = format!("/{}", "x".repeat(PATH_BYTES - 1));
        assert!(of(&open(EventType::Open, 0, &longest)).is_some());
        for path in [&format!("{longest}x"), "/", "", "relative", ".../b"] {
            assert_eq!(of(&open(EventType::Open, 0, path)), None, "{path}");
        }
        let mut failed = open(EventType::Open, 0, "/etc/shadow");
        if let EventKind::File(file) = &mut failed.kind {
            file.result = -2;
        }
        assert_eq!(of(&failed), None);
    }

    #[test]
    fn a_connect_is_known_by_its_result_its_socket_and_the_other_end() {
        let check = |event: &Event, result, expected: &str| {
            let told = told(&of(event).expect("a key"), 2).expect("its own call");
            assert_eq!((told.event_type, told.flags), (EventType::Connect, 0));
            assert_eq!((told.result, told.path.to_string().as_str()), (result, expected));
        };
        check(&connect(0, Some("127.0.0.1:80"), 2, ""), 0, "127.0.0.1:80");
        check(&connect(-115, Some("[2001:db8::7]:443"), 10, ""), -115, "[2001:db8::7]:443");
        check(&connect(-2, None, 1, "/run/nscd/socket"), -2, "/run/nscd/socket");
        // The socket may have lost the address already.
        check(&connect(-111, Some("127.0.0.1:80"), 2, ""), -111, "");
        let longest = "x".repeat(UNIX_PATH_BYTES);
        check(&connect(0, None, 1, &longest), 0, &longest);
    }

    #[test]
    fn a_peer_that_is_not_certain_has_no_key() {
        let longest = "x".repeat(UNIX_PATH_BYTES + 1);
        for event in [
            connect(0, None, 2, ""),
            connect(0, Some("127.0.0.1:0"), 2, ""),
            connect(0, Some("127.0.0.1:80"), 10, ""),
            connect(-111, Some("[::1]:80"), 10, ""),
            connect(0, None, 1, ""),
            connect(0, None, 1, "\0abstract"),
            connect(0, None, 1, &longest),
            connect(0, None, 16, ""),
        ] {
            assert_eq!(of(&event), None, "{event:?}");
        }
    }
}
