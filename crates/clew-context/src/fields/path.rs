//! `fs.path.*`: the paths of file system calls that succeeded.
//!
//! A rename has a source and a target; a link's source is the new name and its target the old one,
//! as in Falco. Paths as given are hints; the resolved ones are absolute.

use clew_event::file::{FileEvent, FileOperation};
use clew_event::kernel::{KernelEvent, KernelOperation};
use clew_event::{EventKind, EventType, FieldValue};

use super::{owned, text};
use crate::process::Process;
use crate::view::View;

pub(crate) fn name<'a>(view: &View<'a>) -> FieldValue<'a> {
    match subject(view) {
        Some(Paths::Opened(file) | Paths::One(file)) => text(&file.path),
        Some(Paths::Mounted(call)) if call.operation == KernelOperation::Unmount => {
            text(&call.path)
        }
        Some(Paths::Moved(_) | Paths::Linked(_) | Paths::Symlinked(_) | Paths::Mounted(_))
        | None => FieldValue::Missing,
    }
}

pub(crate) fn name_given<'a>(view: &View<'a>) -> FieldValue<'a> {
    match subject(view) {
        Some(Paths::Opened(file) | Paths::One(file)) => given(file),
        _ => name(view),
    }
}

pub(crate) fn source<'a>(view: &View<'a>) -> FieldValue<'a> {
    match subject(view) {
        Some(Paths::Moved(file) | Paths::Symlinked(file)) => text(&file.path),
        Some(Paths::Linked(file)) => absolute(view, file.other.as_bytes()),
        Some(Paths::Mounted(call)) if call.operation == KernelOperation::Mount => text(&call.other),
        Some(Paths::Opened(_) | Paths::One(_) | Paths::Mounted(_)) | None => FieldValue::Missing,
    }
}

pub(crate) fn source_given<'a>(view: &View<'a>) -> FieldValue<'a> {
    match subject(view) {
        Some(Paths::Moved(file) | Paths::Symlinked(file)) => given(file),
        Some(Paths::Linked(file)) => text(&file.other),
        _ => source(view),
    }
}

pub(crate) fn target<'a>(view: &View<'a>) -> FieldValue<'a> {
    match subject(view) {
        Some(Paths::Moved(file) | Paths::Symlinked(file)) => absolute(view, file.other.as_bytes()),
        Some(Paths::Linked(file)) => text(&file.path),
        Some(Paths::Mounted(call)) if call.operation == KernelOperation::Mount => text(&call.path),
        Some(Paths::Opened(_) | Paths::One(_) | Paths::Mounted(_)) | None => FieldValue::Missing,
    }
}

pub(crate) fn target_given<'a>(view: &View<'a>) -> FieldValue<'a> {
    match subject(view) {
        Some(Paths::Moved(file) | Paths::Symlinked(file)) => text(&file.other),
        Some(Paths::Linked(file)) => given(file),
        _ => target(view),
    }
}

/// `path` made absolute by the caller's working directory, where that is known.
pub(crate) fn absolute<'a>(view: &View<'a>, path: &'a [u8]) -> FieldValue<'a> {
    match view.process().and_then(Process::cwd) {
        _ if path.starts_with(b"/") => path.into(),
        Some(cwd) if !cwd.is_empty() => owned(joined(cwd.as_bytes(), path)),
        Some(_) | None => path.into(),
    }
}

