//! Every system call that Falco's rules or their state read is made, and told with the right facts.

use std::process::{Command, Stdio};

use clew_event::interest::InterestSet;
use clew_event::{Event, EventKind, EventType};

use crate::watch::{Seen, watch_for};

/// The calls of `calls.pl` in words. `D` is its folder, `127.0.0.1:N` an address of it.
const CALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/calls.pl");

/// The calls that conditions of Falco's stable, incubating and sandbox rules name.
const OF_RULES: [&str; 41] = [
    "accept",
    "accept4",
    "bpf",
    "chmod",
    "connect",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "execve",
    "execveat",
    "fchmod",
    "fchmodat",
    "finit_module",
    "init_module",
    "link",
    "linkat",
    "listen",
    "mkdir",
    "mkdirat",
    "open",
    "openat",
    "openat2",
    "ptrace",
    "recvfrom",
    "recvmsg",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendmsg",
    "sendto",
    "setns",
    "setuid",
    "socket",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "unshare",
    "userfaultfd",
];

/// A call and what has to be told of it.
const TOLD: &[(&str, &str)] = &[
    ("openat", "Open done D/file given D/file mode 644 at Some(-100)"),
    ("open", "Open done D/file given D/file mode 0 at None"),
    ("openat2", "Open done D/file given D/file mode 0 at Some(-100)"),
    ("creat", "Open done D/made given D/made mode 600 at None"),
    ("open_by_handle_at", "Open -"),
    ("mkdir", "MakeDirectory done D/one given D/one mode 700 at None"),
    ("mkdirat", "MakeDirectory done D/two given two mode 711 at Some(F)"),
    ("rmdir", "RemoveDirectory done D/one"),
    ("unlinkat", "RemoveDirectory done D/two given two mode 0 at Some(F)"),
    ("link", "Link done D/made given D/made mode 0 at None other D/hard "),
    ("linkat", "Link done D/made given made mode 0 at Some(F) other D/hard2 at Some(-100)"),
    ("symlink", "Symlink done D/soft given D/soft mode 0 at None other to "),
    ("symlinkat", "Symlink done D/soft2 given soft2 mode 0 at Some(F) other to2 "),
    ("rename", "Rename done D/hard given D/hard mode 0 at None other D/hard3 "),
    ("renameat", "Rename done D/hard2 given hard2 mode 0 at Some(F) other hard4 at Some(F)"),
    ("renameat2", "Rename done D/hard3 given D/hard3 mode 0 at Some(-100) other hard5 at Some(F)"),
    ("unlink", "Unlink done D/hard4"),
    ("unlinkat", "Unlink done D/hard5 given hard5 mode 0 at Some(F)"),
    ("chmod", "ChangeMode done D/made given D/made mode 4711 at None"),
    ("fchmod", "ChangeMode done D/file given  mode 640 at Some("),
    ("fchmodat", "ChangeMode done D/made given made mode 600 at Some(F)"),
    ("chown", "ChangeOwner done D/made given D/made mode 0 at None other  at None to 33:34"),
    ("fchown", "ChangeOwner done D/file given  mode 0 at Some("),
    ("fchown", " to 35:4294967295"),
    ("lchown", "ChangeOwner done D/soft given D/soft mode 0 at None other  at None to 36:37"),
    ("fchownat", "ChangeOwner done D/made given made mode 0 at Some(F) other  at None to 38:39"),
    ("truncate", "Truncate done D/made"),
    ("ftruncate", "Truncate done D/file given  mode 0 at Some("),
    ("chdir", "ChangeDirectory done D/sub given D/sub"),
    ("fchdir", "ChangeDirectory done D given  mode 0 at Some(F)"),
    ("chdir", "ChangeDirectory -2 D/absent given D/absent"),
    ("chroot", "ChangeRoot -2 D/absent given D/absent"),
    ("socket", "Create done Tcp"),
    ("bind", "Bind done Tcp 127.0.0.1:N"),
    ("listen", "Listen done Tcp 127.0.0.1:N"),
    ("connect", "Connect done Tcp 127.0.0.1:N -> 127.0.0.1:N"),
    ("accept", "Accept done Tcp 127.0.0.1:N -> 127.0.0.1:N"),
    ("accept4", "Accept done Tcp 127.0.0.1:N -> 127.0.0.1:N"),
    ("sendto", "Send 13 Tcp 127.0.0.1:N -> 127.0.0.1:N `to the server`"),
    ("recvfrom", "Receive 13 Tcp 127.0.0.1:N -> 127.0.0.1:N `to the server`"),
    (
        "sendto",
        "Send 100 Udp 127.0.0.1:N -> 127.0.0.1:N `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`",
    ),
    ("recvfrom", "Receive 100 Udp 127.0.0.1:N -> 127.0.0.1:N `xxxx"),
    ("sendmsg", "Send 13 Udp 127.0.0.1:N -> 127.0.0.1:N `in two pieces`"),
    ("recvmsg", "Receive 13 Udp 127.0.0.1:N -> 127.0.0.1:N `in two pieces`"),
    ("sendmmsg", "Send 1 Udp 127.0.0.1:N -> 127.0.0.1:N `in two pieces`"),
    ("recvmmsg", "Receive 1 Udp 127.0.0.1:N -> 127.0.0.1:N `in two pieces`"),
    ("dup2", "0 Internet"),
    ("dup3", "1 Internet"),
    ("dup", "0 Internet"),
    ("ptrace", "Trace done 0"),
    ("init_module", "LoadModule "),
    ("finit_module", "LoadModule "),
    ("bpf", "Bpf -22 32767"),
    ("userfaultfd", "UserFaults -22 32767"),
    ("setns", "EnterNamespace -9 67108864 of 9999"),
    ("unshare", "LeaveNamespaces done 512"),
    ("capset", "SetCapabilities done "),
    ("setgid", "SetGroup done 0 of -1 user 0 group Some(0)"),
    ("setuid", "SetUser done 0 of -1 user 0 group Some(0)"),
    ("execve", "failed -2 D/absent `argument 0 argument 1` in D"),
    ("execveat", "failed -2 absent `argument 0 argument 1` in D"),
    ("execve", "`by execve x`"),
    // Where it succeeds, x86 makes an `execve` of it (`set_personality_64bit`), as Falco tells it.
    ("execve", "`by execveat x`"),
];

