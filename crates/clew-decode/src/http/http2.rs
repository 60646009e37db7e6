//! Messages of an HTTP/2 connection: requests matched with responses by their stream.
//!
//! A connection that was joined in its middle is read as well: fields that were named by a number
//! which is not known are missing, and the message says so.

mod frame;
pub(super) mod hpack;
mod huffman;

use std::collections::BTreeMap;

use clew_event::Text;
use clew_event::http::{HttpFlags, HttpVersion};

pub use frame::BLOCK_BYTES_MAX;
pub use hpack::TABLE_BYTES_MAX;

use frame::{Frames, Part};
use hpack::Decoder;

use super::body::{Body, Coding, REQUEST_BODY_BYTES_MAX, RESPONSE_BODY_BYTES_MAX};
use super::exchange::{Answering, Asking, Exchange, Moment, Teller};
use super::fields::{Kind, Sorted, told, value};
use super::head::{Asked, FIELDS_MAX};
use super::message::{self, Content};

/// Most streams of a connection that are read at once.
pub const STREAMS_MAX: usize = 256;
/// Most bytes of content that are kept of one connection; beyond it new content is not.
pub const STREAM_BODIES_BYTES_MAX: usize = 4 << 20;

/// What a client sends first, as a whole and behind what looks like a head of HTTP/1.
pub(super) const GREETING_BYTES: usize = 24;
const GREETING_REST_BYTES: usize = 6;

/// True where a piece is made of frames.
pub(super) fn is_frames(bytes: &[u8], moved: u64) -> bool {
    frame::is_frames(bytes, moved)
}

#[derive(Debug)]
struct Half {
    frames: Frames,
    table: Decoder,
}

impl Half {
    const fn new(greeting_bytes: usize) -> Self {
        Self { frames: Frames::new(greeting_bytes), table: Decoder::new() }
    }

    fn lose(&mut self) {
        self.frames.lose();
        self.table.lose();
    }
}

#[derive(Debug, Default)]
struct Stream {
    asking: Option<Asking>,
    exchange: Option<Exchange>,
    answering: Option<Answering>,
    /// The response is whole.
    is_answered: bool,
    /// What it held when it was last counted.
    buffered: usize,
}

impl Stream {
    fn count(&self) -> usize {
        self.asking.as_ref().map_or(0, |asking| asking.body.buffered() + 1024)
            + self.answering.as_ref().map_or(0, |answering| answering.body.buffered() + 1024)
            + self.exchange.as_ref().map_or(0, |it| it.request.body.as_bytes().len() + 1024)
    }

    /// Tells the request where it was not told yet.
    fn ask(&mut self, flags: HttpFlags, moment: Moment, to: &mut Teller<'_>) {
        let Some(mut asking) = self.asking.take() else { return };
        asking.request.flags.set(flags);
        self.exchange = Some(asking.tell(moment, to));
        if self.is_answered {
            self.answer(HttpFlags::default(), to);
        }
    }

    /// Tells the response that was read, or that none comes.
    fn answer(&mut self, flags: HttpFlags, to: &mut Teller<'_>) {
        match (self.exchange.take(), self.answering.take()) {
            (Some(exchange), Some(mut answering)) => {
                answering.response.flags.set(flags);
                answering.exchange = Some(exchange);
                answering.tell(to);
            }
            (Some(exchange), None) => exchange.give_up(flags, to),
            (None, Some(_)) => to.counts.unasked += 1,
            (None, None) => {}
        }
    }

    /// Tells all that is known.
    fn end(mut self, flags: HttpFlags, moment: Moment, to: &mut Teller<'_>) {
        self.ask(HttpFlags::UNFINISHED, moment, to);
        self.answer(if self.is_answered { HttpFlags::default() } else { flags }, to);
    }

    fn mark_gap(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.request.flags.set(HttpFlags::GAP);
        }
        if let Some(answering) = &mut self.answering {
            answering.response.flags.set(HttpFlags::GAP);
        }
    }
}

/// Streams that are read, and the state of both directions.
#[derive(Debug)]
pub(super) struct Http2 {
    client: Half,
    server: Half,
    streams: BTreeMap<u32, Stream>,
    buffered: usize,
}

impl Http2 {
    /// A connection whose client just greeted.
    pub(super) fn greeted() -> Self {
        Self {
            client: Half::new(GREETING_REST_BYTES),
            server: Half::new(0),
            streams: BTreeMap::new(),
            buffered: 0,
        }
    }

    /// A connection that went over from HTTP/1 with a request that is still to be answered.
    pub(super) fn upgraded(request: Option<Exchange>) -> Self {
        let first = Stream { exchange: request, ..Stream::default() };
        Self {
            client: Half::new(GREETING_BYTES),
            streams: BTreeMap::from([(1, first)]),
            ..Self::greeted()
        }
    }

    /// A connection that was joined in its middle.
    pub(super) fn joined() -> Self {
        let mut joined = Self::greeted();
        joined.client.lose();
        joined.server.lose();
        joined
    }

