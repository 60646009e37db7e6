//! What `fd.*` says of each kind of call.

use clew_event::file::{FileEvent, FileId, FileOperation};
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::socket::{
    DescriptorEvent, DescriptorTarget, DnsEvent, Endpoints, SocketEvent, SocketOperation, Transport,
};
use clew_event::{Event, EventKind, EventType};
use expect_test::{Expect, expect};

use crate::tests::builders::{INSIDE, event, shell_in_container, table};

const FILE: [&str; 11] = [
    "fd.num",
    "fd.type",
    "fd.typechar",
    "fd.name",
    "fd.nameraw",
    "fd.directory",
    "fd.filename",
    "fd.dev",
    "fd.ino",
    "fd.l4proto",
    "fd.ip",
];
const SOCKET: [&str; 22] = [
    "fd.num",
    "fd.type",
    "fd.typechar",
    "fd.name",
    "fd.ip",
    "fd.cip",
    "fd.sip",
    "fd.lip",
    "fd.rip",
    "fd.port",
    "fd.cport",
    "fd.sport",
    "fd.lport",
    "fd.rport",
    "fd.snet",
    "fd.sip.name",
    "fd.rip.name",
    "fd.l4proto",
    "fd.sockfamily",
    "fd.is_server",
    "fd.connected",
    "fd.name_changed",
];

fn check(of: EventType, kind: EventKind, names: &[&str], expected: &Expect) {
    let mut context = shell_in_container();
    let answer = DnsEvent {
        name: "pool.example".into(),
        addresses: vec![[203, 0, 113, 9].into()],
        ..DnsEvent::default()
    };
    let asker = Some((30, INSIDE));
    context.observe(&event(asker, EventType::Dns, EventKind::Dns(Box::new(answer))));
    let event: Event = event(Some((30, INSIDE)), of, kind);
    expected.assert_eq(&table(&context.view(&event), names));
}

fn open(path: &str, given: &str, flags: u32, result: i64) -> EventKind {
    EventKind::File(FileEvent {
        path: path.into(),
        path_given: given.into(),
        flags,
        result,
        file: FileId { inode: 12, device: 34 },
        ..FileEvent::default()
    })
}

fn socket(operation: SocketOperation, result: i64, local: &str, remote: &str) -> SocketEvent {
    SocketEvent {
        operation,
        result,
        descriptor: 5,
        endpoints: Endpoints {
            family: Endpoints::INET,
            transport: Transport::Tcp,
            local: local.parse().ok(),
            remote: remote.parse().ok(),
        },
        ..SocketEvent::default()
    }
}

