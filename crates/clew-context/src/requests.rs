//! Requests in flight, and because of which of them something was done.
//!
//! A request is in flight from the moment its server read it until it answered. What the thread
//! that read it does meanwhile, and what threads and processes do that were made meanwhile, is its
//! effect. A process that was made because of a request keeps that for its whole life, and so do
//! its children: a back door outlives the request that opened it. Only a worker that goes on to
//! read requests itself, in the program it was born with, is taken for a part of the server.
//!
//! A request that a server sends while it handles another is made because of that one, and where
//! the process at the other end of that connection is watched too, what it reads there is the same
//! errand: its effects know the first request of the chain.
//!
//! Reading order: `exchange` (what is kept), `handler` (how a cause is shared), then this. Bounds:
//! [`REQUESTS_MAX`], [`HANDLERS_MAX`], [`REQUEST_LIFE`] and those of the two modules; what is given
//! up for want of room is counted.

mod exchange;
mod facts;
mod handler;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use clew_event::finding::RequestFacts;
use clew_event::http::{HttpEvent, HttpRequest};
use clew_event::process::Forked;
use clew_event::{Actor, BootId, Event, EventId, EventKind, ProcessKey, Text, TimestampNs};
use serde::{Deserialize, Serialize};

use crate::bounded::{Bounded, Standing};
use exchange::{Ends, Exchange, Exchanges, Share, ends};
use handler::{Handler, InFlight, OF_PROCESS_MAX, WHOLE};

pub use handler::CAUSES_MAX;

/// Most requests that are in flight at once, and as many more that are answered and have processes
/// which were made because of them.
pub const REQUESTS_MAX: usize = 16_384;
/// Most processes that handle requests or were made because of one.
pub const HANDLERS_MAX: usize = 16_384;
/// How long, by the time of events, a request without a response stays in flight.
pub const REQUEST_LIFE: Duration = Duration::from_secs(5 * 60);

/// A request that may be the cause of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The exchange: id of the event that told the request.
    pub exchange: EventId,
    /// The request itself.
    pub request: Arc<HttpRequest>,
    /// That the event is of this request: 1 where its thread handled no other.
    pub probability: f64,
    /// The request from outside because of which this one was made, by way of others; `None` where
    /// it came from outside itself, as far as was seen.
    pub first: Option<First>,
}

impl Cause {
    /// What a finding says of it, or of the first of its chain.
    #[must_use]
    pub fn facts(&self) -> RequestFacts {
        match &self.first {
            Some(first) => facts::of(first.exchange, &first.request, first.probability),
            None => facts::of(self.exchange, &self.request, self.probability),
        }
    }
}

/// The first of a chain of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct First {
    /// The exchange.
    pub exchange: EventId,
    /// The request itself.
    pub request: Arc<HttpRequest>,
    /// That the event is of this request.
    pub probability: f64,
}

/// The request because of which something most likely came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Likeliest<'a> {
    pub(crate) exchange: EventId,
    pub(crate) request: &'a HttpRequest,
    pub(crate) probability: f64,
}

/// All requests in flight, and who acts because of which.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Requests {
    exchanges: Exchanges,
    handlers: Bounded<ProcessKey, Handler>,
    /// Requests that watched processes sent and that are not answered yet, by their connection.
    asked: Bounded<Ends, EventId>,
    /// Requests that came in, by the ids of their traces; of several the one that began the trace.
    traces: Bounded<Text, EventId>,
    /// Answered by the last event, which is still seen with it.
    answered: Option<EventId>,
    dropped: u64,
}

impl Default for Requests {
    fn default() -> Self {
        Self::new(REQUESTS_MAX)
    }
}

impl Requests {
    pub(crate) fn new(requests_max: usize) -> Self {
        Self {
            exchanges: Exchanges::new(requests_max),
            handlers: Bounded::new(HANDLERS_MAX.min(requests_max)),
            asked: Bounded::new(requests_max),
            traces: Bounded::new(requests_max),
            answered: None,
            dropped: 0,
        }
    }

    /// Requests in flight.
    pub(crate) fn open_count(&self) -> usize {
        self.exchanges.open_count()
    }

    /// Answered ones because of which a process was made that still runs.
    pub(crate) fn held_count(&self) -> usize {
        self.exchanges.held_count()
    }