    /// Hears that the start of what the server sent was not seen.
    pub(super) fn lose_server(&mut self) {
        self.server.lose();
    }

    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        let halves = [&self.client, &self.server];
        halves.iter().map(|it| it.frames.buffered() + it.table.buffered()).sum::<usize>()
            + self.buffered
    }

    /// Hears that a piece of the client, or else of the server, begins.
    pub(super) fn begin(&mut self, is_client: bool, bytes: &[u8], moved: u64) {
        self.half(is_client).frames.begin(bytes, moved);
    }

    /// Reads what the client, or else the server, sent.
    pub(super) fn read(
        &mut self,
        is_client: bool,
        input: &mut &[u8],
        moment: Moment,
        to: &mut Teller<'_>,
    ) {
        while let Some(part) = self.half(is_client).frames.next(input) {
            let number = match part {
                Part::Fields(fields) => {
                    let number = fields.stream;
                    self.fields(is_client, fields, moment, to);
                    number
                }
                Part::Data(number, bytes) => {
                    self.content(is_client, (number, bytes), moment, to);
                    number
                }
                Part::End(number) => {
                    self.end_side(is_client, number, moment, to);
                    number
                }
                Part::Reset(number) => {
                    self.forget(number, moment, to);
                    number
                }
                Part::GoAway(last) => {
                    for (_, stream) in self.streams.split_off(&last.saturating_add(1)) {
                        self.buffered -= stream.buffered;
                        stream.end(HttpFlags::UNFINISHED, moment, to);
                    }
                    last
                }
                Part::Broken => {
                    self.lost(is_client, to);
                    0
                }
            };
            self.settle(number, to);
        }
    }

    /// Hears of bytes that were not seen.
    pub(super) fn gap(&mut self, is_client: bool, bytes: u64, moment: Moment, to: &mut Teller<'_>) {
        let (number, is_within) = self.half(is_client).frames.gap(bytes);
        if let Some(stream) = number.and_then(|number| self.streams.get_mut(&number)) {
            let asking = stream.asking.as_mut().filter(|_| is_client).map(|it| &mut it.body);
            let answering = stream.answering.as_mut().filter(|_| !is_client).map(|it| &mut it.body);
            if let Some(body) = asking.or(answering) {
                body.skip(bytes);
            }
            stream.mark_gap();
        }
        if is_within {
            self.read(is_client, &mut &[][..], moment, to);
        } else {
            self.lost(is_client, to);
        }
    }

    fn lost(&mut self, is_client: bool, to: &mut Teller<'_>) {
        to.counts.gaps += 1;
        to.about.is_exact = false;
        self.half(is_client).lose();
        self.streams.values_mut().for_each(Stream::mark_gap);
    }

    fn half(&mut self, is_client: bool) -> &mut Half {
        if is_client { &mut self.client } else { &mut self.server }
    }

    fn fields(
        &mut self,
        is_client: bool,
        fields: frame::Fields,
        moment: Moment,
        to: &mut Teller<'_>,
    ) {
        let half = if is_client { &mut self.client } else { &mut self.server };
        let mut block = half.table.decode(&to.reading.names.statics, &fields.block);
        if fields.is_cut {
            block.is_cut = true;
            half.table.lose();
        }
        // Streams with even numbers are what a server pushes; nobody asked for them.
        if fields.is_promise || fields.stream.is_multiple_of(2) {
            return;
        }
        if is_client {
            self.ask(fields.stream, &block, moment, to);
        } else {
            self.answer(fields.stream, &block, moment, to);
        }
        if fields.is_last {
            self.end_side(is_client, fields.stream, moment, to);
        }
    }

    /// Begins a request, unless these are fields behind its content.
    fn ask(&mut self, number: u32, block: &hpack::Block, moment: Moment, to: &mut Teller<'_>) {
        let stream = self.streams.get(&number);
        let pseudo = |name: &str| pseudo(&block.fields, name);
        let is_known = stream.is_some_and(|it| it.asking.is_some() || it.exchange.is_some());
        if is_known || pseudo(":method").is_empty() && !block.is_cut {
            return;
        }
        let fields = sorted(&block.fields, to);
        let content = Content::of(&fields);
        let asked = Asked {
            method: pseudo(":method"),
            authority: pseudo(":authority"),
            target: pseudo(":path"),
            version: HttpVersion::Http2,
        };
        let mut request = message::request(to.reading, asked, &fields, to.about.peer());
        request.started = moment.time;
        request.flags.set(content.flags);
        mark(&mut request.flags, block.is_cut, is_grpc(&fields));
        to.about.is_http = true;
        let asking = Asking { request, body: body(&fields, content), length: content.length };
        self.streams.entry(number).or_default().asking = Some(asking);
        while STREAMS_MAX < self.streams.len()
            && let Some((_, oldest)) = self.streams.pop_first()
        {
            self.buffered -= oldest.buffered;
            to.counts.dropped += 1;
            oldest.end(HttpFlags::UNFINISHED, moment, to);
        }
    }

    /// Begins a response, or takes the fields behind its content.
    fn answer(&mut self, number: u32, block: &hpack::Block, moment: Moment, to: &mut Teller<'_>) {
        let fields = sorted(&block.fields, to);
        let status = pseudo(&block.fields, ":status");
        let status = std::str::from_utf8(status).ok().and_then(|it| it.parse().ok()).unwrap_or(0);
        let is_room = self.streams.len() < STREAMS_MAX;
        let stream = match self.streams.get_mut(&number) {
            Some(stream) => stream,
            // The request may be still to come.
            None if to.about.is_exact && is_room => self.streams.entry(number).or_default(),
            None => {
                to.counts.unasked += u64::from(200 <= status);
                return;
            }
        };
        if let Some(answering) = &mut stream.answering {
            let flags = &mut answering.response.flags;
            let room = FIELDS_MAX.saturating_sub(answering.response.headers.len());
            answering.response.headers.extend(told(&fields, flags).into_iter().take(room));
            mark(flags, block.is_cut, false);
            return;
        }
        if (100..200).contains(&status) {
            return;
        }
        stream.ask(HttpFlags::UNFINISHED, moment, to);
        let content = Content::of(&fields);
        let mut response = message::response(status, &fields);
        response.flags.set(content.flags);
        mark(&mut response.flags, block.is_cut, is_grpc(&fields));
        let (body, length) = (body(&fields, content), content.length);
        stream.answering = Some(Answering { exchange: None, response, body, length, moment });
    }

    fn content(
        &mut self,
        is_client: bool,
        (number, bytes): (u32, &[u8]),
        moment: Moment,
        to: &mut Teller<'_>,
    ) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let has_room = self.buffered < STREAM_BODIES_BYTES_MAX;
        let room = |bytes_max| if has_room { bytes_max } else { 0 };
        match (is_client, &mut stream.asking, &mut stream.answering) {
            (true, Some(asking), _) => {
                asking.body.push(bytes, room(REQUEST_BODY_BYTES_MAX));
                if asking.body.is_full(REQUEST_BODY_BYTES_MAX) {
                    stream.ask(HttpFlags::default(), moment, to);
                }
            }
            (false, _, Some(answering)) => {
                answering.body.push(bytes, room(RESPONSE_BODY_BYTES_MAX));
                answering.moment = moment;
            }
            _ => {}
        }
    }

    /// Hears that the content of one side of a stream ended.
    fn end_side(&mut self, is_client: bool, number: u32, moment: Moment, to: &mut Teller<'_>) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        if is_client {
            stream.ask(HttpFlags::default(), moment, to);
            return;
        }
        stream.is_answered = stream.answering.is_some();
        if let Some(answering) = &mut stream.answering {
            answering.moment = moment;
        }
        if stream.asking.is_some() || stream.exchange.is_some() {
            self.forget(number, moment, to);
        }
    }

    /// Counts what a stream holds, and forgets it where all of it was told.
    fn settle(&mut self, number: u32, to: &mut Teller<'_>) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let now = stream.count();
        self.buffered = self.buffered + now - stream.buffered;
        stream.buffered = now;
        let is_over = stream.asking.is_none()
            && stream.exchange.is_none()
            && (stream.answering.is_none() || stream.is_answered && !to.about.is_exact);
        if is_over {
            self.forget(number, Moment::default(), to);
        }
    }

    fn forget(&mut self, number: u32, moment: Moment, to: &mut Teller<'_>) {
        if let Some(stream) = self.streams.remove(&number) {
            self.buffered -= stream.buffered;
            stream.end(HttpFlags::UNFINISHED, moment, to);
        }
    }

    /// Tells all that is read or waited for.
    pub(super) fn end(&mut self, to: &mut Teller<'_>) {
        let moment = to.about.moment;
        self.buffered = 0;
        for stream in std::mem::take(&mut self.streams).into_values() {
            stream.end(HttpFlags::UNFINISHED, moment, to);
        }
    }
}

