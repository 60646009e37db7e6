//! What is kept of one process.
//!
//! The program and its arguments ([`Image`]) are shared: a forked child runs its parent's, and a
//! server with a thousand workers keeps one copy. What rules ask most (`proc.cmdline`,
//! `proc.args`) is joined once, at exec, and lent to every event after it.

use std::sync::Arc;

use clew_event::file::FileId;
use clew_event::process::{Credentials, Executed, ExecutedFlags, Session};
use clew_event::{CgroupId, EventId, ProcessKey, Text, TimestampNs};
use serde::{Deserialize, Serialize};

/// Longest text that is kept of one process: a path (`PATH_MAX` of `linux/limits.h`), or the
/// arguments (4 KiB inline in the sensor's record).
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

/// One process, alive or kept for those who need it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its parent when it was forked, or when it was first seen. Stays when the parent dies and
    /// another takes the child; only who enters a container gets the parent he has then.
    pub parent: Option<ProcessKey>,
    /// Its cgroup when it last forked or executed.
    pub cgroup: CgroupId,
    /// The program it runs; `None` where only its children were seen.
    pub image: Option<Arc<Image>>,
    /// The event that put that program in place, in this process or in the one it was forked from.
    pub executed_by: Option<EventId>,
    /// Who runs it.
    pub credentials: Credentials,
    /// Ids in the pid namespace, the session and the terminal.
    pub session: Session,
    /// What it changed of itself after that program was put in place.
    #[serde(default)]
    pub changed: Option<Box<Changed>>,
    /// When it ended.
    pub ended: Option<TimestampNs>,
    /// It ended as Falco has it: its children went to who is its parent now.
    #[serde(default)]
    pub(crate) is_passed_over: bool,
    /// How many entries of the table have it as parent.
    pub(crate) children: u32,
}

/// What a process changed of itself since its exec; its children inherit it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Working directory, with a final slash.
    pub cwd: Option<Text>,
    /// Permitted and inheritable capabilities.
    pub rights: Option<(u64, u64)>,
}

impl Process {
    /// Its working directory, with a final slash.
    #[must_use]
    pub fn cwd(&self) -> Option<&Text> {
        let changed = self.changed.as_deref().and_then(|changed| changed.cwd.as_ref());
        changed.or_else(|| self.image.as_deref().map(|image| &image.cwd))
    }

    /// Its permitted and inheritable capabilities, where the sensor told.
    #[must_use]
    pub fn rights(&self) -> Option<(u64, u64)> {
        let changed = self.changed.as_deref().and_then(|changed| changed.rights);
        let image = self.image.as_deref();
        changed.or_else(|| image.and_then(|image| image.permitted.zip(image.inheritable)))
    }
}

/// A program as it was put in place by `execve`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// `task->comm`.
    pub name: Text,
    /// Resolved path of the file that runs.
    pub path: Text,
    /// Path as the caller gave it.
    pub filename: Text,
    /// First argument.
    pub called: Text,
    /// Name, then the arguments after the first, joined by spaces.
    pub command_line: Text,
    /// Number of arguments after the first.
    pub arguments_count: u32,
    /// Working directory, with a final slash.
    pub cwd: Text,
    /// The file that runs.
    pub file: FileId,
    /// What was seen of the file and of the arguments.
    pub flags: ExecutedFlags,
    /// Permitted capabilities, where the sensor told.
    pub permitted: Option<u64>,
    /// Inheritable capabilities, where the sensor told.
    pub inheritable: Option<u64>,
    /// Allowed variables, each ended by a NUL byte.
    pub environment: Text,
    /// Last change of the file's inode, nanoseconds since the epoch; 0 where not known.
    pub ctime_ns: u64,
    /// Last change of the file's content, nanoseconds since the epoch; 0 where not known.
    pub mtime_ns: u64,
    /// When the first process of its pid namespace started, nanoseconds since boot; 0 where not
    /// told.
    #[serde(default)]
    pub namespace_started_ns: u64,
}

