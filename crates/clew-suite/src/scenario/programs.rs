//! Containers and the programs that start.

use clew_event::process::{Credentials, Executed, ExecutedFlags, Session, Surroundings};
use clew_event::{EventKind, EventType, Text};

use super::line::{Line, split_words};
use super::world::{Process, World};

const FLAGS: &[(&str, u64)] = &[
    ("upper_layer", ExecutedFlags::UPPER_LAYER.0 as u64),
    ("memfd", ExecutedFlags::MEMFD.0 as u64),
    ("unlinked", ExecutedFlags::UNLINKED.0 as u64),
    ("setuid", ExecutedFlags::SETUID.0 as u64),
    ("writable", ExecutedFlags::WRITABLE.0 as u64),
];

/// Numbers of `linux/capability.h`, of those that cases speak of.
const CAPABILITIES: &[(&str, u64)] = &[
    ("DAC_OVERRIDE", 1 << 1),
    ("NET_ADMIN", 1 << 12),
    ("NET_RAW", 1 << 13),
    ("SYS_MODULE", 1 << 16),
    ("SYS_PTRACE", 1 << 19),
    ("SYS_ADMIN", 1 << 21),
];
/// What root holds on a machine of Linux 5.9 or later.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;
/// What root holds in a container that Docker started with its defaults.
const DOCKER_CAPABILITIES: u64 = 0xa804_25fb;

/// Longest name the kernel keeps for a program (`TASK_COMM_LEN` less its NUL).
const NAME_BYTES_MAX: usize = 15;

pub(super) fn container(world: &mut World, line: &mut Line) -> Result<(), String> {
    let name = line.name.clone().ok_or("`container` needs a name")?;
    let image = line.take("image").unwrap_or_else(|| ordinary_image(&name));
    let is_privileged = line.take("privileged").is_some_and(|word| word == "yes");
    world.add_container(&name, &image, is_privileged);
    Ok(())
}

pub(super) fn exec(world: &mut World, line: &mut Line) -> Result<(), String> {
    let pid = line.need_as("pid")?;
    let container = line.take("container");
    if let Some(name) = container.as_deref().filter(|name| !world.has_container(name)) {
        world.add_container(name, &ordinary_image(name), false);
    }
    let parent_pid: Option<u32> = line.take_as("ppid")?;
    let parent = match parent_pid {
        Some(pid) => world.process(pid)?,
        None => world.starter(container.as_deref())?,
    };
    let executed = executed(line, pid, parent, container.is_some() || parent.is_in_container)?;
    let before = match world.is_known(pid) {
        true => world.process(pid)?,
        false => world.fork(pid, parent, container.as_deref()),
    };
    let (uid, tty) = (executed.credentials.uid, executed.session.tty);
    world.update(pid, Process { uid, tty, ..before });
    world.push(EventType::Execve, Some(before.actor), EventKind::Executed(executed));
    Ok(())
}

fn executed(
    line: &mut Line,
    pid: u32,
    parent: Process,
    is_in_container: bool,
) -> Result<Executed, String> {
    let argv = split_words(&line.need("args")?, '\'')?;
    let program = argv.first().ok_or("`args=` names no program")?;
    let exe = line.take("exe").unwrap_or_else(|| match program.starts_with('/') {
        true => program.clone(),
        false => format!("/usr/bin/{program}"),
    });
    let uid = line.take_as("uid")?.unwrap_or(parent.uid);
    let ordinary_capabilities = match (uid, is_in_container) {
        (0, false) => ALL_CAPABILITIES,
        (0, true) => DOCKER_CAPABILITIES,
        _ => 0,
    };
    let effective = ordinary_capabilities | line.take_bits("caps", CAPABILITIES)?;
    let flags = u32::try_from(line.take_bits("flags", FLAGS)?).unwrap_or_default();
    Ok(Executed {
        parent: parent.actor.process,
        name: line.take("name").unwrap_or_else(|| program_name(&exe)).into(),
        filename: exe.as_str().into(),
        exe: exe.into(),
        argv: ended_by_nul(&argv),
        cwd: line.take("cwd").unwrap_or_else(|| "/".into()).into(),
        flags: ExecutedFlags(flags),
        credentials: Credentials { uid, gid: uid, login_uid: u32::MAX, effective },
        session: Session {
            vpid: line.take_as("vpid")?.unwrap_or(pid),
            sid: pid,
            pgid: pid,
            tty: line.take_as("tty")?.unwrap_or(parent.tty),
        },
        surroundings: Some(Box::new(Surroundings {
            permitted: effective,
            ..Surroundings::default()
        })),
        ..Executed::default()
    })
}

fn ordinary_image(name: &str) -> String {
    format!("example.org/{name}:1")
}

fn program_name(exe: &str) -> String {
    let file = exe.rsplit('/').next().unwrap_or_default();
    file.chars().take(NAME_BYTES_MAX).collect()
}

fn ended_by_nul(words: &[String]) -> Text {
    words.iter().flat_map(|word| [word.as_str(), "\0"]).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_where_the_kernel_cuts_it() {
        assert_eq!(program_name("/opt/a_very_long_name_indeed").len(), NAME_BYTES_MAX);
        assert_eq!(program_name("/bin/sh"), "sh");
    }
}
