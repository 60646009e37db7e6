//! Messages of an HTTP/1 connection: requests matched with responses by their order.
//!
//! As long as every byte was seen the order alone decides. Behind a gap it may not: then a response
//! whose first byte was seen before that of the request belongs to a request that was not seen, and
//! a request that follows a gap among the responses was sent by who had read what he waited for. So
//! do nearly all clients: one that was seen to send several requests at once is taken at its word.

use std::collections::VecDeque;

use clew_event::TimestampNs;
use clew_event::http::HttpFlags;

use super::body::{Body, REQUEST_BODY_BYTES_MAX, RESPONSE_BODY_BYTES_MAX};
use super::exchange::{Answering, Asking, EXCHANGES_MAX, Exchange, Moment, Teller, give_up_all};
use super::fields::{Kind, value};
use super::head;
use super::message::{self, Content};
use super::reader::{Gap, Length, Part, Reader};

/// Bytes of a first line by which other protocols are told apart while it is not whole.
pub(super) const SNIFFED_BYTES_MAX: usize = 1 << 10;

/// What reading found of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All was read.
    All,
    /// A response began and no request waits for one: it may be still to come.
    Early,
    /// It is not HTTP.
    Other,
    /// HTTP/2 begins.
    Http2,
    /// From here on it is HTTP/2, with this request as its first.
    Upgraded,
    /// From here on it is another protocol.
    Handed,
}

/// How a piece of the server is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) moment: Moment,
    /// A response waits for its request, which may be still to come.
    pub(super) is_patient: bool,
}

/// Messages that are read, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Http1 {
    asking: Option<Asking>,
    pub(super) waiting: VecDeque<Exchange>,
    answering: Option<Answering>,
    /// A request was sent before the response to the one before it.
    is_pipelined: bool,
    /// When the request's or response's first byte was seen.
    asked: TimestampNs,
    answered: TimestampNs,
}

impl Http1 {
    /// Bytes that are kept.
    pub(super) fn buffered(&self) -> usize {
        let told = |exchange: &Exchange| exchange.request.body.as_bytes().len() + 1024;
        self.asking.as_ref().map_or(0, |asking| asking.body.buffered() + 1024)
            + self.answering.as_ref().map_or(0, |answering| answering.body.buffered() + 1024)
            + self.waiting.iter().map(told).sum::<usize>()
    }

    /// Reads what the client sent.
    pub(super) fn requests(
        &mut self,
        reader: &mut Reader,
        input: &mut &[u8],
        moment: Moment,
        to: &mut Teller<'_>,
    ) -> Found {
        loop {
            if reader.is_between() {
                self.asked = moment.time;
            }
            let Some(part) = reader.next(input) else { break };
            match part {
                Part::Head(bytes) => {
                    if bytes.as_ref() == head::HTTP2_HEAD && !to.about.is_http {
                        return Found::Http2;
                    }
                    if !self.ask(reader, &bytes, to) {
                        if to.about.is_exact && !to.about.is_http {
                            return Found::Other;
                        }
                        to.about.is_exact = false;
                        reader.lose();
                    }
                }
                Part::Body(piece) => {
                    let Some(asking) = &mut self.asking else { continue };
                    asking.body.push(piece, REQUEST_BODY_BYTES_MAX);
                    if asking.body.is_full(REQUEST_BODY_BYTES_MAX) {
                        self.tell(HttpFlags::default(), moment, to);
                    }
                }
                Part::End => self.tell(HttpFlags::default(), moment, to),
                Part::Broken => {
                    to.about.is_exact = false;
                    reader.lose();
                    self.tell(HttpFlags::UNFINISHED, moment, to);
                }
            }
        }
        // As it grows a head is looked at again and again, so not at all of it.
        let kept = reader.kept().get(..SNIFFED_BYTES_MAX).unwrap_or(reader.kept());
        let is_other = to.about.is_exact && !to.about.is_http && !head::may_be_request(kept);
        if is_other { Found::Other } else { Found::All }
    }