fn pseudo<'f>(fields: &'f [(Text, Text)], name: &str) -> &'f [u8] {
    let found = fields.iter().find(|(known, _)| known.as_bytes() == name.as_bytes());
    found.map_or(&[], |(_, value)| value.as_bytes())
}

fn sorted<'f>(fields: &'f [(Text, Text)], to: &Teller<'_>) -> Vec<Sorted<'f>> {
    let plain = fields.iter().filter(|(name, _)| !name.as_bytes().starts_with(b":"));
    plain.map(|(name, value)| to.reading.names.known(name, value.as_bytes())).collect()
}

fn mark(flags: &mut HttpFlags, is_cut: bool, is_grpc: bool) {
    if is_cut {
        flags.set(HttpFlags::HEADERS_CUT);
    }
    if is_grpc {
        flags.set(HttpFlags::GRPC);
    }
}

fn is_grpc(fields: &[Sorted<'_>]) -> bool {
    let kind = value(fields, Kind::ContentType);
    kind.starts_with(b"application/grpc") && !kind.starts_with(b"application/grpc-web")
}

fn body(fields: &[Sorted<'_>], content: Content) -> Body {
    if is_grpc(fields) {
        return Body::of_messages(Coding::of(value(fields, Kind::GrpcEncoding)));
    }
    Body::new(content.coding)
}
