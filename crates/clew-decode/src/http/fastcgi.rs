//! Messages of a FastCGI connection (FastCGI Specification 1.0): how a web server hands requests
//! on to a pool of workers such as PHP-FPM.
//!
//! To the worker it is the request that it handles, so it is told as one: method, target and fields
//! are those that the web server was asked with.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clew_event::Text;
use clew_event::http::{HttpFlags, HttpVersion};
use memchr::memmem;

use super::body::{Body, REQUEST_BODY_BYTES_MAX, RESPONSE_BODY_BYTES_MAX};
use super::exchange::{Answering, Asking, Exchange, Moment, Teller};
use super::fields::Sorted;
use super::head::{Asked, FIELDS_MAX};
use super::message::{self, Content};

/// Most bytes that are kept of the parameters of a request, and of the head of a response.
pub const PARAMETERS_BYTES_MAX: usize = 64 << 10;
/// Most requests of a connection at once; web servers send one after the other.
pub const REQUESTS_MAX: usize = 16;

const HEADER_BYTES: usize = 8;
const VERSION: u8 = 1;
const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMETERS: u8 = 4;
const INPUT: u8 = 5;
const OUTPUT: u8 = 6;
const KIND_LAST: u8 = 11;

/// True where a connection begins with a request: its version, kind, number and the eight bytes
/// that say which role the worker has.
pub(super) fn is_begin(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_BYTES && is_header(bytes) && matches!(bytes, [_, BEGIN, _, _, 0, 8, ..])
}

fn is_header(bytes: &[u8]) -> bool {
    matches!(bytes, [VERSION, kind, _, _, _, _, _, 0, ..] if (BEGIN..=KIND_LAST).contains(kind))
}

/// Some of what a record holds.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    kind: u8,
    request: u16,
    bytes: &'a [u8],
    /// The record is empty, which ends what its kind carries.
    is_last: bool,
}

/// Cuts one direction into records.
#[derive(Debug, Default)]
struct Records {
    header: Vec<u8>,
    content_left: usize,
    padding_left: usize,
    is_lost: bool,
}

impl Records {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Part<'a>> {
        loop {
            if self.is_lost || input.is_empty() {
                *input = &[];
                return None;
            }
            if 0 < self.content_left {
                let bytes = take(input, self.content_left);
                self.content_left -= bytes.len();
                return Some(self.part(bytes, false));
            }
            if 0 < self.padding_left {
                self.padding_left -= take(input, self.padding_left).len();
                continue;
            }
            if self.header.len() == HEADER_BYTES {
                self.header.clear();
            }
            self.header.extend_from_slice(take(input, HEADER_BYTES - self.header.len()));
            let Some(&[_, _, _, _, high, low, padding, _]) = self.header.first_chunk() else {
                continue;
            };
            if !is_header(&self.header) {
                self.is_lost = true;
                continue;
            }
            self.content_left = u16::from_be_bytes([high, low]).into();
            self.padding_left = padding.into();
            if self.content_left == 0 {
                return Some(self.part(&[], true));
            }
        }
    }

    fn part<'a>(&self, bytes: &'a [u8], is_last: bool) -> Part<'a> {
        let [_, kind, high, low, ..] =
            self.header.first_chunk::<HEADER_BYTES>().copied().unwrap_or_default();
        Part { kind, request: u16::from_be_bytes([high, low]), bytes, is_last }
    }

    /// Passes over bytes that were not seen, and gives the request whose content they are; `None`
    /// where it is not known any more where records begin.
    fn gap(&mut self, bytes: u64) -> Option<u16> {
        let left = u64::try_from(self.content_left).ok()?;
        if self.is_lost || left < bytes {
            self.is_lost = true;
            return None;
        }
        self.content_left = usize::try_from(left - bytes).ok()?;
        Some(self.part(&[], false).request)
    }

    /// A piece begins: records begin with most pieces, so the place is found again there.
    fn begin(&mut self, bytes: &[u8]) {
        if self.is_lost && HEADER_BYTES <= bytes.len() && is_header(bytes) {
            *self = Self::default();
        }
    }
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

#[derive(Debug, Default)]
struct Request {
    parameters: Vec<u8>,
    is_cut: bool,
    asking: Option<Asking>,
    exchange: Option<Exchange>,
    /// Of the response what came before its empty line.
    head: Vec<u8>,
    answering: Option<Answering>,
}

impl Request {
    fn buffered(&self) -> usize {
        self.parameters.len()
            + self.head.len()
            + self.asking.as_ref().map_or(0, |it| it.body.buffered())
            + self.answering.as_ref().map_or(0, |it| it.body.buffered())
    }

    fn ask(&mut self, flags: HttpFlags, moment: Moment, to: &mut Teller<'_>) {
        let Some(mut asking) = self.asking.take() else { return };
        asking.request.flags.set(flags);
        self.exchange = Some(asking.tell(moment, to));
    }

