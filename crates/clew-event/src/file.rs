//! Calls on files and directories.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A file of one machine: device and inode.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct FileId {
    /// Inode number.
    pub inode: u64,
    /// Device number as the kernel holds it (12 bits major, 20 bits minor).
    pub device: u32,
}

/// Who owns a file; `u32::MAX` leaves it as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User.
    pub user: u32,
    /// Group.
    pub group: u32,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileOperation {
    /// Opened or created; how, say the flags.
    #[default]
    Open,
    /// Moved or renamed from `path` to `other`.
    Rename,
    /// A hard link `other` was made to `path`.
    Link,
    /// A symbolic link `path` was made with the content `other`.
    Symlink,
    /// A name was removed.
    Unlink,
    /// A directory was made.
    MakeDirectory,
    /// A directory was removed.
    RemoveDirectory,
    /// Permission bits were changed to `mode`.
    ChangeMode,
    /// The owner was changed.
    ChangeOwner,
    /// The length was cut.
    Truncate,
    /// The working directory became `path`.
    ChangeDirectory,
    /// The root became `path`.
    ChangeRoot,
}

/// One call on a file, seen when it returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvent {
    /// What was done.
    pub operation: FileOperation,
    /// What the call returned: a descriptor for opens; a negative error number.
    pub result: i64,
    /// The file. Kernel truth (from the opened file) where the open succeeded; else the given
    /// path, made absolute.
    pub path: Text,
    /// The path as the caller gave it, which he may change while the kernel reads it: a hint.
    pub path_given: Text,
    /// The second path of a rename or link, or the content of a symbolic link, as given.
    pub other: Text,
    /// `open` flags in the machine's own numbers (`O_CREAT` = 0o100 on x86-64).
    pub flags: u32,
    /// Permission bits asked for.
    pub mode: u32,
    /// The file, where the call succeeded and the kernel told it.
    pub file: FileId,
    /// The descriptor given: of the file itself (`fchmod`), or of the directory that a relative
    /// path starts from (`AT_FDCWD` is -100). `None` where the call takes none.
    pub descriptor: Option<i32>,
    /// The same for the second path of a rename or link.
    pub other_directory: Option<i32>,
    /// Owner asked for by a change of owner.
    pub owner: Option<Owner>,
}

impl FileEvent {
    const ACCESS_MODE: u32 = 0o3;
    const WRITE_ONLY: u32 = 0o1;
    const READ_WRITE: u32 = 0o2;

    /// True where the call was to open, gave a descriptor, and allows reading.
    #[must_use]
    pub fn is_open_for_reading(&self) -> bool {
        self.is_opened() && self.flags & Self::ACCESS_MODE != Self::WRITE_ONLY
    }

    /// True where the call was to open, gave a descriptor, and allows writing.
    #[must_use]
    pub fn is_open_for_writing(&self) -> bool {
        self.is_opened()
            && matches!(self.flags & Self::ACCESS_MODE, Self::WRITE_ONLY | Self::READ_WRITE)
    }

    fn is_opened(&self) -> bool {
        self.operation == FileOperation::Open && 0 <= self.result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_follows_the_flags_of_an_open_that_succeeded() {
        let check = |flags, result, expected| {
            let open = FileEvent { flags, result, ..FileEvent::default() };
            assert_eq!((open.is_open_for_reading(), open.is_open_for_writing()), expected);
        };
        check(0o0, 3, (true, false));
        check(0o1, 3, (false, true));
        check(0o102, 3, (true, true));
        check(0o2, -13, (false, false));
    }
}
