//! Reads the records of a log one after the other, however long the log is.
//!
//! Of the input, no more than one record and [`CHUNK_BYTES`] are held. A record is indexed where it
//! stands, in the same pass in which its end is found. An array of records, alone or as a member of
//! a wrapper (`{"Records":[…`), is entered: its records are given as they come, also where it never
//! ends. What is broken is passed over up to where the next record may begin: behind its brackets
//! where they close, else at the next line.

use std::io::{self, Read};
use std::mem;

use clew_event::json::{JSON_BYTES_MAX, Json};
use clew_event::{Complaint, Event};

use super::file::{File, Found, Record, is_wrapper_start};
use super::order::{Log, Waiting};
use super::scan::{self, Skipper, skip_gaps};
use super::source::Source;

/// How much is read at a time.
pub const CHUNK_BYTES: usize = 256 << 10;

/// The records of a log, in the order in which they stand.
#[derive(Debug)]
pub struct Records<R: Read> {
    source: Source<R>,
    file: File,
    text: Vec<u8>,
    at: usize,
    is_whole: bool,
    place: Place,
}

/// Where in the log the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Between values.
    Outside,
    /// In an array of records; in a wrapper, or alone.
    Array { is_wrapped: bool },
    /// In something that is passed over.
    Passed(Skipper),
    /// In a line that is passed over.
    Line,
    /// Behind the end.
    End,
}

/// What became of the value at hand.
enum Step {
    /// It was read, or passed over.
    Done,
    /// More of it has to be read first.
    More,
}

impl<R: Read> Records<R> {
    /// Reads a log: plain, or compressed by gzip or zstd; `name` is what complaints call it.
    pub fn new(name: &str, input: R) -> Self {
        Self {
            source: Source::new(input),
            file: File::new(name),
            text: Vec::new(),
            at: 0,
            is_whole: false,
            place: Place::Outside,
        }
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.text.capacity()
    }

    fn advance(&mut self) {
        let step = match self.place {
            Place::Passed(skipper) => self.pass(skipper),
            Place::Line => self.pass_line(),
            Place::Outside | Place::Array { .. } => self.value(),
            Place::End => Step::Done,
        };
        if matches!(step, Step::More) && !self.fill() {
            self.end();
        }
    }

    fn value(&mut self) -> Step {
        self.at = skip_gaps(&self.text, self.at);
        let text = mem::take(&mut self.text);
        let step = self.value_of(&text);
        self.text = text;
        step
    }

    fn value_of(&mut self, text: &[u8]) -> Step {
        let rest = text.get(self.at..).unwrap_or_default();
        let is_outside = matches!(self.place, Place::Outside);
        match (rest.first(), self.place) {
            (None, _) => return Step::More,
            (Some(b']'), Place::Array { is_wrapped }) => {
                self.at += 1;
                self.place =
                    if is_wrapped { Place::Passed(Skipper::inside(1)) } else { Place::Outside };
                return Step::Done;
            }
            (Some(b'['), Place::Outside) => return self.enter(1, false),
            (Some(b'{'), Place::Outside) => match is_wrapper_start(rest) {
                Some(Some(length)) => return self.enter(length, true),
                None if !self.is_whole && rest.len() < CHUNK_BYTES => return Step::More,
                None | Some(None) => {}
            },
            (Some(b'{' | b'['), _) => {}
            (Some(b'"'), Place::Array { .. }) => {}
            _ => return self.broken(rest, 0, "neither an object nor an array"),
        }
        match Json::parse_start(rest) {
            Ok((json, length)) => {
                self.at += length;
                self.file.value(json, usize::from(!is_outside));
                Step::Done
            }
            Err(error) if error.is_cut && !self.is_whole => Step::More,
            Err(error) if error.is_cut => self.broken(rest, error.byte, "the record has no end"),
            Err(_) if JSON_BYTES_MAX <= rest.len() && self.too_long(rest) => Step::Done,
            Err(error) => self.broken(rest, error.byte, &error.to_string()),
        }
    }

    fn enter(&mut self, length: usize, is_wrapped: bool) -> Step {
        self.at += length;
        self.place = Place::Array { is_wrapped };
        Step::Done
    }

    /// Passes over a record that is longer than any that is read, without holding it.
    fn too_long(&mut self, rest: &[u8]) -> bool {
        if scan::value_end(rest.get(..JSON_BYTES_MAX).unwrap_or_default(), 0).is_some() {
            return false;
        }
        let message = format!("at most {JSON_BYTES_MAX} bytes of a record are read");
        self.file.complain("json-record-too-long", message);
        self.pass_from(Skipper::inside(0));
        true
    }