    /// Tells the request where nothing more of it is to come: a worker begins then, and reads the
    /// empty record that ends the content later or never.
    fn ask_if_whole(&mut self, moment: Moment, to: &mut Teller<'_>) {
        let is_whole = self.asking.as_ref().is_some_and(|asking| {
            asking.length.unwrap_or(0) <= asking.body.bytes
                || asking.body.is_full(REQUEST_BODY_BYTES_MAX)
        });
        if is_whole {
            self.ask(HttpFlags::default(), moment, to);
        }
    }

    fn end(mut self, flags: HttpFlags, moment: Moment, to: &mut Teller<'_>) {
        self.ask(HttpFlags::UNFINISHED, moment, to);
        match (self.exchange.take(), self.answering.take()) {
            (Some(exchange), Some(mut answering)) => {
                answering.response.flags.set(flags);
                answering.moment = moment;
                answering.exchange = Some(exchange);
                answering.tell(to);
            }
            (Some(exchange), None) => exchange.give_up(flags, to),
            (None, Some(_)) => to.counts.unasked += 1,
            (None, None) => {}
        }
    }
}

/// Requests that are read, and the state of both directions.
#[derive(Debug, Default)]
pub(super) struct FastCgi {
    client: Records,
    server: Records,
    requests: BTreeMap<u16, Request>,
}

impl FastCgi {
    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        self.requests.values().map(Request::buffered).sum()
    }

    /// Hears that a piece of the client, or else of the server, begins.
    pub(super) fn begin(&mut self, is_client: bool, bytes: &[u8]) {
        self.records(is_client).begin(bytes);
    }

    /// Reads what the client, or else the server, sent.
    pub(super) fn read(
        &mut self,
        is_client: bool,
        input: &mut &[u8],
        moment: Moment,
        to: &mut Teller<'_>,
    ) {
        while let Some(part) = self.records(is_client).next(input) {
            match (is_client, part.kind) {
                (true, BEGIN) if self.requests.len() < REQUESTS_MAX => {
                    if let Some(before) = self.requests.insert(part.request, Request::default()) {
                        before.end(HttpFlags::UNFINISHED, moment, to);
                    }
                }
                (true, BEGIN) => to.counts.dropped += 1,
                (false, END) => {
                    if let Some(request) = self.requests.remove(&part.request) {
                        request.end(HttpFlags::default(), moment, to);
                    }
                }
                _ => self.part(&part, moment, to),
            }
        }
    }

    fn part(&mut self, part: &Part<'_>, moment: Moment, to: &mut Teller<'_>) {
        let Some(request) = self.requests.get_mut(&part.request) else { return };
        match part.kind {
            PARAMETERS if part.is_last => {
                request.asking = Some(asking(request, moment, to));
                request.parameters = Vec::new();
                request.ask_if_whole(moment, to);
            }
            PARAMETERS => keep(&mut request.parameters, part.bytes, &mut request.is_cut),
            INPUT if part.is_last => request.ask(HttpFlags::default(), moment, to),
            INPUT => {
                let Some(asking) = &mut request.asking else { return };
                asking.body.push(part.bytes, REQUEST_BODY_BYTES_MAX);
                request.ask_if_whole(moment, to);
            }
            OUTPUT => output(request, part.bytes, moment, to),
            _ => {}
        }
    }

    /// Hears of bytes that were not seen.
    pub(super) fn gap(&mut self, is_client: bool, bytes: u64, to: &mut Teller<'_>) {
        let number = self.records(is_client).gap(bytes);
        if number.is_none() {
            to.counts.gaps += 1;
        }
        let touched = |known: &u16| number.is_none_or(|number| number == *known);
        for (_, request) in self.requests.iter_mut().filter(|(known, _)| touched(known)) {
            match (is_client, &mut request.asking, &mut request.answering) {
                (true, Some(asking), _) => {
                    asking.request.flags.set(HttpFlags::GAP);
                    asking.body.skip(bytes);
                }
                (true, None, _) => request.is_cut = true,
                (false, _, Some(answering)) => {
                    answering.response.flags.set(HttpFlags::GAP);
                    answering.body.skip(bytes);
                }
                (false, _, None) => {}
            }
        }
    }

    /// Tells all that is read or waited for.
    pub(super) fn end(&mut self, to: &mut Teller<'_>) {
        let moment = to.about.moment;
        for request in std::mem::take(&mut self.requests).into_values() {
            request.end(HttpFlags::UNFINISHED, moment, to);
        }
    }

    fn records(&mut self, is_client: bool) -> &mut Records {
        if is_client { &mut self.client } else { &mut self.server }
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8], is_cut: &mut bool) {
    let room = PARAMETERS_BYTES_MAX - kept.len();
    kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    *is_cut |= room < bytes.len();
}

