//! Each kind of call by its number and parameters, also those that no oracle capture holds.

use clew_event::EventType as E;
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::privilege::PrivilegeEvent;
use clew_event::socket::{SocketEvent, Transport};

use super::*;

/// The last event that a shell in `/srv` gives when it makes this call.
fn call(kind: u16, parameters: &[&[u8]]) -> Event {
    calls(&[(kind, parameters)])
}

/// The same after other calls.
fn calls(made: &[(u16, &[&[u8]])]) -> Event {
    let mut capture = [section(), executed(9)].concat();
    for (kind, parameters) in made {
        capture.extend(event(9, *kind, parameters));
    }
    let (mut events, complaints, _) = read(&capture);
    assert!(complaints.is_empty(), "{complaints:?}");
    events.pop().expect("an event")
}

const OK: &[u8] = &[0; 8];
const HERE: &[u8] = &(-100_i64).to_le_bytes();
const FLAGS: &[u8] = &[0, 2, 0, 0];
const MODE: &[u8] = &[0xed, 1, 0, 0];

#[test]
fn calls_on_files_are_told_with_absolute_paths() {
    let check = |kind, parameters: &[&[u8]], expected: (E, &str, &str, u32, u32)| {
        let event = call(kind, parameters);
        let EventKind::File(file) = &event.kind else { panic!("{event:?}") };
        let paths = (file.path.to_string(), file.other.to_string());
        let (event_type, path, other, flags, mode) = expected;
        assert_eq!(event.event_type, event_type);
        assert_eq!((paths.0.as_str(), paths.1.as_str()), (path, other), "{event_type:?}");
        assert_eq!((file.flags, file.mode), (flags, mode), "{event_type:?}");
    };
    let (a, b): (&[u8], &[u8]) = (b"a\0", b"b\0");
    check(3, &[&number(3), a, &[1, 0, 0, 0], MODE], (E::Open, "/srv/a", "", 0, 0o755));
    check(59, &[&number(3), a, MODE], (E::Creat, "/srv/a", "", 0o1101, 0o755));
    check(327, &[&number(3), HERE, a, &[3, 0, 0, 0]], (E::Openat2, "/srv/a", "", 2, 0));
    check(337, &[&number(3), HERE, &[1, 0, 0, 0], b"/x\0"], (E::OpenByHandleAt, "/x", "", 0, 0));
    check(175, &[OK, a, b], (E::Rename, "/srv/a", "/srv/b", 0, 0));
    check(177, &[OK, HERE, a, HERE, b], (E::Renameat, "/srv/a", "/srv/b", 0, 0));
    check(319, &[OK, HERE, a, HERE, b, FLAGS], (E::Renameat2, "/srv/a", "/srv/b", 512, 0));
    check(309, &[OK, a, b], (E::Link, "/srv/a", "/srv/b", 0, 0));
    check(311, &[OK, HERE, a, HERE, b, FLAGS], (E::Linkat, "/srv/a", "/srv/b", 512, 0));
    check(179, &[OK, a, b], (E::Symlink, "/srv/b", "a", 0, 0));
    check(181, &[OK, a, HERE, b], (E::Symlinkat, "/srv/b", "a", 0, 0));
    check(301, &[OK, a], (E::Unlink, "/srv/a", "", 0, 0));
    check(303, &[OK, HERE, a, FLAGS], (E::Unlinkat, "/srv/a", "", 512, 0));
    check(277, &[OK, a, MODE], (E::Mkdir, "/srv/a", "", 0, 0o755));
    check(305, &[OK, HERE, a, MODE], (E::Mkdirat, "/srv/a", "", 0, 0o755));
    check(279, &[OK, a], (E::Rmdir, "/srv/a", "", 0, 0));
    check(315, &[OK, a, MODE], (E::Chmod, "/srv/a", "", 0, 0o755));
    check(313, &[OK, HERE, a, MODE], (E::Fchmodat, "/srv/a", "", 0, 0o755));
    check(379, &[OK, a], (E::Chown, "/srv/a", "", 0, 0));
    check(381, &[OK, a], (E::Lchown, "/srv/a", "", 0, 0));
    check(385, &[OK, HERE, a, OK, OK, FLAGS], (E::Fchownat, "/srv/a", "", 512, 0));
}

