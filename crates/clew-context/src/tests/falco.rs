//! What is shown of system calls where Falco is followed.

use clew_event::container::{AccountEvent, ContainerEvent};
use clew_event::process::{Credentials, ExecFailed, Executed};
use clew_event::socket::{Endpoints, SocketEvent, SocketOperation};
use clew_event::{BootId, Event, EventId, EventKind, EventType, Semantics};

use crate::Context;
use crate::tests::builders::{
    INSIDE, container, container_cgroup, container_id, event, exec, node, observed, program,
    shell_in_container, shown, told,
};

/// What `name` shows of an event where Clew and where Falco is followed.
fn both(context: &mut Context, event: &Event, name: &str) -> [String; 2] {
    [Semantics::Clew, Semantics::Falco].map(|semantics| {
        context.set_semantics(semantics);
        shown(&context.view(event), name)
    })
}

fn socket(operation: SocketOperation, local: &str, remote: &str) -> Event {
    let endpoints = Endpoints {
        family: Endpoints::INET,
        local: local.parse().ok(),
        remote: remote.parse().ok(),
        ..Endpoints::default()
    };
    let socket = SocketEvent { operation, endpoints, ..SocketEvent::default() };
    let of = match operation {
        SocketOperation::Accept => EventType::Accept,
        SocketOperation::Send => EventType::Sendto,
        _ => EventType::Connect,
    };
    event(Some((30, INSIDE)), of, EventKind::Socket(socket))
}

#[test]
fn within_a_machine_the_clients_end_is_the_local_one() {
    let own = ContainerEvent { addresses: vec![[172, 17, 0, 2].into()], ..container("web") };
    let mut context = observed(&[node(), container_cgroup(), told(own)]);
    let mut check = |operation, ends: [&str; 2], [clew, falco]: [[&str; 2]; 2]| {
        let event = socket(operation, ends[0], ends[1]);
        let ports = ["fd.lport", "fd.rport"].map(|name| both(&mut context, &event, name));
        assert_eq!([&ports[0][0], &ports[1][0]], clew, "{ends:?}");
        assert_eq!([&ports[0][1], &ports[1][1]], falco, "{ends:?} in Falco");
    };
    use SocketOperation as Op;
    let (web, other) = ("172.17.0.2:80", "203.0.113.9:5000");
    check(Op::Accept, [web, "172.17.0.2:5000"], [["80", "5000"], ["5000", "80"]]);
    check(Op::Accept, ["127.0.0.1:80", "127.0.0.1:5000"], [["80", "5000"], ["5000", "80"]]);
    check(Op::Accept, [web, other], [["80", "5000"], ["80", "5000"]]);
    check(Op::Connect, ["172.17.0.2:5000", web], [["5000", "80"], ["5000", "80"]]);
}

#[test]
fn a_socket_that_was_just_used_counts_as_connected() {
    let mut context = observed(&[node()]);
    let mut check = |operation, expected: [&str; 2]| {
        let event = socket(operation, "10.0.0.1:50000", "10.0.0.2:53");
        assert_eq!(both(&mut context, &event, "fd.connected"), expected);
    };
    check(SocketOperation::Send, ["false", "true"]);
    check(SocketOperation::Connect, ["true", "true"]);
}

#[test]
fn a_replay_forgets_the_users_of_containers_and_a_live_one_does_not() {
    let credentials = Credentials { uid: 33, ..Credentials::default() };
    let run = exec((30, INSIDE), Executed { credentials, ..program("id", "id") });
    let check = |id, expected: &str| {
        let mut context = Context::default();
        context.set_semantics(Semantics::Falco);
        let account = AccountEvent {
            container: Some(container_id()),
            is_group: false,
            id: 33,
            name: "www-data".into(),
        };
        let mut account = event(None, EventType::Other, EventKind::Account(account));
        account.id = id;
        for event in [&node(), &container_cgroup(), &account, &run] {
            context.observe(event);
        }
        assert_eq!(shown(&context.view(&run), "user.name"), expected);
    };
    check(EventId::from_capture(BootId(1), 3, 0), "\"<NA>\"");
    check(EventId::from_kernel(BootId(1), 0, 3), "\"www-data\"");
}

#[test]
fn an_exec_that_failed_is_seen_with_what_was_asked_for_and_who_asked() {
    let failed = ExecFailed {
        result: -2,
        filename: "/usr/bin/x".into(),
        argv: (&b"x\0-a\0b\0"[..]).into(),
        ..ExecFailed::default()
    };
    let kind = EventKind::ExecFailed(Box::new(failed));
    let event = event(Some((30, INSIDE)), EventType::Execve, kind);
    let context = shell_in_container();
    let view = context.view(&event);
    let check = |name: &str, expected: &str| assert_eq!(shown(&view, name), expected, "{name}");
    check("proc.name", "\"sh\"");
    check("evt.res", "\"ENOENT\"");
    check("evt.failed", "true");
    check("evt.arg.filename", "\"/usr/bin/x\"");
    check("evt.arg.exe", "\"x\"");
    check("evt.arg.args", "\"-a b\"");
    check("evt.arg.cwd", "\"/srv/\"");
    check("evt.arg.comm", "\"sh\"");
}
