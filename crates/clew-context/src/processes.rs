//! The process tree: who made whom, also after the makers died.
//!
//! Keyed by (boot, pid, start time), so that a pid that is given out again is another process. A
//! parent that ended stays as long as a child of it is in the table, and an ended process stays
//! [`RETENTION`] for events that come late. A full table gives up what ended first.

use std::sync::Arc;
use std::time::Duration;

use clew_event::privilege::{PrivilegeEvent, PrivilegeOperation};
use clew_event::process::{Executed, Forked};
use clew_event::{Actor, BootId, CgroupId, EventId, EventType, ProcessKey, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};
use crate::process::{Image, Process, bounded, with_final_slash};

/// How long an ended process is kept where no child needs it: longer than any event of one machine
/// is late (the sensor merges within a second), short enough that a fork bomb passes.
pub(crate) const RETENTION: Duration = Duration::from_secs(60);

/// How far up an ancestry is followed. Deeper chains do not occur, except where somebody builds
/// one to make every look-up slow.
pub(crate) const ANCESTORS_MAX: usize = 64;

/// Every process that is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Processes {
    table: Bounded<ProcessKey, Process>,
    texts_cut: u64,
}

impl Processes {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Bounded::new(max), texts_cut: 0 }
    }

    pub(crate) fn get(&self, key: &ProcessKey) -> Option<&Process> {
        self.table.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &ProcessKey) -> Option<&mut Process> {
        self.table.get_mut(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn texts_cut(&self) -> u64 {
        self.texts_cut
    }

    /// The process's ancestors, its parent first; ends where one is not known.
    pub(crate) fn ancestors<'a>(
        &'a self,
        process: &'a Process,
    ) -> impl Iterator<Item = (ProcessKey, &'a Process)> {
        std::iter::successors(self.parent_of(process), |(_, process)| self.parent_of(process))
            .take(ANCESTORS_MAX)
    }

    fn parent_of(&self, process: &Process) -> Option<(ProcessKey, &Process)> {
        let key = self.parent_key(process)?;
        Some((key, self.get(&key)?))
    }

    /// The process's parent, whether or not it is known.
    pub(crate) fn parent_key(&self, process: &Process) -> Option<ProcessKey> {
        let mut key = process.parent?;
        for _ in 0..ANCESTORS_MAX {
            match self.get(&key) {
                Some(ended) if ended.is_passed_over => key = ended.parent?,
                Some(_) | None => return Some(key),
            }
        }
        None
    }

    /// A process ended, and its children went to `reaper`, as Falco has it. Where the kernel did
    /// not tell who that is, it is the nearest ancestor that leads a pid namespace.
    pub(crate) fn hand_on(&mut self, key: &ProcessKey, reaper: Option<ProcessKey>) {
        let Some(process) = self.get(key) else { return };
        let is_init = |(key, process): &(ProcessKey, &Process)| {
            process.ended.is_none() && (process.session.vpid == 1 || key.pid == 1)
        };
        let reaper = reaper
            .filter(|reaper| reaper != key)
            .or_else(|| self.ancestors(process).find(is_init).map(|(key, _)| key));
        let passed_over = Process { parent: reaper, is_passed_over: true, ..process.clone() };
        self.put(*key, passed_over);
    }

    /// The sensor of this boot began anew and will list what runs: what it does not list ended
    /// while nobody watched.
    pub(crate) fn restart(&mut self, boot: BootId, now: TimestampNs) {
        for key in self.table.keys().iter().filter(|key| key.boot == boot) {
            if let Some(process) = self.table.get_mut(key) {
                process.ended.get_or_insert(now);
                let standing = standing_of(process);
                self.table.set_standing(key, standing);
            }
        }
    }

    /// A process was made: it runs what its maker runs, until it executes something else.
    pub(crate) fn fork(&mut self, actor: &Actor, forked: &Forked, now: TimestampNs) {
        if forked.is_thread {
            return;
        }
        if self.get(&actor.process).is_none() {
            // Not seen before: a placeholder, so that its children know whose they are.
            let unknown = Process { cgroup: actor.cgroup, ..Process::default() };
            self.put(actor.process, unknown);
        }
        let Some(maker) = self.get(&actor.process) else { return };
        let mut child = Process {
            parent: Some(forked.parent),
            cgroup: actor.cgroup,
            ended: None,
            is_passed_over: false,
            children: 0,
            ..maker.clone()
        };
        child.session.vpid = forked.child_vpid;
        // An exec that overtook its fork knows more than the fork.
        if let Some(known) = self.get(&forked.child) {
            let parent = child.parent;
            child = Process { parent, ..known.clone() };
        }
        self.put(forked.child, child);
        self.sweep(now);
    }

    /// A process took a new program, or was found running one (`executed_by` is then `None`).
    pub(crate) fn execute(
        &mut self,
        actor: &Actor,
        executed: &Executed,
        executed_by: Option<EventId>,
    ) {
        let image = Image::from_executed(executed, &mut self.texts_cut);
        let known = self.get(&actor.process);
        let now = (executed.parent != ProcessKey::default()).then_some(executed.parent);
        let parent = match known.and_then(|known| known.parent) {
            Some(born_to) if self.is_outside(&born_to, actor.cgroup) => now.or(Some(born_to)),
            Some(born_to) => Some(born_to),
            None => now,
        };
        let process = Process {
            parent,
            cgroup: actor.cgroup,
            image: Some(Arc::new(image)),
            executed_by,
            credentials: executed.credentials,
            session: executed.session,
            changed: None,
            // What is found running has not ended, whatever was thought of it.
            ended: executed_by.and(known).and_then(|known| known.ended),
            is_passed_over: false,
            children: known.map_or(0, |known| known.children),
        };
        self.put(actor.process, process);
    }

    /// Whether a process is known to be in another cgroup. Who executes in a cgroup that his maker
    /// is not in was put there by a container runtime, whose helper made him and has ended; rules
    /// mean by his parent who has him then, which is the runtime's shim.
    fn is_outside(&self, key: &ProcessKey, cgroup: CgroupId) -> bool {
        self.get(key).is_some_and(|process| process.cgroup != cgroup)
    }

    /// A process ended.
    pub(crate) fn exit(&mut self, key: &ProcessKey, now: TimestampNs) {
        if let Some(process) = self.get_mut(key) {
            process.ended = Some(now);
            let standing = standing_of(process);
            self.table.set_standing(key, standing);
        }
        self.sweep(now);
    }

    /// The working directory of a process became `path`.
    pub(crate) fn change_directory(&mut self, key: &ProcessKey, path: &Text) {
        let cwd = with_final_slash(&bounded(path, &mut self.texts_cut));
        if let Some(process) = self.get_mut(key) {
            process.changed.get_or_insert_default().cwd = Some(cwd);
        }
    }

    /// A process changed who it is and what it may do: as the kernel tells after the call, else
    /// the group that `setgid` asked for.
    pub(crate) fn change_privilege(
        &mut self,
        key: &ProcessKey,
        event_type: EventType,
        change: &PrivilegeEvent,
    ) {
        let Some(process) = self.get_mut(key) else { return };
        if change.result != 0 {
            return;
        }
        if let Some(rights) = change.capabilities {
            process.credentials.effective = rights.effective;
            let rights = (rights.permitted, rights.inheritable);
            if process.rights() != Some(rights) {
                process.changed.get_or_insert_default().rights = Some(rights);
            }
        }
        match change.operation {
            PrivilegeOperation::SetUser => process.credentials.uid = change.uid_after,
            PrivilegeOperation::SetGroup => {
                let asked = || match event_type {
                    EventType::Setgid => u32::try_from(change.argument).ok(),
                    _ => None,
                };
                if let Some(gid) = change.gid_after.or_else(asked) {
                    process.credentials.gid = gid;
                }
            }
            PrivilegeOperation::SetCapabilities
            | PrivilegeOperation::EnterNamespace
            | PrivilegeOperation::LeaveNamespaces => {}
        }
    }

    /// Puts a process in its place and keeps the parents' counts of children right.
    fn put(&mut self, key: ProcessKey, process: Process) {
        let old_parent = self.get(&key).and_then(|known| known.parent);
        let new_parent = process.parent;
        let standing = standing_of(&process);
        let given_up = self.table.insert(key, process, standing);
        if old_parent != new_parent {
            self.count_child(new_parent, 1);
            self.count_child(old_parent, -1);
        }
        if let Some((_, given_up)) = given_up {
            self.count_child(given_up.parent, -1);
        }
    }

    fn count_child(&mut self, parent: Option<ProcessKey>, change: i32) {
        let Some(parent) = parent else { return };
        if let Some(process) = self.get_mut(&parent) {
            process.children = process.children.saturating_add_signed(change);
            let standing = standing_of(process);
            self.table.set_standing(&parent, standing);
        }
    }

    /// Lets go of what ended long ago. Each process is let go once, so the cost is that of exits.
    fn sweep(&mut self, now: TimestampNs) {
        while let Some((&key, process)) = self.table.first_ended()
            && process.ended.is_none_or(|ended| RETENTION <= now.since(ended))
        {
            let parent = process.parent;
            self.table.remove(&key);
            self.count_child(parent, -1);
        }
    }
}

