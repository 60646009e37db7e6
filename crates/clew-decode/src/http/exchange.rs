//! Requests with their responses, and how they are told.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use clew_event::http::{HttpEvent, HttpFlags, HttpRequest, HttpResponse, HttpSource};
use clew_event::socket::Endpoints;
use clew_event::{Actor, Event, EventId, EventKind, EventType, TimestampNs};

use super::Piece;
use super::assembler::Counts;
use super::body::{Body, REQUEST_BODY_BYTES_MAX, RESPONSE_BODY_BYTES_MAX};
use super::message::Reading;
use super::metadata;

/// Most requests of a connection that wait for their responses.
pub const EXCHANGES_MAX: usize = 128;

/// Who moved bytes, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) time: TimestampNs,
    pub(super) arrived: TimestampNs,
    pub(super) actor: Actor,
}

/// What all exchanges of a connection share.
#[derive(Debug)]
pub(super) struct About {
    pub(super) connection: u64,
    pub(super) endpoints: Endpoints,
    pub(super) is_inbound: bool,
    pub(super) is_tls: bool,
    /// The newest piece; what is told is part of its id.
    id: EventId,
    parts: u16,
    pub(super) moment: Moment,
    /// All bytes from the first on were seen, so responses match requests by their order alone.
    pub(super) is_exact: bool,
    /// It was there before we listened.
    pub(super) is_joined: bool,
    /// A message was read.
    pub(super) is_http: bool,
}

impl About {
    pub(super) fn new(piece: &Piece<'_>) -> Self {
        Self {
            connection: piece.connection,
            endpoints: piece.endpoints.clone(),
            is_inbound: piece.is_accepted,
            is_tls: piece.is_tls,
            id: piece.id,
            parts: 0,
            moment: Moment::default(),
            is_exact: true,
            is_joined: piece.position != 0,
            is_http: false,
        }
    }

    pub(super) fn see(&mut self, piece: &Piece<'_>) {
        (self.id, self.parts) = (piece.id, 0);
        self.moment = Moment { time: piece.time, arrived: piece.arrived, actor: piece.actor };
        if self.endpoints.remote.is_none() && piece.endpoints.remote.is_some() {
            self.endpoints = piece.endpoints.clone();
        }
    }

    /// Address of the other end.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.endpoints.remote.map(|remote| remote.ip())
    }

    pub(super) fn next_id(&mut self) -> EventId {
        let id = self.id.part(self.parts);
        self.parts = self.parts.saturating_add(1);
        id
    }

    fn event(&self, moment: Moment, exchange: &Exchange) -> (Event, HttpEvent) {
        let http = HttpEvent {
            exchange: exchange.id,
            connection: self.connection,
            seen_by: if self.is_tls { HttpSource::Tls } else { HttpSource::Socket },
            is_inbound: self.is_inbound,
            endpoints: self.endpoints.clone(),
            request: Arc::clone(&exchange.request),
            response: None,
        };
        let event = Event {
            id: exchange.id,
            time: moment.time,
            arrived: moment.arrived,
            event_type: EventType::HttpRequest,
            actor: Some(moment.actor),
            kind: EventKind::Http(Box::default()),
        };
        (event, http)
    }
}

/// With what the bytes of a connection are read, and where to what comes out of them.
#[derive(Debug)]
pub(super) struct Teller<'a> {
    pub(super) about: &'a mut About,
    pub(super) reading: Reading<'a>,
    pub(super) counts: &'a mut Counts,
    pub(super) events: &'a mut Vec<Event>,
}

/// A request that was told.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: EventId,
    pub(super) request: Arc<HttpRequest>,
}

/// A request that is read.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) request: HttpRequest,
    pub(super) body: Body,
    /// Length as declared.
    pub(super) length: Option<u64>,
}

impl Asking {
    /// Tells it, as far as it is read.
    pub(super) fn tell(mut self, moment: Moment, to: &mut Teller<'_>) -> Exchange {
        let mut request = self.request;
        request.body_bytes = self.length.unwrap_or(self.body.bytes);
        let mut body = self.body.take(REQUEST_BODY_BYTES_MAX, &mut request.flags);
        metadata::star_secrets(&mut body);
        request.body = body.into();
        let exchange = Exchange { id: to.about.next_id(), request: Arc::new(request) };
        let (mut event, http) = to.about.event(moment, &exchange);
        event.kind = EventKind::Http(Box::new(http));
        to.counts.requests += 1;
        to.events.push(event);
        exchange
    }
}

/// A response that is read.
#[derive(Debug)]
pub(super) struct Answering {
    /// `None` where its request was not seen.
    pub(super) exchange: Option<Exchange>,
    pub(super) response: HttpResponse,
    pub(super) body: Body,
    pub(super) length: Option<u64>,
    /// When and by whom its last byte was moved.
    pub(super) moment: Moment,
}

impl Answering {
    /// Tells it, as far as it is read.
    pub(super) fn tell(mut self, to: &mut Teller<'_>) {
        let Some(exchange) = self.exchange else { return };
        let mut response = self.response;
        let duration = self.moment.time.since(exchange.request.started);
        response.duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        response.body_bytes = self.length.unwrap_or(self.body.bytes);
        let mut body = self.body.take(RESPONSE_BODY_BYTES_MAX, &mut response.flags);
        let (event, http) = to.about.event(self.moment, &exchange);
        if metadata::is_hidden(&http) {
            response.issued = metadata::issued(&http, &body, self.moment.time);
            response.flags.set(HttpFlags::BODY_CUT);
        } else {
            metadata::star_secrets(&mut body);
            response.body = body.into();
        }
        answer(event, http, response, to);
    }
}

impl Exchange {
    /// Tells that no response will come any more.
    pub(super) fn give_up(self, flags: HttpFlags, to: &mut Teller<'_>) {
        let mut response = HttpResponse { flags, ..HttpResponse::default() };
        response.flags.set(HttpFlags::UNFINISHED);
        to.counts.unanswered += 1;
        let (event, http) = to.about.event(to.about.moment, &self);
        answer(event, http, response, to);
    }
}

fn answer(mut event: Event, mut http: HttpEvent, response: HttpResponse, to: &mut Teller<'_>) {
    event.id = to.about.next_id();
    event.event_type = EventType::HttpResponse;
    http.response = Some(Box::new(response));
    event.kind = EventKind::Http(Box::new(http));
    to.counts.responses += 1;
    to.events.push(event);
}

/// Gives up all that wait for a response.
pub(super) fn give_up_all(
    exchanges: &mut VecDeque<Exchange>,
    flags: HttpFlags,
    to: &mut Teller<'_>,
) {
    for exchange in std::mem::take(exchanges) {
        exchange.give_up(flags, to);
    }
}
