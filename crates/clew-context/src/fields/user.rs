//! `user.*` and `group.*`: names by number, of the container or of the host.

use clew_event::FieldValue;

use super::{signed, text};
use crate::process::Process;
use crate::view::View;

/// What stands for a name that is not known, as in Falco.
pub(crate) const UNKNOWN: &str = "<NA>";

pub(crate) fn name<'a>(view: &View<'a>, uid: u32) -> FieldValue<'a> {
    match view.accounts().and_then(|accounts| accounts.user(uid)) {
        Some(name) => text(name),
        None => or_root(uid),
    }
}

pub(crate) fn group_name<'a>(view: &View<'a>, gid: u32) -> FieldValue<'a> {
    match view.accounts().and_then(|accounts| accounts.group(gid)) {
        Some(name) => text(name),
        None => or_root(gid),
    }
}

/// -1 where nobody logged in.
pub(crate) fn login_uid(process: &Process) -> FieldValue<'_> {
    match process.credentials.login_uid {
        u32::MAX => signed(-1),
        uid => signed(uid.into()),
    }
}

fn or_root<'a>(id: u32) -> FieldValue<'a> {
    if id == 0 { "root".into() } else { UNKNOWN.into() }
}

#[cfg(test)]
mod tests {
    use clew_event::container::AccountEvent;
    use clew_event::process::{Credentials, Executed};
    use clew_event::{ContainerId, Event, EventKind, EventType};
    use expect_test::expect;

    use crate::tests::builders::{
        HOST, INSIDE, container_cgroup, container_id, event, exec, node, observed, program, table,
    };
    use clew_event::CgroupId;

    fn account(container: Option<ContainerId>, is_group: bool, id: u32, name: &str) -> Event {
        let account = AccountEvent { container, is_group, id, name: name.into() };
        event(None, EventType::Other, EventKind::Account(account))
    }

    fn run(cgroup: CgroupId, credentials: Credentials) -> String {
        let executed = Executed { credentials, ..program("id", "id") };
        let exec = exec((30, cgroup), executed);
        let context = observed(&[
            node(),
            container_cgroup(),
            account(None, false, 33, "www-data"),
            account(None, false, 1000, "ann"),
            account(None, true, 33, "www"),
            account(Some(container_id()), false, 33, "nginx"),
            exec.clone(),
        ]);
        let names =
            ["user.uid", "user.name", "user.loginuid", "user.loginname", "group.gid", "group.name"];
        table(&context.view(&exec), &names)
    }

    #[test]
    fn names_are_those_of_the_place_where_the_process_runs() {
        let credentials = Credentials { uid: 33, gid: 33, login_uid: 1000, effective: 0 };
        expect![[r#"
            user.uid = 33
            user.name = "www-data"
            user.loginuid = +1000
            user.loginname = "ann"
            group.gid = 33
            group.name = "www"
        "#]]
        .assert_eq(&run(HOST, credentials));
        expect![[r#"
            user.uid = 33
            user.name = "nginx"
            user.loginuid = +1000
            user.loginname = "<NA>"
            group.gid = 33
            group.name = "<NA>"
        "#]]
        .assert_eq(&run(INSIDE, credentials));
    }

    #[test]
    fn root_needs_no_account_file_and_nobody_may_have_logged_in() {
        let credentials = Credentials { uid: 0, gid: 0, login_uid: u32::MAX, effective: 0 };
        expect![[r#"
            user.uid = 0
            user.name = "root"
            user.loginuid = -1
            user.loginname = "<NA>"
            group.gid = 0
            group.name = "root"
        "#]]
        .assert_eq(&run(INSIDE, credentials));
    }
}