/// What the parameters ask for (RFC 3875, section 4.1).
fn asking(request: &Request, moment: Moment, to: &mut Teller<'_>) -> Asking {
    let pairs: Vec<(&[u8], &[u8])> = Pairs(&request.parameters).take(2 * FIELDS_MAX).collect();
    let get = |name: &[u8]| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    // Web servers give some parameters also where there was no such field.
    let names: Vec<(Text, &[u8])> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((field_name(name)?, *value)))
        .collect();
    let fields: Vec<Sorted<'_>> = names
        .iter()
        .take(FIELDS_MAX)
        .map(|(name, value)| to.reading.names.known(name, value))
        .collect();
    let version = match get(b"SERVER_PROTOCOL") {
        Some(b"HTTP/1.0") => HttpVersion::Http10,
        Some(b"HTTP/2.0") => HttpVersion::Http2,
        Some(b"HTTP/3.0") => HttpVersion::Http3,
        _ => HttpVersion::Http11,
    };
    let target = get(b"REQUEST_URI").or_else(|| get(b"SCRIPT_NAME")).unwrap_or_default();
    let method = get(b"REQUEST_METHOD").unwrap_or_default();
    let address = get(b"REMOTE_ADDR").and_then(|text| std::str::from_utf8(text).ok());
    let client: Option<IpAddr> = address.and_then(|text| text.parse().ok());
    // The version says how the web server was asked; here the host stands in a field.
    let asked = Asked { method, authority: b"", target, version: HttpVersion::Http11 };
    let mut told = message::request(to.reading, asked, &fields, client);
    let content = Content::of(&fields);
    (told.version, told.started) = (version, moment.time);
    told.flags.set(content.flags);
    if request.is_cut {
        told.flags.set(HttpFlags::HEADERS_CUT);
    }
    to.about.is_http = true;
    Asking { request: told, body: Body::new(content.coding), length: content.length }
}

/// `HTTP_ACCEPT_ENCODING` as the field that it was.
fn field_name(name: &[u8]) -> Option<Text> {
    let name = match name {
        b"CONTENT_TYPE" | b"CONTENT_LENGTH" => name,
        _ => name.strip_prefix(b"HTTP_")?,
    };
    let lower = |&byte: &u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    Some(name.iter().map(lower).collect::<Vec<u8>>().into())
}

/// Takes some of a response: fields, an empty line, content (RFC 3875, section 6).
fn output(request: &mut Request, bytes: &[u8], moment: Moment, to: &mut Teller<'_>) {
    if let Some(answering) = &mut request.answering {
        answering.body.push(bytes, RESPONSE_BODY_BYTES_MAX);
        answering.moment = moment;
        return;
    }
    let mut is_cut = false;
    keep(&mut request.head, bytes, &mut is_cut);
    let end = [&b"\r\n\r\n"[..], b"\n\n"]
        .into_iter()
        .filter_map(|line| memmem::find(&request.head, line).map(|at| (at, at + line.len())));
    let Some((end, start)) = end.min().or(is_cut.then_some((request.head.len(), 0))) else {
        return;
    };
    let head = std::mem::take(&mut request.head);
    let mut status = 200;
    let mut names: Vec<(Text, &[u8])> = Vec::new();
    for line in head.get(..end).unwrap_or_default().split(|&byte| byte == b'\n').take(FIELDS_MAX) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let name = name.to_ascii_lowercase();
        if name == b"status" {
            let digits = value.get(..3).and_then(|it| std::str::from_utf8(it).ok());
            status = digits.and_then(|it| it.parse().ok()).unwrap_or(status);
        } else {
            names.push((name.into(), value));
        }
    }
    let fields: Vec<Sorted<'_>> =
        names.iter().map(|(name, value)| to.reading.names.known(name, value)).collect();
    let content = Content::of(&fields);
    let response = message::response(status, &fields);
    request.ask(HttpFlags::UNFINISHED, moment, to);
    let mut body = Body::new(content.coding);
    body.push(head.get(start..).unwrap_or_default(), RESPONSE_BODY_BYTES_MAX);
    let length = content.length;
    request.answering = Some(Answering { exchange: None, response, body, length, moment });
}

/// Names and values, each with its length before it: one byte, or four where the first bit is set.
struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = (self.length()?, self.length()?);
        let (name, rest) = self.0.split_at_checked(name)?;
        let (value, rest) = rest.split_at_checked(value)?;
        self.0 = rest;
        Some((name, value))
    }
}

impl Pairs<'_> {
    fn length(&mut self) -> Option<usize> {
        let (&first, rest) = self.0.split_first()?;
        if first & 0x80 == 0 {
            self.0 = rest;
            return Some(first.into());
        }
        let (long, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        usize::try_from(u32::from_be_bytes(*long) & 0x7fff_ffff).ok()
    }
}
