//! Changes of users and namespaces as the sensor tells them.

use std::process::Command;

use clew_event::privilege::PrivilegeOperation;
use clew_event::{Event, EventKind, EventType};

use crate::watch::watch;

#[test]
fn changes_of_user_and_namespaces_are_told() {
    let Some(seen) = watch(|_| {
        let run = |program: &str, arguments: &[&str]| {
            assert!(Command::new(program).args(arguments).status().expect("runs").success());
        };
        run("setpriv", &["--reuid=65534", "--clear-groups", "true"]);
        run("unshare", &["--mount", "true"]);
        run("nsenter", &["--uts=/proc/self/ns/uts", "true"]);
    }) else {
        return;
    };
    // The whole machine is watched: others change their users too.
    let told = |program, event_type| {
        let process = seen.exec_named(program).0.process;
        let is_meant = |event: &&Event| {
            event.event_type == event_type
                && event.actor.is_some_and(|actor| actor.process == process)
        };
        let found = seen.events.iter().filter(is_meant).find_map(|event| match &event.kind {
            EventKind::Privilege(privilege) => Some(*privilege),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {event_type:?}"))
    };
    let user = told("setpriv", EventType::Setresuid);
    assert_eq!((user.uid_before, user.uid_after, user.result), (0, 65534, 0));
    let left = told("unshare", EventType::Unshare);
    const CLONE_NEWNS: u64 = 0x20000;
    assert_eq!(left.operation, PrivilegeOperation::LeaveNamespaces);
    assert_eq!(left.argument & CLONE_NEWNS, CLONE_NEWNS);
    let entered = told("nsenter", EventType::Setns);
    assert_eq!(entered.operation, PrivilegeOperation::EnterNamespace);
    assert!(entered.descriptor > 2 && entered.result == 0);
}
