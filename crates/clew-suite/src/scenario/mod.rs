//! Events written as text, one a line, for tests that processes read.
//!
//! ```text
//! exec pid=10 container=web args=netcheck
//! exec pid=11 ppid=10 args="sh -c 'ping -c 1 127.0.0.1; id'"
//! open pid=11 path=/etc/shadow
//! ```
//! The verbs and keys stand in `rules/README.md`. What is left out has an ordinary value, so that
//! a line says only what its case is about.
//!
//! Reading order: [`events`], then `line` (one line taken apart), `world` (who is there),
//! `programs`, `files`, `sockets`, `requests`, `system`, `records` (one verb a function).

mod files;
mod line;
mod programs;
mod records;
mod requests;
mod sockets;
mod system;
mod world;

use clew_event::Event;

use line::Line;
use world::World;

/// A line that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScenarioError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The events that a text tells, in its order, after those that set the stage.
///
/// # Errors
/// The first line that cannot be understood.
pub fn events(text: &str) -> Result<Vec<Event>, ScenarioError> {
    let mut world = World::new();
    for (number, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let told = if text.starts_with('{') {
            records::as_it_stands(&mut world, text)
        } else {
            Line::parse(text).and_then(|line| tell(&mut world, line))
        };
        told.map_err(|reason| ScenarioError { line: number, reason })?;
    }
    Ok(world.into_events())
}

fn tell(world: &mut World, mut line: Line) -> Result<(), String> {
    let verb = line.verb.clone();
    match verb.as_str() {
        "container" => programs::container(world, &mut line)?,
        "exec" => programs::exec(world, &mut line)?,
        "open" => files::open(world, &mut line)?,
        "chmod" | "mkdir" | "rmdir" | "unlink" => files::one_path(world, &mut line)?,
        "rename" | "link" | "symlink" => files::two_paths(world, &mut line)?,
        "socket" => sockets::create(world, &mut line)?,
        "connect" | "accept" | "bind" | "listen" | "send" => sockets::call(world, &mut line)?,
        "dup" => sockets::dup(world, &mut line)?,
        "request" => requests::request(world, &mut line)?,
        "response" => requests::response(world, &mut line)?,
        "setuid" => system::set_user(world, &mut line)?,
        "setns" | "unshare" => system::change_namespaces(world, &mut line)?,
        "mount" | "umount" => system::mount(world, &mut line)?,
        "ptrace" => system::trace(world, &mut line)?,
        "memfd" | "module" | "bpf" => system::ask_kernel(world, &mut line)?,
        "aws" => records::aws(world, &mut line)?,
        "kubernetes" => records::kubernetes(world, &mut line)?,
        verb => return Err(format!("there is no verb `{verb}`; rules/README.md lists them")),
    }
    line.finish()
}

#[cfg(test)]
mod tests {
    use clew_event::{EventKind, EventType};

    use super::*;

    #[test]
    fn a_child_is_forked_by_its_parent_and_stays_in_its_container() {
        let events = events("exec pid=10 container=web args=app\nexec pid=11 ppid=10 args=id");
        let events = events.unwrap();
        let [.., forked, executed] = events.as_slice() else { panic!("{events:?}") };
        let EventKind::Forked(fork) = &forked.kind else { panic!("{forked:?}") };
        let EventKind::Executed(exec) = &executed.kind else { panic!("{executed:?}") };
        let (parent, child) = (forked.actor.unwrap(), executed.actor.unwrap());
        assert_eq!((fork.child, exec.parent), (child.process, parent.process));
        assert_eq!((child.process.pid, child.cgroup), (11, parent.cgroup));
        assert_eq!(
            (exec.exe.to_string(), exec.name.to_string()),
            ("/usr/bin/id".into(), "id".into())
        );
    }

    #[test]
    fn a_second_exec_of_a_process_makes_no_second_fork() {
        let count = |text: &str| {
            let is_fork = |event: &&Event| matches!(event.kind, EventKind::Forked(_));
            events(text).unwrap().iter().filter(is_fork).count()
        };
        let once = count("exec pid=10 args=sh");
        assert_eq!(count("exec pid=10 args=sh\nexec pid=10 args=id"), once);
    }

    #[test]
    fn every_verb_gives_the_event_of_its_system_call() {
        let check = |line: &str, expected: EventType| {
            let text = format!("exec pid=10 args=sh\n{line}");
            let events = events(&text).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(events.last().unwrap().event_type, expected, "{line}");
        };
        check("open pid=10 path=/x", EventType::Openat);
        check("chmod pid=10 path=/x mode=4755", EventType::Fchmodat);
        check("mkdir pid=10 path=/x", EventType::Mkdirat);
        check("rmdir pid=10 path=/x", EventType::Rmdir);
        check("unlink pid=10 path=/x", EventType::Unlinkat);
        check("rename pid=10 path=/x to=/y", EventType::Renameat2);
        check("link pid=10 path=/x to=/y", EventType::Linkat);
        check("symlink pid=10 path=/x to=/y", EventType::Symlinkat);
        check("socket pid=10 family=packet", EventType::Socket);
        check("connect pid=10 to=10.0.0.1:80", EventType::Connect);
        check("accept pid=10 to=10.0.0.1:80", EventType::Accept4);
        check("bind pid=10 from=0.0.0.0:80", EventType::Bind);
        check("listen pid=10 from=0.0.0.0:80", EventType::Listen);
        check("send pid=10 to=10.0.0.1:53 proto=udp", EventType::Sendto);
        check("dup pid=10 onto=0 to=10.0.0.1:80", EventType::Dup2);
        check("request pid=10 target=/", EventType::HttpRequest);
        check("request pid=10 target=/\nresponse pid=10", EventType::HttpResponse);
        check("setuid pid=10 to=0", EventType::Setuid);
        check("setns pid=10 flags=mount", EventType::Setns);
        check("unshare pid=10 flags=user", EventType::Unshare);
        check("mount pid=10 path=/mnt from=/dev/sda", EventType::Mount);
        check("umount pid=10 path=/mnt", EventType::Umount2);
        check("ptrace pid=10 request=attach target=1", EventType::Ptrace);
        check("memfd pid=10 path=x", EventType::MemfdCreate);
        check("module pid=10 path=x.ko", EventType::FinitModule);
        check("bpf pid=10 cmd=5", EventType::Bpf);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let check = |text: &str, told: &str| {
            assert_eq!(events(text).unwrap_err().to_string(), told);
        };
        check("\nfly pid=1", "line 2: there is no verb `fly`; rules/README.md lists them");
        check("open pid=2 path=/x", "line 1: no `exec` started process 2");
        check("exec pid=9 ppid=8 args=x", "line 1: no `exec` started process 8");
        check("exec pid=9 args=", "line 1: `args=` names no program");
    }
}
