//! Changes of users and namespaces as the sensor tells them.

use std::process::Command;

use clew_event::privilege::PrivilegeOperation;
use clew_event::{EventKind, EventType};

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
    let told = |event_type| {
        let found = seen.events.iter().find_map(|event| match &event.kind {
            EventKind::Privilege(privilege) if event.event_type == event_type => Some(*privilege),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {event_type:?}"))
    };
    let user = told(EventType::Setresuid);
    assert_eq!((user.uid_before, user.uid_after, user.result), (0, 65534, 0));
    let left = told(EventType::Unshare);
    const CLONE_NEWNS: u64 = 0x20000;
    assert_eq!(left.operation, PrivilegeOperation::LeaveNamespaces);
    assert_eq!(left.argument & CLONE_NEWNS, CLONE_NEWNS);
    let entered = told(EventType::Setns);
    assert_eq!(entered.operation, PrivilegeOperation::EnterNamespace);
    assert!(entered.descriptor > 2 && entered.result == 0);
}