#[test]
fn an_opened_file_is_told_by_its_resolved_path() {
    check(
        EventType::Openat,
        open("/etc/shadow", "../etc/shadow", 0, 3),
        &FILE,
        &expect![[r#"
        fd.num = +3
        fd.type = "file"
        fd.typechar = "f"
        fd.name = "/etc/shadow"
        fd.nameraw = "../etc/shadow"
        fd.directory = "/etc"
        fd.filename = "shadow"
        fd.dev = 34
        fd.ino = 12
        fd.l4proto = "<NA>"
        fd.ip = -
    "#]],
    );
}

#[test]
fn an_opened_directory_is_its_own_directory() {
    check(
        EventType::Openat,
        open("/etc", "/etc", 0o200_000, 3),
        &FILE,
        &expect![[r#"
        fd.num = +3
        fd.type = "directory"
        fd.typechar = "d"
        fd.name = "/etc"
        fd.nameraw = "/etc"
        fd.directory = "/etc"
        fd.filename = -
        fd.dev = 34
        fd.ino = 12
        fd.l4proto = "<NA>"
        fd.ip = -
    "#]],
    );
}

#[test]
fn a_failed_open_has_a_name_and_no_descriptor() {
    check(
        EventType::Openat,
        open("/etc/shadow", "", 0, -13),
        &FILE,
        &expect![[r#"
        fd.num = -1
        fd.type = -
        fd.typechar = "f"
        fd.name = "/etc/shadow"
        fd.nameraw = "/etc/shadow"
        fd.directory = "/etc"
        fd.filename = -
        fd.dev = -
        fd.ino = -
        fd.l4proto = -
        fd.ip = -
    "#]],
    );
}

#[test]
fn a_call_on_paths_has_no_descriptor() {
    let rename = EventKind::File(FileEvent {
        operation: FileOperation::Rename,
        path: "/a".into(),
        ..FileEvent::default()
    });
    check(
        EventType::Renameat,
        rename,
        &FILE,
        &expect![[r#"
        fd.num = -
        fd.type = -
        fd.typechar = -
        fd.name = -
        fd.nameraw = -
        fd.directory = -
        fd.filename = -
        fd.dev = -
        fd.ino = -
        fd.l4proto = -
        fd.ip = -
    "#]],
    );
}

#[test]
fn who_connects_is_the_client() {
    let connect = socket(SocketOperation::Connect, -115, "10.0.0.2:40000", "203.0.113.9:443");
    check(
        EventType::Connect,
        EventKind::Socket(connect),
        &SOCKET,
        &expect![[r#"
        fd.num = +5
        fd.type = "ipv4"
        fd.typechar = "4"
        fd.name = "10.0.0.2:40000->203.0.113.9:443"
        fd.ip = [10.0.0.2, 203.0.113.9]
        fd.cip = 10.0.0.2
        fd.sip = 203.0.113.9
        fd.lip = 10.0.0.2
        fd.rip = 203.0.113.9
        fd.port = [40000, 443]
        fd.cport = 40000
        fd.sport = 443
        fd.lport = 40000
        fd.rport = 443
        fd.snet = 203.0.113.9
        fd.sip.name = "pool.example"
        fd.rip.name = "pool.example"
        fd.l4proto = "tcp"
        fd.sockfamily = "ip"
        fd.is_server = false
        fd.connected = true
        fd.name_changed = true
    "#]],
    );
}

#[test]
fn a_refused_connection_has_no_ends() {
    let connect = socket(SocketOperation::Connect, -111, "10.0.0.2:40000", "203.0.113.9:443");
    check(
        EventType::Connect,
        EventKind::Socket(connect),
        &SOCKET,
        &expect![[r#"
        fd.num = +5
        fd.type = "ipv4"
        fd.typechar = "4"
        fd.name = ""
        fd.ip = -
        fd.cip = -
        fd.sip = -
        fd.lip = -
        fd.rip = -
        fd.port = -
        fd.cport = -
        fd.sport = -
        fd.lport = -
        fd.rport = -
        fd.snet = -
        fd.sip.name = -
        fd.rip.name = -
        fd.l4proto = "tcp"
        fd.sockfamily = "ip"
        fd.is_server = false
        fd.connected = false
        fd.name_changed = false
    "#]],
    );
}

#[test]
fn who_accepts_is_the_server_and_ipv4_in_ipv6_is_ipv4() {
    let mut accept =
        socket(SocketOperation::Accept, 6, "[::ffff:10.0.0.2]:80", "[::ffff:10.0.0.9]:50000");
    accept.endpoints.family = Endpoints::INET6;
    check(
        EventType::Accept4,
        EventKind::Socket(accept),
        &SOCKET,
        &expect![[r#"
        fd.num = +5
        fd.type = "ipv4"
        fd.typechar = "4"
        fd.name = "10.0.0.9:50000->10.0.0.2:80"
        fd.ip = [10.0.0.9, 10.0.0.2]
        fd.cip = 10.0.0.9
        fd.sip = 10.0.0.2
        fd.lip = 10.0.0.2
        fd.rip = 10.0.0.9
        fd.port = [50000, 80]
        fd.cport = 50000
        fd.sport = 80
        fd.lport = 80
        fd.rport = 50000
        fd.snet = 10.0.0.2
        fd.sip.name = -
        fd.rip.name = -
        fd.l4proto = "tcp"
        fd.sockfamily = "ip"
        fd.is_server = true
        fd.connected = true
        fd.name_changed = false
    "#]],
    );
}

#[test]
fn a_listening_socket_has_one_address() {
    let mut listen = socket(SocketOperation::Listen, 0, "[::1]:8080", "");
    listen.endpoints.family = Endpoints::INET6;
    check(
        EventType::Listen,
        EventKind::Socket(listen),
        &SOCKET,
        &expect![[r#"
        fd.num = +5
        fd.type = "ipv6"
        fd.typechar = "6"
        fd.name = "::1:8080"
        fd.ip = ::1
        fd.cip = -
        fd.sip = ::1
        fd.lip = -
        fd.rip = -
        fd.port = 8080
        fd.cport = -
        fd.sport = 8080
        fd.lport = -
        fd.rport = -
        fd.snet = ::1
        fd.sip.name = -
        fd.rip.name = -
        fd.l4proto = "tcp"
        fd.sockfamily = "ip"
        fd.is_server = true
        fd.connected = false
        fd.name_changed = false
    "#]],
    );
}

#[test]
fn a_datagram_names_its_socket_without_connecting_it() {
    let send = socket(SocketOperation::Send, 9, "", "203.0.113.9:53");
    let names = ["fd.name", "fd.lport", "fd.connected", "fd.name_changed"];
    check(
        EventType::Sendto,
        EventKind::Socket(send),
        &names,
        &expect![[r#"
        fd.name = "0.0.0.0:0->203.0.113.9:53"
        fd.lport = 0
        fd.connected = false
        fd.name_changed = true
    "#]],
    );
}

#[test]
fn an_answer_is_no_new_name_but_a_question_is() {
    let from = |local: &str, remote: &str, expected: &Expect| {
        let receive = socket(SocketOperation::Receive, 9, local, remote);
        check(EventType::Recvfrom, EventKind::Socket(receive), &["fd.name_changed"], expected);
    };
    from(
        "10.0.0.5:40000",
        "203.0.113.9:53",
        &expect![[r#"
        fd.name_changed = false
    "#]],
    );
    from(
        "10.0.0.5:53",
        "203.0.113.9:40000",
        &expect![[r#"
        fd.name_changed = true
    "#]],
    );
}

#[test]
fn a_socket_that_listens_everywhere_is_one_address_for_rules() {
    let mut listen = socket(SocketOperation::Listen, 0, "[::]:8080", "");
    listen.endpoints.family = Endpoints::INET6;
    check(
        EventType::Listen,
        EventKind::Socket(listen),
        &["fd.name", "fd.ip", "fd.net", "fd.sip"],
        &expect![[r#"
        fd.name = ":::8080"
        fd.ip = 0.0.0.0
        fd.net = 0.0.0.0
        fd.sip = ::
    "#]],
    );
}

#[test]
fn a_socket_put_on_standard_input_keeps_its_ends() {
    let duplicate = |local: &str, remote: &str| {
        let endpoints = socket(SocketOperation::Connect, 0, local, remote).endpoints;
        let target = DescriptorTarget::Internet(Box::new(endpoints));
        EventKind::Descriptor(DescriptorEvent { result: 0, old: 5, target })
    };
    let names = ["fd.num", "fd.type", "fd.name", "fd.rip", "fd.is_server", "fd.connected"];
    let reverse_shell = duplicate("10.0.0.2:40000", "203.0.113.9:4444");
    check(
        EventType::Dup2,
        reverse_shell,
        &names,
        &expect![[r#"
        fd.num = +0
        fd.type = "ipv4"
        fd.name = "10.0.0.2:40000->203.0.113.9:4444"
        fd.rip = 203.0.113.9
        fd.is_server = false
        fd.connected = true
    "#]],
    );
    let bind_shell = duplicate("10.0.0.2:4444", "203.0.113.9:40000");
    check(
        EventType::Dup2,
        bind_shell,
        &names,
        &expect![[r#"
        fd.num = +0
        fd.type = "ipv4"
        fd.name = "203.0.113.9:40000->10.0.0.2:4444"
        fd.rip = 203.0.113.9
        fd.is_server = true
        fd.connected = true
    "#]],
    );
}

#[test]
fn other_descriptors_are_told_by_their_kind() {
    let names = ["fd.type", "fd.typechar", "fd.name", "fd.sockfamily"];
    let unix = |operation, path: &str, family| {
        let endpoints = Endpoints { family, ..Endpoints::default() };
        EventKind::Socket(SocketEvent {
            operation,
            endpoints,
            path: path.into(),
            ..SocketEvent::default()
        })
    };
    let docker = unix(SocketOperation::Connect, "/run/docker.sock", Endpoints::UNIX);
    check(
        EventType::Connect,
        docker,
        &names,
        &expect![[r#"
        fd.type = "unix"
        fd.typechar = "u"
        fd.name = "/run/docker.sock"
        fd.sockfamily = "unix"
    "#]],
    );
    check(
        EventType::Socket,
        unix(SocketOperation::Create, "", 17),
        &names,
        &expect![[r#"
        fd.type = "<NA>"
        fd.typechar = "o"
        fd.name = ""
        fd.sockfamily = -
    "#]],
    );
    let memory = KernelEvent {
        operation: KernelOperation::MemoryFile,
        result: 4,
        path: "x".into(),
        ..KernelEvent::default()
    };
    check(
        EventType::MemfdCreate,
        EventKind::Kernel(memory),
        &names,
        &expect![[r#"
        fd.type = "memfd"
        fd.typechar = "m"
        fd.name = "x"
        fd.sockfamily = -
    "#]],
    );
    let target = DescriptorTarget::Other("anon_inode:[eventpoll]".into());
    let poll = DescriptorEvent { result: 7, old: 4, target };
    check(
        EventType::Dup,
        EventKind::Descriptor(poll),
        &names,
        &expect![[r#"
        fd.type = "eventpoll"
        fd.typechar = "l"
        fd.name = "anon_inode:[eventpoll]"
        fd.sockfamily = -
    "#]],
    );
}
