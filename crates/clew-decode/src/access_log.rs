//! Access logs of servers, proxies and gateways: a line is an exchange, told once it is over.
//!
//! nginx and Apache (`common`, `combined`, with a virtual host in front or more behind), Envoy and
//! Istio, load balancers of AWS, API Gateway; the same as JSON, whose names are guessed. The form
//! is told by each line itself, so one file may hold several.
//!
//! Reading order: this file (lines into events), `line` (what a line tells), `token` (its parts),
//! one module a form.
//!
//! A line is known by its bytes and where it stands in the log, not by the file's name: what was
//! rotated or packed meanwhile is the same line. Hostile input: a line of more than
//! [`LINE_BYTES_MAX`] bytes is passed over without being held.

mod alb;
mod common;
mod envoy;
mod json;
mod line;
#[cfg(test)]
mod tests;
mod token;

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clew_event::http::{HttpEvent, HttpResponse, HttpSource};
use clew_event::socket::Endpoints;
use clew_event::{Complaint, Event, EventId, EventKind, EventType, TimestampNs};

use crate::api_log::{
    COMPLAINTS_MAX, Decoded, Log, Source, Waiting, complaint, foreign_id, is_packed,
};
use crate::http::{Settings, Words};

pub(crate) use line::{Line, version};
pub use token::TOKENS_MAX;

/// Longest line that is read; a request head has less with every server.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// How much is read at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// Lines of a beginning of which one has to be of a log.
const LINES_TRIED: usize = 8;
/// Bytes of a beginning that are looked at.
const START_BYTES: usize = 8 << 10;

/// True where bytes that begin like `start`, perhaps packed, are an access log.
#[must_use]
pub fn is_access_log(start: &[u8]) -> bool {
    let mut plain = Vec::new();
    if is_packed(start) {
        // A cut stream ends in an error, behind what could be unpacked.
        Source::new(start).read(&mut plain, START_BYTES).ok();
    } else {
        plain.extend_from_slice(start.get(..START_BYTES).unwrap_or(start));
    }
    plain.split(|&byte| byte == b'\n').take(LINES_TRIED).any(is_line)
}

/// True where a line tells an exchange.
#[must_use]
pub fn is_line(line: &[u8]) -> bool {
    Line::of(line.trim_ascii()).is_some()
}

/// Reads lines that begin at byte `position` of a log; `name` is what complaints call it.
#[must_use]
pub fn decode(settings: &Settings, name: &str, position: u64, bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded::default();
    let lines = Lines { position, ..Lines::new(settings, name, bytes) };
    for found in lines {
        match found {
            Ok(event) => decoded.events.push(event),
            Err(complaint) => decoded.complaints.push(complaint),
        }
    }
    decoded.events.sort_by_key(|event| event.time);
    decoded
}

/// Exchanges of a log, in the order in which they stand.
#[derive(Debug)]
pub struct Lines<R: Read> {
    name: String,
    source: Source<R>,
    words: Words,
    text: Vec<u8>,
    at: usize,
    is_whole: bool,
    /// The line at hand is longer than any that is read; what was read of it is gone.
    is_passed: bool,
    /// Where the next line begins.
    position: u64,
    number: u64,
    last: TimestampNs,
    complaints: usize,
    left_out: u64,
}

impl<R: Read> Lines<R> {
    /// Reads a log: plain, or compressed by gzip or zstd; `name` is what complaints call it.
    pub fn new(settings: &Settings, name: &str, input: R) -> Self {
        Self {
            name: name.to_owned(),
            source: Source::new(input),
            words: Words::new(settings),
            text: Vec::new(),
            at: 0,
            is_whole: false,
            is_passed: false,
            position: 0,
            number: 0,
            last: TimestampNs::default(),
            complaints: 0,
            left_out: 0,
        }
    }

    /// Reads on. What failed is a complaint, and the end.
    fn fill(&mut self) -> Option<Complaint> {
        self.text.drain(..self.at);
        self.at = 0;
        let before = self.text.len();
        let read = self.source.read(&mut self.text, CHUNK_BYTES);
        self.is_whole = read.is_err() || before == self.text.len();
        let error = read.err()?;
        Some(complaint(&self.name, "end", "access-log-cut-short", error.to_string()))
    }

