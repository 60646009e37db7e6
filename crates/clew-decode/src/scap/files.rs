//! Calls on files and directories.

use std::sync::Arc;

use clew_event::file::{FileEvent, FileId, FileOperation};
use clew_event::{EventKind, EventType, Text};

use super::descriptors::Descriptor;
use super::flags;
use super::machine::{Machine, Waiting};
use super::path::joined;
use super::record::Record;
use super::state::{Outcome, Short};

/// What stands for a directory that is not known, as in Falco.
const UNKNOWN_DIRECTORY: &[u8] = b"<UNKNOWN>";

/// Where the parameters of an open stand.
struct OpenForm {
    event_type: EventType,
    directory: Option<usize>,
    name: usize,
    flags: Option<usize>,
    mode: Option<usize>,
    device: usize,
}

/// Where the parameters of another call stand.
struct Form {
    event_type: EventType,
    operation: FileOperation,
    /// Directory and path.
    path: (Option<usize>, usize),
    /// Directory and path of the second one.
    other: Option<(Option<usize>, usize)>,
    flags: Option<usize>,
    mode: Option<usize>,
}

impl Machine {
    pub(super) fn open(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let form = open_form(record.kind);
        let result = record.signed(0).ok_or(Short)?;
        let given = record.str(form.name).unwrap_or_default();
        let told = form.flags.map_or(0, |index| record.u32(index).unwrap_or(0));
        let path = self.path(record, form.directory, given);
        if 0 <= result {
            let open = Descriptor::file(path.clone(), told);
            self.threads.put(record.tid, result, Arc::new(open));
        }
        let create = if form.event_type == EventType::Creat { 0o1101 } else { 0 };
        let file = FileEvent {
            operation: FileOperation::Open,
            result,
            path_given: if path.as_bytes() == given { path.clone() } else { Text::from(given) },
            path,
            other: Text::default(),
            flags: flags::open(told) | create,
            mode: form.mode.map_or(0, |index| record.u32(index).unwrap_or(0)),
            descriptor: directory(record, form.directory),
            file: FileId {
                device: record.u32(form.device).unwrap_or(0),
                inode: record.unsigned(form.device + 1).unwrap_or(0),
            },
            ..FileEvent::default()
        };
        let actor = self.actor(record.tid);
        self.emit((record.time_ns, actor), form.event_type, EventKind::File(file), waiting);
        Ok(true)
    }

    pub(super) fn change_file(&mut self, record: &Record<'_>, waiting: &mut Waiting) -> Outcome {
        let Some(form) = form(record.kind) else { return Ok(false) };
        let result = record.signed(0).ok_or(Short)?;
        let by_descriptor = matches!(form.event_type, EventType::Fchmod | EventType::Fchown);
        let mut file = FileEvent {
            operation: form.operation,
            result,
            flags: form.flags.map_or(0, |index| record.u32(index).unwrap_or(0)),
            mode: form.mode.map_or(0, |index| record.u32(index).unwrap_or(0)),
            ..FileEvent::default()
        };
        if by_descriptor {
            let number = record.signed(1).ok_or(Short)?;
            let open = self.threads.descriptor(record.tid, number);
            file.path = open.map_or_else(Text::default, |open| open.name.clone());
            file.descriptor = i32::try_from(number).ok();
        } else {
            let (place, index) = form.path;
            let given = record.str(index).unwrap_or_default();
            file.path = self.path(record, place, given);
            file.path_given = Text::from(given);
            file.descriptor = directory(record, place);
        }
        if let Some((place, index)) = form.other {
            let given = record.str(index).unwrap_or_default();
            file.other = match form.operation {
                FileOperation::Symlink => Text::from(given),
                _ => self.path(record, place, given),
            };
            file.other_directory = directory(record, place);
        }
        let actor = self.actor(record.tid);
        self.emit((record.time_ns, actor), form.event_type, EventKind::File(file), waiting);
        Ok(true)
    }