#[test]
fn calls_by_descriptor_are_told_by_what_it_leads_to() {
    let open: (u16, &[&[u8]]) = (307, &[&number(3), HERE, b"d\0", &[1, 4, 0, 0]]);
    let path = |event: &Event| match &event.kind {
        EventKind::File(file) => file.path.to_string(),
        _ => panic!("{event:?}"),
    };
    let three = number(3);
    assert_eq!(path(&calls(&[open, (317, &[OK, &three, MODE])])), "/srv/d");
    assert_eq!(path(&calls(&[open, (383, &[OK, &three])])), "/srv/d");
    assert_eq!(path(&calls(&[open, (305, &[OK, &three, b"e\0", MODE])])), "/srv/d/e");
    assert_eq!(path(&calls(&[open, (97, &[OK, &three]), (301, &[OK, b"f\0"])])), "/srv/d/f");
    assert_eq!(path(&calls(&[(95, &[OK, b"/tmp\0"]), (301, &[OK, b"f\0"])])), "/tmp/f");
    let closed = (5, &[OK, &three[..]][..]);
    assert_eq!(path(&calls(&[open, closed, (317, &[OK, &three, MODE])])), "");
    let seven = number(7);
    let copied = (151, &[&seven[..], &three, &[1], OK][..]);
    assert_eq!(path(&calls(&[open, copied, closed, (317, &[OK, &seven, MODE])])), "/srv/d");
}

#[test]
fn sockets_are_told_with_both_ends() {
    let socket = |event: &Event| -> SocketEvent {
        match &event.kind {
            EventKind::Socket(socket) => socket.clone(),
            _ => panic!("{event:?}"),
        }
    };
    let five = number(5);
    let make: (u16, &[&[u8]]) = (19, &[&five, &[2, 0, 0, 0], &[2, 0, 0, 0], &[0; 4], &[0; 4]]);
    assert_eq!(socket(&calls(&[make])).endpoints.transport, Transport::Udp);
    let both = [2, 10, 0, 0, 1, 0x39, 0x30, 10, 0, 0, 2, 53, 0];
    let to = [2, 10, 0, 0, 2, 53, 0];
    let ends = |event: &Event| {
        let endpoints = socket(event).endpoints;
        let shown = |end: Option<std::net::SocketAddr>| end.map(|end| end.to_string());
        (shown(endpoints.local).unwrap_or_default(), shown(endpoints.remote).unwrap_or_default())
    };
    let (ours, theirs) = ("10.0.0.1:12345".to_owned(), "10.0.0.2:53".to_owned());
    let connect: (u16, &[&[u8]]) = (23, &[OK, &both, &five, &to]);
    assert_eq!(ends(&calls(&[make, connect])), (ours.clone(), theirs.clone()));
    for (kind, parameters) in [
        (31, &[&number(4)[..], b"data", &five, &[4, 0, 0, 0], &both][..]),
        (49, &[&number(4), b"data", &five, &[4, 0, 0, 0], &both]),
        (51, &[&number(4), &five, &[4, 0, 0, 0], b"data", &both]),
    ] {
        assert_eq!(ends(&calls(&[make, (kind, parameters)])), (ours.clone(), theirs.clone()));
    }
    for (kind, parameters) in [
        (35, &[&number(4)[..], b"data", &both, &five, &[4, 0, 0, 0]][..]),
        (53, &[&number(4), &[4, 0, 0, 0], b"data", &both, &[], &five]),
        (55, &[&number(4), &five, &[4, 0, 0, 0], b"data", &both]),
    ] {
        assert_eq!(ends(&calls(&[make, (kind, parameters)])), (theirs.clone(), ours.clone()));
    }
    let taken = call(389, &[&five, &both, &[0], &[0; 4], &[0; 4], &[0; 4]]);
    assert_eq!(ends(&taken), (theirs, ours));
    let bound = calls(&[make, (21, &[OK, &to, &five]), (25, &[OK, &five, &[9, 0, 0, 0]])]);
    assert_eq!(ends(&bound), ("10.0.0.2:53".to_owned(), String::new()));
    let unix: (u16, &[&[u8]]) = (19, &[&five, &[1, 0, 0, 0], &[1, 0, 0, 0], &[0; 4], &[0; 4]]);
    let named = calls(&[unix, (21, &[OK, b"\x01/run/x\0", &five])]);
    assert_eq!(socket(&named).path.to_string(), "/run/x");
}