    fn pass_from(&mut self, skipper: Skipper) {
        let is_wrapped = match self.place {
            Place::Array { is_wrapped } => Some(is_wrapped),
            _ => None,
        };
        self.place = Place::Passed(skipper.then(is_wrapped));
    }

    fn pass(&mut self, mut skipper: Skipper) -> Step {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (length, is_done) = skipper.skip(rest);
        self.at += length;
        self.place = match (is_done, skipper.back()) {
            (false, _) => Place::Passed(skipper),
            (true, Some(is_wrapped)) => Place::Array { is_wrapped },
            (true, None) => Place::Outside,
        };
        if is_done { Step::Done } else { Step::More }
    }

    fn pass_line(&mut self) -> Step {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest);
        self.at += end.map_or(rest.len(), |at| at + 1);
        if end.is_none() {
            return Step::More;
        }
        self.place = Place::Outside;
        Step::Done
    }

    /// Goes on behind what is broken at `byte` of `rest`.
    fn broken(&mut self, rest: &[u8], byte: usize, reason: &str) -> Step {
        let is_array = matches!(self.place, Place::Array { .. });
        let line_end = |from: usize| {
            memchr::memchr(b'\n', rest.get(from..).unwrap_or_default()).map(|at| from + at)
        };
        if let Some(end) = scan::value_end(rest, 0).filter(|end| byte <= *end && 1 < *end) {
            self.at += end;
        } else if let Some(start) = line_start(rest, byte) {
            self.at += start;
        } else if let Some(end) = line_end(byte) {
            self.at += end;
        } else if is_array {
            let behind = rest.get(byte.max(1)..).unwrap_or_default();
            let next = memchr::memmem::find(behind, b",{").map_or(behind.len(), |at| at + 1);
            self.at += byte.max(1).min(rest.len()) + next;
        } else {
            self.at += rest.len();
            self.place = Place::Line;
        }
        self.file.complain("json-malformed", reason.to_owned());
        Step::Done
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> bool {
        self.text.drain(..self.at);
        self.at = 0;
        let before = self.text.len();
        // What is held doubles, so that a long record is looked at a bounded number of times.
        let wanted = CHUNK_BYTES.max(before);
        match self.source.read(&mut self.text, wanted) {
            Ok(()) => {}
            Err(error) => self.cut(&error),
        }
        let is_more = before < self.text.len();
        let is_first_end = !is_more && !self.is_whole;
        self.is_whole |= !is_more;
        // What waited for more is looked at once again when it is known that there is none.
        is_more || is_first_end && self.at < self.text.len()
    }

    fn cut(&mut self, error: &io::Error) {
        self.file.say_at("end", "json-cut-short", error.to_string());
    }

    fn end(&mut self) {
        let open = match self.place {
            Place::Array { .. } => Some("the array of records has no end"),
            Place::Passed(_) => Some("what stands around the records has no end"),
            Place::Outside | Place::Line | Place::End => None,
        };
        if let Some(reason) = open {
            self.file.say_at("end", "json-cut-short", reason.to_owned());
        }
        self.file.end();
        self.place = Place::End;
    }
}

/// Where the line of `byte` begins, if that is behind the first line and a record may begin there.
fn line_start(rest: &[u8], byte: usize) -> Option<usize> {
    let before = rest.get(..byte)?;
    let start = memchr::memrchr(b'\n', before)? + 1;
    let first = rest.get(skip_gaps(rest, start));
    matches!(first, Some(b'{' | b'[')).then_some(start)
}

impl<R: Read> Log for Records<R> {
    type Record = Record;

    fn read(&mut self) -> Option<Result<Waiting<Record>, Complaint>> {
        loop {
            match self.file.next() {
                Some(Found::Record(record)) => {
                    let (time, bytes) = (record.time, record.bytes());
                    return Some(Ok(Waiting { time, bytes, record }));
                }
                Some(Found::Complaint(complaint)) => return Some(Err(complaint)),
                None if matches!(self.place, Place::End) => return None,
                None => self.advance(),
            }
        }
    }

    fn event(&mut self, record: Record) -> Event {
        self.file.event(record)
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.read()?;
        Some(found.map(|waiting| self.event(waiting.record)))
    }
}