    /// A path as given, made absolute by the directory that the call names, or the working one.
    pub(super) fn path(&self, record: &Record<'_>, directory: Option<usize>, given: &[u8]) -> Text {
        if given.starts_with(b"/") {
            return Text::from(joined(b"", given));
        }
        let directory = match directory.and_then(|index| record.signed(index)) {
            None | Some(flags::WORKING_DIRECTORY) => {
                self.threads.process_of(record.tid).map(|process| &process.cwd)
            }
            Some(number) => self.threads.descriptor(record.tid, number).map(|open| &open.name),
        };
        let directory = directory.map_or(UNKNOWN_DIRECTORY, Text::as_bytes);
        Text::from(joined(directory, given))
    }
}

/// The descriptor of a directory that the call names.
fn directory(record: &Record<'_>, place: Option<usize>) -> Option<i32> {
    place.and_then(|index| record.signed(index)).and_then(|number| i32::try_from(number).ok())
}

fn open_form(kind: u16) -> OpenForm {
    let (event_type, directory, name, flags, mode, device) = match kind {
        3 => (EventType::Open, None, 1, Some(2), Some(3), 4),
        59 => (EventType::Creat, None, 1, None, Some(2), 3),
        327 => (EventType::Openat2, Some(1), 2, Some(3), Some(4), 6),
        337 => (EventType::OpenByHandleAt, Some(1), 3, Some(2), None, 4),
        _ => (EventType::Openat, Some(1), 2, Some(3), Some(4), 5),
    };
    OpenForm { event_type, directory, name, flags, mode, device }
}

fn form(kind: u16) -> Option<Form> {
    use EventType as E;
    use FileOperation as Op;
    let one = |event_type, operation, path| Form {
        event_type,
        operation,
        path,
        other: None,
        flags: None,
        mode: None,
    };
    let two = |event_type, operation, path, other| Form {
        other: Some(other),
        ..one(event_type, operation, path)
    };
    let with_mode = |mode, form| Form { mode: Some(mode), ..form };
    let with_flags = |flags, form| Form { flags: Some(flags), ..form };
    Some(match kind {
        175 => two(E::Rename, Op::Rename, (None, 1), (None, 2)),
        177 => two(E::Renameat, Op::Rename, (Some(1), 2), (Some(3), 4)),
        319 => with_flags(5, two(E::Renameat2, Op::Rename, (Some(1), 2), (Some(3), 4))),
        309 => two(E::Link, Op::Link, (None, 1), (None, 2)),
        311 => with_flags(5, two(E::Linkat, Op::Link, (Some(1), 2), (Some(3), 4))),
        179 => two(E::Symlink, Op::Symlink, (None, 2), (None, 1)),
        181 => two(E::Symlinkat, Op::Symlink, (Some(2), 3), (None, 1)),
        301 => one(E::Unlink, Op::Unlink, (None, 1)),
        303 => with_flags(3, one(E::Unlinkat, Op::Unlink, (Some(1), 2))),
        277 => with_mode(2, one(E::Mkdir, Op::MakeDirectory, (None, 1))),
        305 => with_mode(3, one(E::Mkdirat, Op::MakeDirectory, (Some(1), 2))),
        279 => one(E::Rmdir, Op::RemoveDirectory, (None, 1)),
        315 => with_mode(2, one(E::Chmod, Op::ChangeMode, (None, 1))),
        317 => with_mode(2, one(E::Fchmod, Op::ChangeMode, (None, 1))),
        313 => with_mode(3, one(E::Fchmodat, Op::ChangeMode, (Some(1), 2))),
        379 => one(E::Chown, Op::ChangeOwner, (None, 1)),
        383 => one(E::Fchown, Op::ChangeOwner, (None, 1)),
        381 => one(E::Lchown, Op::ChangeOwner, (None, 1)),
        385 => with_flags(5, one(E::Fchownat, Op::ChangeOwner, (Some(1), 2))),
        _ => return None,
    })
}