impl Image {
    /// What to keep of an exec. Counts in `cut` each text that was longer than its bound.
    pub(crate) fn from_executed(executed: &Executed, cut: &mut u64) -> Self {
        let argv = bounded(&executed.argv, cut);
        let mut arguments = split_nul(argv.as_bytes());
        let called = arguments.next().unwrap_or_default();
        let mut command_line = executed.name.as_bytes().to_vec();
        let mut arguments_count = 0;
        for argument in arguments {
            command_line.push(b' ');
            command_line.extend_from_slice(argument);
            arguments_count += 1;
        }
        let around = executed.surroundings.as_deref();
        Self {
            name: bounded(&executed.name, cut),
            path: bounded(&executed.exe, cut),
            filename: bounded(&executed.filename, cut),
            called: Text::from(called),
            command_line: bounded(&Text::from(command_line), cut),
            arguments_count,
            cwd: with_final_slash(&bounded(&executed.cwd, cut)),
            file: executed.exe_file,
            flags: executed.flags,
            permitted: around.map(|around| around.permitted),
            inheritable: around.map(|around| around.inheritable),
            environment: around
                .map_or_else(Text::default, |around| bounded(&around.environment, cut)),
            ctime_ns: around.map_or(0, |around| around.exe_ctime_ns),
            mtime_ns: around.map_or(0, |around| around.exe_mtime_ns),
            namespace_started_ns: around.map_or(0, |around| around.namespace_started_ns),
        }
    }

    /// Arguments after the first, joined by spaces.
    #[must_use]
    pub fn arguments(&self) -> &[u8] {
        self.command_line.as_bytes().get(self.name.as_bytes().len() + 1..).unwrap_or_default()
    }

    /// Allowed environment variables: `NAME=value`, or a bare name whose value is kept secret.
    pub fn variables(&self) -> impl Iterator<Item = &[u8]> {
        split_nul(self.environment.as_bytes())
    }
}

/// The pieces of a list whose items are each ended by a NUL byte; the last may lack it.
pub(crate) fn split_nul(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let list = list.strip_suffix(b"\0").unwrap_or(list);
    let is_empty = list.is_empty();
    list.split(|&byte| byte == 0).filter(move |_| !is_empty)
}

pub(crate) fn bounded(text: &Text, cut: &mut u64) -> Text {
    match text.as_bytes().get(..TEXT_BYTES_MAX) {
        Some(head) if head.len() < text.as_bytes().len() => {
            *cut = cut.saturating_add(1);
            Text::from(head)
        }
        Some(_) | None => text.clone(),
    }
}

pub(crate) fn with_final_slash(directory: &Text) -> Text {
    if directory.is_empty() || directory.as_bytes().ends_with(b"/") {
        return directory.clone();
    }
    Text::from([directory.as_bytes(), b"/"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(argv: &[u8]) -> Image {
        let executed =
            Executed { name: "sh".into(), argv: argv.into(), cwd: "/tmp".into(), ..<_>::default() };
        Image::from_executed(&executed, &mut 0)
    }

    #[test]
    fn a_command_line_is_the_name_and_the_further_arguments() {
        let check = |argv: &[u8], called: &str, line: &str, arguments: &str, count| {
            let image = image(argv);
            assert_eq!(image.called, called.into());
            assert_eq!(image.command_line, line.into());
            assert_eq!(image.arguments(), arguments.as_bytes());
            assert_eq!(image.arguments_count, count);
        };
        check(b"/bin/sh\0-c\0id -u\0", "/bin/sh", "sh -c id -u", "-c id -u", 2);
        check(b"-sh\0", "-sh", "sh", "", 0);
        check(b"", "", "sh", "", 0);
        check(b"sh\0\0x", "sh", "sh  x", " x", 2);
    }

    #[test]
    fn a_process_takes_at_most_400_bytes_beside_its_texts() {
        let taken = size_of::<Process>() + size_of::<Image>();
        assert!(taken <= 400, "{taken} bytes");
    }

    #[test]
    fn a_working_directory_ends_with_a_slash() {
        let check = |given: &str, kept: &str| {
            assert_eq!(with_final_slash(&given.into()), kept.into());
        };
        check("/", "/");
        check("/tmp", "/tmp/");
        check("", "");
    }

    #[test]
    fn a_text_longer_than_text_bytes_max_is_cut_and_counted() {
        let mut cut = 0;
        let long = Text::from(vec![b'a'; TEXT_BYTES_MAX + 1]);
        assert_eq!(bounded(&long, &mut cut).as_bytes().len(), TEXT_BYTES_MAX);
        assert_eq!(cut, 1);
    }
}