#[test]
fn changes_of_privilege_are_told() {
    let check = |kind, parameters: &[&[u8]], expected: (E, u64, u32)| {
        let event = call(kind, parameters);
        let EventKind::Privilege(PrivilegeEvent { argument, uid_after, .. }) = event.kind else {
            panic!("{event:?}")
        };
        assert_eq!((event.event_type, argument, uid_after), expected);
    };
    let (seven, eight) = (7_u32.to_le_bytes(), 8_u32.to_le_bytes());
    check(199, &[OK, &seven], (E::Setuid, 7, 7));
    check(193, &[OK, &seven, &eight, &seven], (E::Setresuid, 7, 8));
    check(427, &[OK, &seven, &eight], (E::Setreuid, 7, 8));
    check(199, &[&number(-1), &seven], (E::Setuid, 7, 0));
    check(201, &[OK, &seven], (E::Setgid, 7, 0));
    check(353, &[OK, &number(1), OK, OK], (E::Capset, 1, 0));
    check(241, &[OK, &number(3), &[0x10, 0, 0, 0]], (E::Setns, 0x4000_0000, 0));
    check(285, &[OK, &[0x10, 0, 0, 0]], (E::Unshare, 0x4000_0000, 0));
}

#[test]
fn calls_on_the_kernel_are_told() {
    use KernelOperation as Op;
    let check = |kind, parameters: &[&[u8]], expected: (E, Op, u64, &str)| {
        let event = call(kind, parameters);
        let EventKind::Kernel(KernelEvent { operation, argument, path, .. }) = &event.kind else {
            panic!("{event:?}")
        };
        let (event_type, wanted, number, name) = expected;
        assert_eq!((event.event_type, *operation, *argument), (event_type, wanted, number));
        assert_eq!(path.to_string(), name);
    };
    let one: &[u8] = &[1, 0, 0, 0];
    check(169, &[OK, OK, OK, &[11, 0], &number(5)], (E::Ptrace, Op::Trace, 16, ""));
    check(257, &[OK, b"dev\0", b"/m\0", b"ext4\0", one], (E::Mount, Op::Mount, 1, "/m"));
    check(267, &[OK, b"/jail\0"], (E::Chroot, Op::PivotRoot, 0, "/jail"));
    check(387, &[OK, b"/m\0"], (E::Umount, Op::Unmount, 0, "/m"));
    check(391, &[OK, b"/m\0", one], (E::Umount2, Op::Unmount, 1, "/m"));
    check(405, &[&number(3), b"x\0", one], (E::MemfdCreate, Op::MemoryFile, 1, "x"));
    check(369, &[&number(3), &[5, 0, 0, 0]], (E::Bpf, Op::Bpf, 5, ""));
    check(411, &[OK, b"\x7fELF", OK, b"\0"], (E::InitModule, Op::LoadModule, 0, ""));
    check(413, &[OK, &number(3), b"\0", one], (E::FinitModule, Op::LoadModule, 1, ""));
    check(321, &[&number(3), one], (E::Userfaultfd, Op::UserFaults, 1, ""));
}

#[test]
fn a_thread_that_ends_leaves_its_process() {
    let exit = |tid| event(tid, 186, &[OK, OK, &[0], &[0], OK]);
    let thread = |tid: i64, flags: u32| {
        let (tid_bytes, pid) = (number(tid), number(9));
        let flags = flags.to_le_bytes();
        let mut parameters: Vec<&[u8]> = vec![&[]; 21];
        (parameters[0], parameters[3], parameters[4], parameters[5]) = (OK, &tid_bytes, &pid, OK);
        (parameters[13], parameters[14], parameters[15]) = (b"sh\0", b"cpu=/\0", &flags);
        event(tid, 223, &parameters)
    };
    let capture =
        [section(), executed(9), thread(10, 1 << 13), thread(11, 0), exit(10), exit(9)].concat();
    let (events, ..) = read(&capture);
    let told: Vec<bool> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Forked(forked) => Some(forked.is_thread),
            EventKind::Exited(exited) => Some(exited.is_thread),
            _ => None,
        })
        .collect();
    assert_eq!(told, [true; 4]);
}
