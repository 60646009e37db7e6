//! One file: how far it was read, and what comes next.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use clew_decode::access_log::{self, Lines};
use clew_decode::api_log::{self, Decoded, Ordered, Records};
use clew_event::Complaint;
use clew_event::json::JSON_BYTES_MAX;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::beside;
use crate::cloudtrail::proof::{Met, Prover};
use crate::ledger::Change;
use crate::queue::Feed;
use crate::spec::Content;

/// Longest line: the longest record, and some for its wrapper.
pub(crate) const LINE_BYTES_MAX: usize = JSON_BYTES_MAX + (64 << 10);
/// What is read of a growing file at once, where its lines are shorter.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of the beginning by which a file is known.
const HEAD_BYTES: u64 = 1024;
/// How often a digest is looked at while what it names may still come.
const LOOKS: u32 = 60;
/// Rounds without a change after which nothing more is expected.
const ROUNDS_SETTLED: u32 = 3;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    device: u64,
    inode: u64,
}

impl Key {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.device, self.inode)
    }
}

impl FromStr for Key {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (device, inode) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { device: device.parse()?, inode: inode.parse()? })
    }
}

/// What is kept of a file over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    path: String,
    offset: u64,
    /// Hash of so many bytes from the beginning.
    head_length: u64,
    head: String,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Not enough of it is there.
    #[default]
    Unknown,
    /// A record a line, as they come.
    Lines,
    /// Once nothing more is expected, as one.
    Whole,
}

/// One file that is followed.
#[derive(Debug, Default)]
pub(super) struct Tail {
    cursor: Cursor,
    form: Form,
    file: Option<File>,
    size: u64,
    written: (i64, i64),
    rounds_quiet: u32,
    /// When a digest was first looked at in vain, and last.
    looked: Option<(Instant, Instant)>,
}

impl Tail {
    pub(super) fn resumed(cursor: Cursor) -> Self {
        // Its size is not known, but whatever lies beyond the offset is to be read.
        Self { size: u64::MAX, cursor, ..Self::default() }
    }

    pub(super) fn path(&self) -> &str {
        &self.cursor.path
    }

    /// True while there is more to read, as far as is known.
    pub(super) fn is_behind(&self) -> bool {
        self.cursor.offset < self.size
    }

    /// Takes note of how the file stands now.
    pub(super) fn see(&mut self, path: &Path, metadata: &Metadata) -> io::Result<()> {
        self.cursor.path = path.display().to_string();
        let written = (metadata.mtime(), metadata.mtime_nsec());
        if (self.size, self.written) == (metadata.len(), written) {
            self.rounds_quiet = self.rounds_quiet.saturating_add(1);
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(File::open(path)?);
        }
        (self.size, self.written, self.rounds_quiet) = (metadata.len(), written, 0);
        if self.size < self.cursor.offset || self.head()? != self.cursor.head {
            let path = std::mem::take(&mut self.cursor.path);
            self.cursor = Cursor { path, ..Cursor::default() };
            self.cursor.head = self.head()?;
            self.form = Form::Unknown;
        }
        Ok(())
    }

    /// Hash of the beginning, as long as it was when it was kept.
    fn head(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.reader(0).take(self.cursor.head_length).read_to_end(&mut bytes)?;
        Ok(blake3::hash(&bytes).to_hex().to_string())
    }