    /// Requests given up for want of room, and processes whose causes were.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped + self.handlers.evicted()
    }

    /// Whether that process handles a request, or was made because of one.
    pub(crate) fn concern(&self, process: &ProcessKey) -> bool {
        self.handlers.get(process).is_some_and(|handler| !handler.is_idle())
    }

    /// Takes in one event.
    pub(crate) fn observe(&mut self, event: &Event) {
        if let Some(answered) = self.answered.take() {
            self.close(answered);
        }
        match (&event.kind, &event.actor) {
            (EventKind::Http(http), Some(actor)) => self.exchange(event, actor, http),
            (EventKind::Http(http), None) => self.told(event, http),
            (EventKind::Forked(forked), Some(actor)) => self.fork(actor, forked, event.time),
            (EventKind::Executed(_), Some(actor)) => self.execute(&actor.process),
            (EventKind::Exited(exited), Some(actor)) if exited.is_thread => {
                self.exit_thread(&actor.process, actor.tid);
            }
            (EventKind::Exited(_), Some(actor)) => self.exit(&actor.process),
            (EventKind::NodeStarted(started), _) if started.goes_on() => {}
            (EventKind::NodeStarted(started), _) => self.restart(started.boot),
            _ => {}
        }
    }

    /// A request was read or sent, or a response.
    fn exchange(&mut self, event: &Event, actor: &Actor, http: &HttpEvent) {
        self.close_overdue(event.time);
        match &http.response {
            Some(_) => self.answer(http.exchange, actor, event.time),
            None if self.exchanges.get(http.exchange).is_some() => {}
            None if http.is_inbound => self.read(event, actor, http),
            None => self.send(event, actor, http),
        }
    }

    /// An application told of a request itself, and no thread is known: what else it tells of the
    /// same trace is the effect.
    fn told(&mut self, event: &Event, http: &HttpEvent) {
        self.close_overdue(event.time);
        let nobody = Actor::default();
        if http.response.is_some() {
            return self.answer(http.exchange, &nobody, event.time);
        }
        let causes = self.firsts(&self.traced(&http.request.trace));
        let is_known = self.exchanges.get(http.exchange).is_some();
        if is_known || !http.is_inbound && causes.is_empty() {
            return;
        }
        let exchange = Exchange::new((event, &nobody), http, causes);
        self.exchanges.insert(http.exchange, exchange);
        self.note_trace(http);
        self.make_room();
    }

    /// Requests without a response do not stay for ever.
    fn close_overdue(&mut self, now: TimestampNs) {
        let life = u64::try_from(REQUEST_LIFE.as_nanos()).unwrap_or(u64::MAX);
        let oldest = TimestampNs::from_unix_ns(now.unix_ns().saturating_sub(life));
        while let Some(overdue) = self.exchanges.overdue(oldest) {
            self.close(overdue);
        }
    }

    fn note_trace(&mut self, http: &HttpEvent) {
        if let Some(id) = trace(&http.request.trace).filter(|_| http.is_inbound) {
            let id = Text::from(id);
            if self.traces.get(&id).is_none() {
                self.traces.insert(id, http.exchange, Standing::Live);
            }
        }
    }

    /// The request in flight with that trace, which proves that it is the cause.
    fn traced(&self, parent: &Text) -> Vec<Share> {
        let exchange = trace(parent).and_then(|id| self.traces.get(&Text::from(id)));
        exchange.map(|&exchange| Share { exchange, millionths: WHOLE }).into_iter().collect()
    }

    /// A process or thread was made: it acts for what its maker acts for.
    fn fork(&mut self, actor: &Actor, forked: &Forked, now: TimestampNs) {
        let shares = self.shares(actor, now);
        if shares.is_empty() {
            return;
        }
        if forked.is_thread {
            if let Some(handler) = self.handlers.get_mut(&actor.process) {
                handler.make_thread(forked.child_tid, shares);
            }
        } else if self.handlers.get(&forked.child).is_none() {
            self.exchanges.hold(&shares);
            self.put(forked.child, Handler::born_of(shares), Standing::Needed);
        }
    }

    /// A process took a program.
    fn execute(&mut self, process: &ProcessKey) {
        if let Some(handler) = self.handlers.get_mut(process) {
            handler.has_executed = true;
        }
    }

    /// A process ended.
    fn exit(&mut self, process: &ProcessKey) {
        if let Some(handler) = self.handlers.remove(process) {
            self.let_go(handler);
        }
    }

    /// A thread ended and its process goes on.
    fn exit_thread(&mut self, process: &ProcessKey, tid: u32) {
        if let Some(handler) = self.handlers.get_mut(process) {
            handler.end_thread(tid);
        }
    }

    /// The sensor of this boot began anew: what was in flight is not known any more.
    fn restart(&mut self, boot: BootId) {
        for process in self.handlers.keys().iter().filter(|process| process.boot == boot) {
            self.exit(process);
        }
    }

    /// Adds the requests that may be the cause of an event, in the order in which they were read.
    pub(crate) fn causes(&self, event: &Event, causes: &mut Vec<Cause>) {
        let is_inbound = matches!(&event.kind, EventKind::Http(http) if http.is_inbound);
        let shares = if is_inbound { Vec::new() } else { self.because(event) };
        causes.extend(shares.into_iter().filter_map(|share| self.cause(share)));
    }

    /// The request because of which an event most likely came to be; of one that came in, itself.
    pub(crate) fn likeliest<'a>(&'a self, event: &'a Event) -> Option<Likeliest<'a>> {
        match &event.kind {
            EventKind::Http(http) if http.is_inbound => {
                let probability = 1.0;
                Some(Likeliest { exchange: http.exchange, request: &http.request, probability })
            }
            _ => self.likeliest_of(&self.because(event)),
        }
    }

    /// Because of which requests something was done: by the thread that did it, or by the trace
    /// that tells it.
    fn because(&self, event: &Event) -> Vec<Share> {
        match (&event.kind, &event.actor) {
            (EventKind::Http(http), _) => {
                self.exchanges.get(http.exchange).map_or_else(Vec::new, |it| it.causes.clone())
            }
            (_, Some(actor)) => self.shares(actor, event.time),
            (EventKind::Query(query), None) => self.traced(&query.trace),
            (_, None) => Vec::new(),
        }
    }

    /// Of several the likeliest, and of equals the latest.
    fn likeliest_of(&self, shares: &[Share]) -> Option<Likeliest<'_>> {
        let share = shares.iter().max_by_key(|share| share.millionths)?;
        let request = &self.exchanges.get(share.exchange)?.http.request;
        Some(Likeliest { exchange: share.exchange, request, probability: probability(*share) })
    }

    /// The event that told a request which is kept, as evidence; once.
    pub(crate) fn give(&mut self, exchange: EventId) -> Option<Event> {
        self.exchanges.give(exchange)
    }

    /// What a finding says of the request behind its event: the first of the chain, which came
    /// from outside.
    pub(crate) fn facts(&self, event: &Event) -> Option<RequestFacts> {
        let Likeliest { exchange, request, probability } = self.likeliest(event)?;
        let first = self.exchanges.get(exchange).and_then(|it| self.likeliest_of(&it.causes));
        Some(match first {
            Some(first) => {
                facts::of(first.exchange, first.request, first.probability * probability)
            }
            None => facts::of(exchange, request, probability),
        })
    }

    fn cause(&self, share: Share) -> Option<Cause> {
        let exchange = self.exchanges.get(share.exchange)?;
        let likeliest = exchange.causes.iter().max_by_key(|first| first.millionths);
        let first = likeliest.and_then(|first| {
            let request = self.exchanges.get(first.exchange)?.http.request.clone();
            let probability = probability(share) * probability(*first);
            Some(First { exchange: first.exchange, request, probability })
        });
        Some(Cause {
            exchange: share.exchange,
            request: exchange.http.request.clone(),
            probability: probability(share),
            first,
        })
    }

    fn shares(&self, actor: &Actor, now: TimestampNs) -> Vec<Share> {
        let mut shares = Vec::new();
        if let Some(handler) = self.handlers.get(&actor.process) {
            handler.share(actor.tid, now, &mut shares);
        }
        shares
    }

    /// A watched process read a request.
    fn read(&mut self, event: &Event, actor: &Actor, http: &HttpEvent) {
        let causes = self.sender(http).map_or_else(Vec::new, |sent| sent.causes.clone());
        let exchange = Exchange::new((event, actor), http, causes);
        self.exchanges.insert(http.exchange, exchange);
        self.note_trace(http);
        if self.handlers.get(&actor.process).is_none() {
            self.put(actor.process, Handler::default(), Standing::Live);
        }
        self.handlers.set_standing(&actor.process, Standing::Live);
        let Some(handler) = self.handlers.get_mut(&actor.process) else { return };
        let in_flight = InFlight { exchange: http.exchange, tid: actor.tid, read: event.time };
        handler.in_flight.push(in_flight);
        let is_worker = !handler.has_executed;
        let born_of = if is_worker { std::mem::take(&mut handler.born_of) } else { Vec::new() };
        let oldest = handler.in_flight.first().map(|it| it.exchange);
        let oldest = oldest.filter(|_| OF_PROCESS_MAX < handler.in_flight.len());
        self.exchanges.release(born_of);
        if let Some(oldest) = oldest {
            self.give_up(oldest);
        }
        self.make_room();
    }

    /// A watched process sent a request.
    fn send(&mut self, event: &Event, actor: &Actor, http: &HttpEvent) {
        let mut causes = self.shares(actor, event.time);
        if causes.is_empty() {
            return;
        }
        self.sharpen(&mut causes, &http.request);
        let causes = self.firsts(&causes);
        let exchange = Exchange::new((event, actor), http, causes);
        if let Some(ends) = exchange.ends {
            self.asked.insert(ends, http.exchange, Standing::Live);
        }
        self.exchanges.insert(http.exchange, exchange);
        let Some(handler) = self.handlers.get_mut(&actor.process) else { return };
        handler.sent.push(http.exchange);
        let oldest = handler.sent.first().copied();
        if let Some(oldest) = oldest.filter(|_| OF_PROCESS_MAX < handler.sent.len()) {
            self.give_up(oldest);
        }
        self.make_room();
    }

    /// The request that a watched process sent, where this is the same at the other end.
    fn sender(&self, http: &HttpEvent) -> Option<&Exchange> {
        let (local, remote) = ends(http)?;
        let sent = self.exchanges.get(*self.asked.get(&(remote, local))?)?;
        let is_same = sent.http.request.method == http.request.method
            && sent.http.request.path == http.request.path
            && sent.http.request.query == http.request.query;
        is_same.then_some(sent)
    }

    /// Of the requests that may have made a server send this one, keeps those that it repeats: by
    /// the id of its trace, which is proof, or else by what is asked for.
    fn sharpen(&self, causes: &mut Vec<Share>, sent: &HttpRequest) {
        let asks = |share: &Share, same: &dyn Fn(&HttpRequest) -> bool| {
            self.exchanges.get(share.exchange).is_some_and(|it| same(&it.http.request))
        };
        let traced =
            |it: &HttpRequest| trace(&it.trace).is_some_and(|id| trace(&sent.trace) == Some(id));
        let repeats = |it: &HttpRequest| it.path == sent.path && it.query == sent.query;
        if causes.iter().any(|share| asks(share, &traced)) {
            causes.retain(|share| asks(share, &traced));
        } else if causes.iter().any(|share| asks(share, &repeats)) {
            causes.retain(|share| asks(share, &repeats));
        } else {
            return;
        }
        let sum: u64 = causes.iter().map(|share| u64::from(share.millionths)).sum();
        for share in causes {
            let part = u64::from(share.millionths) * u64::from(WHOLE) / sum.max(1);
            share.millionths = u32::try_from(part).unwrap_or(WHOLE);
        }
    }

    /// For each cause the first request of its chain.
    fn firsts(&self, causes: &[Share]) -> Vec<Share> {
        let first = |share: &Share| {
            let of = &self.exchanges.get(share.exchange)?.causes;
            let first = of.iter().max_by_key(|first| first.millionths)?;
            let product = u64::from(share.millionths) * u64::from(first.millionths);
            let millionths = u32::try_from(product / u64::from(WHOLE)).unwrap_or(WHOLE);
            Some(Share { exchange: first.exchange, millionths })
        };
        causes.iter().map(|share| first(share).unwrap_or(*share)).collect()
    }

    /// A response was written or read; one whose request was not seen changes nothing.
    fn answer(&mut self, exchange: EventId, actor: &Actor, now: TimestampNs) {
        let Some(request) = self.exchanges.get(exchange).filter(|it| it.is_open) else { return };
        if request.http.is_inbound {
            let took = now.unix_ns().saturating_sub(request.read.unix_ns());
            let has_moved = request.actor.tid != actor.tid;
            if let Some(handler) = self.handlers.get_mut(&request.actor.process) {
                handler.answer(has_moved, took);
            }
        }
        self.answered = Some(exchange);
    }

    fn close(&mut self, id: EventId) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        if let Some(handler) = self.handlers.get_mut(&exchange.actor.process) {
            handler.close(id);
        }
        if let Some(ends) = exchange.ends.filter(|_| !exchange.http.is_inbound)
            && self.asked.get(&ends) == Some(&id)
        {
            self.asked.remove(&ends);
        }
        if let Some(of_trace) = trace(&exchange.http.request.trace).map(Text::from)
            && self.traces.get(&of_trace) == Some(&id)
        {
            self.traces.remove(&of_trace);
        }
        self.dropped += self.exchanges.close(id);
    }

    fn give_up(&mut self, id: EventId) {
        self.dropped += 1;
        self.close(id);
    }

    fn make_room(&mut self) {
        while self.exchanges.is_over()
            && let Some(oldest) = self.exchanges.overdue(TimestampNs::default())
        {
            self.give_up(oldest);
        }
    }

    fn put(&mut self, process: ProcessKey, handler: Handler, standing: Standing) {
        if let Some((_, given_up)) = self.handlers.insert(process, handler, standing) {
            self.let_go(given_up);
        }
    }

    fn let_go(&mut self, handler: Handler) {
        let in_flight = handler.in_flight.iter().map(|it| it.exchange);
        for exchange in in_flight.chain(handler.sent.iter().copied()) {
            self.close(exchange);
        }
        self.exchanges.release(handler.born_of);
    }
}

fn probability(share: Share) -> f64 {
    f64::from(share.millionths) / f64::from(WHOLE)
}

/// The id of the whole trace within a `traceparent` (W3C Trace Context, 3.2.2.3).
fn trace(parent: &Text) -> Option<&[u8]> {
    parent.as_bytes().get(3..35).filter(|id| id.iter().any(|&digit| digit != b'0'))
}