fn standing_of(process: &Process) -> Standing {
    match (process.ended, process.children) {
        (None, _) => Standing::Live,
        (Some(_), 0) => Standing::Ended,
        (Some(_), _) => Standing::Needed,
    }
}

#[cfg(test)]
mod tests {
    use clew_event::privilege::Capabilities;
    use clew_event::{Event, EventKind, EventType, Semantics};

    use super::*;
    use crate::Context;
    use crate::tests::builders::{HOST, INSIDE, event, exec, fork, key, node, observed, program};

    fn exit(pid: u32, after: Duration) -> Event {
        let exited = clew_event::process::Exited::default();
        let mut exit = event(Some((pid, HOST)), EventType::ProcessExit, EventKind::Exited(exited));
        exit.time = exit.time.after(after);
        exit
    }

    fn command_line(context: &Context, pid: u32) -> Option<String> {
        let image = context.process(&key(pid))?.image.as_ref()?;
        Some(image.command_line.to_string())
    }

    #[test]
    fn a_forked_child_runs_what_its_parent_runs() {
        let context =
            observed(&[exec((10, INSIDE), program("sh", "sh -c x")), fork((10, INSIDE), 20)]);
        assert_eq!(command_line(&context, 20).as_deref(), Some("sh -c x"));
        let child = context.process(&key(20)).expect("known");
        assert_eq!((child.parent, child.cgroup), (Some(key(10)), INSIDE));
    }