enum Paths<'a> {
    Opened(&'a FileEvent),
    One(&'a FileEvent),
    Moved(&'a FileEvent),
    Linked(&'a FileEvent),
    Symlinked(&'a FileEvent),
    Mounted(&'a KernelEvent),
}

fn subject<'a>(view: &View<'a>) -> Option<Paths<'a>> {
    match &view.event.kind {
        // An open counts also where it failed, but creat and open by handle do not count.
        EventKind::File(file) if file.operation == FileOperation::Open => match view
            .event
            .event_type
        {
            EventType::Open | EventType::Openat | EventType::Openat2 => Some(Paths::Opened(file)),
            _ => None,
        },
        EventKind::File(file) if file.result == 0 => Some(match file.operation {
            FileOperation::Open
            | FileOperation::Unlink
            | FileOperation::MakeDirectory
            | FileOperation::RemoveDirectory
            | FileOperation::ChangeMode
            | FileOperation::ChangeOwner
            | FileOperation::Truncate => Paths::One(file),
            FileOperation::Rename => Paths::Moved(file),
            FileOperation::Link => Paths::Linked(file),
            FileOperation::Symlink => Paths::Symlinked(file),
            FileOperation::ChangeDirectory | FileOperation::ChangeRoot => return None,
        }),
        EventKind::Kernel(call) if call.result == 0 => {
            matches!(call.operation, KernelOperation::Mount | KernelOperation::Unmount)
                .then_some(Paths::Mounted(call))
        }
        _ => None,
    }
}

fn given(file: &FileEvent) -> FieldValue<'_> {
    if file.path_given.is_empty() { text(&file.path) } else { text(&file.path_given) }
}

/// `path` below `directory`, with `.` and `..` taken out.
fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let is_slash = |byte: &u8| *byte == b'/';
    for component in directory.split(is_slash).chain(path.split(is_slash)) {
        match component {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    [b"/", kept.join(&b'/').as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::builders::{INSIDE, event, shell_in_container, shown};

    #[test]
    fn a_relative_path_is_joined_without_dots() {
        let check = |directory: &str, path: &str, expected: &str| {
            let found = joined(directory.as_bytes(), path.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), expected);
        };
        check("/tmp/", "a", "/tmp/a");
        check("/tmp/x/", "../a/./b", "/tmp/a/b");
        check("/", "../../etc", "/etc");
        check("/a/", "..", "/");
    }

    const NAMES: [&str; 6] = [
        "fs.path.name",
        "fs.path.nameraw",
        "fs.path.source",
        "fs.path.sourceraw",
        "fs.path.target",
        "fs.path.targetraw",
    ];

    fn check(of: EventType, file: FileEvent, expected: [&str; 6]) {
        let context = shell_in_container();
        let event = event(Some((30, INSIDE)), of, EventKind::File(file));
        let view = context.view(&event);
        let expected = expected.map(|value| match value {
            "-" => "-".to_owned(),
            path => format!("\"{path}\""),
        });
        assert_eq!(NAMES.map(|name| shown(&view, name)), expected);
    }

    fn call(operation: FileOperation, path: &str, given: &str, other: &str) -> FileEvent {
        FileEvent {
            operation,
            path: path.into(),
            path_given: given.into(),
            other: other.into(),
            ..FileEvent::default()
        }
    }

    #[test]
    fn each_call_tells_its_own_paths() {
        use FileOperation as Op;
        let unlink = call(Op::Unlink, "/srv/a", "a", "");
        check(EventType::Unlink, unlink, ["/srv/a", "a", "-", "-", "-", "-"]);
        let rename = call(Op::Rename, "/srv/a", "a", "../b");
        check(EventType::Rename, rename, ["-", "-", "/srv/a", "a", "/b", "../b"]);
        let link = call(Op::Link, "/etc/shadow", "/etc/shadow", "x");
        check(EventType::Linkat, link, ["-", "-", "/srv/x", "x", "/etc/shadow", "/etc/shadow"]);
        let symlink = call(Op::Symlink, "/srv/x", "x", "/etc");
        check(EventType::Symlinkat, symlink, ["-", "-", "/srv/x", "x", "/etc", "/etc"]);
        let open = FileEvent { result: -2, ..call(Op::Open, "/srv/a", "a", "") };
        check(EventType::Openat, open, ["/srv/a", "a", "-", "-", "-", "-"]);
    }

    #[test]
    fn a_failed_call_tells_no_path() {
        let failed = FileEvent { result: -13, ..call(FileOperation::Unlink, "/a", "/a", "") };
        check(EventType::Unlink, failed, ["-"; 6]);
    }
}