/// One event in words.
fn words(seen: &Seen, event: &Event) -> String {
    let text = match &event.kind {
        EventKind::File(file) => {
            let owner = file.owner.map(|owner| format!(" to {}:{}", owner.user, owner.group));
            format!(
                "{:?} {} {} given {} mode {:o} at {:?} other {} at {:?}{}",
                file.operation,
                outcome(file.result),
                file.path,
                file.path_given,
                file.mode & 0o7777,
                file.descriptor,
                file.other,
                file.other_directory,
                owner.unwrap_or_default(),
            )
        }
        EventKind::Socket(socket) => {
            use clew_event::socket::SocketOperation as Op;
            let is_transfer = matches!(socket.operation, Op::Send | Op::Receive);
            let result =
                if is_transfer { socket.result.to_string() } else { outcome(socket.result) };
            let ends = [socket.endpoints.local, socket.endpoints.remote];
            let ends: Vec<_> = ends.iter().flatten().map(|end| format!("{}:N", end.ip())).collect();
            format!(
                "{:?} {result} {:?} {} `{}`",
                socket.operation,
                socket.endpoints.transport,
                ends.join(" -> "),
                socket.payload
            )
        }
        EventKind::Descriptor(copied) => format!("{} {:?}", copied.result, copied.target),
        EventKind::Privilege(change) => format!(
            "{:?} {} {} of {} user {} group {:?} {:?}",
            change.operation,
            outcome(change.result),
            change.argument,
            change.descriptor,
            change.uid_after,
            change.gid_after,
            change.capabilities,
        ),
        EventKind::Kernel(call) => {
            format!("{:?} {} {}", call.operation, outcome(call.result), call.argument)
        }
        EventKind::Executed(executed) => format!("`{}`", listed(executed.argv.as_bytes())),
        EventKind::ExecFailed(failed) => format!(
            "failed {} {} `{}` in {}",
            failed.result,
            failed.filename,
            listed(failed.argv.as_bytes()),
            failed.cwd
        ),
        _ => String::new(),
    };
    text.replace(&seen.folder.display().to_string(), "D")
}

fn outcome(result: i64) -> String {
    if result < 0 { result.to_string() } else { "done".to_owned() }
}

fn listed(argv: &[u8]) -> String {
    String::from_utf8_lossy(argv).trim_end_matches('\0').replace('\0', " ")
}

fn perform() -> Option<(Seen, Vec<(EventType, String)>)> {
    let mut wanted = InterestSet::everything();
    for &event_type in EventType::ALL {
        wanted.add_payload(event_type);
    }
    let seen = watch_for(&wanted, |folder| {
        let mut perl = Command::new("perl");
        perl.arg(CALLS).arg(folder).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(perl.status().expect("runs").success());
    })?;
    let (actor, _) = seen.exec_named("perl");
    let children = seen.events.iter().filter_map(|event| match &event.kind {
        EventKind::Forked(forked) if forked.parent == actor.process => Some(forked.child),
        _ => None,
    });
    let children: Vec<_> = children.collect();
    let is_perls = |event: &&Event| {
        event.actor.is_some_and(|found| {
            found.process == actor.process || children.contains(&found.process)
        })
    };
    let told = seen.events.iter().filter(is_perls);
    let told = told.map(|event| (event.event_type, words(&seen, event))).collect();
    Some((seen, told))
}

#[test]
fn every_call_that_rules_or_their_state_read_is_told_with_its_facts() {
    let Some((_, told)) = perform() else { return };
    // The descriptor of the folder is what `fchdir` was given.
    let folder = told.iter().find_map(|(event_type, words)| {
        let (_, at) = words.split_once(" at Some(").filter(|_| *event_type == EventType::Fchdir)?;
        at.split_once(')').map(|(number, _)| format!("Some({number})"))
    });
    let folder = folder.expect("fchdir is told");
    for (name, facts) in TOLD {
        let facts = facts.replace("Some(F)", &folder);
        let told: Vec<_> = told.iter().filter(|(of, _)| of.name() == *name).collect();
        assert!(told.iter().any(|(_, words)| words.contains(&facts)), "{facts}: {told:#?}");
    }
    let unproved: Vec<_> =
        OF_RULES.iter().filter(|name| !TOLD.iter().any(|(told, _)| told == *name)).collect();
    assert!(unproved.is_empty(), "{unproved:?}");
}

#[test]
fn what_went_over_a_socket_is_told_only_where_it_is_asked_for() {
    let Some(seen) = watch_for(&InterestSet::everything(), |_| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("binds");
        socket.send_to(b"secret", socket.local_addr().expect("an address")).expect("sends");
        socket.recv_from(&mut [0; 8]).expect("receives");
    }) else {
        return;
    };
    let payloads: Vec<_> = seen
        .own()
        .filter_map(|event| match &event.kind {
            EventKind::Socket(socket) if socket.result == 6 => Some(socket.payload.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(payloads, ["", ""]);
}