    #[test]
    fn a_thread_is_no_process_of_its_own() {
        let forked = Forked { child: key(10), child_tid: 11, is_thread: true, ..Forked::default() };
        let thread = event(Some((10, HOST)), EventType::Clone3, EventKind::Forked(forked));
        assert_eq!(observed(&[thread]).counts().processes, 0);
    }

    #[test]
    fn a_parent_that_died_stays_while_a_child_is_there() {
        let long = RETENTION * 2;
        let mut context = observed(&[
            exec((10, HOST), program("sh", "sh")),
            fork((10, HOST), 20),
            exit(10, Duration::ZERO),
            exit(99, long),
        ]);
        assert_eq!(command_line(&context, 10).as_deref(), Some("sh"));
        context.observe(&exit(20, long));
        assert!(context.process(&key(20)).is_some(), "kept for late events");
        context.observe(&exit(99, long * 2));
        assert_eq!(context.counts().processes, 0);
    }

    #[test]
    fn a_child_keeps_the_parent_it_was_born_to() {
        let mut context = observed(&[fork((10, HOST), 20), exit(10, Duration::ZERO)]);
        let adopted = Executed { parent: key(1), ..program("x", "x") };
        context.observe(&exec((20, HOST), adopted));
        assert_eq!(context.process(&key(20)).and_then(|process| process.parent), Some(key(10)));
    }

