//! Calls on files.

use clew_event::file::{FileEvent, FileOperation};
use clew_event::{EventKind, EventType};

use super::line::Line;
use super::world::World;

/// `open` flags of x86-64 (`asm-generic/fcntl.h`); `write` is write-only.
const OPEN_FLAGS: &[(&str, u64)] = &[
    ("read", 0),
    ("write", 0o1),
    ("create", 0o100),
    ("truncate", 0o1000),
    ("append", 0o2000),
    ("directory", 0o200_000),
];
/// The first descriptor beyond the standard ones.
const DESCRIPTOR: i64 = 3;

pub(super) fn open(world: &mut World, line: &mut Line) -> Result<(), String> {
    let actor = world.process(line.need_as("pid")?)?.actor;
    let path = line.need("path")?;
    let file = FileEvent {
        operation: FileOperation::Open,
        result: line.take_as("result")?.unwrap_or(DESCRIPTOR),
        path_given: line.take("given").unwrap_or_else(|| path.clone()).into(),
        path: path.into(),
        flags: u32::try_from(line.take_bits("flags", OPEN_FLAGS)?).unwrap_or_default(),
        ..FileEvent::default()
    };
    world.push(EventType::Openat, Some(actor), EventKind::File(file));
    Ok(())
}

/// `chmod`, `mkdir`, `rmdir`, `unlink`.
pub(super) fn one_path(world: &mut World, line: &mut Line) -> Result<(), String> {
    let (event_type, operation) = match line.verb.as_str() {
        "chmod" => (EventType::Fchmodat, FileOperation::ChangeMode),
        "mkdir" => (EventType::Mkdirat, FileOperation::MakeDirectory),
        "rmdir" => (EventType::Rmdir, FileOperation::RemoveDirectory),
        _ => (EventType::Unlinkat, FileOperation::Unlink),
    };
    let mode = line.take("mode").unwrap_or_else(|| "0".into());
    let mode = u32::from_str_radix(&mode, 8).map_err(|_| format!("`mode={mode}` is not octal"))?;
    push(world, line, event_type, FileEvent { operation, mode, ..FileEvent::default() })
}

/// `rename`, `link` and `symlink`: `to` is the new name, or the content of a symbolic link.
pub(super) fn two_paths(world: &mut World, line: &mut Line) -> Result<(), String> {
    let (event_type, operation) = match line.verb.as_str() {
        "rename" => (EventType::Renameat2, FileOperation::Rename),
        "link" => (EventType::Linkat, FileOperation::Link),
        _ => (EventType::Symlinkat, FileOperation::Symlink),
    };
    let other = line.need("to")?.into();
    push(world, line, event_type, FileEvent { operation, other, ..FileEvent::default() })
}

fn push(
    world: &mut World,
    line: &mut Line,
    event_type: EventType,
    file: FileEvent,
) -> Result<(), String> {
    let actor = world.process(line.need_as("pid")?)?.actor;
    let path = line.need("path")?;
    let result = line.take_as("result")?.unwrap_or(0);
    let file = FileEvent { result, path_given: path.as_str().into(), path: path.into(), ..file };
    world.push(event_type, Some(actor), EventKind::File(file));
    Ok(())
}