    /// Begins a request; false where it is none.
    fn ask(&mut self, reader: &mut Reader, bytes: &[u8], to: &mut Teller<'_>) -> bool {
        let Some((asked, found)) = head::request(bytes) else { return false };
        let flags = found.flags;
        let fields = to.reading.names.sort(found);
        let content = Content::of(&fields);
        let mut request = message::request(to.reading, asked, &fields, to.about.peer());
        request.started = self.asked;
        request.flags.set(flags);
        request.flags.set(content.flags);
        let length = match content.length {
            _ if content.is_chunked => Length::Chunked,
            length => Length::Bytes(length.unwrap_or(0)),
        };
        reader.expect(length);
        if reader.is_long_head() {
            request.flags.set(HttpFlags::HEADERS_CUT);
        }
        to.about.is_http = true;
        let declared = if content.is_chunked { None } else { content.length };
        let body = Body::new(content.coding);
        self.asking = Some(Asking { request, body, length: declared });
        true
    }

    /// Tells the request that is read, where it was not told yet.
    fn tell(&mut self, flags: HttpFlags, moment: Moment, to: &mut Teller<'_>) {
        let Some(mut asking) = self.asking.take() else { return };
        asking.request.flags.set(flags);
        if EXCHANGES_MAX <= self.waiting.len()
            && let Some(oldest) = self.waiting.pop_front()
        {
            to.counts.dropped += 1;
            to.about.is_exact = false;
            oldest.give_up(HttpFlags::default(), to);
        }
        let exchange = asking.tell(moment, to);
        self.waiting.push_back(exchange);
    }

    /// Hears of bytes of the client that were not seen.
    pub(super) fn request_gap(
        &mut self,
        reader: &mut Reader,
        bytes: u64,
        moment: Moment,
        to: &mut Teller<'_>,
    ) {
        let gap = reader.gap(bytes);
        if let Some(asking) = &mut self.asking {
            asking.body.skip(bytes);
            asking.request.flags.set(HttpFlags::GAP);
        }
        match gap {
            // What follows is not kept, so nothing is to be waited for.
            Gap::Within => {
                self.tell(HttpFlags::default(), moment, to);
                self.requests(reader, &mut &[][..], moment, to);
            }
            Gap::Lost => {
                to.about.is_exact = false;
                to.counts.gaps += 1;
                self.tell(HttpFlags::UNFINISHED, moment, to);
            }
        }
    }

    /// Hears that the client sends a new request while the place among the responses is lost.
    pub(super) fn ask_while_lost(&mut self, to: &mut Teller<'_>) {
        match self.answering.take() {
            Some(mut answering) => {
                answering.response.flags.set(HttpFlags::UNFINISHED);
                answering.tell(to);
            }
            None => give_up_all(&mut self.waiting, HttpFlags::GAP, to),
        }
    }

    /// True where a response may begin.
    fn is_awaited(&self) -> bool {
        self.asking.is_some() || !self.waiting.is_empty()
    }

    /// Reads what the server sent.
    pub(super) fn responses(
        &mut self,
        reader: &mut Reader,
        input: &mut &[u8],
        Turn { moment, is_patient }: Turn,
        to: &mut Teller<'_>,
    ) -> Found {
        loop {
            if reader.is_between() {
                if is_patient && !input.is_empty() && !self.is_awaited() {
                    return Found::Early;
                }
                self.answered = moment.time;
            }
            let Some(part) = reader.next(input) else { return Found::All };
            match part {
                Part::Head(bytes) => match self.answer(reader, &bytes, moment, to) {
                    Found::All => {}
                    Found::Other => {
                        to.about.is_exact = false;
                        reader.lose();
                    }
                    found => return found,
                },
                Part::Body(piece) => {
                    let Some(answering) = &mut self.answering else { continue };
                    answering.body.push(piece, RESPONSE_BODY_BYTES_MAX);
                    answering.moment = moment;
                }
                Part::End => {
                    let Some(mut answering) = self.answering.take() else { continue };
                    answering.moment = moment;
                    answering.tell(to);
                }
                Part::Broken => {
                    to.about.is_exact = false;
                    reader.lose();
                    self.finish(HttpFlags::UNFINISHED, to);
                }
            }
        }
    }