    #[test]
    fn who_is_put_into_a_container_belongs_to_who_has_it_then() {
        let entrypoint = Executed { parent: key(1), ..program("httpd", "httpd") };
        let context = observed(&[
            exec((1, HOST), program("shim", "shim")),
            exec((10, HOST), program("runc", "runc create")),
            fork((10, HOST), 20),
            exit(10, Duration::ZERO),
            exec((20, INSIDE), entrypoint),
        ]);
        assert_eq!(context.process(&key(20)).and_then(|process| process.parent), Some(key(1)));
    }

    #[test]
    fn a_parent_that_was_not_seen_is_a_placeholder() {
        let context = observed(&[node(), fork((10, INSIDE), 20)]);
        let parent = context.process(&key(10)).expect("a placeholder");
        assert_eq!((parent.image.is_none(), parent.cgroup), (true, INSIDE));
    }

    #[test]
    fn a_fork_that_comes_after_the_exec_of_its_child_adds_the_parent_only() {
        let context = observed(&[exec((20, INSIDE), program("id", "id")), fork((10, HOST), 20)]);
        let child = context.process(&key(20)).expect("known");
        assert_eq!((child.parent, child.cgroup), (Some(key(10)), INSIDE));
        assert_eq!(command_line(&context, 20).as_deref(), Some("id"));
    }

    #[test]
    fn a_pid_that_is_given_out_again_is_another_process() {
        let mut again = exec((10, HOST), program("new", "new"));
        if let Some(actor) = &mut again.actor {
            actor.process.start_ns += 1;
        }
        let context = observed(&[exec((10, HOST), program("old", "old")), again]);
        assert_eq!(command_line(&context, 10).as_deref(), Some("old"));
        assert_eq!(context.counts().processes, 2);
    }

    #[test]
    fn a_chain_of_parents_is_followed_up_to_ancestors_max() {
        let mut context = Context::default();
        for pid in 1..=200 {
            context.observe(&fork((pid, HOST), pid + 1));
        }
        let last = context.process(&key(201)).expect("known");
        assert_eq!(context.processes.ancestors(last).count(), ANCESTORS_MAX);
    }

    #[test]
    fn what_a_new_start_of_the_sensor_does_not_list_has_ended() {
        let mut context = observed(&[
            node(),
            exec((10, HOST), program("gone", "gone")),
            exec((20, HOST), program("there", "there")),
        ]);
        let there = event(
            Some((20, HOST)),
            EventType::Other,
            EventKind::Running(program("there", "there")),
        );
        for event in [node(), there, exit(99, RETENTION * 2)] {
            context.observe(&event);
        }
        assert!(context.process(&key(10)).is_none());
        assert_eq!(command_line(&context, 20).as_deref(), Some("there"));
    }

    #[test]
    fn a_working_directory_follows_its_process_and_its_children() {
        let chdir = |pid, result, path: &str| {
            let file = clew_event::file::FileEvent {
                operation: clew_event::file::FileOperation::ChangeDirectory,
                result,
                path: path.into(),
                ..<_>::default()
            };
            event(Some((pid, HOST)), EventType::Chdir, EventKind::File(file))
        };
        let context = observed(&[
            exec((10, HOST), program("sh", "sh")),
            chdir(10, 0, "/srv"),
            chdir(10, -2, "/absent"),
            fork((10, HOST), 20),
            chdir(20, 0, "/tmp"),
            fork((20, HOST), 30),
            exec((30, HOST), program("id", "id")),
        ]);
        let cwd = |pid| {
            let process = context.process(&key(pid)).expect("known");
            process.cwd().map(Text::to_string)
        };
        assert_eq!((cwd(10).as_deref(), cwd(20).as_deref()), (Some("/srv/"), Some("/tmp/")));
        let of_exec = Image::from_executed(&program("id", "id"), &mut 0).cwd;
        assert_eq!(cwd(30), Some(of_exec.to_string()), "an exec tells its own");
    }

