//! A file that lines are appended to.
//!
//! Before each line its path is looked up: where another program has moved the file away, a new
//! one is opened, so that a rotation needs no signal. One `write` a line with `O_APPEND` keeps
//! the lines of several writers apart, and a copying rotation that truncates the file works too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::channel::{Channel, Delivered, Failure};
use crate::form::Note;

/// Alerts hold command lines: the owner writes, its group may read.
const MODE: u32 = 0o640;

/// A file that lines are appended to.
#[derive(Debug)]
pub(crate) struct AppendedFile {
    path: PathBuf,
    /// `None` while it cannot be opened.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and inode, by which a moved file is noticed.
    identity: (u64, u64),
    /// True where the last line was written in part, so that the next one begins on a new line.
    is_torn: bool,
}

impl AppendedFile {
    /// Opens the file, and makes it where there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), open: Some(Open::at(path)?) })
    }

    /// The open file, opened anew where its path leads to another one or to none.
    fn current(&mut self) -> io::Result<&mut Open> {
        let there = fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        if self.open.as_ref().map(|open| open.identity) != there {
            self.open = None;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            none => Ok(none.insert(Open::at(&self.path)?)),
        }
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
        let found = file.metadata()?;
        Ok(Self { file, identity: (found.dev(), found.ino()), is_torn: false })
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let mut text = String::with_capacity(line.len() + 2);
        if self.is_torn {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        let written = self.file.write_all(text.as_bytes());
        self.is_torn = written.is_err();
        written
    }
}

impl Channel for AppendedFile {
    fn deliver(&mut self, note: &Note) -> Result<Delivered, Failure> {
        self.current()
            .and_then(|open| open.append(&note.line))
            .map(|()| Delivered::Whole)
            .map_err(|error| Failure::passing("cannot append to the file", &error))
    }

    fn reopen(&mut self) {
        self.open = None;
    }
}