    fn answer(
        &mut self,
        reader: &mut Reader,
        bytes: &[u8],
        moment: Moment,
        to: &mut Teller<'_>,
    ) -> Found {
        let Some((answered, found)) = head::response(bytes) else { return Found::Other };
        self.finish(HttpFlags::UNFINISHED, to);
        if answered.status < 200 && answered.status != 101 {
            reader.expect(Length::Bytes(0));
            return Found::All;
        }
        if self.waiting.is_empty() {
            self.tell(HttpFlags::UNFINISHED, moment, to);
        }
        let flags = found.flags;
        let fields = to.reading.names.sort(found);
        let content = Content::of(&fields);
        let mut response = message::response(answered.status, &fields);
        response.flags.set(flags);
        response.flags.set(content.flags);
        let exchange = self.next_asked(to);
        to.counts.unasked += u64::from(exchange.is_none());
        let method = exchange.as_ref().map_or(&b""[..], |it| it.request.method.as_bytes());
        let is_handed = answered.status == 101 || method == b"CONNECT" && answered.status < 300;
        let is_empty = is_handed || method == b"HEAD" || matches!(answered.status, 204 | 304);
        let length = match content.length {
            _ if is_empty => Length::Bytes(0),
            _ if content.is_chunked => Length::Chunked,
            Some(length) => Length::Bytes(length),
            None => Length::UntilEnd,
        };
        reader.expect(length);
        if reader.is_long_head() {
            response.flags.set(HttpFlags::HEADERS_CUT);
        }
        let declared = if content.is_chunked || is_empty { None } else { content.length };
        let body = Body::new(content.coding);
        let is_http2 = is_handed && value(&fields, Kind::Upgrade).eq_ignore_ascii_case(b"h2c");
        if is_http2 {
            self.waiting.extend(exchange);
            return Found::Upgraded;
        }
        let mut answering = Answering { exchange, response, body, length: declared, moment };
        if !is_handed {
            self.answering = Some(answering);
            return Found::All;
        }
        answering.response.flags.set(HttpFlags::UPGRADED);
        answering.tell(to);
        Found::Handed
    }

    /// The request that a response belongs to which just began.
    fn next_asked(&mut self, to: &mut Teller<'_>) -> Option<Exchange> {
        let count = self.count_before(self.answered);
        if to.about.is_exact {
            self.is_pipelined |= 1 < count;
            return self.waiting.pop_front();
        }
        if !self.is_pipelined {
            self.give_up(count.saturating_sub(1), to);
        }
        if 0 < count { self.waiting.pop_front() } else { None }
    }

    /// Hears that of the server whole messages were lost before that time, it seems: of requests
    /// that were sent one after the other the last may still be answered, if it followed what was
    /// lost.
    pub(super) fn lose_answers(&mut self, reader: &Reader, at: TimestampNs, to: &mut Teller<'_>) {
        if reader.is_between() && !self.is_pipelined {
            self.give_up(self.count_before(at).saturating_sub(1).max(1), to);
        }
    }

    /// How many requests that wait were sent before a time.
    fn count_before(&self, time: TimestampNs) -> usize {
        self.waiting.iter().take_while(|exchange| exchange.request.started <= time).count()
    }

    /// Tells of the first so many requests that their responses were not seen.
    fn give_up(&mut self, count: usize, to: &mut Teller<'_>) {
        for exchange in self.waiting.drain(..count.min(self.waiting.len())) {
            exchange.give_up(HttpFlags::GAP, to);
        }
    }

    /// Tells the response that is read, where there is one.
    pub(super) fn finish(&mut self, flags: HttpFlags, to: &mut Teller<'_>) {
        if let Some(mut answering) = self.answering.take() {
            answering.response.flags.set(flags);
            answering.tell(to);
        }
    }

    /// Hears of bytes of the server that were not seen.
    pub(super) fn response_gap(
        &mut self,
        reader: &mut Reader,
        bytes: u64,
        moment: Moment,
        to: &mut Teller<'_>,
    ) {
        let gap = reader.gap(bytes);
        if let Some(answering) = &mut self.answering {
            answering.body.skip(bytes);
            answering.response.flags.set(HttpFlags::GAP);
            answering.moment = moment;
        }
        if gap == Gap::Lost {
            to.about.is_exact = false;
            to.counts.gaps += 1;
            return;
        }
        let turn = Turn { moment, is_patient: false };
        self.responses(reader, &mut &[][..], turn, to);
    }

    /// Tells all that is read or waited for: the connection ended, or is given up.
    pub(super) fn end(&mut self, reader: &Reader, to: &mut Teller<'_>) {
        let moment = to.about.moment;
        let is_whole = reader.is_until_end();
        let flags = if is_whole { HttpFlags::default() } else { HttpFlags::UNFINISHED };
        self.finish(flags, to);
        self.tell(HttpFlags::UNFINISHED, moment, to);
        give_up_all(&mut self.waiting, HttpFlags::default(), to);
    }
}