    fn reader(&self, offset: u64) -> ReadFrom<'_> {
        ReadFrom { file: self.file.as_ref(), offset }
    }

    /// Hands over what is new and whole. `None` when the intake stops.
    pub(super) fn read(&mut self, key: Key, feed: &Feed) -> Option<io::Result<()>> {
        if !self.is_behind() {
            // Open files are few on a machine; one that grows again is opened again.
            if ROUNDS_SETTLED < self.rounds_quiet {
                self.file = None;
            }
            return Some(Ok(()));
        }
        if self.form == Form::Lines && 0 < self.rounds_quiet && self.rounds_quiet != ROUNDS_SETTLED
        {
            return Some(Ok(()));
        }
        let is_settled = ROUNDS_SETTLED <= self.rounds_quiet;
        self.read_on(key, feed, is_settled)
    }

    /// Hands over all the rest of a file that is no longer there.
    pub(super) fn finish(&mut self, key: Key, feed: &Feed) -> Option<io::Result<()>> {
        let Some(file) = &self.file else { return Some(Ok(())) };
        match file.metadata() {
            Ok(metadata) => self.size = metadata.len(),
            Err(error) => return Some(Err(error)),
        }
        if self.is_behind() { self.read_on(key, feed, true) } else { Some(Ok(())) }
    }

    fn read_on(&mut self, key: Key, feed: &Feed, is_settled: bool) -> Option<io::Result<()>> {
        if self.file.is_none() {
            match File::open(&self.cursor.path) {
                Ok(file) => self.file = Some(file),
                Err(error) => return Some(Err(error)),
            }
        }
        if self.form == Form::Unknown {
            match self.form_now(is_settled, feed.content) {
                Ok(form) => self.form = form,
                Err(error) => return Some(Err(error)),
            }
        }
        match self.form {
            Form::Unknown => Some(Ok(())),
            Form::Lines => self.read_lines(key, feed, is_settled),
            Form::Whole if is_settled => match &feed.prover {
                Some(prover) if is_digest(&self.cursor.path) => self.prove(prover, key, feed),
                Some(_) | None => self.read_whole(key, feed).map(Ok),
            },
            Form::Whole => Some(Ok(())),
        }
    }

    /// Lines where the first line is a record by itself, or no JSON at all.
    fn form_now(&self, is_settled: bool, content: Content) -> io::Result<Form> {
        let mut start = Vec::new();
        self.reader(0).take(CHUNK_BYTES as u64).read_to_end(&mut start)?;
        if start.starts_with(GZIP) || start.starts_with(ZSTD) {
            return Ok(Form::Whole);
        }
        if content == Content::Access {
            return Ok(Form::Lines);
        }
        if !start.contains(&b'\n') && start.len() == CHUNK_BYTES {
            self.reader(start.len() as u64)
                .take((LINE_BYTES_MAX - CHUNK_BYTES) as u64)
                .read_to_end(&mut start)?;
        }
        let Some(end) = start.iter().position(|byte| *byte == b'\n') else {
            let is_whole = is_settled || LINE_BYTES_MAX <= start.len();
            return Ok(if is_whole { Form::Whole } else { Form::Unknown });
        };
        let line = start.get(..end).unwrap_or_default();
        Ok(if api_log::is_json(line) && !is_record(line, content) {
            Form::Whole
        } else {
            Form::Lines
        })
    }

    fn read_lines(&mut self, key: Key, feed: &Feed, is_settled: bool) -> Option<io::Result<()>> {
        let mut length = CHUNK_BYTES;
        while self.is_behind() {
            let mut bytes = Vec::new();
            let read = self.reader(self.cursor.offset).take(length as u64).read_to_end(&mut bytes);
            if let Err(error) = read {
                return Some(Err(error));
            }
            let is_end = bytes.len() < length;
            let lines = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            let rest = bytes.get(lines..).unwrap_or_default();
            if is_end && is_settled && is_record(rest, feed.content) {
                self.deliver(&bytes, key, feed)?;
            } else if 0 < lines {
                bytes.truncate(lines);
                self.deliver(&bytes, key, feed)?;
            } else if !is_end && length < LINE_BYTES_MAX {
                length = (length * 4).min(LINE_BYTES_MAX);
                continue;
            } else if !is_end {
                self.skip_line(key, feed)?;
            }
            if is_end || bytes.is_empty() {
                break;
            }
            length = CHUNK_BYTES;
        }
        Some(Ok(()))
    }

    fn deliver(&mut self, bytes: &[u8], key: Key, feed: &Feed) -> Option<()> {
        let name = format!("{}, from byte {}", self.cursor.path, self.cursor.offset);
        let decoded = match feed.content {
            Content::Audit => api_log::decode(&name, bytes),
            Content::Access => access_log::decode(&feed.http, &name, self.cursor.offset, bytes),
        };
        self.move_to(self.cursor.offset + bytes.len() as u64, decoded, key, feed)
    }

    /// Passes over a line that is longer than any record.
    fn skip_line(&mut self, key: Key, feed: &Feed) -> Option<()> {
        let begin = self.cursor.offset;
        let mut reader = BufReader::new(self.reader(begin));
        // A line without an end is passed over as far as it goes.
        let length = io::BufRead::skip_until(&mut reader, b'\n').unwrap_or_default();
        let complaint = Complaint {
            file: self.cursor.path.clone(),
            r#where: format!("byte {begin}"),
            code: "json-record-too-long".into(),
            message: format!("a line of {length} bytes; at most {LINE_BYTES_MAX} are read"),
        };
        let decoded = Decoded { events: Vec::new(), complaints: vec![complaint] };
        feed.shared.change(|figures| figures.gaps += 1);
        self.move_to(begin + length as u64, decoded, key, feed)
    }

    fn read_whole(&mut self, key: Key, feed: &Feed) -> Option<()> {
        let (path, reader) = (&self.cursor.path, self.reader(0));
        let (Ok(last) | Err(last)) = match feed.content {
            Content::Audit => feed.stream(Ordered::new(Records::new(path, reader)))?,
            Content::Access => feed.stream(Ordered::new(Lines::new(&feed.http, path, reader)))?,
        };
        self.move_to(self.size, last, key, feed)
    }

    /// Checks a digest once all that it names is there, or has had the time to come.
    fn prove(&mut self, prover: &Prover, key: Key, feed: &Feed) -> Option<io::Result<()>> {
        let pause = prover.patience / LOOKS;
        if self.looked.is_some_and(|(_, last)| last.elapsed() < pause) {
            return Some(Ok(()));
        }
        let path = Path::new(&self.cursor.path);
        let bytes = match beside::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(error)),
        };
        let name = self.cursor.path.clone();
        let met = Met { name: &name, bytes: &bytes, place: None, signature: None };
        let proof = prover.prove(&met, &mut |digest, place| beside::fetch(path, digest, place));
        let now = Instant::now();
        let (first, _) = *self.looked.insert((self.looked.map_or(now, |(first, _)| first), now));
        if proof.is_open && first.elapsed() < prover.patience {
            return Some(Ok(()));
        }
        self.looked = None;
        let changes = proof.settle(prover, feed);
        self.move_on(self.size, proof.decoded, (key, changes), feed).map(Ok)
    }

    /// Hands over records, and that the file is read up to `offset` once they are committed.
    fn move_to(&mut self, offset: u64, decoded: Decoded, key: Key, feed: &Feed) -> Option<()> {
        self.move_on(offset, decoded, (key, Vec::new()), feed)
    }

    fn move_on(
        &mut self,
        offset: u64,
        decoded: Decoded,
        (key, mut changes): (Key, Vec<Change>),
        feed: &Feed,
    ) -> Option<()> {
        self.cursor.offset = offset;
        self.cursor.head_length = offset.min(HEAD_BYTES);
        self.cursor.head = self.head().ok().unwrap_or_default();
        let value = serde_json::to_string(&self.cursor).unwrap_or_default();
        changes.push(Change::Move { key: key.to_string(), value });
        feed.wait(feed.send(decoded, changes)).map(drop)
    }
}