    /// What the line of so many bytes at hand tells; `None` where that is nothing.
    fn line(&mut self, length: usize) -> Option<Result<Event, Complaint>> {
        let text = std::mem::take(&mut self.text);
        let line = text.get(self.at..self.at + length).unwrap_or_default().trim_ascii();
        let is_long = LINE_BYTES_MAX < length || self.is_passed;
        let found = if is_long {
            let message = format!("at most {LINE_BYTES_MAX} bytes of a line are read");
            self.complain("access-log-line-too-long", message).map(Err)
        } else if line.is_empty() || line.starts_with(b"#") {
            None
        } else if let Some(told) = Line::of(line) {
            Some(Ok(self.event(line, told)))
        } else {
            let message = "a line of no form that is known".to_owned();
            self.complain("access-log-malformed", message).map(Err)
        };
        self.text = text;
        found
    }

    fn complain(&mut self, code: &str, message: String) -> Option<Complaint> {
        if COMPLAINTS_MAX <= self.complaints {
            self.left_out += 1;
            return None;
        }
        self.complaints += 1;
        Some(complaint(&self.name, &format!("line {}", self.number), code, message))
    }

    fn event(&mut self, line: &[u8], told: Line<'_>) -> Event {
        let id = [&self.position.to_be_bytes()[..], line].concat();
        let event = event(&self.words, foreign_id(b"access_log", &id), self.last, &told);
        self.last = told.time.unwrap_or(self.last);
        event
    }
}

/// The exchange that a line tells; one that tells no time happened at `before`.
pub(crate) fn event(words: &Words, id: EventId, before: TimestampNs, told: &Line<'_>) -> Event {
    let noted = told.time.unwrap_or(before);
    let (started, time) = if told.is_noted_at_end {
        let started = noted.unix_ns().saturating_sub(told.duration_ns);
        (TimestampNs::from_unix_ns(started), noted)
    } else {
        (noted, noted.after(Duration::from_nanos(told.duration_ns)))
    };
    let mut request = words.request(&told.asked);
    request.started = started;
    request.body_bytes = told.request_bytes;
    let response = HttpResponse {
        status: told.status,
        duration_ns: told.duration_ns,
        body_bytes: told.response_bytes,
        ..HttpResponse::default()
    };
    let remote = told.asked.peer.map(|peer| SocketAddr::new(peer, told.port));
    let http = HttpEvent {
        exchange: id,
        seen_by: HttpSource::Log,
        is_inbound: true,
        endpoints: Endpoints { remote, ..Endpoints::default() },
        request: Arc::new(request),
        response: Some(Box::new(response)),
        ..HttpEvent::default()
    };
    Event {
        id,
        time,
        arrived: time,
        event_type: EventType::HttpResponse,
        actor: None,
        kind: EventKind::Http(Box::new(http)),
    }
}

impl<R: Read> Log for Lines<R> {
    type Record = Box<Event>;

    fn read(&mut self) -> Option<Result<Waiting<Box<Event>>, Complaint>> {
        let waiting = |event: Event| {
            let bytes = match &event.kind {
                EventKind::Http(http) => http.bytes(),
                _ => 0,
            };
            Waiting { time: event.time, bytes, record: Box::new(event) }
        };
        Some(self.next()?.map(waiting))
    }

    fn event(&mut self, record: Box<Event>) -> Event {
        *record
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Event, Complaint>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest);
            let length = match end {
                Some(end) => end,
                None if self.is_whole && rest.is_empty() && !self.is_passed => break,
                None if self.is_whole => rest.len(),
                None => {
                    if LINE_BYTES_MAX < rest.len() {
                        self.position += rest.len() as u64;
                        self.at = self.text.len();
                        self.is_passed = true;
                    }
                    match self.fill() {
                        Some(complaint) => return Some(Err(complaint)),
                        None => continue,
                    }
                }
            };
            self.number += 1;
            let found = self.line(length);
            let step = length + usize::from(end.is_some());
            self.at += step;
            self.position += step as u64;
            self.is_passed = false;
            if found.is_some() {
                return found;
            }
        }
        let left_out = std::mem::take(&mut self.left_out);
        let message = format!("{left_out} further complaints");
        (0 < left_out).then(|| Err(complaint(&self.name, "end", "access-log-more", message)))
    }
}
