//! Decodes calls on files.

use clew_event::file::{FileEvent, FileId, FileOperation, Owner};
use clew_event::{EventKind, EventType};
use clew_wire::limits;
use clew_wire::record::File;

use super::{Bytes, Malformed, path, syscall};

/// Asks `unlinkat` to remove a directory (`linux/fcntl.h`).
const AT_REMOVEDIR: u32 = 0x200;

pub(super) fn file(record: Bytes<'_>) -> Result<(EventType, EventKind), Malformed> {
    let file: File = record.fixed()?;
    let number = file.header.syscall;
    let wrong = Malformed::WrongCall { kind: limits::KIND_FILE, number };
    let event_type = syscall::reported(number).ok_or(wrong)?;
    let operation = operation(event_type, file.flags).ok_or(wrong)?;
    let given = record.raw(file.given)?;
    let path = if file.path.size == 0 && file.path.flags == 0 {
        path::absolute(&record.path(file.base)?, given)
    } else {
        record.path(file.path)?
    };
    let event = FileEvent {
        operation,
        result: file.header.result,
        path,
        path_given: given.into(),
        other: record.text(file.other)?,
        flags: file.flags,
        mode: file.mode,
        file: FileId { inode: file.inode, device: file.device },
        descriptor: takes_descriptor(event_type).then_some(file.descriptor),
        other_directory: takes_other_directory(event_type).then_some(file.other_directory),
        owner: (operation == FileOperation::ChangeOwner)
            .then_some(Owner { user: file.user, group: file.group }),
    };
    Ok((event_type, EventKind::File(event)))
}

fn operation(event_type: EventType, flags: u32) -> Option<FileOperation> {
    Some(match event_type {
        EventType::Open
        | EventType::Openat
        | EventType::Openat2
        | EventType::Creat
        | EventType::OpenByHandleAt => FileOperation::Open,
        EventType::Rename | EventType::Renameat | EventType::Renameat2 => FileOperation::Rename,
        EventType::Link | EventType::Linkat => FileOperation::Link,
        EventType::Symlink | EventType::Symlinkat => FileOperation::Symlink,
        EventType::Unlinkat if flags & AT_REMOVEDIR != 0 => FileOperation::RemoveDirectory,
        EventType::Unlink | EventType::Unlinkat => FileOperation::Unlink,
        EventType::Mkdir | EventType::Mkdirat => FileOperation::MakeDirectory,
        EventType::Rmdir => FileOperation::RemoveDirectory,
        EventType::Chmod | EventType::Fchmod | EventType::Fchmodat => FileOperation::ChangeMode,
        EventType::Chown | EventType::Fchown | EventType::Lchown | EventType::Fchownat => {
            FileOperation::ChangeOwner
        }
        EventType::Truncate | EventType::Ftruncate => FileOperation::Truncate,
        EventType::Chdir | EventType::Fchdir => FileOperation::ChangeDirectory,
        EventType::Chroot => FileOperation::ChangeRoot,
        _ => return None,
    })
}

/// Calls that are given the file's descriptor, or that of the directory its path starts from.
const fn takes_descriptor(event_type: EventType) -> bool {
    use EventType as E;
    matches!(
        event_type,
        E::Openat
            | E::Openat2
            | E::OpenByHandleAt
            | E::Mkdirat
            | E::Unlinkat
            | E::Symlinkat
            | E::Fchmodat
            | E::Fchownat
            | E::Fchmod
            | E::Fchown
            | E::Ftruncate
            | E::Fchdir
    ) || takes_other_directory(event_type)
}

/// Calls on two paths, each with a directory of its own.
const fn takes_other_directory(event_type: EventType) -> bool {
    matches!(event_type, EventType::Renameat | EventType::Renameat2 | EventType::Linkat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_wire::as_bytes;
    use clew_wire::record::{Header, TextRef};

    struct Texts<'a> {
        path: Option<&'a str>,
        base: &'a str,
        given: &'a str,
    }

    fn decode(syscall: u32, flags: u32, texts: &Texts<'_>) -> Result<FileEvent, Malformed> {
        let mut bytes = Vec::new();
        let mut put = |text: &str, flags| {
            let offset = u16::try_from(size_of::<File>() + bytes.len()).expect("short");
            bytes.extend_from_slice(text.as_bytes());
            let size = u16::try_from(text.len()).expect("short");
            TextRef { offset, size, flags, reserved: 0 }
        };
        let record = File {
            header: Header { syscall, ..Header::default() },
            flags,
            path: texts.path.map(|path| put(path, limits::TEXT_COMPONENTS)).unwrap_or_default(),
            base: put(texts.base, limits::TEXT_COMPONENTS),
            given: put(texts.given, 0),
            ..File::default()
        };
        let record = [as_bytes(&record), &bytes].concat();
        match file(Bytes(&record))? {
            (_, EventKind::File(event)) => Ok(event),
            other => panic!("not a file: {other:?}"),
        }
    }

    #[test]
    fn the_truth_goes_before_what_was_given() {
        let texts = Texts { path: Some("shadow/etc/"), base: "", given: "link" };
        let event = decode(257, 0, &texts).expect("a whole record");
        assert_eq!((event.path, event.path_given), ("/etc/shadow".into(), "link".into()));
    }

    #[test]
    fn without_truth_the_given_path_is_made_absolute() {
        let texts = Texts { path: None, base: "tmp/", given: "../x" };
        assert_eq!(decode(257, 0, &texts).expect("a whole record").path, "/x".into());
        let root = Texts { path: Some(""), base: "tmp/", given: "../x" };
        assert_eq!(decode(257, 0, &root).expect("a whole record").path, "/".into());
    }

    #[test]
    fn unlinkat_may_remove_a_directory() {
        let texts = Texts { path: None, base: "", given: "/d" };
        let operation = |flags| decode(263, flags, &texts).expect("a whole record").operation;
        assert_eq!(operation(0), FileOperation::Unlink);
        assert_eq!(operation(AT_REMOVEDIR), FileOperation::RemoveDirectory);
    }

    #[test]
    fn a_descriptor_is_told_of_calls_that_take_one() {
        let texts = Texts { path: None, base: "", given: "/d" };
        let told = |number| {
            let event = decode(number, 0, &texts).expect("a whole record");
            (event.descriptor.is_some(), event.other_directory.is_some(), event.owner.is_some())
        };
        assert_eq!(told(2), (false, false, false), "open");
        assert_eq!(told(257), (true, false, false), "openat");
        assert_eq!(told(316), (true, true, false), "renameat2");
        assert_eq!(told(93), (true, false, true), "fchown");
        assert_eq!(told(80), (false, false, false), "chdir");
    }

    #[test]
    fn a_call_that_is_none_on_files_is_refused() {
        let texts = Texts { path: None, base: "", given: "/d" };
        let expected = Malformed::WrongCall { kind: limits::KIND_FILE, number: 42 };
        assert_eq!(decode(42, 0, &texts), Err(expected));
    }
}