    #[test]
    fn rights_are_those_that_the_last_change_left() {
        let rights = Capabilities { effective: 1, permitted: 3, inheritable: 4 };
        let change = |result, operation| {
            let privilege = PrivilegeEvent {
                operation,
                result,
                gid_after: Some(7),
                capabilities: Some(rights),
                ..PrivilegeEvent::default()
            };
            event(Some((10, HOST)), EventType::Capset, EventKind::Privilege(privilege))
        };
        let told = |result, operation| {
            let context =
                observed(&[exec((10, HOST), program("x", "x")), change(result, operation)]);
            let process = context.process(&key(10)).expect("known");
            (process.credentials.effective, process.credentials.gid, process.rights())
        };
        let set = PrivilegeOperation::SetCapabilities;
        assert_eq!(told(0, set).2, Some((3, 4)));
        assert_eq!((told(0, set).0, told(0, PrivilegeOperation::SetGroup).1), (1, 7));
        assert_ne!(told(-1, set).2, Some((3, 4)));
    }

    #[test]
    fn a_successful_setuid_changes_the_user_and_a_failed_one_does_not() {
        let setuid = |result, uid_after| {
            let privilege = PrivilegeEvent { result, uid_after, ..PrivilegeEvent::default() };
            event(Some((10, HOST)), EventType::Setuid, EventKind::Privilege(privilege))
        };
        let context =
            observed(&[exec((10, HOST), program("su", "su")), setuid(0, 33), setuid(-1, 5)]);
        assert_eq!(context.process(&key(10)).map(|process| process.credentials.uid), Some(33));
    }

    fn parent(context: &Context, pid: u32) -> Option<u32> {
        let process = context.process(&key(pid))?;
        context.processes.parent_key(process).map(|key| key.pid)
    }

    #[test]
    fn where_falco_is_followed_the_children_of_who_ended_go_to_who_takes_them() {
        let mut context = Context::default();
        context.set_semantics(Semantics::Falco);
        for event in [
            exec((1, HOST), program("init", "init")),
            fork((1, HOST), 5),
            fork((5, HOST), 10),
            fork((10, HOST), 20),
            fork((20, HOST), 30),
        ] {
            context.observe(&event);
        }
        assert_eq!((parent(&context, 30), parent(&context, 20)), (Some(20), Some(10)));
        let mut told = exit(20, Duration::ZERO);
        if let EventKind::Exited(exited) = &mut told.kind {
            exited.reaper = Some(key(5));
        }
        context.observe(&told);
        assert_eq!(parent(&context, 30), Some(5), "as the kernel told");
        context.observe(&exit(5, Duration::ZERO));
        assert_eq!((parent(&context, 30), parent(&context, 10)), (Some(1), Some(1)), "init");
        context.observe(&exit(99, RETENTION * 2));
        assert_eq!(parent(&context, 30), Some(1), "who ended stays as the way to who has them");
    }

    #[test]
    fn a_chain_of_makers_who_ended_is_followed_up_to_ancestors_max() {
        let mut context = Context::default();
        context.set_semantics(Semantics::Falco);
        let deepest = 100 + u32::try_from(ANCESTORS_MAX).unwrap_or(0) + 1;
        for pid in 100..deepest {
            context.observe(&fork((pid, HOST), pid + 1));
        }
        for pid in 100..deepest {
            let mut told = exit(pid, Duration::ZERO);
            if let EventKind::Exited(exited) = &mut told.kind {
                exited.reaper = Some(key(pid - 1));
            }
            context.observe(&told);
        }
        assert_eq!(parent(&context, deepest), None);
        assert_eq!(parent(&context, deepest - 2), Some(99));
    }
}