fn is_digest(path: &str) -> bool {
    path.contains("_CloudTrail-Digest_")
}

fn is_record(bytes: &[u8], content: Content) -> bool {
    match content {
        Content::Audit => serde_json::from_slice::<IgnoredAny>(bytes).is_ok(),
        Content::Access => access_log::is_line(bytes),
    }
}

/// Reads a file from a place on, whatever others do with its position.
struct ReadFrom<'f> {
    file: Option<&'f File>,
    offset: u64,
}

impl io::Read for ReadFrom<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = self.file else { return Ok(0) };
        let length = file.read_at(buffer, self.offset)?;
        self.offset += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_line_longer_than_line_bytes_max_costs_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let line = |length: usize| format!("{{\"a\":\"{}\"}}\n", "x".repeat(length));
        let text = line(1) + &line(LINE_BYTES_MAX) + &line(JSON_BYTES_MAX - 8) + &line(2);
        fs::write(&path, text).unwrap();
        let source = format!("files:{}", path.display()).parse().unwrap();
        let state = folder.path().join("state");
        let (mut intake, _committer) = crate::Intake::start(vec![source], &state).unwrap();
        let mut codes = Vec::new();
        while codes.len() < 4 {
            let delivered = intake.poll(std::time::Duration::from_secs(20)).unwrap();
            codes.extend(delivered.complaints.into_iter().map(|complaint| complaint.code));
        }
        let (unknown, too_long) = ("json-unknown-record", "json-record-too-long");
        assert_eq!(codes, [unknown, too_long, unknown, unknown]);
    }
}
